//! What items say of each other: which IDs there are twice, which dependencies
//! lead nowhere, who waits for whom in a circle.
//!
//! Indexes of items only, no places in the text: so it holds for as long as no ID
//! and no dependency changes, wherever the items move to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::change::find_cycles;
use crate::model::{BacklogItem, IdKey};

/// What is odd about the links of a backlog's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Links {
    /// Items without an ID.
    pub unnamed: Vec<usize>,
    /// Items with the ID of an earlier one: the first of that ID, and the later.
    pub duplicates: Vec<(usize, usize)>,
    /// Dependencies on what is not in the file: the item, and which of its list.
    pub elsewhere: Vec<(usize, usize)>,
    /// Items that wait for each other.
    pub cycles: Vec<Vec<usize>>,
}

impl Links {
    /// Finds what is odd about the links of items.
    pub(super) fn of(items: &[Arc<BacklogItem>]) -> Self {
        let mut first: HashMap<IdKey<'_>, usize> = HashMap::with_capacity(items.len());
        let (mut unnamed, mut duplicates) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let Some(id) = &item.id else {
                unnamed.push(index);
                continue;
            };
            let found = *first.entry(IdKey::new(id)).or_insert(index);
            if found != index {
                duplicates.push((found, index));
            }
        }
        let mut elsewhere = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let unknown = |id: &String| !first.contains_key(&IdKey::new(id));
            let places = item.dependencies.iter().enumerate().filter(|(_, id)| unknown(id));
            elsewhere.extend(places.map(|(place, _)| (index, place)));
        }
        Self { unnamed, duplicates, elsewhere, cycles: find_cycles(items) }
    }

    /// Returns whether items that took the place of others have the same links.
    pub(super) fn are_kept(before: &[Arc<BacklogItem>], after: &[Arc<BacklogItem>]) -> bool {
        let are_same = |(a, b): (&Arc<BacklogItem>, &Arc<BacklogItem>)| {
            a.id == b.id && a.dependencies == b.dependencies
        };
        before.len() == after.len() && before.iter().zip(after).all(are_same)
    }
}
