//! The read-only view of a backlog that schedulers and faces work from: the items,
//! and how those ended that are archived. It has no counter, so that no ID can
//! ever be made from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BacklogFile, BacklogItem, ItemId, ItemStatus};

/// How an archived item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It was done.
    Done,
    /// It was given up: whoever depends on it still waits.
    Dropped,
    /// It was merged into another item, which its dependents now wait for.
    Merged,
}

/// A backlog at one moment, shared by pointer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BacklogSnapshot {
    /// The items in file order.
    pub items: Vec<Arc<BacklogItem>>,
    /// How items ended that are archived, by [`ItemId::key`].
    pub archived: Arc<BTreeMap<String, Ended>>,
}

impl BacklogSnapshot {
    /// Takes a snapshot of a file.
    pub fn new(file: &BacklogFile, archived: Arc<BTreeMap<String, Ended>>) -> Self {
        Self { items: file.items.to_vec(), archived }
    }

    /// Returns the item with this ID.
    pub fn get(&self, id: &str) -> Option<&Arc<BacklogItem>> {
        self.items.iter().find(|item| item.is(id))
    }

    /// Returns whether what this ID names is done: in the backlog, which goes
    /// first, or archived as done.
    pub fn is_met(&self, id: &str) -> bool {
        match self.get(id) {
            Some(item) => item.status == ItemStatus::Done,
            None => self.archived.get(&ItemId::key(id)) == Some(&Ended::Done),
        }
    }
}
