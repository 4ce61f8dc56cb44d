//! Reading: contents, stamps, listings, resolved paths, content hashes.
//!
//! Nothing here changes state, so nothing passes the fault seam. A [`Stamp`]
//! tells cheaply that a file is another one than before; equal stamps prove
//! little about a file that changed within the clock's last tick (some
//! milliseconds), and a content hash does.
#![expect(clippy::disallowed_methods, reason = "this is the module that touches the file system")]

use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::error::{FsError, is_absent};

/// Links followed in a row before it counts as a loop, as Linux does it.
const MAX_LINKS: usize = 40;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link; only [`list`] and [`link_stamp`] tell of them, all else
    /// follows links.
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

impl Kind {
    fn of(file_type: FileType) -> Self {
        if file_type.is_symlink() {
            Self::Symlink
        } else if file_type.is_dir() {
            Self::Dir
        } else if file_type.is_file() {
            Self::File
        } else {
            Self::Other
        }
    }
}

/// What tells one state of a file from another without reading it.
///
/// Outside Unix `dev`, `ino` and `ctime_ns` are 0, and `mode` is 0o444 or 0o666.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// What it is.
    pub kind: Kind,
    /// The device it lies on.
    pub dev: u64,
    /// Its inode: another one after each atomic replace.
    pub ino: u64,
    /// Its length in bytes.
    pub len: u64,
    /// When its contents changed, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When its contents, mode, owner or name changed, likewise; unlike `mtime_ns`
    /// no program can set it back.
    pub ctime_ns: i128,
    /// The permission bits, setuid, setgid and sticky included.
    pub mode: u32,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let nanos =
                |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
            Self {
                kind: Kind::of(metadata.file_type()),
                dev: metadata.dev(),
                ino: metadata.ino(),
                len: metadata.len(),
                mtime_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
                ctime_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
                mode: metadata.mode() & 0o7777,
            }
        }
        #[cfg(not(unix))]
        {
            let since_1970 = |time: std::time::SystemTime| {
                let nanos =
                    |d: std::time::Duration| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX);
                match time.duration_since(std::time::UNIX_EPOCH) {
                    Ok(after) => nanos(after),
                    Err(before) => -nanos(before.duration()),
                }
            };
            let readonly = metadata.permissions().readonly();
            Self {
                kind: Kind::of(metadata.file_type()),
                dev: 0,
                ino: 0,
                len: metadata.len(),
                mtime_ns: metadata.modified().map_or(0, since_1970),
                ctime_ns: 0,
                mode: if readonly { 0o444 } else { 0o666 },
            }
        }
    }
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the folder.
    pub name: OsString,
    /// The folder, and the name.
    pub path: PathBuf,
    /// What it is; links are not followed.
    pub kind: Kind,
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    fs::read(path).map_err(FsError::one("read", path))
}

/// Reads a whole file; `None` where there is none.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    present(fs::read(path)).map_err(FsError::one("read", path))
}

/// Reads the beginning of a file, at most `max` bytes.
pub fn read_head(path: &Path, max: u64) -> Result<Vec<u8>, FsError> {
    let head = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(max).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    head().map_err(FsError::one("read", path))
}

/// Returns the stamp of what lies at a path, links followed; `None` where there
/// is nothing, or a link to nothing.
pub fn stamp(path: &Path) -> Result<Option<Stamp>, FsError> {
    let metadata = present(fs::metadata(path)).map_err(FsError::one("examine", path))?;
    Ok(metadata.as_ref().map(Stamp::of))
}

/// Returns the stamp of a file that is open; `path` is for the error.
pub fn stamp_of(file: &File, path: &Path) -> Result<Stamp, FsError> {
    let metadata = file.metadata().map_err(FsError::one("examine", path))?;
    Ok(Stamp::of(&metadata))
}

/// Returns how many names a file has, links followed: 0 where there is none, and 1 where
/// the system does not tell.
pub fn names(path: &Path) -> Result<u64, FsError> {
    let metadata = present(fs::metadata(path)).map_err(FsError::one("examine", path))?;
    #[cfg(unix)]
    let names = |metadata: &Metadata| std::os::unix::fs::MetadataExt::nlink(metadata);
    #[cfg(not(unix))]
    let names = |_: &Metadata| 1;
    Ok(metadata.as_ref().map_or(0, names))
}

