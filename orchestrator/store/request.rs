//! What a save is asked for, and what it did.

use std::path::PathBuf;
use std::sync::Arc;

use super::StoreError;
use super::error::RequestError;
use super::told::{PhaseLog, Told};
use crate::model::{Applied, BacklogItem, Change};

/// One change that is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The change.
    pub change: Change,
    /// Where its plan is written, durably, before the save: so that whoever repeats it
    /// after a crash can tell whether it was made, and takes the same IDs where not.
    pub record: Option<PathBuf>,
    /// The phase that it ends: told in the story and the worklog once it is saved.
    pub log: Option<Box<PhaseLog>>,
}

impl From<Change> for Request {
    fn from(change: Change) -> Self {
        Self { change, record: None, log: None }
    }
}

/// What a save did.
#[derive(Debug)]
pub struct Saved {
    /// What each request did, or why it was refused.
    pub outcomes: Vec<Result<Applied, RequestError>>,
    /// Hand-written items that got their IDs on the way.
    pub named: Vec<Arc<BacklogItem>>,
    /// Whether the file was written: not where nothing changed.
    pub is_written: bool,
    /// What was told of the phases, or what kept it from being told; the save stands.
    pub told: Result<Told, StoreError>,
}
