//! The error of git: which file of a repository is not as it should be, or which
//! command failed and what it said.
//!
//! A folder without a repository is no error; one whose `.git` points nowhere is,
//! since to go on as if there were none would hide what the repository knows.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::path::RepoPath;
use crate::fs::FsError;

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// A `.git` or `commondir` file whose text names no folder.
    #[error("{} does not say where the repository is: {reason}", path.display())]
    BadPointer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A `.git` or `commondir` file that names what is not there, or is no
    /// repository, as when a clone was moved without its worktrees.
    #[error("{} names {}, which is not a repository", path.display(), names.display())]
    DanglingPointer {
        /// The file.
        path: PathBuf,
        /// What it names, relative to its folder or absolute.
        names: PathBuf,
    },
    /// A file of the repository, or of its work tree, cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// There is no git command.
    #[error("the git command is not installed, or not in PATH")]
    NotInstalled,
    /// The git command cannot be started.
    #[error("git {command} could not be started")]
    NotStarted {
        /// Which one.
        command: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A command failed.
    #[error("git {command} failed: {message}")]
    Failed {
        /// Which one.
        command: &'static str,
        /// What it said, or a hook of the repository, on one line and not too much
        /// of it.
        message: String,
    },
    /// A command, a hook of the repository included, did not end.
    #[error("git {command} did not end within {limit:?} and was killed")]
    TimedOut {
        /// Which one.
        command: &'static str,
        /// How long it was given.
        limit: Duration,
    },
    /// A commit, the repository's hooks included, had not ended when nobody wanted to
    /// wait for it any more.
    #[error("git {command} was ended before it was done")]
    Interrupted {
        /// Which one.
        command: &'static str,
    },
    /// Another program holds a lock of the repository, and did not let go of it.
    #[error("another program holds a lock of the repository: {message}")]
    Locked {
        /// What git said, which names the lock.
        message: String,
    },
    /// A merge, a rebase or the like has been begun and not ended: a commit would
    /// become a part of it.
    #[error("{operation} is under way in this work tree: finish or abort it first")]
    UnderWay {
        /// What it is: `a merge`.
        operation: &'static str,
    },
    /// A path with a conflict that nobody has resolved.
    #[error("{path} has a merge conflict that is not resolved")]
    Unmerged {
        /// The path.
        path: RepoPath,
    },
    /// A command answered something that this program does not understand.
    #[error("git {command} answered something unexpected: {answer}")]
    Unexpected {
        /// Which one.
        command: &'static str,
        /// What it answered, made fit for a message.
        answer: String,
    },
}
