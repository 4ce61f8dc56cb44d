//! Items that were told and are nowhere: a stale editor saved over them.
//!
//! The journal has their text. Once a writer has noticed one, its text lies in
//! `.orchestrator/lost/`, until it is back in the backlog or archived.

use std::collections::HashSet;
use std::path::PathBuf;

use super::journal::{self, Entry};
use super::worklog::Worklog;
use super::{Paths, StoreError};
use crate::fs;
use crate::model::{BacklogFile, IdKey, IdQuery, ItemId};

/// Returns the IDs of lost items. With `look`, the journal is asked too: do that
/// where somebody else wrote the file since we did.
pub(super) fn find(
    paths: &Paths,
    file: &BacklogFile,
    worklog: &Worklog,
    look: bool,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = noted(paths)?;
    if look {
        let live = journal::live(&journal::read(paths)?);
        let noted: HashSet<String> = entries.iter().map(|entry| ItemId::key(&entry.id)).collect();
        let other = live.into_iter().filter(|(key, _)| !noted.contains(key));
        entries.extend(other.map(|(_, entry)| entry));
    }
    if entries.is_empty() {
        return Ok(entries);
    }
    let ids = file.items.iter().filter_map(|item| item.id.as_deref());
    let there: HashSet<IdKey<'_>> = ids.map(IdKey::new).collect();
    entries.retain(|entry| {
        !there.contains(&IdKey::new(&entry.id))
            && !worklog.ended().contains_key(&ItemId::key(&entry.id))
    });
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(entries)
}

fn noted(paths: &Paths) -> Result<Vec<Entry>, StoreError> {
    let list = match fs::list(&paths.lost()) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let mut entries = Vec::new();
    for entry in list {
        // What a kill left half way to its place is not one of them.
        if entry.path.extension().is_some_and(|extension| extension == "json")
            && let Some(bytes) = fs::read_if_exists(&entry.path)?
            && let Ok(entry) = serde_json::from_slice(&bytes)
        {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Writes down the lost items that are not yet, and forgets those that are found.
pub(super) fn note(paths: &Paths, lost: &[Entry]) -> Result<(), StoreError> {
    let known = noted(paths)?;
    for entry in lost.iter().filter(|entry| !known.contains(entry)) {
        fs::create_dir_all(&paths.lost())?;
        fs::replace(&file_of(paths, &entry.id), &serde_json::to_vec(entry)?)?;
    }
    for entry in known.iter().filter(|entry| !lost.contains(entry)) {
        fs::remove_if_exists(&file_of(paths, &entry.id))?;
    }
    Ok(())
}

fn file_of(paths: &Paths, id: &str) -> PathBuf {
    paths.lost().join(format!("{}.json", fs::hash(ItemId::key(id).as_bytes())))
}

/// Returns the lost item that a query names.
pub(super) fn named<'a>(lost: &'a [Entry], query: &IdQuery) -> Option<&'a Entry> {
    lost.iter().find(|entry| query.names(&entry.id))
}
