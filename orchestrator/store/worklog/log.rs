//! All months together: how an item ended, its text, and the next entry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{ArchiveEntry, PhaseEntry};
use super::month::{self, Block, Month};
use crate::fs::{self, Stamp, Unsynced};
use crate::model::{Ended, IdQuery, ItemId};
use crate::store::{Paths, StoreError};

/// How many bytes must have been read for the index to be worth writing.
const INDEX_FROM: u64 = 64 * 1024;

/// The worklog of one backlog, with what is known of its months.
#[derive(Debug, Clone)]
pub struct Worklog {
    dir: PathBuf,
    index: PathBuf,
    months: BTreeMap<String, Known>,
    ended: Arc<BTreeMap<String, Ended>>,
    is_loaded: bool,
}

/// A month as it was when it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    len: u64,
    mtime_ns: i128,
    month: Month,
}

/// An archived item, from the worklog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its ID, as the heading has it.
    pub id: String,
    /// How it ended.
    pub ended: Ended,
    /// Its text, dash at column 0.
    pub text: String,
    /// The month's file.
    pub path: PathBuf,
}

impl Worklog {
    /// Makes the worklog of a backlog; nothing is read yet.
    pub fn new(paths: &Paths) -> Self {
        Self {
            dir: paths.worklog.clone(),
            index: paths.state.join("worklog-index.json"),
            months: BTreeMap::new(),
            ended: Arc::default(),
            is_loaded: false,
        }
    }

