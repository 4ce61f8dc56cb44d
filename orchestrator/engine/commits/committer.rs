//! Whose the changes are, and when they are committed. All calls block.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Batch, Entry, Held, Ledger, keep_unchanged, take_as_it_is};
use super::message::{Subject, common, trailer};
use crate::coordinator::{Paths, RunRecord, StoreError};
use crate::git::{Commit, Content, GitError, RepoPath, Repository, Snapshot};

/// The subject of a commit that has nothing but the backlog and the worklog.
const OWN: &str = "Update the backlog";

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    /// Git failed: an item has to wait, and the run goes on.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Our own record cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A phase that ended well.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Done {
    /// The item's key.
    pub(in crate::engine) key: String,
    /// Whether its changes get a commit of their own.
    pub(in crate::engine) destructive: bool,
    /// What it did.
    pub(in crate::engine) subject: Subject,
}

/// What became of a phase's changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine) struct Ended {
    /// The commit that has them; of a phase that committed by itself, the last one.
    pub(in crate::engine) commit: Option<String>,
    /// Paths that are not committed though they have changed.
    pub(in crate::engine) uncommitted: Vec<Uncommitted>,
    /// The branches that were checked out when the run began and are now, where they differ.
    pub(in crate::engine) switched: Option<[Option<String>; 2]>,
}

/// A path that is left to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Uncommitted {
    pub(in crate::engine) path: String,
    /// Why it is.
    pub(in crate::engine) why: &'static str,
}

/// Why a path is left to the person.
const BESIDE: &str = "somebody else had changed it too";
const FAILED: &str = "a phase of another item that failed had changed it too";
const SINCE: &str = "it was changed after the run that was killed";
const BEFORE: &str = "it had changes before this run";
const INNER: &str = "it is a repository of its own, in which phases leave the commits to you";
const UNREADABLE: &str = "it is missing, or cannot be read as a backlog at the moment";

fn left(path: &RepoPath, why: &'static str) -> Uncommitted {
    Uncommitted { path: path.to_string(), why }
}

/// Our own files, as seen from the top of the work tree.
struct Own {
    backlog: Option<RepoPath>,
    worklog: Option<RepoPath>,
    inbox: Option<RepoPath>,
}

impl Own {
    /// Whether a path is committed with whatever is next.
    fn is_kept_up(&self, path: &RepoPath) -> bool {
        let worklog = self.worklog.as_ref();
        self.backlog.as_ref() == Some(path)
            || worklog.is_some_and(|worklog| path.as_path().starts_with(worklog.as_path()))
    }

    /// Whether a path is no phase's, whoever changes it.
    fn has(&self, path: &RepoPath) -> bool {
        self.is_kept_up(path) || self.inbox.as_ref() == Some(path)
    }
}

/// Commits what phases change.
pub(super) struct Committer {
    repository: Repository,
    record: RunRecord,
    paths: Paths,
    own: Own,
    ledger: Ledger,
    /// When the phases had ended that a killed run has left, as long as they are taken
    /// up: what was changed since then is not theirs.
    killed_ns: Option<i128>,
    /// The line by which a commit is known that a killed run had begun, and since when.
    left_going: Option<(String, Option<String>)>,
    /// The repositories inside, and the branch, as they were when the run began.
    inner: Option<BTreeMap<RepoPath, Vec<u8>>>,
    branch: Option<String>,
}

impl Committer {
    /// Opens the repository that a backlog lies in, and the books of a run that was
    /// killed; `None` outside a repository.
    pub(super) fn open(
        paths: &Paths,
        inbox: &std::path::Path,
    ) -> Result<Option<Self>, CommitError> {
        let Some(repository) = Repository::open(&paths.root)? else { return Ok(None) };
        let own = Own {
            backlog: repository.relative(&paths.file),
            worklog: repository.relative(&paths.worklog),
            inbox: repository.relative(inbox),
        };
        let record = RunRecord::new(paths, "git");
        let ledger = record.read()?.unwrap_or_default();
        let paths = paths.clone();
        // One that is damaged inside is no reason to commit nothing.
        let (inner, branch) = (repository.inner().ok(), repository.branch()?);
        let (killed_ns, left_going) = (None, None);
        let mut committer =
            Self { repository, record, paths, own, ledger, killed_ns, left_going, inner, branch };
        committer.begin()?;
        Ok(Some(committer))
    }

