//! What a run came to.

use crate::model::BacklogItem;

/// An item, as a person knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemRef {
    /// Its ID.
    pub id: String,
    /// Its title.
    pub title: String,
}

impl From<&BacklogItem> for ItemRef {
    fn from(item: &BacklogItem) -> Self {
        Self { id: item.id_or_dash().to_owned(), title: item.title.clone() }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Halt {
    /// Everything is done, blocked, or waits for what is.
    AllDoneOrBlocked,
    /// Nothing was started at all.
    #[default]
    NothingToDo,
    /// As many phases were executed as may be.
    Cap,
    /// Two phases in a row failed all their retries.
    CircuitBreaker,
    /// All targets are done.
    TargetsDone,
    /// A target is blocked, or was taken out of the backlog.
    TargetBlocked,
    /// Nothing fits the filters.
    NoMatch,
    /// A person ended it.
    Interrupted,
    /// Something broke it.
    Failed,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Why it ended.
    pub halt: Halt,
    /// How many phases were executed, triage included.
    pub phases_executed: u32,
    /// Items that were finished.
    pub completed: Vec<ItemRef>,
    /// How many of those were done before, and only archived.
    pub found_done: usize,
    /// Items that were blocked.
    pub blocked: Vec<ItemRef>,
    /// Items that phases proposed.
    pub follow_ups: Vec<ItemRef>,
    /// Items that were merged: source and target.
    pub merged: Vec<(String, String)>,
    /// Items that were asked for and could not be started, for another reason than that
    /// they are blocked, with the reason; empty where the run ended before its time.
    pub waiting: Vec<(ItemRef, String)>,
    /// Paths that phases changed and that are not committed, since somebody else had
    /// changed them too: as seen from the top of the repository, fit for a message.
    pub uncommitted: Vec<String>,
}

impl Summary {
    /// Tells whether it finished an item itself.
    pub fn has_finished(&self) -> bool {
        self.completed.len() > self.found_done
    }
}
