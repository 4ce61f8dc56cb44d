//! Writing so that a reader, and a crash, find the old file or the new one.
//!
//! [`replace`] does all of it: a temporary file in the same folder, fsync,
//! rename, fsync of the folder. The steps are there one by one for protocols that
//! need something in between, and say which fsync they leave to the caller.
//! Each step passes the fault seam. Temporary files carry unpredictable names
//! with a prefix; one that a kill left behind is the caller's to sweep, under the
//! caller's lock.
#![expect(clippy::disallowed_methods, reason = "this is the module that touches the file system")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use super::error::{FsError, is_absent};
use super::fault::{self, Op, point};
use super::read::resolve;

/// The prefix of the temporary files that [`replace`] and [`create_new`] put
/// beside their target.
pub const TEMP_PREFIX: &str = ".tmp-";

/// Whether [`append`] returns before or after the bytes are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// After: an fsync of the file, and of the folder where the file is new.
    Synced,
    /// Before: a crash of the machine may lose the bytes.
    Buffered,
}

/// What became of an [`exchange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// Each path now names what the other did.
    Done,
    /// Nothing was done: this system or file system cannot.
    Unsupported,
}

/// A temporary file, written and fsynced, that waits to be put in its place.
///
/// Removed on drop, unless [`Staged::keep`] takes it over; do that before a
/// rename or an exchange, after which the path may name somebody else's text.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    file: File,
    removed_on_drop: bool,
}

impl Staged {
    /// Returns where it lies, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fsyncs it.
    pub fn sync(&self) -> Result<(), FsError> {
        let synced = point(Op::SyncFile, &self.path, || self.file.sync_all());
        synced.map_err(FsError::one("sync", &self.path))
    }

    /// Gives it another name in its folder, which must be free. The folder is not
    /// fsynced.
    pub fn renamed(mut self, name: &str) -> Result<Self, FsError> {
        let to = self.path.with_file_name(name);
        rename(&self.path, &to)?;
        self.path = to;
        Ok(self)
    }

    /// Returns where it lies, and leaves it there from now on.
    pub fn keep(mut self) -> PathBuf {
        self.removed_on_drop = false;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.removed_on_drop
            && let Err(error) = remove_if_exists(&self.path)
        {
            tracing::warn!(%error, source = %error.io(), "a temporary file stays behind");
        }
    }
}

/// Replaces the contents of the file at `path`, or creates it: durable, and in
/// one step for every reader.
///
/// Links are followed: the file behind them is replaced. Its mode is kept, its
/// owner and group where we are allowed to. After an error in the last step, the
/// fsync of the folder, the new contents are in place, but may not survive a
/// crash of the machine.
///
/// ```
/// use orchestrator::fs;
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("notes.txt");
/// fs::replace(&path, b"one\n")?;
/// fs::replace(&path, b"two\n")?;
/// assert_eq!(fs::read(&path)?, b"two\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let target = resolve(path)?;
    let dir = folder_of(&target);
    let staged = stage(dir, TEMP_PREFIX, bytes, Some(&target))?;
    put(staged, &target)?;
    sync_dir(dir)
}

/// [`replace`] for what is its owner's alone: nobody else can read or write it, from its
/// first byte on, whatever the mode of the file before.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let target = resolve(path)?;
    let dir = folder_of(&target);
    let model = attributes_of(&target)?.map(Attributes::private);
    let staged = write_temporary(dir, TEMP_PREFIX, bytes, model.as_ref(), true)?;
    staged.sync()?;
    put(staged, &target)?;
    sync_dir(dir)
}

fn put(staged: Staged, target: &Path) -> Result<(), FsError> {
    rename(staged.path(), target)?;
    staged.keep();
    Ok(())
}

/// Creates a file that must not exist yet: durable, and whole at once for every
/// reader. Something at `path`, a link to nothing included, is the error
/// [`FsError::is_already_exists`].
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let dir = folder_of(path);
    let staged = stage(dir, TEMP_PREFIX, bytes, None)?;
    rename_noreplace(staged.path(), path)?;
    staged.keep();
    sync_dir(dir)
}

/// Copies what is open of the file at `from`, in its mode and where allowed with its owner,
/// to a name that nothing has yet, and fsyncs it. The folder is not fsynced, and a crash may
/// leave a part.
pub fn copy_new(mut open: &File, from: &Path, to: &Path) -> Result<(), FsError> {
    let attributes = attributes_of(from)?;
    let mut copy = || {
        let mut file = create_file(to, attributes.is_some())?;
        if let Some(attributes) = &attributes {
            point(Op::SetAttributes, to, || attributes.apply(&file))?;
        }
        open.rewind()?;
        point(Op::Write, to, || io::copy(&mut open, &mut file))?;
        point(Op::SyncFile, to, || file.sync_all())
    };
    copy().map_err(FsError::two("copy", from, to))
}