/// Returns the stamp of the name itself: of a link, not of what it leads to.
pub fn link_stamp(path: &Path) -> Result<Option<Stamp>, FsError> {
    let metadata = present(fs::symlink_metadata(path)).map_err(FsError::one("examine", path))?;
    Ok(metadata.as_ref().map(Stamp::of))
}

/// Returns what a link says, as written.
pub fn link_target(path: &Path) -> Result<PathBuf, FsError> {
    fs::read_link(path).map_err(FsError::one("read", path))
}

/// Lists a folder, sorted by name.
pub fn list(dir: &Path) -> Result<Vec<Entry>, FsError> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok(Entry {
            name: entry.file_name(),
            path: entry.path(),
            kind: Kind::of(entry.file_type()?),
        })
    };
    let mut entries = fs::read_dir(dir)
        .and_then(|entries| entries.map(entry).collect::<io::Result<Vec<_>>>())
        .map_err(FsError::one("list", dir))?;
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Returns the absolute path of what `path` names, all links followed.
///
/// The last component need not exist, also at the end of a link; its folder must.
/// Links in a circle are an error.
pub fn resolve(path: &Path) -> Result<PathBuf, FsError> {
    follow(path).map_err(FsError::one("resolve", path))
}

fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MAX_LINKS {
        let absent = match fs::canonicalize(&path) {
            Ok(path) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(absent);
        };
        let dir = fs::canonicalize(dir)?;
        let named = dir.join(name);
        match present(fs::read_link(&named)) {
            Ok(Some(target)) => path = dir.join(target),
            // Made since we looked, and no link: there it is.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(named),
            Ok(None) => return Ok(named),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Returns the xxh3 hash of `bytes`, 128 bits as 32 hex digits. It finds
/// changes, it does not withstand an attacker.
pub fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// Returns the [`hash`] of a file's contents, read piece by piece.
pub fn hash_file(path: &Path) -> Result<String, FsError> {
    let stream = || {
        let mut file = File::open(path)?;
        let mut hasher = Xxh3::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(format!("{:032x}", hasher.digest128())),
                Ok(len) => hasher.update(&piece[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    stream().map_err(FsError::one("read", path))
}

/// Tells whether two existing paths lie on one mount, so that a file can be
/// renamed from one to the other. Ask it of folders.
///
/// Two mounts of one device count as two where the kernel tells (Linux 5.8);
/// outside Unix the answer is yes, and the rename tells.
pub fn is_same_mount(a: &Path, b: &Path) -> Result<bool, FsError> {
    Ok(mount_of(a)? == mount_of(b)?)
}

fn mount_of(path: &Path) -> Result<(u64, Option<u64>), FsError> {
    let metadata = fs::metadata(path).map_err(FsError::one("examine", path))?;
    Ok((Stamp::of(&metadata).dev, mount_id(path)))
}

#[cfg(target_os = "linux")]
fn mount_id(path: &Path) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    // An older kernel has no such call, or leaves the field out: the device decides.
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    StatxFlags::from_bits_retain(found.stx_mask)
        .contains(StatxFlags::MNT_ID)
        .then_some(found.stx_mnt_id)
}

#[cfg(not(target_os = "linux"))]
fn mount_id(_path: &Path) -> Option<u64> {
    None
}

/// Turns the answer that nothing is there into `None`.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_none_and_the_rest_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        assert_eq!(read_if_exists(&file).unwrap(), None);
        assert_eq!(stamp(&file).unwrap(), None);
        assert!(read(&file).unwrap_err().is_not_found());
        fs::write(&file, "text").unwrap();
        assert_eq!(read_if_exists(&file).unwrap().unwrap(), b"text");
        assert_eq!(read_if_exists(&file.join("below")).unwrap(), None);
        assert_eq!(stamp(&file.join("below")).unwrap(), None);
        let error = read_if_exists(dir.path()).unwrap_err();
        assert_eq!(error.path(), dir.path());
        assert!(error.to_string().starts_with("cannot read /"), "{error}");
    }

    #[test]
    fn a_stamp_tells_files_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "same").unwrap();
        let first = stamp(&a).unwrap().unwrap();
        assert_eq!(stamp(&a).unwrap().unwrap(), first);
        assert_eq!((first.len, first.kind), (4, Kind::File));
        fs::write(&b, "same").unwrap();
        fs::rename(&b, &a).unwrap();
        assert_ne!(stamp(&a).unwrap().unwrap(), first);
        assert_eq!(stamp(dir.path()).unwrap().unwrap().kind, Kind::Dir);
    }

    #[cfg(unix)]
    #[test]
    fn a_stamp_sees_a_change_that_hides_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let before = stamp(&path).unwrap().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let mtime = std::time::UNIX_EPOCH
            + std::time::Duration::from_nanos(u64::try_from(before.mtime_ns).unwrap());
        file.set_modified(mtime).unwrap();
        let after = stamp(&path).unwrap().unwrap();
        assert_eq!(after.mtime_ns, before.mtime_ns);
        assert_ne!(after, before);
    }

    #[test]
    fn lists_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b"), "").unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", dir.path().join("c")).unwrap();
        let entries = list(dir.path()).unwrap();
        let found: Vec<_> = entries.iter().map(|e| (e.name.to_str().unwrap(), e.kind)).collect();
        assert_eq!(found[..2], [("a", Kind::Dir), ("b", Kind::File)]);
        #[cfg(unix)]
        assert_eq!(found[2..], [("c", Kind::Symlink)]);
        assert_eq!(entries[0].path, dir.path().join("a"));
        assert!(list(&dir.path().join("none")).unwrap_err().is_not_found());
    }

    #[cfg(unix)]
    #[test]
    fn resolves_links_to_what_is_not_there_yet() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(top.join("real/deep")).unwrap();
        symlink("real", top.join("folder")).unwrap();
        symlink("../folder/deep/file", top.join("real/second")).unwrap();
        symlink(top.join("folder/second"), top.join("first")).unwrap();
        let wanted = top.join("real/deep/file");
        assert_eq!(resolve(&top.join("first")).unwrap(), wanted);
        fs::write(&wanted, "").unwrap();
        assert_eq!(resolve(&top.join("first")).unwrap(), wanted);
        assert_eq!(resolve(&top.join("folder/./deep/../new")).unwrap(), top.join("real/new"));
        symlink("nowhere/file", top.join("lost")).unwrap();
        for lost in ["lost", "nowhere/file", "first/below"] {
            assert!(resolve(&top.join(lost)).unwrap_err().is_not_found(), "{lost}");
        }
        symlink("pong", top.join("ping")).unwrap();
        symlink("ping", top.join("pong")).unwrap();
        assert!(!resolve(&top.join("ping")).unwrap_err().is_not_found());
        assert_eq!(resolve(Path::new("/")).unwrap(), Path::new("/"));
        assert!(resolve(Path::new("")).is_err());
    }

    #[test]
    fn a_bare_name_is_resolved_from_here() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        let name = "no-such-file-here";
        assert_eq!(resolve(Path::new(name)).unwrap(), here.join(name));
    }

    #[test]
    fn hashes_alike_whole_and_in_pieces() {
        // The published test vector of XXH3-128 for no input.
        assert_eq!(hash(b""), "99aa06d3014798d86001c324468d497f");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        for len in [0, 1, 64 * 1024, 200_001] {
            let bytes: Vec<u8> = (0..len).map(|n: u32| n.to_le_bytes()[0]).collect();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(hash_file(&path).unwrap(), hash(&bytes));
        }
        assert!(hash_file(dir.path()).is_err());
    }

    #[test]
    fn knows_mounts_apart() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        fs::create_dir(&below).unwrap();
        assert!(is_same_mount(dir.path(), &below).unwrap());
        if cfg!(target_os = "linux") {
            assert!(!is_same_mount(dir.path(), Path::new("/proc")).unwrap());
        }
        assert!(is_same_mount(dir.path(), &dir.path().join("none")).is_err());
    }
}
