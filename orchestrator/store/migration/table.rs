//! The table of steps.

use crate::model::{BacklogItem, Rules};

/// What a step sets in one item: keys and values, `None` to take a key away.
pub(in crate::store) type Sets = Vec<(&'static str, Option<String>)>;

/// One step.
pub(in crate::store) struct Migration {
    /// The version it starts from; it leads to the next.
    pub from: u32,
    /// Migrates one item, and returns what to set in its text. Notes for a person
    /// go into the last argument.
    pub item: fn(&mut BacklogItem, &Rules, &mut Vec<String>) -> Sets,
}

/// All steps, in order.
pub(in crate::store) const STEPS: &[Migration] =
    &[Migration { from: 1, item: super::v1_to_v2::migrate }];
