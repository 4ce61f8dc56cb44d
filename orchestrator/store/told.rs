//! What is told of a save once its text stands: its story, and the worklog of the
//! phases that it ends.

use super::events::{self, Event};
use super::worklog::{PhaseEntry, Worklog};
use super::{Paths, StoreError};

/// A finished phase, for the story and the worklog.
#[derive(Debug, Clone)]
pub struct PhaseLog {
    /// The entry of the worklog.
    pub entry: PhaseEntry,
    /// The event.
    pub event: Event,
}

/// Appends to both; the worklog is durable when this returns.
pub(super) fn tell(
    paths: &Paths,
    worklog: &mut Worklog,
    story: Vec<Event>,
    phases: &[&PhaseLog],
) -> Result<(), StoreError> {
    // A phase ends, and by that its item moves.
    let story: Vec<Event> = phases.iter().map(|phase| phase.event.clone()).chain(story).collect();
    // First: whether a phase was told is seen by the worklog, which is durable.
    events::append(paths, &story)?;
    let entries: Vec<&PhaseEntry> = phases.iter().map(|phase| &phase.entry).collect();
    worklog.append_phases(&entries)
}
