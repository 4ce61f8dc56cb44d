//! Reading a text again of which only a part differs.

use std::ops::Range;
use std::sync::Arc;

use super::load::{Loaded, Reader};
use crate::model::{BacklogItem, ItemId};

/// The items that were read again.
pub(super) struct Part {
    /// What they were.
    pub before: Vec<Arc<BacklogItem>>,
    /// Where they are.
    pub after: Range<usize>,
}

/// Reads a text in part, where only a part differs; else gives it back.
pub(super) fn reload(loaded: &mut Loaded, text: String) -> Result<Part, String> {
    // What a file says of its version may lie in any of its items, where it does not
    // say it itself.
    if loaded.original.is_some() || !loaded.version.is_written || loaded.version.is_old() {
        return Err(text);
    }
    let mut reader = Reader::default();
    let reloaded = loaded.doc.reload_part(text, &mut |index, item| reader.take(index, item))?;
    let number = |item: &Arc<BacklogItem>| {
        item.id.as_deref().and_then(|id| ItemId::number_of(id).ok()).unwrap_or(0)
    };
    let highest = reader.items.iter().map(number).max().unwrap_or(0);
    let before = loaded.file.items.splice(reloaded.old.clone(), reader.items);
    loaded.problems.splice(reloaded.old, reader.problems);
    // The highest may have been among those that are gone.
    loaded.highest = if before.iter().any(|item| number(item) >= loaded.highest) {
        loaded.file.highest_number()
    } else {
        loaded.highest.max(highest)
    };
    Ok(Part { before, after: reloaded.new })
}
