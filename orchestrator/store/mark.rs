//! The second copy of the high-water mark: outside the work tree, so that no
//! checkout and no restore winds it back, and shared by all worktrees of a clone.
//!
//! It lies in git's common folder, or in `.orchestrator/` outside git and where
//! git's folder cannot be written. A reader takes the highest of all copies, and no
//! copy ever goes down. A number is taken inside one hold of the mark's lock: read,
//! issue, make durable; only then is it told. The backlog's lock is taken before,
//! never after.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Paths, StoreError};
use crate::fs::{self, FileLock, Holder, LockError};
use crate::git;

/// The copies of one backlog's mark.
#[derive(Debug, Clone)]
pub(super) struct MarkFiles {
    /// The copy in git's common folder, where there is one.
    shared: Option<PathBuf>,
    /// The copy in `.orchestrator/`.
    local: PathBuf,
}

/// The mark's lock, held.
pub(super) struct MarkLock {
    _lock: FileLock,
    /// The copy that can be written, as far as we know.
    path: PathBuf,
    /// The copy that serves where that one cannot.
    local: PathBuf,
    /// Whether git's folder could not be written, and the local copy serves.
    pub(super) fell_back: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    mark: u32,
}

impl MarkFiles {
    /// Finds the copies of a backlog's mark.
    ///
    /// # Errors
    /// Where `.git` is broken: then nobody can tell which numbers are taken.
    pub(super) fn find(paths: &Paths) -> Result<Self, StoreError> {
        let shared = match git::find(&paths.root)? {
            Some(checkout) => {
                let tree = fs::resolve(&checkout.work_tree)?;
                let inside = paths.file.strip_prefix(&tree).unwrap_or(&paths.file);
                let name = format!("{}.mark", escape(inside));
                Some(checkout.common_dir.join("orchestrator").join(name))
            }
            None => None,
        };
        Ok(Self { shared, local: paths.mark() })
    }

    /// Returns all copies there may be, the one that is written first.
    pub(super) fn copies(&self) -> impl Iterator<Item = &Path> {
        self.shared.iter().map(PathBuf::as_path).chain([self.local.as_path()])
    }

    /// Reads the highest of all copies; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::DamagedMark`] where a copy holds something else.
    pub(super) fn read(&self) -> Result<Option<u32>, StoreError> {
        let mut highest = None;
        for path in self.copies() {
            let bytes = match fs::read_if_exists(path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                // A file where a folder should be: that copy cannot exist.
                Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => continue,
                Err(error) => return Err(error.into()),
            };
            let record: Record = serde_json::from_slice(&bytes)
                .map_err(|_| StoreError::DamagedMark { path: path.to_owned() })?;
            highest = highest.max(Some(record.mark));
        }
        Ok(highest)
    }

    /// Takes the mark's lock: in git's common folder, or where that cannot be
    /// written in `.orchestrator/`.
    ///
    /// # Errors
    /// Where the lock is held past the timeout, or neither place can be written.
    pub(super) fn lock(&self, timeout: Duration, holder: &Holder) -> Result<MarkLock, StoreError> {
        let mut fell_back = false;
        let local = self.local.clone();
        if let Some(shared) = &self.shared {
            match lock_beside(shared, timeout, holder) {
                Ok(lock) => {
                    let path = shared.clone();
                    return Ok(MarkLock { _lock: lock, path, local, fell_back });
                }
                Err(LockError::File(error)) if !error.is_crash() && cannot_be_written(&error) => {
                    fell_back = true
                }
                Err(error) => return Err(error.into()),
            }
        }
        let lock = lock_beside(&local, timeout, holder)?;
        Ok(MarkLock { _lock: lock, path: local.clone(), local, fell_back })
    }

    /// Puts the mark into every copy that is there, and into the one that is written
    /// first; a copy that is damaged is made anew from what is known otherwise.
    /// Returns the mark.
    ///
    /// # Errors
    /// Where no copy can be written.
    pub(super) fn rebuild(
        &self,
        known: u32,
        timeout: Duration,
        holder: &Holder,
    ) -> Result<u32, StoreError> {
        let mut lock = self.lock(timeout, holder)?;
        let mut mark = known;
        for path in self.copies() {
            let record = fs::read_if_exists(path)?;
            let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
            mark = mark.max(record.map_or(0, |record| record.mark));
        }
        lock.write(mark)?;
        for path in self.copies() {
            if path != lock.path && fs::stamp(path)?.is_some() {
                match write(path, mark) {
                    // What is there and sound may stay: the highest copy counts.
                    Err(StoreError::Fs(error)) if cannot_be_written(&error) && is_sound(path)? => {}
                    other => other?,
                }
            }
        }
        Ok(mark)
    }
}

