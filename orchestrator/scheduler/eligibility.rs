//! Why an item cannot be started now.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

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
    /// For room: as many phases are running as may be.
    Room,
    /// For room: as many items are in progress as may be.
    Wip {
        /// How many that is.
        most: u32,
        /// One of them.
        holder: Arc<str>,
    },
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
            Self::Wip { most: 0 | 1, holder } => {
                write!(f, "waits for room: {holder} is in progress, and max_wip is 1")
            }
            Self::Wip { most, holder } => write!(
                f,
                "waits for room: {most} items are in progress, {holder} is one, and max_wip is {most}"
            ),
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

/// Yields items of which a little was read before their turn, for a few dozen at a time.
///
/// Ten thousand items lie in many megabytes: what a plan reads of one is waited for each
/// time, unless others are read meanwhile, which a processor only does where little lies
/// between the reads.
pub(super) fn read_ahead(
    items: &[Arc<BacklogItem>],
    read: impl Fn(&[Arc<BacklogItem>]) -> usize,
) -> impl Iterator<Item = &BacklogItem> {
    items.chunks(64).flat_map(move |chunk| {
        black_box(read(chunk));
        chunk.iter().map(|item| &**item)
    })
}

/// Reads what tells which items are done.
fn ids(items: &[Arc<BacklogItem>]) -> usize {
    items.iter().map(|item| first_byte(item.id.as_ref()) + item.status as usize).sum()
}

/// Reads all that a plan looks at, first what the rest is found by.
pub(super) fn all_of(items: &[Arc<BacklogItem>]) -> usize {
    let texts =
        |item: &BacklogItem| first_byte(item.created.as_ref()) + first_byte(item.phase.as_ref());
    let of_one = |item: &BacklogItem| item.dependencies.len() + texts(item);
    let dependencies = items.iter().flat_map(|item| &item.dependencies);
    let found = ids(items) + items.iter().map(|item| of_one(item)).sum::<usize>();
    found + dependencies.map(|id| first_byte(Some(id))).sum::<usize>()
}

fn first_byte(text: Option<&String>) -> usize {
    text.and_then(|text| text.bytes().next()).map_or(0, usize::from)
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
        for item in read_ahead(&snapshot.items, ids) {
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
