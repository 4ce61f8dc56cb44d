//! What can be seen of a run while it goes on.

use std::time::Duration;

use super::summary::ItemRef;

/// How a run stands, between two decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook {
    /// Phases that run.
    pub running: usize,
    /// Items that were finished so far.
    pub completed: usize,
    /// Items that wait for a person.
    pub blocked: usize,
    /// Items that wait for something else.
    pub waiting: usize,
    /// The first of those that wait, with what for.
    pub first: Vec<(ItemRef, String)>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    /// A decision was made, and the outlook is another one than before.
    Decided(Outlook),
    /// Nothing is started any more, since a person wants the run to end.
    Stopping {
        /// How many phases still run.
        running: usize,
        /// Whether they are ended at once.
        at_once: bool,
    },
    /// An agent was started.
    PhaseStarted {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// An agent printed a line.
    Output {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
        /// The line, made fit for a terminal.
        line: String,
    },
    /// An attempt failed, and the phase is tried again.
    Retrying {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
        /// Why it failed.
        reason: String,
    },
    /// A phase ended, and its result could not be saved: a later run will try again.
    PhaseKept {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
        /// Why.
        reason: String,
    },
    /// An attempt was ended since the run is: it counts for nothing.
    PhaseInterrupted {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
    },
    /// A phase ended, and its result is saved.
    PhaseEnded {
        /// The item.
        item: ItemRef,
        /// The phase.
        phase: String,
        /// How, in the agent's word.
        outcome: String,
        /// What was done, or why not.
        summary: String,
        /// How long it took.
        duration: Duration,
    },
    /// An item was finished and archived.
    Completed(ItemRef),
    /// Changes of phases were committed.
    Committed {
        /// The commit's ID.
        commit: String,
    },
    /// An item waits for a person now.
    Blocked {
        /// The item.
        item: ItemRef,
        /// Why.
        reason: String,
    },
    /// An item was added: by a phase, or from the inbox.
    Added {
        /// The item.
        item: ItemRef,
        /// Where it came from.
        origin: String,
    },
    /// A follow-up was not added, since an open item says the same.
    Skipped {
        /// Its title.
        title: String,
        /// That item's ID.
        existing: String,
    },
    /// An item was merged into another.
    Merged {
        /// The item that went.
        source: String,
        /// The item that stayed.
        target: String,
    },
    /// Something a person should know.
    Warning(String),
}
