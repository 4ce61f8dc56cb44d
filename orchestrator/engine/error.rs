//! What ends a run before its time.

use crate::coordinator::{CoordinatorError, StoreError};
use crate::runner::RunnerError;

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The backlog could not be saved.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// Something of ours on disk cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An agent cannot be started, or its folder cannot be written.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// A part of the run died.
    #[error("the run has died")]
    Died(#[source] tokio::task::JoinError),
    /// A target that does not exist.
    #[error("there is no item {id}")]
    NoSuchTarget {
        /// What was asked for.
        id: String,
    },
    /// A phase names an agent that is not configured.
    #[error("phase `{phase}` names the agent `{agent}`, which is not configured")]
    NoSuchAgent {
        /// The phase.
        phase: String,
        /// The agent.
        agent: String,
    },
}