    /// Returns the repository, also for what is asked while a commit is made.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Begins a run, or goes on with one that was killed.
    fn begin(&mut self) -> Result<(), CommitError> {
        if !self.ledger.is_open {
            let dirty = self.repository.snapshot()?;
            let own_dirty = dirty.into_keys().filter(|path| self.own.is_kept_up(path));
            self.ledger.own_dirty = own_dirty.collect();
            self.ledger.is_open = true;
        }
        // Killed after the commit and before it was noted; or the commit goes on yet.
        if let Some(entry) = self.ledger.batch.entries.first() {
            let known_by = trailer(&entry.attempt);
            self.left_going = Some((known_by, self.ledger.batch.since.clone()));
            if self.agree_with_left()? {
                self.left_going = None;
                self.ledger.batch = Batch::default();
            }
        }
        self.note()
    }

    /// Brings the index into agreement with the commit that a killed run had begun, where
    /// it was made. Returns whether it was.
    fn agree_with_left(&self) -> Result<bool, CommitError> {
        let Some((known_by, since)) = &self.left_going else { return Ok(false) };
        let (since, paths) = (since.as_deref(), &Snapshot::new());
        let commit = Commit { message: known_by, known_by, since, paths };
        Ok(self.repository.take_up(&commit)?.is_some())
    }

    fn note(&self) -> Result<(), CommitError> {
        Ok(self.record.write(&self.ledger)?)
    }

    /// Returns what the running phases have changed so far.
    fn changed(&self, now: &Snapshot) -> Snapshot {
        now.iter()
            .filter(|(path, _)| self.is_new(path) && !self.is_late(path))
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect()
    }

    /// Tells whether a path is neither ours nor was dirty before.
    fn is_new(&self, path: &RepoPath) -> bool {
        !self.ledger.foreign.contains_key(path) && !self.own.has(path)
    }

    /// Tells whether a path was changed once all phases of a killed run had ended.
    fn is_late(&self, path: &RepoPath) -> bool {
        self.killed_ns.is_some_and(|ended| self.repository.was_changed_after(path, ended))
    }

    /// Notes when the phases had ended that a killed run has left.
    pub(super) fn were_killed(&mut self, ended_ns: Option<i128>) {
        self.killed_ns = ended_ns;
    }

    /// Returns what was dirty before, and is another now, and what is a person's since.
    fn uncommitted(&self, now: &Snapshot) -> Vec<Uncommitted> {
        let foreign = self.ledger.foreign.iter();
        let changed = foreign.filter(|(path, before)| {
            now.get(path).is_some_and(|content| content != *before) && !self.own.has(path)
        });
        let is_left = |path| self.ledger.left.values().any(|left| left.contains_key(path));
        let why = |path| if is_left(path) { FAILED } else { BESIDE };
        let late = now.keys().filter(|path| self.is_new(path) && self.is_late(path));
        let late = late.map(|path| left(path, SINCE));
        changed.map(|(path, _)| left(path, why(path))).chain(late).collect()
    }

    /// Adds the backlog and the worklog to what is committed.
    fn with_own(&self, mut paths: Snapshot, now: &Snapshot) -> Snapshot {
        let is_file = |content: &Content| matches!(content, Content::File { .. });
        let is_fit = |content: &Content| is_file(content) && self.paths.has_backlog();
        let own = now.iter().filter(|(path, content)| {
            self.own.is_kept_up(path)
                && !self.ledger.own_dirty.contains(*path)
                && (self.own.backlog.as_ref() != Some(*path) || is_fit(content))
        });
        paths.extend(own.map(|(path, content)| (path.clone(), content.clone())));
        paths
    }