fn is_sound(path: &Path) -> Result<bool, StoreError> {
    let bytes = fs::read_if_exists(path)?;
    Ok(bytes.is_none_or(|bytes| serde_json::from_slice::<Record>(&bytes).is_ok()))
}

fn cannot_be_written(error: &fs::FsError) -> bool {
    error.is_denied() || matches!(error.kind(), std::io::ErrorKind::NotADirectory)
}

fn lock_beside(mark: &Path, timeout: Duration, holder: &Holder) -> Result<FileLock, LockError> {
    if let Some(dir) = mark.parent() {
        fs::create_dir_all(dir)?;
    }
    let lock = FileLock::acquire(&mark.with_added_extension("lock"), timeout, holder)?;
    if let Some(dir) = mark.parent() {
        // What a killed process staged for this mark and never put in place; other
        // names there are other locks' affair.
        let prefix = staged_prefix(mark);
        for entry in fs::list(dir)? {
            if entry.name.to_string_lossy().starts_with(&prefix) {
                fs::remove_if_exists(&entry.path)?;
            }
        }
    }
    Ok(lock)
}

impl MarkLock {
    /// Makes a mark durable; in the local copy where git's folder lets itself be
    /// locked, and not written.
    ///
    /// # Errors
    /// Where it cannot be written; the old mark then stands.
    pub(super) fn write(&mut self, mark: u32) -> Result<(), StoreError> {
        match write(&self.path, mark) {
            Err(StoreError::Fs(error))
                if self.path != self.local && !error.is_crash() && cannot_be_written(&error) =>
            {
                self.path.clone_from(&self.local);
                self.fell_back = true;
                write(&self.path, mark)
            }
            written => written,
        }
    }
}

/// The names of what is staged for one mark: of no other's, since whoever holds the
/// lock of a mark sweeps them.
fn staged_prefix(mark: &Path) -> String {
    let name = mark.file_name().unwrap_or_default().to_string_lossy();
    format!("{}{name}-", fs::TEMP_PREFIX)
}

fn write(path: &Path, mark: u32) -> Result<(), StoreError> {
    let mut line = serde_json::to_vec(&Record { mark })?;
    line.push(b'\n');
    let dir = path.parent().unwrap_or_else(|| Path::new("/"));
    let staged = fs::stage(dir, &staged_prefix(path), &line, Some(path))?;
    fs::rename(staged.path(), path)?;
    staged.keep();
    fs::sync_dir(dir)?;
    Ok(())
}

/// Makes a file name of a path: everything but letters, digits, `.`, `_` and `-`
/// becomes `%` and two digits. A name that would be too long for a file system is
/// cut, and told apart by a hash.
fn escape(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let mut name = String::new();
    for byte in parts.join("/").bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.len() > 160 {
        let hash = fs::hash(name.as_bytes());
        name.truncate(120);
        name.push_str(&hash);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_distinct() {
        assert_eq!(escape(Path::new("BACKLOG.yaml")), "BACKLOG.yaml");
        assert_eq!(escape(Path::new("sub dir/ü.yaml")), "sub%20dir%2F%C3%BC.yaml");
        assert_ne!(escape(Path::new("a/b")), escape(Path::new("a%2Fb")));
        let long = "x".repeat(500);
        assert!(escape(Path::new(&long)).len() < 200);
    }

    #[test]
    fn only_its_own_left_overs_are_cleaned_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let others = [".tmp-abcdef", ".tmp-other.mark-abc"];
        for name in others.iter().copied().chain([".tmp-mark-abc"]) {
            fs::create_new(&file(name), b"").unwrap();
        }
        let files = MarkFiles { shared: None, local: file("mark") };
        let holder = Holder::this_process(None, "test", "now");
        drop(files.lock(Duration::ZERO, &holder).unwrap());
        assert!(fs::stamp(&file(".tmp-mark-abc")).unwrap().is_none());
        for name in others {
            assert!(fs::stamp(&file(name)).unwrap().is_some(), "{name}");
        }
    }

    #[test]
    fn the_highest_copy_counts_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (shared, local) = (dir.path().join("git/a.mark"), dir.path().join("mark"));
        let files = MarkFiles { shared: Some(shared.clone()), local: local.clone() };
        assert_eq!(files.read().unwrap(), None);
        let holder = Holder::this_process(None, "test", "now");
        let mut lock = files.lock(Duration::ZERO, &holder).unwrap();
        lock.write(7).unwrap();
        drop(lock);
        fs::replace(&local, b"{\"mark\": 9}\n").unwrap();
        assert_eq!(files.read().unwrap(), Some(9));
        fs::replace(&shared, b"{\"mark\": ").unwrap();
        assert!(matches!(files.read(), Err(StoreError::DamagedMark { path }) if path == shared));
        assert_eq!(files.rebuild(3, Duration::ZERO, &holder).unwrap(), 9);
        assert_eq!(files.read().unwrap(), Some(9));
    }
}
