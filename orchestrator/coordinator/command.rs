//! What can be asked for, and what is answered.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Applied, BacklogItem};
use crate::store::events::Event;
use crate::store::{Ingested, PhaseLog, Request, RequestError, StoreError, Told};

/// A command to the writer.
#[derive(Debug)]
pub enum Command {
    /// Makes changes, each by itself: one that is refused leaves the others alone.
    Change(Vec<Request>),
    /// Takes in an inbox.
    Ingest(PathBuf),
    /// Appends a phase to the worklog and the story that an earlier process saved, where
    /// it did not come to tell of it.
    LogAgain(Box<PhaseLog>),
    /// Reads the file where it changed, so that the next snapshot is as fresh as it.
    Refresh,
    /// Appends events.
    Tell(Vec<Event>),
    /// Makes the copies of the mark anew.
    RebuildMark,
    /// Asks whether the request that wrote this record was saved.
    WasMade(PathBuf),
}

/// What came of a command.
#[derive(Debug)]
pub enum Reply {
    /// Of [`Command::Change`].
    Changed(Changed),
    /// Of [`Command::Ingest`]; a malformed inbox is an error of this command alone.
    Ingested(Ingested),
    /// Of [`Command::RebuildMark`]: the mark.
    Mark(u32),
    /// Of [`Command::WasMade`].
    WasMade(bool),
    /// Of the others.
    Done,
}

/// What came of changes.
#[derive(Debug)]
pub struct Changed {
    /// What each did, or why it was refused.
    pub outcomes: Vec<Result<Applied, RequestError>>,
    /// Hand-written items that got their IDs on the way.
    pub named: Vec<Arc<BacklogItem>>,
    /// What a person should be told.
    pub warnings: Vec<String>,
    /// What was told of phases in the story and the worklog, or what kept it from being
    /// told; the save stands.
    pub told: Result<Told, Arc<StoreError>>,
}
