//! The whole file as a value: schema version, high-water mark, items.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BacklogItem, IdQuery, Items};

/// The schema version that new files get and old ones are migrated to.
pub const CURRENT_SCHEMA: u32 = 2;

/// The newest schema version that can be written; 3 is 2 as another public tool
/// writes it, and keeps its number.
pub const NEWEST_SCHEMA: u32 = 3;

/// A backlog: what `BACKLOG.yaml` says.
///
/// Items are shared by pointer, so that a copy of the file (a snapshot, the state
/// before a change) costs one pointer per item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacklogFile {
    /// The version of the file's schema.
    pub schema_version: u32,
    /// The high-water mark: the highest number ever assigned, despite its name. A
    /// floor for new IDs, which never goes down.
    #[serde(default)]
    pub next_item_id: u32,
    /// The items in file order.
    #[serde(default)]
    pub items: Items,
}

impl Default for BacklogFile {
    fn default() -> Self {
        Self { schema_version: CURRENT_SCHEMA, next_item_id: 0, items: Items::default() }
    }
}

impl BacklogFile {
    /// Returns the highest number that any item's ID has, under any prefix; 0
    /// where there is none.
    pub fn highest_number(&self) -> u32 {
        self.items.highest_number()
    }

    /// Returns the indexes of the items that a query names; more than one where
    /// IDs are duplicate.
    pub fn find(&self, query: &IdQuery) -> Vec<usize> {
        self.items.find(query)
    }

    /// Returns the item with exactly this ID (letter case and zeros aside).
    pub fn get(&self, id: &str) -> Option<&Arc<BacklogItem>> {
        self.items.position(id).map(|index| &self.items[index])
    }
}
