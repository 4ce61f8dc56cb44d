//! The records of a run: `run.lock`, held while it lasts, and what it writes down for
//! the next one, should it be killed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Paths, StoreError};
use crate::fs::{self, Durability, FileLock, Holder, Kind, Stamp, Unsynced};

/// One run at a time: a second one does not wait.
#[derive(Debug)]
pub struct RunLock {
    lock: Mutex<FileLock>,
    paths: Paths,
    holder: Holder,
}

impl RunLock {
    /// Takes the lock of the runs of a backlog.
    ///
    /// # Errors
    /// [`StoreError::Lock`] where another run has it, which is named.
    pub fn take(paths: &Paths, holder: &Holder) -> Result<Self, StoreError> {
        let lock = Mutex::new(acquire(paths, holder)?);
        Ok(Self { lock, paths: paths.clone(), holder: holder.clone() })
    }

    /// Takes the lock anew where its file was deleted, as with the whole folder, so that
    /// a second run still sees the first. Returns whether it was.
    ///
    /// # Errors
    /// [`StoreError::Lock`] where another run has taken it meanwhile.
    pub fn renew(&self) -> Result<bool, StoreError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = !lock.is_in_place()?;
        if is_lost {
            *lock = acquire(&self.paths, &self.holder)?;
        }
        Ok(is_lost)
    }

    /// Returns who runs this backlog now, where anybody does; `host` is this machine.
    /// Nothing is locked.
    pub fn holder(paths: &Paths, host: Option<&str>) -> Option<Holder> {
        let held = FileLock::holder(&paths.state.join("run.lock"), host)?;
        // One that was killed has left its name, and holds nothing.
        (held.alive != Some(false)).then_some(held.holder)
    }
}

fn acquire(paths: &Paths, holder: &Holder) -> Result<FileLock, StoreError> {
    paths.prepare()?;
    Ok(FileLock::try_acquire(&paths.state.join("run.lock"), holder)?)
}

/// A value that outlives a kill: `runs/NAME.json`, replaced as a whole.
#[derive(Debug, Clone)]
pub struct RunRecord {
    path: PathBuf,
}

impl RunRecord {
    /// Returns the record of that name, which need not exist.
    pub fn new(paths: &Paths, name: &str) -> Self {
        Self { path: paths.state.join("runs").join(name).with_extension("json") }
    }

    /// Reads it; nothing where there is none, or one that cannot be understood.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, StoreError> {
        let Some(bytes) = fs::read_if_exists(&self.path)? else { return Ok(None) };
        let warn = |error: &serde_json::Error| tracing::warn!(path = %self.path.display(), %error, "an unreadable record of a run");
        Ok(serde_json::from_slice(&bytes).inspect_err(warn).ok())
    }

    /// Writes it; durable when this returns.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write<T: Serialize>(&self, value: &T) -> Result<(), StoreError> {
        write_record(&self.path, value)
    }

    /// Removes it, where there is one.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        fs::remove_if_exists(&self.path)?;
        Ok(())
    }
}

/// Reads a record of ours; nothing where there is none, or one that was cut short.
pub(super) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let bytes = fs::read_if_exists(path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes a record of ours, durably; its folder is made anew where it was deleted.
///
/// One that was not there yet is written in its place: a part of it counts as none, and
/// the disk is waited for once less than for a rename.
pub(super) fn write_record(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let written = write(path, value, |_| false)?;
    Ok(written.as_ref().map_or(Ok(()), Unsynced::sync)?)
}

/// [`write_record`] where the place may be one that [`make_place`] has made: then the disk
/// is waited for once alone, by the caller, where something is returned.
pub(super) fn write_into_place(
    path: &Path,
    value: &impl Serialize,
) -> Result<Option<Unsynced>, StoreError> {
    write(path, value, is_place)
}

fn is_place(stamp: &Stamp) -> bool {
    stamp.len == 0 && stamp.kind == Kind::File
}

fn write(
    path: &Path,
    value: &impl Serialize,
    is_free: impl Fn(&Stamp) -> bool,
) -> Result<Option<Unsynced>, StoreError> {
    let json = serde_json::to_vec(value)?;
    let write = || match fs::stamp(path)? {
        Some(stamp) if !is_free(&stamp) => fs::replace(path, &json).map(|()| None),
        _ => fs::append_unsynced(path, &json).map(Some),
    };
    match (write(), path.parent()) {
        (Err(error), Some(folder)) if error.is_not_found() => {
            fs::create_dir_all(folder)?;
            Ok(write()?)
        }
        (written, _) => Ok(written?),
    }
}

/// Makes an empty record, with a name that is durable: done while there is time, so that
/// there is less to wait for when it is written.
///
/// # Errors
/// Where the disk refuses; then there is none.
pub fn make_place(path: &Path) -> Result<(), StoreError> {
    fs::append(path, b"", Durability::Buffered)?;
    let synced = fs::sync_dir(path.parent().unwrap_or(path));
    if synced.is_err() {
        // A name that is not durable must not be taken for one that is.
        remove_place(path)?;
    }
    Ok(synced?)
}

/// Removes a record that was not written: whether its name is durable is not known any
/// more.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove_place(path: &Path) -> Result<(), StoreError> {
    if fs::stamp(path)?.as_ref().is_some_and(is_place) {
        fs::remove_if_exists(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_into_its_place_and_only_an_empty_one_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        let text = || fs::read_if_exists(&path).unwrap();
        make_place(&path).unwrap();
        assert_eq!(text().as_deref(), Some(&b""[..]));
        remove_place(&path).unwrap();
        assert_eq!(text(), None);
        make_place(&path).unwrap();
        for value in [[1, 2], [3, 4]] {
            write_into_place(&path, &value).unwrap();
            // Nothing of a record is taken away.
            remove_place(&path).unwrap();
            assert_eq!(text(), Some(serde_json::to_vec(&value).unwrap()));
        }
        let missing = dir.path().join("missing/plan.json");
        assert!(make_place(&missing).is_err());
    }
}
