//! What each save touched, a line a save: so that an item that a stale editor
//! dropped can be found and put back, and a text that was written into a file just
//! displaced can be carried forward.
//!
//! Written after the save and before its answer, so that what stands here was
//! saved, and not fsynced: what it guards against is other programs, and for them
//! the page cache is as good as the disk. A line that cannot be read is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Paths, StoreError};
use crate::fs::{self, Durability};
use crate::model::ItemId;

/// After how many bytes the journal is rewritten without what nobody needs.
const COMPACT_EVERY: u64 = 1 << 20;
/// The hashes of how many texts stay when it is: who was killed in a save asks by them.
const KEEP_TEXTS: usize = 4096;

/// One save.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Save {
    /// When, RFC 3339.
    pub at: String,
    /// The hash of the text that was written.
    pub ours: String,
    /// The mark that was written.
    pub mark: u32,
    /// Items that were added, with their text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Entry>,
    /// Items that were there and got another ID, with their text after it; they are
    /// among the altered ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Entry>,
    /// Items that were altered: their text before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Altered>,
    /// IDs of items that left the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// An item and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub id: String,
    pub text: String,
}

/// An item that was altered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Altered {
    pub id: String,
    pub before: String,
    pub after: String,
}

/// Appends a save.
pub(super) fn append(paths: &Paths, save: &Save) -> Result<(), StoreError> {
    let mut line = serde_json::to_vec(save)?;
    line.push(b'\n');
    // A line that a kill cut short must not swallow this one.
    line.insert(0, b'\n');
    let before = fs::stamp(&paths.journal())?.map_or(0, |stamp| stamp.len);
    fs::append(&paths.journal(), &line, Durability::Buffered)?;
    compact(paths, before)
}

/// Reads all saves that can be read, oldest first.
pub(super) fn read(paths: &Paths) -> Result<Vec<Save>, StoreError> {
    let bytes = fs::read_if_exists(&paths.journal())?.unwrap_or_default();
    Ok(lines(&bytes).filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// What is left of saves whose lines are gone, or were never written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    /// The hashes of the texts that were written, oldest first.
    texts: Vec<String>,
}

/// Notes that a text was written, where its save was killed before its line.
pub(super) fn note_text(paths: &Paths, ours: &str) -> Result<(), StoreError> {
    let mut line = serde_json::to_vec(&Texts { texts: vec![ours.to_owned()] })?;
    line.insert(0, b'\n');
    line.push(b'\n');
    Ok(fs::append(&paths.journal(), &line, Durability::Buffered)?)
}

/// Returns the hashes of the texts that were written, oldest first.
pub(super) fn texts(paths: &Paths) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for line in lines(&fs::read_if_exists(&paths.journal())?.unwrap_or_default()) {
        if let Ok(save) = serde_json::from_slice::<Save>(line) {
            found.push(save.ours);
        } else if let Ok(texts) = serde_json::from_slice::<Texts>(line) {
            found.extend(texts.texts);
        }
    }
    Ok(found)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Returns the items whose IDs we issued and that, as far as the journal knows, are
/// in the file still: by [`ItemId::key`].
pub(super) fn live(saves: &[Save]) -> BTreeMap<String, Entry> {
    let mut live = BTreeMap::new();
    for save in saves {
        for entry in save.added.iter().chain(&save.named) {
            live.insert(ItemId::key(&entry.id), entry.clone());
        }
        for altered in &save.changed {
            if let Some(entry) = live.get_mut(&ItemId::key(&altered.id)) {
                entry.text.clone_from(&altered.after);
            }
        }
        for id in &save.removed {
            live.remove(&ItemId::key(id));
        }
    }
    live
}

/// Shortens the journal to what is still needed, the items that are live, the last
/// save and the hashes of the latest texts, whenever it has grown by another piece.
fn compact(paths: &Paths, before: u64) -> Result<(), StoreError> {
    let len = fs::stamp(&paths.journal())?.map_or(0, |stamp| stamp.len);
    if before / COMPACT_EVERY == len / COMPACT_EVERY {
        return Ok(());
    }
    let mut saves = read(paths)?;
    let Some(last) = saves.pop() else {
        return Ok(());
    };
    let kept = Save {
        added: live(&saves).into_values().collect(),
        at: last.at.clone(),
        ..Save::default()
    };
    let mut texts = texts(paths)?;
    texts.drain(..texts.len().saturating_sub(KEEP_TEXTS));
    let mut text = Vec::new();
    for line in [
        serde_json::to_vec(&Texts { texts })?,
        serde_json::to_vec(&kept)?,
        serde_json::to_vec(&last)?,
    ] {
        text.extend(line);
        text.push(b'\n');
    }
    fs::replace(&paths.journal(), &text)?;
    Ok(())
}