    /// Notes that a phase begins. Where nothing runs, what is dirty now is a
    /// person's, save for what phases are known to have left.
    pub(super) fn starts(&mut self, key: &str, destructive: bool) -> Result<(), CommitError> {
        if self.ledger.running.is_empty() {
            let now = self.repository.snapshot()?;
            self.ledger.head = self.repository.head()?;
            keep_unchanged(&mut self.ledger.batch.paths, &now);
            for (item, left) in &mut self.ledger.left {
                // Who lets an item go on whose commit failed wants it made, with what
                // they have mended.
                match self.ledger.held.contains_key(item) {
                    true => take_as_it_is(left, &now),
                    false => keep_unchanged(left, &now),
                }
            }
            let left = self.ledger.left.get(key).cloned().unwrap_or_default();
            // What could not be committed with its own is not this one's either.
            let batch = self.ledger.batch.paths.keys().filter(|_| !destructive);
            let known: BTreeSet<&RepoPath> = batch.chain(left.keys()).collect();
            let foreign = now.into_iter().filter(|(path, _)| !known.contains(path));
            self.ledger.foreign = foreign.collect();
            self.ledger.failed.clear();
        }
        // What an attempt of its own has left is not somebody else's.
        if let Some(left) = self.ledger.left.get(key) {
            let is_held = self.ledger.held.contains_key(key);
            let is_own = |path: &RepoPath, content: &mut Content| match left.get(path) {
                Some(own) => is_held || own == content,
                None => false,
            };
            self.ledger.foreign.retain(|path, content| !is_own(path, content));
        }
        self.ledger.running.insert(key.to_owned());
        self.note()
    }

    /// Notes that a phase ended without a result that is used: what it left waits for
    /// the attempt that succeeds.
    pub(super) fn fails(&mut self, key: &str) -> Result<(), CommitError> {
        if !self.ledger.running.remove(key) {
            return Ok(());
        }
        // Beside others it cannot be told what is whose: it is theirs, or that of all that
        // fail.
        self.ledger.failed.insert(key.to_owned());
        if self.ledger.running.is_empty() {
            let now = self.repository.snapshot()?;
            for key in std::mem::take(&mut self.ledger.failed) {
                self.leave(&key, &now);
            }
        }
        self.note()
    }

    /// Notes what was left for an item, apart from what others are to commit.
    fn leave(&mut self, key: &str, now: &Snapshot) {
        let mut left = self.changed(now);
        left.retain(|path, content| self.ledger.batch.paths.get(path) != Some(content));
        self.ledger.left.insert(key.to_owned(), left);
    }

    /// Commits what a destructive phase changed, or notes what another one did.
    ///
    /// A failure of git keeps the books so that the same can be asked for again.
    pub(super) fn ends(&mut self, done: &Done) -> Result<Ended, CommitError> {
        let is_known = self.ledger.running.contains(&done.key);
        let result = self.try_end(done, is_known);
        self.ledger.running.remove(&done.key);
        self.ledger.failed.remove(&done.key);
        // What they have left is in this one's changes.
        let mut failed = BTreeSet::new();
        if self.ledger.running.is_empty() {
            failed.append(&mut self.ledger.failed);
        }
        match result {
            Ok(ended) => {
                self.ledger.held.remove(&done.key);
                self.ledger.left.remove(&done.key);
                self.ledger.asked.remove(&done.key);
                self.note()?;
                Ok(ended)
            }
            Err(error) => {
                if is_known && let Ok(now) = self.repository.snapshot() {
                    failed.insert(done.key.clone());
                    failed.iter().for_each(|key| self.leave(key, &now));
                }
                let Subject { phase, attempt, .. } = &done.subject;
                let held = Held { phase: phase.clone(), number: *attempt };
                self.ledger.held.insert(done.key.clone(), held);
                self.note()?;
                Err(error)
            }
        }
    }