/// Writes `bytes` to a new file in `dir`, whose name starts with `prefix` and
/// cannot be foretold, and fsyncs it.
///
/// It gets the mode, and where allowed the owner and group, of the file `like`;
/// without one, those of any new file. The folder is not fsynced: the name may
/// not survive a crash before [`sync_dir`].
pub fn stage(
    dir: &Path,
    prefix: &str,
    bytes: &[u8],
    like: Option<&Path>,
) -> Result<Staged, FsError> {
    let staged = stage_unsynced(dir, prefix, bytes, like)?;
    staged.sync().map(|()| staged)
}

/// [`stage`], of which the caller waits for the disk later, by [`Staged::sync`].
pub fn stage_unsynced(
    dir: &Path,
    prefix: &str,
    bytes: &[u8],
    like: Option<&Path>,
) -> Result<Staged, FsError> {
    let model = like.map(attributes_of).transpose()?.flatten();
    write_temporary(dir, prefix, bytes, model.as_ref(), model.is_some())
}

fn write_temporary(
    dir: &Path,
    prefix: &str,
    bytes: &[u8],
    model: Option<&Attributes>,
    private: bool,
) -> Result<Staged, FsError> {
    let (file, path) = tempfile::Builder::new()
        .prefix(prefix)
        .rand_bytes(12)
        // Its own removal on drop would pass by the fault seam.
        .disable_cleanup(true)
        .make_in(dir, |path| create_file(path, private))
        .map_err(FsError::one("create a temporary file in", dir))?
        .into_parts();
    let staged = Staged { path: path.to_path_buf(), file, removed_on_drop: true };
    let Staged { path, file, .. } = &staged;
    if let Some(model) = model {
        point(Op::SetAttributes, path, || model.apply(file))
            .map_err(FsError::one("set the mode of", path))?;
    }
    fault::write(Op::Write, path, file, bytes).map_err(FsError::one("write", path))?;
    Ok(staged)
}

/// Renames `from` to `to`, replacing what is there. Neither folder is fsynced.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    point(Op::Rename, to, || fs::rename(from, to)).map_err(FsError::two("rename", from, to))
}

/// Renames `from` to `to` where nothing is there yet; else the error
/// [`FsError::is_already_exists`], and nothing is done. Neither folder is fsynced.
///
/// Where the system has no such rename, a link and a removal do it; where it has
/// no links either (FAT), a look and a rename, with a small window in between.
pub fn rename_noreplace(from: &Path, to: &Path) -> Result<(), FsError> {
    let error = FsError::two("rename", from, to);
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let renamed = point(Op::Rename, to, || {
            Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
        });
        match renamed {
            Err(answer) if is_unsupported(&answer) => {}
            answered => return answered.map_err(error),
        }
    }
    link_and_remove(from, to).map_err(error)
}

/// Gives a file a second name; returns whether the file system has such. The folder is
/// not fsynced.
pub fn link(from: &Path, to: &Path) -> Result<bool, FsError> {
    try_link(from, to).map_err(FsError::two("link", from, to))
}

