//! What is told of a save once its text stands: its story, and the worklog of the
//! phases that it ends.

use std::sync::Arc;

use super::events::{self, Event};
use super::worklog::{PhaseEntry, Worklog};
use super::{Paths, StoreError};
use crate::fs::Unsynced;

/// A finished phase, for the story and the worklog.
#[derive(Debug, Clone)]
pub struct PhaseLog {
    /// The entry of the worklog.
    pub entry: PhaseEntry,
    /// The event.
    pub event: Event,
}

/// What was told of phases: it is there, and durable once it is synced. Until then
/// nothing may go by which it could be told again.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Told(Option<Arc<Unsynced>>);

impl Told {
    /// Waits until the worklog is durable.
    ///
    /// # Errors
    /// Where the disk refuses; then it may not be.
    pub fn sync(&self) -> Result<(), StoreError> {
        match self.0.as_ref().map_or(Ok(()), |unsynced| unsynced.sync()) {
            // Somebody has deleted the worklog since, such as an agent that cleans up.
            Err(error) if error.is_not_found() => Ok(()),
            synced => Ok(synced?),
        }
    }
}

/// Appends to both.
pub(super) fn tell(
    paths: &Paths,
    worklog: &mut Worklog,
    story: Vec<Event>,
    phases: &[&PhaseLog],
) -> Result<Told, StoreError> {
    // A phase ends, and by that its item moves.
    let story: Vec<Event> = phases.iter().map(|phase| phase.event.clone()).chain(story).collect();
    // First: whether a phase was told is seen by the worklog, which becomes durable.
    events::append(paths, &story)?;
    let entries: Vec<&PhaseEntry> = phases.iter().map(|phase| &phase.entry).collect();
    Ok(Told(worklog.append_phases(&entries)?.map(Arc::new)))
}
