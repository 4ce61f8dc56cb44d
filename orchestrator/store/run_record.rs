//! The record that a run is under way: `run.lock`, held while it lasts.

use super::{Paths, StoreError};
use crate::fs::{FileLock, Holder};

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
