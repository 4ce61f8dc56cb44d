//! The working state of one change: what it touches is remembered, so that all of
//! it can be taken back.

use std::sync::Arc;

use super::apply::{ChangeError, Context};
use crate::model::{BacklogFile, BacklogItem, Ended, IdQuery, ItemId, generate_next_id};

/// One touch of a file, in the order in which they were made. Where the text of an
/// entry is given, its dash is at column 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// An item was appended.
    Added {
        /// The item.
        item: Arc<BacklogItem>,
        /// Its text, where it has one already.
        text: Option<String>,
    },
    /// The item at this index has another content now.
    Replaced {
        /// Where it stands.
        index: usize,
        /// What it was.
        before: Arc<BacklogItem>,
        /// What it is.
        after: Arc<BacklogItem>,
        /// A text that a person wrote for it; our own fields may differ from it.
        text: Option<String>,
    },
    /// The item that stood at this index is gone.
    Removed {
        /// Where it stood.
        index: usize,
        /// What it was.
        before: Arc<BacklogItem>,
    },
    /// The mark was raised.
    Mark {
        /// What it was.
        before: u32,
    },
}

/// An item that left the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// The item as it was.
    pub item: Arc<BacklogItem>,
    /// How it ended.
    pub ended: Ended,
    /// Why it was given up, or the ID it was merged into.
    pub reason: Option<String>,
}

/// A proposed item that was not added, since an open item says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The proposed title.
    pub title: String,
    /// The item that has it already.
    pub existing: String,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// The touches, in order.
    pub deltas: Vec<Delta>,
    /// Items that were added, in order.
    pub added: Vec<Arc<BacklogItem>>,
    /// Items that were altered, as they are now, each once.
    pub changed: Vec<Arc<BacklogItem>>,
    /// Items that left the file.
    pub removed: Vec<Removal>,
    /// IDs that were issued without items.
    pub numbers: Vec<String>,
    /// Proposed items that were not added.
    pub skipped: Vec<Skipped>,
    /// Whether a phase ended for an item that does not stand there any more, and left
    /// it where it is.
    pub was_moved: bool,
    /// What a person should know about it.
    pub notes: Vec<String>,
}

/// A file while one change is made to it.
pub(super) struct Draft<'a> {
    pub file: &'a mut BacklogFile,
    pub context: &'a Context<'a>,
    pub applied: Applied,
    now: String,
}

impl<'a> Draft<'a> {
    pub(super) fn new(file: &'a mut BacklogFile, context: &'a Context<'a>) -> Self {
        let now = context.now.to_string();
        Self { file, context, applied: Applied::default(), now }
    }

    /// Returns the moment of the change, RFC 3339.
    pub(super) fn now(&self) -> &str {
        &self.now
    }

    /// Finds the one item that a query names.
    pub(super) fn find(&self, query: &IdQuery) -> Result<usize, ChangeError> {
        let items = &self.file.items;
        the_one(items, items.find(query), query, &self.context.rules.prefix)
    }

    /// Alters the item at an index; a change that changes nothing leaves no trace.
    pub(super) fn edit(&mut self, index: usize, alter: impl FnOnce(&mut BacklogItem)) {
        let before = Arc::clone(&self.file.items[index]);
        let mut after = BacklogItem::clone(&before);
        alter(&mut after);
        if after != *before {
            after.updated = Some(self.now.clone());
            self.replace(index, after, None);
        }
    }

    /// Puts an item in the place of another, with its text where that is given.
    pub(super) fn replace(&mut self, index: usize, after: BacklogItem, text: Option<String>) {
        let after = Arc::new(after);
        let before = self.file.items.replace(index, Arc::clone(&after));
        self.applied.changed.retain(|item| !Arc::ptr_eq(item, &before));
        self.applied.changed.push(Arc::clone(&after));
        self.applied.deltas.push(Delta::Replaced { index, before, after, text });
    }

    /// Appends an item, with its text where that is given.
    pub(super) fn push(&mut self, item: Arc<BacklogItem>, text: Option<String>) {
        self.file.items.push(Arc::clone(&item));
        self.applied.added.push(Arc::clone(&item));
        self.applied.deltas.push(Delta::Added { item, text });
    }

    /// Takes an item out of the file.
    pub(super) fn remove(&mut self, index: usize, ended: Ended, reason: Option<String>) {
        let item = self.file.items.remove(index);
        self.applied.deltas.push(Delta::Removed { index, before: Arc::clone(&item) });
        self.applied.removed.push(Removal { item, ended, reason });
    }

    /// Issues the next number of the configured prefix.
    pub(super) fn take_id(&mut self) -> Result<String, ChangeError> {
        let (id, number) = generate_next_id(self.file, &self.context.rules.prefix)?;
        self.applied.deltas.push(Delta::Mark { before: self.file.next_item_id });
        self.file.next_item_id = number;
        Ok(id)
    }

    /// Does a part of a change that may fail by itself: then only the part is taken
    /// back.
    pub(super) fn attempt(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<(), ChangeError>,
    ) -> Result<(), ChangeError> {
        let before = self.applied.clone();
        part(self).inspect_err(|_| {
            let deltas: Vec<Delta> = self.applied.deltas.split_off(before.deltas.len());
            revert(self.file, &deltas);
            self.applied = before;
        })
    }
}

/// Finds the one item that a query names, as its index. A bare number may fit
/// several prefixes: then the given one, the project's own, goes first.
///
/// # Errors
/// [`ChangeError::NoSuchItem`] where there is none, [`ChangeError::DuplicateId`]
/// where there are several.
pub fn find_item(
    items: &[Arc<BacklogItem>],
    query: &IdQuery,
    prefix: &str,
) -> Result<usize, ChangeError> {
    let names = |index: &usize| items[*index].id.as_deref().is_some_and(|id| query.names(id));
    the_one(items, (0..items.len()).filter(names).collect(), query, prefix)
}

/// Picks the one item that is meant out of those that a query names.
fn the_one(
    items: &[Arc<BacklogItem>],
    found: Vec<usize>,
    query: &IdQuery,
    prefix: &str,
) -> Result<usize, ChangeError> {
    let has_prefix = |id: &str| ItemId::has_prefix(id, prefix);
    let own_prefix = |index: &&usize| items[**index].id.as_deref().is_some_and(has_prefix);
    match found.as_slice() {
        [] => Err(ChangeError::NoSuchItem { id: query.text().to_owned() }),
        [index] => Ok(*index),
        many => match many.iter().filter(own_prefix).collect::<Vec<_>>().as_slice() {
            [index] if !query.text().contains('-') => Ok(**index),
            _ => Err(ChangeError::DuplicateId {
                id: query.text().to_owned(),
                indexes: many.to_vec(),
            }),
        },
    }
}

/// Takes back what a change did to a file, latest touch first.
pub fn revert(file: &mut BacklogFile, deltas: &[Delta]) {
    for delta in deltas.iter().rev() {
        match delta {
            Delta::Added { .. } => {
                file.items.pop();
            }
            Delta::Replaced { index, before, .. } => {
                file.items.replace(*index, Arc::clone(before));
            }
            Delta::Removed { index, before } => file.items.insert(*index, Arc::clone(before)),
            Delta::Mark { before } => file.next_item_id = *before,
        }
    }
}