    /// Reads the months that changed since they were last read.
    ///
    /// # Errors
    /// Where the folder or a month cannot be read.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        if !self.is_loaded {
            self.is_loaded = true;
            self.months = self.read_index();
        }
        let entries = match fs::list(&self.dir) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        let mut names = Vec::new();
        let mut changed = false;
        for entry in entries {
            let name = entry.name.to_string_lossy().into_owned();
            if !name.ends_with(".md") {
                continue;
            }
            let Some(stamp) = fs::stamp(&entry.path)? else {
                continue;
            };
            let is_known =
                |known: &Known| known.len == stamp.len && known.mtime_ns == stamp.mtime_ns;
            if !self.months.get(&name).is_some_and(is_known) {
                let bytes = fs::read(&entry.path)?;
                let month = month::parse(&String::from_utf8_lossy(&bytes));
                self.months.insert(
                    name.clone(),
                    Known { len: stamp.len, mtime_ns: stamp.mtime_ns, month },
                );
                changed = true;
            }
            names.push(name);
        }
        let before = self.months.len();
        self.months.retain(|name, _| names.contains(name));
        if changed
            || self.months.len() != before
            || (self.ended.is_empty() && !self.months.is_empty())
        {
            self.gather_ended();
        }
        Ok(())
    }

    fn gather_ended(&mut self) {
        self.ended = Arc::new(
            self.blocks().map(|(_, block)| (ItemId::key(&block.id), block.ended.into())).collect(),
        );
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = (&String, &Block)> {
        self.months
            .iter()
            .flat_map(|(name, known)| known.month.blocks.iter().map(move |block| (name, block)))
    }

    fn read_index(&self) -> BTreeMap<String, Known> {
        // Deletable and rebuilt: anything wrong with it only costs a reading.
        fs::read_if_exists(&self.index)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Writes the index, where the months are long enough for it to save time.
    ///
    /// # Errors
    /// Where it cannot be written; nothing depends on it.
    pub fn write_index(&self) -> Result<(), StoreError> {
        if self.months.values().map(|known| known.len).sum::<u64>() >= INDEX_FROM {
            fs::replace(&self.index, &serde_json::to_vec(&self.months)?)?;
        }
        Ok(())
    }

    /// Returns the IDs of archived items as their headings have them, some more than
    /// once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.blocks().map(|(_, block)| block.id.as_str())
    }

    /// Returns how each archived item ended, by [`ItemId::key`].
    pub fn ended(&self) -> &Arc<BTreeMap<String, Ended>> {
        &self.ended
    }

    /// Returns how the item ended that was asked for, where it is archived.
    pub fn ended_of(&self, id: &str) -> Option<Ended> {
        self.ended.get(&ItemId::key(id)).copied().or_else(|| {
            let query = IdQuery::new(id);
            self.blocks()
                .rev()
                .find(|(_, block)| query.names(&block.id))
                .map(|(_, block)| block.ended.into())
        })
    }

    /// Returns where the months lie, oldest first.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.months.keys().map(|name| self.dir.join(name)).collect()
    }

    /// Returns the highest number in any entry.
    pub fn highest(&self) -> u32 {
        self.months.values().map(|known| known.month.highest).max().unwrap_or(0)
    }

    /// Returns the last entry of an item.
    ///
    /// # Errors
    /// Where the month cannot be read.
    pub fn find(&self, query: &IdQuery) -> Result<Option<Archived>, StoreError> {
        let Some((name, block)) = self.blocks().rev().find(|(_, block)| query.names(&block.id))
        else {
            return Ok(None);
        };
        let path = self.dir.join(name);
        let bytes = fs::read(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        let damaged = || StoreError::DamagedEntry { id: block.id.clone(), path: path.clone() };
        let text = text.get(block.start..block.start + block.len).ok_or_else(damaged)?.to_owned();
        Ok(Some(Archived { id: block.id.clone(), ended: block.ended.into(), text, path }))
    }

    /// Appends the entries of items that are archived together, durably; none where
    /// the last entry of that ID holds the same text.
    ///
    /// # Errors
    /// Where they cannot be written: then the items must stay in the backlog.
    pub fn append_archived(&mut self, entries: &[ArchiveEntry]) -> Result<(), StoreError> {
        self.refresh()?;
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let mut text = String::new();
        for entry in entries {
            if !self.has_archived(entry)? {
                text.push_str(&entry.to_markdown());
            }
        }
        if text.is_empty() { Ok(()) } else { Ok(self.append(first.at, &text)?.sync()?) }
    }

    fn has_archived(&self, entry: &ArchiveEntry) -> Result<bool, StoreError> {
        if !self.ended.contains_key(&ItemId::key(&entry.id)) {
            return Ok(false);
        }
        let last = self.find(&IdQuery::new(&entry.id))?;
        // A save that failed behind this is made again at another time.
        Ok(last.is_some_and(|last| {
            undated(&last.text).eq(undated(&entry.text)) && last.ended == entry.ended
        }))
    }

    /// Appends the entries of phases that were finished together; the caller waits for
    /// the disk.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn append_phases(
        &mut self,
        entries: &[&PhaseEntry],
    ) -> Result<Option<Unsynced>, StoreError> {
        let Some(first) = entries.first() else {
            return Ok(None);
        };
        self.refresh()?;
        let text: String = entries.iter().map(|entry| entry.to_markdown()).collect();
        self.append(first.at, &text).map(Some)
    }

    /// Returns whether an entry of this very attempt is there.
    ///
    /// # Errors
    /// Where a month cannot be read.
    pub fn has_phase(&self, entry: &PhaseEntry) -> Result<bool, StoreError> {
        // Whoever asks was interrupted lately.
        let mut months: Vec<_> = match fs::list(&self.dir) {
            Err(error) if error.is_not_found() => return Ok(false),
            list => list?
                .into_iter()
                .filter(|file| file.name.to_string_lossy().ends_with(".md"))
                .collect(),
        };
        months.sort_by(|a, b| b.name.cmp(&a.name));
        for month in months.into_iter().take(2) {
            let text = fs::read(&month.path)?;
            if entry.is_in(&String::from_utf8_lossy(&text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn append(&mut self, at: Timestamp, entry: &str) -> Result<Unsynced, StoreError> {
        let name = format!("{}.md", at.strftime("%Y-%m"));
        let path = self.dir.join(&name);
        fs::create_dir_all(&self.dir)?;
        let known = self.months.get(&name);
        let closing = known.map_or("", |known| known.month.closing.as_str());
        let before = known.map_or(0, |known| known.len);
        let text = format!("{closing}{entry}");
        let is_whole = closing.is_empty() && known.is_none_or(|known| known.month.len == known.len);
        let written = fs::append_unsynced(&path, text.as_bytes()).inspect_err(|_| {
            // A part may be there: look again before the next entry.
            self.months.remove(&name);
        })?;
        let stamp = fs::stamp(&path)?;
        match stamp.filter(|stamp| is_whole && stamp.len == before + text.len() as u64) {
            Some(stamp) => self.take_up(name, &text, stamp),
            // Somebody else wrote too, or what stood before is not as it is read.
            None => self.refresh()?,
        }
        Ok(written)
    }

    /// Takes up what was appended, without a month of megabytes being read for each entry.
    fn take_up(&mut self, name: String, appended: &str, stamp: Stamp) {
        let new = || Known { len: 0, mtime_ns: 0, month: Month::default() };
        let known = self.months.entry(name).or_insert_with(new);
        let archived = known.month.blocks.len();
        known.month.extend(appended);
        (known.len, known.mtime_ns) = (stamp.len, stamp.mtime_ns);
        if known.month.blocks.len() > archived {
            self.gather_ended();
        }
    }
}

/// Returns the lines of an item's text, but for when it was updated.
fn undated(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.trim_end().lines().map(str::trim);
    lines.filter(|line| !line.starts_with("updated:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_another_encoding_moves_no_item() {
        let dir = tempfile::tempdir().unwrap();
        let mut worklog = Worklog {
            dir: dir.path().to_owned(),
            index: dir.path().join("index.json"),
            months: BTreeMap::new(),
            ended: Arc::default(),
            is_loaded: true,
        };
        fs::create_new(&dir.path().join("1970-01.md"), b"Caf\xe9\n\n").unwrap();
        let text = |id: &str| format!("- id: {id}\n  title: x\n");
        for id in ["A-1", "A-2"] {
            let entry = ArchiveEntry {
                id: id.into(),
                title: "x".into(),
                ended: Ended::Done,
                reason: None,
                phases: Vec::new(),
                text: text(id),
                at: Timestamp::UNIX_EPOCH,
            };
            worklog.append_archived(&[entry]).unwrap();
        }
        for id in ["A-1", "A-2"] {
            let found = worklog.find(&IdQuery::new(id)).unwrap().unwrap();
            assert_eq!(found.text, text(id));
        }
    }
}
