//! A commit of exactly some paths.
//!
//! What the commit is to hold is put together in an index of our own: the last
//! commit, and over it the named paths as they are in the work tree. `git commit`
//! then runs with that index, so that hooks, signing and identity are the person's.
//! The repository's own index is not touched before the commit is there, and then
//! only in the entries that the commit changed: what else a person staged stays
//! staged. A kill in between is put right by whoever asks for the same commit again:
//! it is known by a line of its message.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::GitError;
use super::path::RepoPath;
use super::process::{Call, first_line, patiently, unexpected};
use super::repository::Repository;
use super::snapshot::{Content, Snapshot};
use crate::fs;

/// What the names of our indexes begin with, in the folder of the repository.
const INDEX: &str = "orchestrator-index-";

/// How much older than a new one an index must be to be nobody's any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// A commit that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// Its message. It must have the line `known_by`.
    pub message: &'a str,
    /// A line of the message that no other commit since `since` has: where there is
    /// one with it, it was made before, and is not made again.
    pub known_by: &'a str,
    /// The commit before which it cannot have been made, where that is known.
    pub since: Option<&'a str>,
    /// The paths it changes, and how they are in the work tree.
    pub paths: &'a Snapshot,
}

/// An entry of an index: its mode and the ID of its contents.
type Entry = (Vec<u8>, Vec<u8>);

/// What became of a path; one that is not there has the mode 0.
struct Change {
    before: Entry,
    after: Entry,
}

impl Repository {
    /// Makes a commit, and returns its ID; or that of the one that was made before
    /// a kill. `None` where there is nothing to commit.
    ///
    /// # Errors
    /// [`GitError::UnderWay`] and [`GitError::Unmerged`]; [`GitError::Locked`] where
    /// another program holds a lock for longer than we wait; [`GitError::Interrupted`]
    /// where [`Repository::hurry`] has ended it; [`GitError::Failed`]
    /// with what git, or a hook, said.
    pub fn commit_paths(&self, commit: &Commit<'_>) -> Result<Option<String>, GitError> {
        patiently(self.lock_wait, &self.hurry, || {
            // Before it is looked whether it was made: what lands in between is found then,
            // or has moved HEAD from here.
            let base = self.head()?;
            if let Some(made) = self.made_before(commit)? {
                return Ok(Some(made));
            }
            self.check_idle()?;
            let conflict = commit.paths.iter().find(|(_, content)| **content == Content::Unmerged);
            if let Some((path, _)) = conflict {
                return Err(GitError::Unmerged { path: path.clone() });
            }
            let made = match self.make(commit, base.as_deref()) {
                // A run that was killed may have left a commit that goes on by itself, and
                // was made while ours was tried.
                Err(error @ GitError::Failed { .. }) => match self.made_before(commit)? {
                    None => return Err(error),
                    made => return Ok(made),
                },
                made => made?,
            };
            let last = made.as_deref().or(base.as_deref());
            self.agree(base.as_deref(), last, commit.paths)?;
            Ok(made)
        })
    }

    /// Returns the ID of a commit that was made before a kill, if it was; then the index
    /// agrees with it.
    ///
    /// # Errors
    /// [`GitError::Locked`] where another program holds the index for longer than we wait;
    /// [`GitError::Failed`].
    pub fn take_up(&self, commit: &Commit<'_>) -> Result<Option<String>, GitError> {
        patiently(self.lock_wait, &self.hurry, || self.made_before(commit))
    }

    /// Returns the commit, where it was made before; then the index agrees with it.
    fn made_before(&self, commit: &Commit<'_>) -> Result<Option<String>, GitError> {
        let made = self.find_line(commit.known_by, commit.since)?;
        if let Some(made) = &made {
            let parent = self.parent_of(made)?;
            self.agree(parent.as_deref(), Some(made), &Snapshot::new())?;
        }
        Ok(made)
    }

    /// Makes the commit, on top of `base`, by an index of its own.
    fn make(&self, commit: &Commit<'_>, base: Option<&str>) -> Result<Option<String>, GitError> {
        let git_dir = &self.checkout().git_dir;
        let index = fs::stage(git_dir, INDEX, b"", None)?;
        for path in stale(git_dir, index.path())? {
            fs::remove_if_exists(&path)?;
        }
        let index = index.path();
        self.fill(index, base, commit.paths)?;
        let tree = Call::new("write-tree").index(index).run(self.top())?;
        if first_line("write-tree", &tree)? == self.tree_of(base)? {
            return Ok(None);
        }
        let args = ["--quiet", "--cleanup=whitespace", "--file=-"];
        let call = Call::new("commit").args(&args).index(index).hurry(&self.hurry);
        call.stdin(commit.message.as_bytes().to_owned()).run(self.top())?;
        let made = self.head()?.ok_or_else(|| unexpected("commit", b"no commit"))?;
        let parent = self.parent_of(&made)?;
        if parent.as_deref() == base {
            return Ok(Some(made));
        }
        // Somebody committed after we had looked: ours takes their changes back.
        let message = "HEAD was moved while a commit was made".to_owned();
        let is_ours = self.find_line(commit.known_by, parent.as_deref())?.as_ref() == Some(&made);
        if let (true, Some(parent)) = (is_ours, &parent) {
            Call::new("update-ref").args(&["HEAD", parent, &made]).run(self.top())?;
        }
        Err(GitError::Locked { message })
    }

