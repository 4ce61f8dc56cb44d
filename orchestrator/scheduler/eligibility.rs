//! Why an item cannot be started now.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::model::{BacklogItem, BacklogSnapshot, Ended, IdKey, ItemId, ItemStatus};

/// What an item that is not started waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// For a person: it is blocked.
    Blocked(Option<String>),
    /// For another item that is not done.
    Dependency(String),
    /// For an item that was given up, and so never comes.
    DroppedDependency(String),
    /// For an item that exists nowhere.
    UnknownDependency(String),
    /// For room: as many items are in progress, or phases running, as may be.
    Room,
    /// For a phase that must run alone, or that is about to.
    Destructive(String),
    /// For a filter or a target that lets it in.
    NotSelected,
    /// For the target before it.
    TargetBefore(String),
    /// For an ID, which the next save gives it.
    NoId,
    /// For an ID with a number: nothing else names an item in a result.
    OddId,
    /// For an ID of its own: another item has the same.
    DuplicateId,
    /// For a pipeline that is configured.
    Pipeline(String),
    /// It runs already.
    Running,
    /// For the next run: this one could not save what it wanted to.
    SetAside,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(None) => f.write_str("blocked"),
            Self::Blocked(Some(reason)) => write!(f, "blocked: {reason}"),
            Self::Dependency(id) => write!(f, "waits for {id}"),
            Self::DroppedDependency(id) => write!(f, "waits for {id}, which was given up"),
            Self::UnknownDependency(id) => write!(f, "waits for {id}, which exists nowhere"),
            Self::Room => f.write_str("waits for room"),
            Self::Destructive(id) => write!(f, "waits for {id}, which works alone"),
            Self::NotSelected => f.write_str("not asked for"),
            Self::TargetBefore(id) => write!(f, "waits for the target {id}"),
            Self::NoId => f.write_str("has no ID yet"),
            Self::OddId => f.write_str("its ID has no number, so no result could name it"),
            Self::DuplicateId => f.write_str("another item has the same ID"),
            Self::Pipeline(error) => f.write_str(error),
            Self::Running => f.write_str("running"),
            Self::SetAside => f.write_str("left alone, since a change of it was refused"),
        }
    }
}

/// The items of a snapshot by ID, and which of them are done.
pub(super) struct Dependencies<'a> {
    snapshot: &'a BacklogSnapshot,
    done: HashMap<IdKey<'a>, bool>,
    /// The IDs that several items have.
    shared: HashSet<IdKey<'a>>,
}

impl<'a> Dependencies<'a> {
    pub(super) fn new(snapshot: &'a BacklogSnapshot) -> Self {
        let mut done = HashMap::with_capacity(snapshot.items.len());
        let mut shared = HashSet::new();
        for item in &snapshot.items {
            let Some(id) = &item.id else { continue };
            let is_done = item.status == ItemStatus::Done;
            match done.entry(IdKey::new(id)) {
                Entry::Vacant(entry) => drop(entry.insert(is_done)),
                // Of two items of one ID both must be done.
                Entry::Occupied(mut entry) => {
                    *entry.get_mut() &= is_done;
                    shared.insert(*entry.key());
                }
            }
        }
        Self { snapshot, done, shared }
    }

    /// Returns whether several items have that ID.
    pub(super) fn is_shared(&self, id: &str) -> bool {
        !self.shared.is_empty() && self.shared.contains(&IdKey::new(id))
    }

    /// Returns the first dependency that is not met, judged on the whole backlog.
    pub(super) fn unmet(&self, item: &BacklogItem) -> Option<Waiting> {
        item.dependencies.iter().find_map(|id| match self.done.get(&IdKey::new(id)) {
            Some(true) => None,
            Some(false) => Some(Waiting::Dependency(id.clone())),
            None => match self.snapshot.archived.get(&ItemId::key(id)) {
                Some(Ended::Done) => None,
                Some(Ended::Dropped | Ended::Merged) => {
                    Some(Waiting::DroppedDependency(id.clone()))
                }
                None => Some(Waiting::UnknownDependency(id.clone())),
            },
        })
    }
}
