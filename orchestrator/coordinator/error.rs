//! Why a command got no answer of its own.

use std::sync::Arc;

use crate::batch::{AskError, SpawnError};
use crate::store::StoreError;

/// What can go wrong between asking and the answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CoordinatorError {
    /// The queue is full: the disk does not keep up.
    #[error("the coordinator is busy")]
    Busy,
    /// The writer has ended.
    #[error("the coordinator has ended")]
    Closed,
    /// The writer could not be started.
    #[error(transparent)]
    Spawn(#[from] Arc<SpawnError>),
    /// The writer answered something else than what was asked for.
    #[error("the coordinator gave an answer to another question")]
    Confused,
    /// The save failed, for everyone in it. Whether the disk has it is not known:
    /// look before trying again.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

impl CoordinatorError {
    /// Returns whether it may be over by itself: a person is typing in the file, or
    /// somebody holds a lock.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_passing())
    }
}

impl From<AskError<Arc<StoreError>>> for CoordinatorError {
    fn from(error: AskError<Arc<StoreError>>) -> Self {
        match error {
            AskError::Busy => Self::Busy,
            AskError::Closed => Self::Closed,
            AskError::Commit(error) => Self::Store(error),
            AskError::ReplyCount { .. } => Self::Confused,
        }
    }
}

impl From<StoreError> for CoordinatorError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}