    /// Fills an index with the last commit, and the paths as they are now.
    fn fill(&self, index: &Path, base: Option<&str>, paths: &Snapshot) -> Result<(), GitError> {
        let mut output = std::ffi::OsString::from("--index-output=");
        output.push(index);
        // From the repository's index, so that files that did not change need not be
        // read to know it.
        let from = match base {
            Some(base) => vec!["--reset", base],
            None => vec!["--empty"],
        };
        Call::new("read-tree").arg_os(&output).args(&from).run(self.top())?;
        let (gone, there): (Vec<_>, Vec<_>) =
            paths.iter().partition(|(_, content)| **content == Content::Absent);
        let list = |paths: Vec<(&RepoPath, &Content)>| {
            let with_end = |(path, _): (&RepoPath, &Content)| {
                let mut path = path.to_git();
                path.push(0);
                path
            };
            paths.into_iter().flat_map(with_end).collect::<Vec<u8>>()
        };
        // First what goes: where a file became a folder, its place must be free.
        for (args, paths) in [
            (["--force-remove", "-z", "--stdin"].as_slice(), gone),
            (&["--add", "--remove", "--replace", "-z", "--stdin"], there),
        ] {
            if !paths.is_empty() {
                let call = Call::new("update-index").args(args).index(index);
                call.stdin(list(paths)).run(self.top())?;
            }
        }
        Ok(())
    }

    /// Brings the repository's index into agreement with what a commit made of the
    /// one before: in the entries that are still as they were before, and those of
    /// `paths` whatever they are.
    fn agree(
        &self,
        before: Option<&str>,
        commit: Option<&str>,
        paths: &Snapshot,
    ) -> Result<(), GitError> {
        let (before, after) = (self.tree_of(before)?, self.tree_of(commit)?);
        let args = ["-r", "-z", "--raw", "--full-index", "--no-renames", &before, &after];
        let changed = changes("diff-tree", &Call::new("diff-tree").args(&args).run(self.top())?)?;
        patiently(self.lock_wait, &self.hurry, || {
            let staged = self.staged(&before)?;
            let (mut gone, mut there) = (Vec::new(), Vec::new());
            let mut put = |path: &RepoPath, (mode, id): &Entry| {
                let line = [mode.as_slice(), b" ", id, b"\t", &path.to_git(), b"\0"].concat();
                let is_gone = mode.iter().all(|digit| *digit == b'0');
                if is_gone { &mut gone } else { &mut there }.extend(line);
            };
            for (path, change) in &changed {
                if !staged.contains_key(path) || paths.contains_key(path) {
                    put(path, &change.after);
                }
            }
            for (path, change) in &staged {
                if paths.contains_key(path) && !changed.contains_key(path) {
                    put(path, &change.before);
                }
            }
            let entries = [gone.as_slice(), &there].concat();
            if !entries.is_empty() {
                let args = ["--replace", "-z", "--index-info"];
                Call::new("update-index").args(&args).stdin(entries).run(self.top())?;
            }
            Ok(())
        })?;
        // Without it, commands that do not look for themselves take the entries for
        // changed.
        let refresh = Call::new("update-index").args(&["-q", "--refresh"]).ask(self.top())?;
        if !refresh.status.success() {
            tracing::debug!(error = %refresh.error(), "the index was not refreshed");
        }
        Ok(())
    }

    /// Returns the paths whose entries in the repository's index differ from a tree.
    fn staged(&self, tree: &str) -> Result<BTreeMap<RepoPath, Change>, GitError> {
        let args = ["--cached", "-z", "--raw", "--full-index", "--no-renames", tree, "--"];
        let staged = Call::new("diff-index").args(&args).run(self.top())?;
        changes("diff-index", &staged)
    }

    fn parent_of(&self, commit: &str) -> Result<Option<String>, GitError> {
        self.resolve(&format!("{commit}^1^{{commit}}"))
    }

    /// Returns the tree of a commit, and the empty one where there is none.
    fn tree_of(&self, commit: Option<&str>) -> Result<String, GitError> {
        if let Some(commit) = commit {
            let tree = self.resolve(&format!("{commit}^{{tree}}"))?;
            return tree.ok_or_else(|| unexpected("rev-parse", commit.as_bytes()));
        }
        let empty = Call::new("hash-object").args(&["-t", "tree", "--stdin"]).run(self.top())?;
        first_line("hash-object", &empty)
    }
}

/// Reads a listing of changes.
fn changes(command: &'static str, listing: &[u8]) -> Result<BTreeMap<RepoPath, Change>, GitError> {
    let mut parts = listing.split(|byte| *byte == 0);
    let mut found = BTreeMap::new();
    while let Some(change) = parts.next().filter(|change| !change.is_empty()) {
        let fields: Vec<&[u8]> = change.split(|byte| *byte == b' ').collect();
        let path = parts.next().and_then(RepoPath::from_git);
        match (fields.as_slice(), path) {
            ([old_mode, mode, old_id, id, _], Some(path)) => {
                let old_mode = old_mode.strip_prefix(b":").unwrap_or(old_mode);
                let before = (old_mode.to_vec(), old_id.to_vec());
                found.insert(path, Change { before, after: (mode.to_vec(), id.to_vec()) });
            }
            _ => return Err(unexpected(command, change)),
        }
    }
    Ok(found)
}

/// Returns the indexes, and their locks, that killed processes left.
fn stale(git_dir: &Path, new: &Path) -> Result<Vec<PathBuf>, GitError> {
    let Some(now) = fs::stamp(new)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::list(git_dir)? {
        let is_index = entry.name.to_str().is_some_and(|name| name.starts_with(INDEX));
        if is_index
            && let Some(stamp) = fs::stamp(&entry.path)?
            && now.mtime_ns.saturating_sub(stamp.mtime_ns) > STALE.as_nanos().cast_signed()
        {
            found.push(entry.path);
        }
    }
    Ok(found)
}
