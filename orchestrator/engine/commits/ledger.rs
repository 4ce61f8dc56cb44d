//! What is known of the paths that are dirty, kept through a kill in `runs/git.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::git::{RepoPath, Snapshot};

/// Whose the dirty paths are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    /// Whether a run has begun that has not ended: what follows is still true.
    pub(super) is_open: bool,
    /// The backlog and months of the worklog that were dirty when the run began: they
    /// are left to the person.
    pub(super) own_dirty: BTreeSet<RepoPath>,
    /// HEAD when `foreign` was taken.
    pub(super) head: Option<String>,
    /// What was dirty when the phases that run now began, and not by a phase.
    pub(super) foreign: Snapshot,
    /// The items whose phases run.
    pub(super) running: BTreeSet<String>,
    /// The items whose phases failed or were interrupted beside others that still ran.
    pub(super) failed: BTreeSet<String>,
    /// What phases that are not destructive have changed.
    pub(super) batch: Batch,
    /// What failed, interrupted and killed phases left, by item.
    pub(super) left: BTreeMap<String, Snapshot>,
    /// Results that are kept since their commits failed, by item.
    pub(super) held: BTreeMap<String, Held>,
    /// The commits whose loss people were asked about, by item.
    pub(super) asked: BTreeMap<String, String>,
}

/// Changes that are to be committed together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Batch {
    /// HEAD when the first of them was noted.
    pub(super) since: Option<String>,
    /// The paths, as the phases left them.
    pub(super) paths: Snapshot,
    /// The phases.
    pub(super) entries: Vec<Entry>,
}

/// A phase as a commit names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// `ITEM/PHASE/N`.
    pub(super) attempt: String,
    /// `[ITEM][PHASE] what it did`.
    pub(super) subject: String,
}

/// An attempt whose result waits for its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Its phase.
    pub(super) phase: String,
    /// Its number.
    pub(super) number: u32,
}

impl Ledger {
    /// Closes the books of a run, and returns whether there is anything to keep.
    pub(super) fn close(&mut self) -> bool {
        self.is_open = false;
        self.own_dirty.clear();
        self.foreign.clear();
        self.running.clear();
        self.failed.clear();
        self.left.retain(|_, paths| !paths.is_empty());
        !(self.left.is_empty()
            && self.held.is_empty()
            && self.asked.is_empty()
            && self.batch == Batch::default())
    }
}

/// Takes out of `paths` what is no longer as it was noted: a person has changed it
/// since, or it is clean.
pub(super) fn keep_unchanged(paths: &mut Snapshot, now: &Snapshot) {
    paths.retain(|path, content| now.get(path) == Some(content));
}

/// Takes `paths` as they are now, and those out that are clean.
pub(super) fn take_as_it_is(paths: &mut Snapshot, now: &Snapshot) {
    let noted = std::mem::take(paths).into_keys();
    *paths = noted
        .filter_map(|path| now.get_key_value(&path))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
}
