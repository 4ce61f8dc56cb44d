//! What can go wrong between a backlog and the disk.

use std::path::PathBuf;
use std::time::Duration;

use crate::fs::{FsError, LockError};
use crate::git::GitError;
use crate::model::{ChangeError, Diagnostic, IdError};
use crate::yaml::Refused;

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no backlog file.
    #[error("there is no backlog at {}", path.display())]
    NotInitialised {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file cannot be used as it stands; at least one diagnostic is an error.
    #[error("{}", summary(.diagnostics))]
    Invalid {
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
        /// The text that they speak of, as it was read.
        text: String,
    },
    /// The file kept changing while it was read.
    #[error("{} kept changing for {:.1} s", path.display(), waited.as_secs_f64())]
    Unsettled {
        /// The file.
        path: PathBuf,
        /// How long we waited for it to settle.
        waited: Duration,
    },
    /// Somebody has put a symbolic link in the place of the file since it was opened.
    #[error("{} has become a symbolic link: nothing was written", path.display())]
    BecameLink {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else held the lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A copy of the high-water mark cannot be read.
    #[error("the high-water mark in {} is damaged", path.display())]
    DamagedMark {
        /// The copy.
        path: PathBuf,
    },
    /// The worklog has no entry of that ID.
    #[error("there is nothing of {id} in the worklog, nor a lost item of that name")]
    NotArchived {
        /// The ID.
        id: String,
    },
    /// A worklog entry's item cannot be read.
    #[error("the entry of {id} in {} cannot be read", path.display())]
    DamagedEntry {
        /// The ID.
        id: String,
        /// The month.
        path: PathBuf,
    },
    /// The `.git` of the project is broken.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk said no.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record of our own cannot be written as JSON.
    #[error("cannot write a record")]
    Record(#[from] serde_json::Error),
    /// No number is left to put above what was found.
    #[error(transparent)]
    IdSpace(#[from] IdError),
}

impl StoreError {
    /// Returns whether it may be over by itself: a person is typing in the file, or
    /// somebody holds a lock.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Invalid { .. }
                | Self::Unsettled { .. }
                | Self::NotInitialised { .. }
                | Self::Lock(LockError::Busy { .. })
        )
    }
}

/// Why one change of several was not made; the others were.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The backlog has reasons against it.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The text cannot be edited so without touching more than was meant.
    #[error("the text cannot be changed so")]
    Edit(#[from] Refused),
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    match (errors.next(), errors.count()) {
        (None, _) => "the file is not valid".to_owned(),
        (Some(first), 0) => first.to_string(),
        (Some(first), more) => format!("{first} (and {more} more)"),
    }
}
