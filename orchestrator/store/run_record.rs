//! The records of a run: `run.lock`, held while it lasts, and what it writes down for
//! the next one, should it be killed.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Paths, StoreError};
use crate::fs::{self, FileLock, Holder};

/// One run at a time: a second one does not wait.
#[derive(Debug)]
pub struct RunLock {
    _lock: FileLock,
}

impl RunLock {
    /// Takes the lock of the runs of a backlog.
    ///
    /// # Errors
    /// [`StoreError::Lock`] where another run has it, which is named.
    pub fn take(paths: &Paths, holder: &Holder) -> Result<Self, StoreError> {
        paths.prepare()?;
        let lock = FileLock::try_acquire(&paths.state.join("run.lock"), holder)?;
        Ok(Self { _lock: lock })
    }

    /// Returns who runs this backlog now, where anybody does; `host` is this machine.
    /// Nothing is locked.
    pub fn holder(paths: &Paths, host: Option<&str>) -> Option<Holder> {
        let held = FileLock::holder(&paths.state.join("run.lock"), host)?;
        // One that was killed has left its name, and holds nothing.
        (held.alive != Some(false)).then_some(held.holder)
    }
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
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::replace(&self.path, &serde_json::to_vec(value)?)?)
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
