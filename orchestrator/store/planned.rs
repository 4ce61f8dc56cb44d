//! Whether a save was made that nobody was told of: by the plan that was written
//! durably before it.
//!
//! The proof is the text itself. A plan has the hash of the text that its save writes,
//! and that text stood in the file if the file has it, a displaced text names it as what
//! took its place, or the journal knows it. What an item looks like by now proves
//! nothing: others change items, too, and number them by hand.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::backlog_store::BacklogStore;
use super::locked::LockedBacklog;
use super::request::Request;
use super::run_record::{read_record, write_into_place};
use super::{StoreError, journal, replace};
use crate::fs::Unsynced;
use crate::model::{Applied, ItemId};

/// What a [`Request::record`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The IDs that are taken, in order.
    pub ids: Vec<String>,
    /// The `updated` that is written, RFC 3339.
    pub updated: String,
    /// The hash of the text that is written.
    pub text: String,
}

/// Numbers that are ours already, though nobody was told: from above the first, to
/// the second.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub above: u32,
    pub to: u32,
}

/// Returns the numbers that an earlier try at the same requests took for good and gave
/// to no item.
pub(super) fn taken_before(requests: &[Request]) -> Result<Option<Taken>, StoreError> {
    let [Request { record: Some(record), .. }] = requests else { return Ok(None) };
    let Some(Planned { ids, .. }) = read(record)? else { return Ok(None) };
    let numbers: Option<Vec<u32>> = ids.iter().map(|id| ItemId::number_of(id).ok()).collect();
    let numbers = numbers.unwrap_or_default();
    let is_row = numbers.is_sorted_by(|a, b| a.checked_add(1) == Some(*b));
    Ok(match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if is_row => {
            first.checked_sub(1).map(|above| Taken { above, to: *last })
        }
        _ => None,
    })
}

/// Writes the plans of requests; the caller waits for the disk.
pub(super) fn write<'a>(
    requests: impl Iterator<Item = (&'a Path, &'a Applied)>,
    updated: &str,
    text: &str,
) -> Result<Vec<Unsynced>, StoreError> {
    let mut written = Vec::new();
    for (path, applied) in requests {
        let ids = applied.added.iter().filter_map(|item| item.id.clone()).collect();
        let planned = Planned { ids, updated: updated.to_owned(), text: text.to_owned() };
        written.extend(write_into_place(path, &planned)?);
    }
    Ok(written)
}

/// Reads the plan of a request; one that is not there, or was cut short, was never acted
/// on.
pub(super) fn read(record: &Path) -> Result<Option<Planned>, StoreError> {
    read_record(record)
}

impl BacklogStore {
    /// Returns whether the request that wrote this record was saved.
    ///
    /// # Errors
    /// The same as [`BacklogStore::lock`]; where what is known of saves cannot be read.
    pub fn was_made(&mut self, record: &Path) -> Result<bool, StoreError> {
        let Some(planned) = read(record)? else { return Ok(false) };
        // What was killed half way is finished or undone first.
        self.lock()?.has_saved(&planned)
    }
}

impl LockedBacklog<'_> {
    /// Returns whether the text of a plan stands in the file, or ever did for good.
    pub(super) fn has_saved(&mut self, planned: &Planned) -> Result<bool, StoreError> {
        let store = self.store();
        Ok(store.state()?.hash == planned.text
            || journal::texts(&store.paths)?.contains(&planned.text)
            || replace::kept(&store.paths)?.iter().any(|kept| kept.ours == planned.text))
    }
}
