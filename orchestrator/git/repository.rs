//! A repository with a work tree, and what can be asked of it.
//!
//! Every answer is of the moment: nothing is kept, since people and agents use the
//! same repository. IDs of commits are full and in hex.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::common_dir::{Checkout, find};
use super::error::GitError;
use super::hurry::Hurry;
use super::path::RepoPath;
use super::process::{Call, first_line, unexpected};
use super::snapshot::{self, Snapshot};
use crate::fs;

/// How long another program may hold a lock.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// What git leaves in its folder while something is under way.
const UNDER_WAY: &[(&str, &str)] = &[
    ("MERGE_HEAD", "a merge"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a series of cherry-picks or reverts"),
    ("BISECT_LOG", "a bisection"),
];

/// A repository with a work tree.
#[derive(Debug, Clone)]
pub struct Repository {
    checkout: Checkout,
    pub(super) lock_wait: Duration,
    pub(super) hurry: Hurry,
}

impl Repository {
    /// Opens the repository that a folder lies in; `None` where there is none.
    ///
    /// # Errors
    /// [`GitError::NotInstalled`] where there is a repository and no git command;
    /// [`GitError::Failed`] where git will not use it, as when it belongs to
    /// somebody else; those of [`find`].
    pub fn open(start: &Path) -> Result<Option<Self>, GitError> {
        let Some(checkout) = find(start)? else { return Ok(None) };
        Call::new("rev-parse").args(&["--git-dir"]).run(&checkout.work_tree)?;
        Ok(Some(Self { checkout, lock_wait: LOCK_WAIT, hurry: Hurry::default() }))
    }

    /// Waits that long for a lock that another program holds, instead of 20 s.
    #[must_use]
    pub fn with_lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Returns what brings the end of commits forward, also of those under way.
    pub fn hurry(&self) -> Hurry {
        self.hurry.clone()
    }

    /// Returns where it lies.
    pub fn checkout(&self) -> &Checkout {
        &self.checkout
    }

    /// Returns the lock of the index, where a program holds it at the moment, or has left it.
    pub fn held_lock(&self) -> Option<PathBuf> {
        let lock = self.checkout.git_dir.join("index.lock");
        matches!(fs::stamp(&lock), Ok(Some(_))).then_some(lock)
    }

    /// Returns the top folder of the work tree.
    pub fn top(&self) -> &Path {
        &self.checkout.work_tree
    }

    /// Tells whether a path was changed after a moment, in nanoseconds since 1970; what is
    /// not there, or cannot be looked at, was not.
    pub fn was_changed_after(&self, path: &RepoPath, moment_ns: i128) -> bool {
        let stamp = fs::link_stamp(&self.top().join(path.as_path()));
        stamp.is_ok_and(|stamp| stamp.is_some_and(|stamp| stamp.ctime_ns > moment_ns))
    }

    /// Returns a path as seen from the top of the work tree; `None` for one that lies
    /// elsewhere, links followed.
    pub fn relative(&self, path: &Path) -> Option<RepoPath> {
        // What does not exist yet, folder included, is taken as it is written.
        let path = fs::resolve(path).unwrap_or_else(|_| path.to_owned());
        path.strip_prefix(self.top()).ok().map(RepoPath::from)
    }

    /// Returns the commit that is checked out; `None` before the first one.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        self.resolve("HEAD^{commit}")
    }

    /// Returns what differs from the last commit, and what is in it.
    pub fn snapshot(&self) -> Result<Snapshot, GitError> {
        snapshot::take(self.top())
    }

    /// Returns the submodules that differ from the last commit, and the repositories that
    /// lie in this one and are none, with what git says of each.
    pub fn inner(&self) -> Result<BTreeMap<RepoPath, Vec<u8>>, GitError> {
        snapshot::inner(self.top())
    }

    /// Returns the branch that is checked out, such as `refs/heads/main`, also before its
    /// first commit; `None` where HEAD is detached.
    pub fn branch(&self) -> Result<Option<String>, GitError> {
        let answer = Call::new("symbolic-ref").args(&["--quiet", "HEAD"]).ask(self.top())?;
        match answer.status.code() {
            Some(0) => Ok(Some(String::from_utf8_lossy(&answer.stdout).trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(answer.error()),
        }
    }

    /// Tells whether a commit is HEAD or one that HEAD came from. What is no
    /// commit of this repository is not.
    pub fn is_ancestor(&self, commit: &str) -> Result<bool, GitError> {
        let Some(commit) = self.commit(commit)? else { return Ok(false) };
        if self.head()?.is_none() {
            return Ok(false);
        }
        let call = Call::new("merge-base").args(&["--is-ancestor", &commit, "HEAD"]);
        let answer = call.ask(self.top())?;
        match answer.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(answer.error()),
        }
    }

    /// Finds the newest commit whose message has this line, between `since`,
    /// exclusive, and HEAD. Where `since` is no commit, or no longer, all that HEAD
    /// came from is looked at.
    pub fn find_line(&self, line: &str, since: Option<&str>) -> Result<Option<String>, GitError> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let since = since.map(|since| self.commit(since)).transpose()?.flatten();
        let (grep, not) = (format!("--grep={line}"), since.map(|since| format!("^{since}")));
        let args = ["-z", "--format=%H%n%B", "--encoding=UTF-8", "--no-show-signature"];
        let mut call = Call::new("log").args(&args).args(&["--fixed-strings", &grep, "HEAD"]);
        if let Some(not) = &not {
            call = call.args(&[not]);
        }
        let listing = call.run(self.top())?;
        for commit in listing.split(|byte| *byte == 0).filter(|commit| !commit.is_empty()) {
            let mut lines = commit.split(|byte| *byte == b'\n');
            let id = lines.next().and_then(|id| std::str::from_utf8(id).ok());
            let id = id.ok_or_else(|| unexpected("log", commit))?;
            if lines.any(|other| other.trim_ascii_end() == line.as_bytes()) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    /// Refuses where a merge, a rebase or the like has been begun and not ended.
    pub(super) fn check_idle(&self) -> Result<(), GitError> {
        for (name, operation) in UNDER_WAY {
            if fs::stamp(&self.checkout.git_dir.join(name))?.is_some() {
                return Err(GitError::UnderWay { operation });
            }
        }
        Ok(())
    }

    /// Returns the full ID of a commit that is named by a part of it, or `None`;
    /// names of other kinds are not looked up.
    fn commit(&self, id: &str) -> Result<Option<String>, GitError> {
        let is_id = (4..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { self.resolve(&format!("{id}^{{commit}}")) } else { Ok(None) }
    }

    pub(super) fn resolve(&self, name: &str) -> Result<Option<String>, GitError> {
        let call = Call::new("rev-parse").args(&["--verify", "--quiet", name]);
        let answer = call.ask(self.top())?;
        match answer.status.code() {
            Some(0) => first_line("rev-parse", &answer.stdout).map(Some),
            Some(1) => Ok(None),
            // An ambiguous name, or an object that is no commit.
            _ if name != "HEAD^{commit}" => Ok(None),
            _ => Err(answer.error()),
        }
    }
}
