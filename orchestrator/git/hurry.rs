//! How long a commit may take that somebody no longer wants to wait for.
//!
//! Hooks may build and test for a long time, and a person who ends a run does not wait
//! for that. What was not committed can be committed later.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a commit has in any case: most take much less.
const LEAST: Duration = Duration::from_secs(2);

/// When commits are given up that have not ended. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Hurry(Arc<Mutex<Option<Instant>>>);

impl Hurry {
    /// Has commits given up at that moment, or at an earlier one that was asked for;
    /// one that begins late still has some seconds.
    pub fn by(&self, at: Instant) {
        let mut by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *by = Some(by.map_or(at, |earlier| earlier.min(at)));
    }

    /// Returns when a commit is given up that began at `begin`; `None` where nobody is
    /// in a hurry.
    pub(super) fn end_of(&self, begin: Instant) -> Option<Instant> {
        let by = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        by.map(|by| by.max(begin + LEAST))
    }
}