    /// `is_known`: whether it is written down what was dirty when the phase began.
    fn try_end(&mut self, done: &Done, is_known: bool) -> Result<Ended, CommitError> {
        let now = self.repository.snapshot()?;
        let changed = if is_known { self.changed(&now) } else { Snapshot::new() };
        let uncommitted = if is_known { self.uncommitted(&now) } else { Vec::new() };
        self.pass_on(&now);
        if !done.destructive {
            let entry = done.subject.to_entry();
            let batch = &mut self.ledger.batch;
            if is_known && !batch.entries.contains(&entry) {
                batch.since = batch.since.take().or_else(|| self.ledger.head.clone());
                batch.entries.push(entry);
            }
            batch.paths.extend(changed);
            return Ok(Ended { uncommitted, ..Ended::default() });
        }
        let commit = self.commit_phase(&done.subject, changed, &now)?;
        Ok(Ended { commit, uncommitted, ..Ended::default() })
    }

    /// Gives what a phase has made of another item's leftovers to that item: it is
    /// committed with the attempt that succeeds there.
    fn pass_on(&mut self, now: &Snapshot) {
        let foreign = &self.ledger.foreign;
        for (path, content) in self.ledger.left.values_mut().flatten() {
            if let Some(made) = now.get(path).filter(|_| foreign.get(path) == Some(content)) {
                content.clone_from(made);
            }
        }
    }

    fn commit_phase(
        &self,
        subject: &Subject,
        changed: Snapshot,
        now: &Snapshot,
    ) -> Result<Option<String>, CommitError> {
        let known_by = trailer(&subject.attempt());
        let since = self.ledger.head.as_deref();
        let is_made = || self.repository.find_line(&known_by, since);
        if !changed.is_empty() || is_made()?.is_some() {
            let message = subject.message();
            let paths = self.with_own(changed, now);
            let commit = Commit { message: &message, known_by: &known_by, since, paths: &paths };
            if let Some(made) = self.repository.commit_paths(&commit)? {
                return Ok(Some(made));
            }
        }
        // It may have committed by itself.
        let head = self.repository.head()?;
        let has_moved = since.is_some_and(|since| head.as_deref() != Some(since));
        match since {
            Some(since) if has_moved && self.repository.is_ancestor(since)? => Ok(head),
            _ => Ok(None),
        }
    }

    /// Commits what phases that are not destructive have changed; at the end of the
    /// run, also our own files alone. Nothing may run. Returns the commit, and the
    /// paths that phases changed, and somebody else since: they are not committed.
    pub(super) fn flush(&mut self, at_end: bool) -> Result<Ended, CommitError> {
        let mut now = self.repository.snapshot()?;
        let noted: Vec<RepoPath> = self.ledger.batch.paths.keys().cloned().collect();
        keep_unchanged(&mut self.ledger.batch.paths, &now);
        let batch = &self.ledger.batch;
        let is_lost = |path: &&RepoPath| !batch.paths.contains_key(path) && now.contains_key(path);
        let uncommitted = noted.iter().filter(is_lost).map(|path| left(path, BESIDE)).collect();
        let mut commit = None;
        // Once more where a commit was found that a killed run had left going on: it has
        // nothing of what came since.
        for _ in 0..2 {
            let mut paths = self.ledger.batch.paths.clone();
            if at_end || !paths.is_empty() {
                paths = self.with_own(paths, &now);
            }
            if paths.is_empty() {
                break;
            }
            commit = self.commit_batch(&paths)?.or(commit);
            now = self.repository.snapshot()?;
            keep_unchanged(&mut paths, &now);
            if paths.is_empty() {
                break;
            }
            self.keep_uncommitted(&now)?;
        }
        self.ledger.batch = Batch::default();
        self.note()?;
        Ok(Ended { commit, uncommitted, ..Ended::default() })
    }

    /// Leaves in the batch what is not committed yet.
    fn keep_uncommitted(&mut self, now: &Snapshot) -> Result<(), CommitError> {
        let Batch { since, paths, entries } = &mut self.ledger.batch;
        keep_unchanged(paths, now);
        let mut left = Vec::new();
        for entry in entries.drain(..) {
            if self.repository.find_line(&trailer(&entry.attempt), since.as_deref())?.is_none() {
                left.push(entry);
            }
        }
        if left.is_empty() {
            // A hook has taken them out.
            paths.clear();
        }
        *entries = left;
        Ok(())
    }

