//! The error of the file system: what was tried, on which path, and why not.
//!
//! The text names the action and the path; the cause is the `source`, so that
//! whoever prints the chain says each thing once. Questions such as
//! [`FsError::is_full`] spare callers the list of error kinds behind them.

use std::io;
use std::path::{Path, PathBuf};

/// A file system operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// An operation on one path.
    #[error("cannot {action} {}", path.display())]
    One {
        /// What was tried, as a verb phrase: `read`, `sync folder`.
        action: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// An operation on two paths, such as a rename.
    #[error("cannot {action} {} and {}", from.display(), to.display())]
    Two {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The first path.
        from: PathBuf,
        /// The second path.
        to: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl FsError {
    pub(super) fn one(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::One { action, path, source }
    }

    pub(super) fn two(
        action: &'static str,
        from: &Path,
        to: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        move |source| Self::Two { action, from, to, source }
    }

    /// Returns the path it happened on; of two, the one that was to be changed.
    pub fn path(&self) -> &Path {
        match self {
            Self::One { path, .. } => path,
            Self::Two { to, .. } => to,
        }
    }

    /// Returns what the system answered.
    pub fn io(&self) -> &io::Error {
        match self {
            Self::One { source, .. } | Self::Two { source, .. } => source,
        }
    }

    /// Returns the kind of what the system answered.
    pub fn kind(&self) -> io::ErrorKind {
        self.io().kind()
    }

    /// Tells whether there is nothing at the path, a file among its folders
    /// included.
    pub fn is_not_found(&self) -> bool {
        is_absent(self.io())
    }

    /// Tells whether something is at the path already.
    pub fn is_already_exists(&self) -> bool {
        self.kind() == io::ErrorKind::AlreadyExists
    }

    /// Tells whether the disk, or the user's quota, is full.
    pub fn is_full(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Tells whether this place cannot be written by us: no permission, or a
    /// read-only file system.
    pub fn is_denied(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Tells whether the two paths lie on different mounts, between which
    /// nothing can be renamed.
    pub fn is_cross_device(&self) -> bool {
        self.kind() == io::ErrorKind::CrossesDevices
    }

    /// Tells whether a test's plan has declared this process dead, see
    /// [`fault`](super::fault).
    pub fn is_crash(&self) -> bool {
        super::fault::is_crash(self.io())
    }
}

/// Tells whether the answer means that nothing is at a path.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