fn try_link(from: &Path, to: &Path) -> io::Result<bool> {
    match point(Op::Link, to, || fs::hard_link(from, to)) {
        Ok(()) => Ok(true),
        Err(error) if is_unsupported(&error) => Ok(false),
        // So do Linux and others say that a file system has no links.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

/// The way of [`rename_noreplace`] without the system's help.
fn link_and_remove(from: &Path, to: &Path) -> io::Result<()> {
    if try_link(from, to)? {
        return point(Op::Remove, from, || fs::remove_file(from));
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if is_absent(&error) => point(Op::Rename, to, || fs::rename(from, to)),
        Err(error) => Err(error),
    }
}

/// Exchanges two existing files in one step: each path then names what the other
/// did. Neither folder is fsynced.
///
/// [`Exchange::Unsupported`] outside Linux, and where the file system cannot.
pub fn exchange(a: &Path, b: &Path) -> Result<Exchange, FsError> {
    match point(Op::Exchange, b, || exchange_names(a, b)) {
        Ok(()) => Ok(Exchange::Done),
        Err(error) if is_unsupported(&error) => Ok(Exchange::Unsupported),
        Err(error) => Err(FsError::two("exchange", a, b)(error)),
    }
}

#[cfg(target_os = "linux")]
fn exchange_names(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange_names(_a: &Path, _b: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Tells whether the answer means that system or file system lack the call:
/// EINVAL, ENOSYS, EOPNOTSUPP.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Appends `bytes` to the file at `path`, which is created where missing.
///
/// An error may leave a part of them at the end of the file, so may a crash.
pub fn append(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    let appended = append_unsynced(path, bytes)?;
    if durability == Durability::Synced { appended.sync() } else { Ok(()) }
}

/// [`append`], of which the caller waits for the disk later, or on another thread.
pub fn append_unsynced(path: &Path, bytes: &[u8]) -> Result<Unsynced, FsError> {
    let (file, created) = open_to_append(path).map_err(FsError::one("open", path))?;
    fault::write(Op::Append, path, &file, bytes).map_err(FsError::one("append to", path))?;
    Ok(Unsynced { path: path.to_owned(), file, created })
}

/// What was appended to a file and may not survive a crash of the machine yet.
#[must_use = "it is not durable before `sync`"]
#[derive(Debug)]
pub struct Unsynced {
    path: PathBuf,
    file: File,
    created: bool,
}

impl Unsynced {
    /// Waits until it is durable, with the name of a file that it created.
    ///
    /// # Errors
    /// Where the disk refuses; then it may not be.
    pub fn sync(&self) -> Result<(), FsError> {
        let Self { path, file, created } = self;
        let synced = point(Op::SyncFile, path, || file.sync_data());
        synced.map_err(FsError::one("sync", path))?;
        if *created {
            // Behind a link, the new name is in another folder.
            sync_dir(folder_of(&resolve(path)?))?;
        }
        Ok(())
    }
}

fn open_to_append(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return Ok((opened?, false)),
    }
    let create = || OpenOptions::new().append(true).create(true).open(path);
    Ok((point(Op::Create, path, create)?, true))
}

/// Removes a file, or a link itself. The folder is not fsynced.
pub fn remove(path: &Path) -> Result<(), FsError> {
    point(Op::Remove, path, || fs::remove_file(path)).map_err(FsError::one("remove", path))
}

/// Removes a file, or a link itself; returns whether there was one. The folder is
/// not fsynced.
pub fn remove_if_exists(path: &Path) -> Result<bool, FsError> {
    match remove(path) {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates a folder and all folders above it that are missing, durably.
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    let path = std::path::absolute(path).map_err(FsError::one("create folder", path))?;
    let is_missing = |dir: &&Path| matches!(fs::metadata(dir), Err(error) if is_absent(&error));
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    for dir in missing.into_iter().rev() {
        match point(Op::CreateDir, dir, || fs::create_dir(dir)) {
            Ok(()) => sync_dir(folder_of(dir))?,
            // Somebody else was as quick; what it is, is seen below.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FsError::one("create folder", dir)(error)),
        }
    }
    let found = fs::metadata(&path).map_err(FsError::one("create folder", &path))?;
    if found.is_dir() {
        Ok(())
    } else {
        let error = io::Error::from(io::ErrorKind::NotADirectory);
        Err(FsError::one("create folder", &path)(error))
    }
}

/// Creates a folder that must not exist yet; something at `path` is the error
/// [`FsError::is_already_exists`]. The folder it is in is not fsynced.
pub fn create_dir(path: &Path) -> Result<(), FsError> {
    point(Op::CreateDir, path, || fs::create_dir(path)).map_err(FsError::one("create folder", path))
}

/// Fsyncs a folder, so that the names in it survive a crash.
///
/// Does nothing outside Unix, nor on a file system that cannot (EINVAL).
pub fn sync_dir(dir: &Path) -> Result<(), FsError> {
    let sync = || {
        if !cfg!(unix) {
            return Ok(());
        }
        match File::open(dir)?.sync_all() {
            Err(error) if is_unsupported(&error) => Ok(()),
            synced => synced,
        }
    };
    point(Op::SyncDir, dir, sync).map_err(FsError::one("sync folder", dir))
}

/// Creates a file that must not exist. A `private` one is closed to others until
/// it gets the mode it is to have.
fn create_file(path: &Path, private: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _unused = private;
    point(Op::Create, path, || options.open(path))
}

/// What a file that replaces another takes over from it.
struct Attributes {
    permissions: fs::Permissions,
    #[cfg(unix)]
    owner: (u32, u32),
}

fn attributes_of(path: &Path) -> Result<Option<Attributes>, FsError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(FsError::one("examine", path)(error)),
    };
    Ok(Some(Attributes {
        permissions: metadata.permissions(),
        #[cfg(unix)]
        owner: owner_of(&metadata),
    }))
}

#[cfg(unix)]
fn owner_of(metadata: &fs::Metadata) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    (metadata.uid(), metadata.gid())
}

impl Attributes {
    /// Returns them for a file that only its owner may read.
    fn private(mut self) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            self.permissions.set_mode(0o600);
        }
        self
    }

    /// Owner first: to change it takes setuid and setgid away.
    fn apply(&self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::fchown;
            let (uid, gid) = self.owner;
            let kept = || {
                if owner_of(&file.metadata()?) == self.owner {
                    return Ok(());
                }
                // Only root may give a file away; a group one belongs to may be set.
                fchown(file, Some(uid), Some(gid)).or_else(|_| fchown(file, None, Some(gid)))
            };
            if let Err(error) = kept() {
                tracing::debug!(%error, uid, gid, "the owner of a replaced file is not kept");
            }
        }
        file.set_permissions(self.permissions.clone())
    }
}

/// Returns the folder a path lies in; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) => Path::new("."),
        None => path,
    }
}

#[cfg(test)]
mod tests;
