//! What the history of all branches holds: names of files that were ever added, and
//! subjects of commits.
//!
//! Two questions, since a merge adds no file and a file need not be in a subject. Both
//! are asked of all refs, HEADs of worktrees and the stash included.

use super::error::GitError;
use super::path::RepoPath;
use super::process::{Call, unexpected};
use super::repository::Repository;
use crate::fs;

impl Repository {
    /// Returns the paths of all files that a commit of any ref ever added, each once,
    /// sorted. A renamed file has both its names.
    pub fn added_paths(&self) -> Result<Vec<RepoPath>, GitError> {
        let args = ["--all", "--no-renames", "--diff-filter=A", "--name-only", "-z"];
        // A merge may add what none of its parents had.
        let call = Call::new("log").args(&args).args(&["-m", "--format=", "--no-show-signature"]);
        let listing = call.unreplaced().run(self.top())?;
        let mut paths = Vec::new();
        for path in listing.split(|byte| *byte == 0) {
            // Between two commits git leaves a line end.
            let path = path.strip_prefix(b"\n").unwrap_or(path);
            if !path.is_empty() {
                paths.push(RepoPath::from_git(path).ok_or_else(|| unexpected("log", path))?);
            }
        }
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// Tells whether the clone is shallow, so that its history has a beginning that is
    /// none.
    pub fn is_shallow(&self) -> Result<bool, GitError> {
        let shallow = self.checkout().common_dir.join("shallow");
        Ok(fs::stamp(&shallow)?.is_some_and(|stamp| stamp.len > 0))
    }

    /// Returns the subjects of all commits of all refs; bytes that are no UTF-8 are
    /// replaced.
    pub fn subjects(&self) -> Result<Vec<String>, GitError> {
        let args = ["--all", "-z", "--format=%s", "--encoding=UTF-8", "--no-show-signature"];
        let listing = Call::new("log").args(&args).unreplaced().run(self.top())?;
        let subjects = listing.split(|byte| *byte == 0).filter(|subject| !subject.is_empty());
        Ok(subjects.map(|subject| String::from_utf8_lossy(subject).into_owned()).collect())
    }
}