    fn commit_batch(&self, paths: &Snapshot) -> Result<Option<String>, CommitError> {
        let Batch { since, entries, .. } = &self.ledger.batch;
        let (message, known_by, since) = match entries.first() {
            Some(Entry { attempt, .. }) => (common(entries), trailer(attempt), since.clone()),
            // Nothing has been committed since just now.
            None => (format!("{OWN}\n"), OWN.to_owned(), self.repository.head()?),
        };
        let since = since.as_deref();
        let commit = Commit { message: &message, known_by: &known_by, since, paths };
        Ok(self.repository.commit_paths(&commit)?)
    }

    /// Settles the books of phases that were killed, once their results, where there
    /// are any, have been taken up.
    pub(super) fn settle(&mut self) -> Result<(), CommitError> {
        let mut killed = std::mem::take(&mut self.ledger.running);
        killed.append(&mut self.ledger.failed);
        if !killed.is_empty() {
            let now = self.repository.snapshot()?;
            for key in &killed {
                self.leave(key, &now);
            }
            self.note()?;
        }
        self.killed_ns = None;
        Ok(())
    }

    /// Ends a run: commits what is left to commit, and closes the books.
    pub(super) fn end(&mut self) -> Result<Ended, CommitError> {
        self.settle()?;
        let flushed = self.flush(true).and_then(|mut ended| {
            self.agree_with_left()?;
            ended.uncommitted.extend(self.left_to_the_person()?);
            if let (Some(before), Ok(now)) = (&self.inner, self.repository.inner()) {
                let others = now.iter().filter(|(path, state)| before.get(*path) != Some(*state));
                ended.uncommitted.extend(others.map(|(path, _)| left(path, INNER)));
            }
            let branch = self.repository.branch()?;
            ended.switched = (branch != self.branch).then(|| [self.branch.clone(), branch]);
            Ok(ended)
        });
        if matches!(flushed, Err(CommitError::Git(_))) {
            // The next run goes on with the books, as with those of one that was killed:
            // else our own files would be taken for what a person has changed.
            self.note()?;
            return flushed;
        }
        if self.ledger.close() {
            self.note()?;
        } else {
            self.record.remove()?;
        }
        flushed
    }

    /// Returns those of our own files that were dirty when the run began, and still are,
    /// and the backlog where it is none.
    fn left_to_the_person(&self) -> Result<Vec<Uncommitted>, CommitError> {
        let is_backlog = self.paths.has_backlog();
        if self.ledger.own_dirty.is_empty() && is_backlog {
            return Ok(Vec::new());
        }
        let now = self.repository.snapshot()?;
        let dirty = self.ledger.own_dirty.iter().filter(|path| now.contains_key(*path));
        let none = self.own.backlog.iter().filter(|path| !is_backlog && now.contains_key(*path));
        let dirty = dirty.map(|path| left(path, BEFORE));
        Ok(none.map(|path| left(path, UNREADABLE)).chain(dirty).collect())
    }

    /// Returns the attempt of an item whose result waits for its commit.
    pub(super) fn held(&self, key: &str) -> Option<&Held> {
        self.ledger.held.get(key)
    }

    /// Forgets that a result waits: it is gone, or is applied without a commit.
    pub(super) fn let_go(&mut self, key: &str) -> Result<(), CommitError> {
        if self.ledger.held.remove(key).is_some() {
            self.note()?;
        }
        Ok(())
    }

    /// Tells whether a commit is no longer among those that HEAD came from.
    pub(super) fn is_stale(&self, commit: &str) -> Result<bool, CommitError> {
        Ok(!self.repository.is_ancestor(commit)?)
    }

    /// Tells whether a person was asked about the loss of a commit, and let the item go
    /// on all the same.
    pub(super) fn was_asked(&self, key: &str, commit: &str) -> bool {
        self.ledger.asked.get(key).is_some_and(|asked| asked == commit)
    }

    /// Notes that a person is asked about it.
    pub(super) fn asks(&mut self, key: &str, commit: &str) -> Result<(), CommitError> {
        self.ledger.asked.insert(key.to_owned(), commit.to_owned());
        self.note()
    }
}
