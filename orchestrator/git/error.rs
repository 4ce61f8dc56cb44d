//! The error of git: which file of a repository is not as it should be.
//!
//! A folder without a repository is no error; one whose `.git` points nowhere is,
//! since to go on as if there were none would hide what the repository knows.

use std::path::PathBuf;

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
    /// A file of the repository cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
}
