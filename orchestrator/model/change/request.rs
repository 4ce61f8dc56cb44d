//! The changes there are.

use std::sync::Arc;

use super::{ItemPatch, NewItem, PhaseCompletion};
use crate::model::{BacklogItem, BlockType, IdQuery};

/// A mutation of a backlog.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Gives every item without an ID the next one, in file order.
    AssignIds,
    /// Adds items as a person asked for them: their dependencies must exist.
    Add(Vec<NewItem>),
    /// Adds proposed items: dependencies are kept as written.
    Ingest {
        /// What is to be added, in order.
        items: Vec<NewItem>,
        /// Whether an item whose title an open item has already is left out.
        skip_known_titles: bool,
    },
    /// Issues numbers without items.
    TakeNumbers {
        /// How many; at least 1.
        count: u32,
    },
    /// Alters fields of an item.
    Update {
        /// The item.
        item: IdQuery,
        /// What is altered.
        patch: ItemPatch,
    },
    /// Puts an edited item in the place of one; its ID may not change.
    Replace {
        /// The item's ID.
        id: String,
        /// What it was when the edit began: an edit of something else is refused.
        before: Arc<BacklogItem>,
        /// What it is to be.
        after: Box<BacklogItem>,
        /// The text of the entry, dash at column 0, as the person left it.
        text: String,
    },
    /// Moves an item one step along its pipeline, or to a phase.
    Advance {
        /// The item.
        item: IdQuery,
        /// The phase to go to.
        to: Option<String>,
    },
    /// Blocks an item.
    Block {
        /// The item.
        item: IdQuery,
        /// Why.
        reason: String,
        /// What it waits for.
        kind: Option<BlockType>,
    },
    /// Lets a blocked item go on: a person's consent.
    Unblock {
        /// The item.
        item: IdQuery,
        /// What the next phase is told.
        notes: Option<String>,
    },
    /// Calls an item done.
    Done {
        /// The item.
        item: IdQuery,
    },
    /// Takes items out of the file: done ones, or any with a reason.
    Archive {
        /// The items.
        items: Vec<IdQuery>,
        /// Why an item is given up that is not done.
        reason: Option<String>,
    },
    /// Takes every done item out of the file.
    ArchiveDone,
    /// Archives an item as dropped that has left the file already.
    GiveUp {
        /// The item as it stood.
        item: Arc<BacklogItem>,
        /// Its text, dash at column 0.
        text: String,
        /// Why it is given up.
        reason: String,
    },
    /// Puts an archived item back.
    Restore {
        /// The item as it stood.
        item: Arc<BacklogItem>,
        /// Its text, dash at column 0.
        text: String,
    },
    /// Merges one item into another: the source is archived, the target takes what
    /// it lacks, dependents wait for the target.
    Merge {
        /// The item that goes.
        source: IdQuery,
        /// The item that stays.
        target: IdQuery,
    },
    /// Gives later items of a duplicate ID a new one.
    Renumber,
    /// Applies all that a finished phase brought.
    CompletePhase(Box<PhaseCompletion>),
}

impl Change {
    /// Returns whether the change can issue numbers, so that the mark must be held
    /// while it is made.
    pub fn may_take_numbers(&self) -> bool {
        match self {
            Self::AssignIds
            | Self::Add(_)
            | Self::Ingest { .. }
            | Self::TakeNumbers { .. }
            | Self::Renumber => true,
            Self::CompletePhase(completion) => !completion.follow_ups.is_empty(),
            Self::Update { .. }
            | Self::Replace { .. }
            | Self::Advance { .. }
            | Self::Block { .. }
            | Self::Unblock { .. }
            | Self::Done { .. }
            | Self::Archive { .. }
            | Self::ArchiveDone
            | Self::GiveUp { .. }
            | Self::Restore { .. }
            | Self::Merge { .. } => false,
        }
    }
}
