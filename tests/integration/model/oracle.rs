//! What was told, and whether the disk agrees: sets in memory, nothing clever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orchestrator::model::{BacklogItem, ItemId};

use super::world::{Violation, World};

/// All that must hold.
pub(super) struct Oracle {
    /// Every number that was told, with what was told: over all trees.
    told: BTreeMap<u32, String>,
    trees: Vec<Known>,
    /// The highest mark of a save, of all trees of a clone.
    mark: u32,
}

/// What is known of one tree.
#[derive(Default)]
struct Known {
    /// Items that must be in the backlog, the worklog, or reported as lost.
    items: BTreeSet<String>,
    /// Those of which our own records are gone: a person who drops one now drops it.
    unrecorded: BTreeSet<String>,
    /// Titles of inbox entries that must be there once they were taken in.
    entries: BTreeSet<String>,
}

impl Oracle {
    pub(super) fn new(trees: usize) -> Self {
        let trees = (0..trees).map(|_| Known::default()).collect();
        Self { told: BTreeMap::new(), trees, mark: 0 }
    }

    /// Notes an ID that was told.
    pub(super) fn tell(&mut self, id: &str) -> Result<(), Violation> {
        let number = ItemId::number_of(id).unwrap();
        match self.told.insert(number, id.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Violation(format!("{id} was told twice"))),
        }
    }

    /// Notes items that were told as new. With `unrecorded`, the save was told and
    /// what is written after it was not.
    pub(super) fn tell_items(
        &mut self,
        tree: usize,
        items: &[Arc<BacklogItem>],
        unrecorded: bool,
    ) -> Result<(), Violation> {
        for item in items {
            let id = item.id.clone().unwrap();
            self.tell(&id)?;
            let known = &mut self.trees[tree];
            if unrecorded {
                known.unrecorded.insert(id.clone());
            }
            known.items.insert(id);
        }
        Ok(())
    }

    /// Notes an entry that was put into the inbox.
    pub(super) fn expect_entry(&mut self, tree: usize, title: String) {
        self.trees[tree].entries.insert(title);
    }

    pub(super) fn entries(&self, tree: usize) -> impl Iterator<Item = &String> {
        self.trees[tree].entries.iter()
    }

    /// Notes that a person changed the text: entries and unrecorded items that are
    /// dropped by that are dropped for good.
    pub(super) fn edited(&mut self, tree: usize, before: &str, after: &str) {
        let known = &mut self.trees[tree];
        known
            .entries
            .retain(|title| after.contains(title.as_str()) || !before.contains(title.as_str()));
        let is_there = |text: &str, id: &str| has_id(text, id);
        let items = &mut known.items;
        known.unrecorded.retain(|id| {
            let is_dropped = is_there(before, id) && !is_there(after, id);
            if is_dropped {
                items.remove(id);
            }
            !is_dropped
        });
    }

    /// Notes that our own folder was deleted.
    pub(super) fn state_deleted(&mut self, tree: usize, text: &str, log: &str) {
        let known = &mut self.trees[tree];
        known.items.retain(|id| has_id(text, id) || has_id(log, id));
        known.unrecorded = known.items.clone();
        known.entries.retain(|title| text.contains(title.as_str()) || log.contains(title.as_str()));
    }

    /// Returns any ID that was told, by a number that picks one.
    pub(super) fn some_id(&self, pick: usize) -> Option<&String> {
        self.told.values().nth(pick % self.told.len().max(1))
    }
}

/// Tells whether a text has an item of this ID; an entry of the worklog has it at
/// another column.
pub(super) fn has_id(text: &str, id: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim().strip_prefix("- ").unwrap_or(line.trim());
        line.strip_prefix("id: ").is_some_and(|own| own == id)
    })
}

/// Returns what a person wrote that is not ours: words that start with `note-`.
pub(super) fn notes(text: &str) -> BTreeSet<String> {
    text.split_whitespace()
        .filter(|word| word.starts_with("note-"))
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

impl World {
    /// Notes the mark, which a save has made durable: from here on it never goes down.
    pub(super) fn saved(&mut self, tree: usize) -> Result<(), Violation> {
        let mark = self.open(tree)?.mark()?;
        self.oracle.mark = self.oracle.mark.max(mark);
        Ok(())
    }

    /// Asserts all that must hold of a tree.
    pub(super) fn check(&mut self, tree: usize) -> Result<(), Violation> {
        let mut reader = match self.trees[tree].reader.take() {
            Some(reader) => reader,
            None => self.open(tree)?,
        };
        reader.refresh()?;
        reader.file()?;
        let mark = reader.mark()?;
        let lost: BTreeSet<String> = reader
            .diagnostics()?
            .into_iter()
            .filter(|found| found.code.as_str() == "lost_item")
            .filter_map(|found| found.item)
            .collect();
        self.trees[tree].reader = Some(reader);
        if mark < self.oracle.mark {
            return Err(Violation(format!("the mark went from {} to {mark}", self.oracle.mark)));
        }
        if let Some((highest, id)) = self.oracle.told.last_key_value()
            && *highest > mark
        {
            return Err(Violation(format!("{id} was told, and the mark is {mark}")));
        }
        let (text, log) = (self.trees[tree].text(), self.trees[tree].worklog());
        for id in &self.oracle.trees[tree].items {
            if !has_id(&text, id) && !has_id(&log, id) && !lost.contains(id) {
                return Err(Violation(format!("{id} was told, and is nowhere\n{text}")));
            }
        }
        for title in &self.oracle.trees[tree].entries {
            let count = text.lines().filter(|line| line.trim().ends_with(title.as_str())).count();
            if count > 1 {
                return Err(Violation(format!("{title} is there {count} times\n{text}")));
            }
        }
        Ok(())
    }
}
