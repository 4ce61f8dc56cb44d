//! The errors of group commit: why a command has no reply, why a worker is gone.
//!
//! An error after the command was taken says nothing of its effect: the commit
//! may have failed before or after its bytes were durable.

use std::io;

/// Why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError<E> {
    /// The queue is full; the command was not taken.
    #[error("the queue is full")]
    Busy,
    /// The worker was shut down before it took the command, or it panicked, and
    /// then the outcome is unknown.
    #[error("the worker has ended")]
    Closed,
    /// The commit failed, for all commands of the batch.
    #[error(transparent)]
    Commit(E),
    /// The committer returned more or fewer replies than there were commands, so
    /// nobody knows which is whose. What it committed stands.
    #[error("{replies} replies to {commands} commands")]
    ReplyCount {
        /// Commands in the batch.
        commands: usize,
        /// Replies returned.
        replies: usize,
    },
}

/// The worker's thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the thread of a worker")]
pub struct SpawnError(#[source] pub(super) io::Error);

/// The committer panicked; all who waited were answered [`AskError::Closed`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the worker panicked: {message}")]
pub struct WorkerPanicked {
    /// What it panicked with, where that was text.
    pub message: String,
}
