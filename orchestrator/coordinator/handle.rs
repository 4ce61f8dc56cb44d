//! The handle through which everybody asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::command::{Changed, Command, Reply};
use super::error::CoordinatorError;
use super::event_loop::Writer;
use crate::batch::{self, Handle, Options, Worker};
use crate::model::{BacklogSnapshot, Change};
use crate::store::events::Event;
use crate::store::{BacklogStore, Ingested, Request, StoreError, Story};

/// A handle to the single writer of a backlog. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    handle: Handle<Writer>,
    snapshots: watch::Receiver<Arc<BacklogSnapshot>>,
    story: Arc<Mutex<Story>>,
}

/// The writer's thread, to be ended in order.
pub struct Running {
    worker: Worker,
}

/// Starts the writer of an opened backlog. The file is read first, so that what is
/// wrong with it is told here.
///
/// # Errors
/// Where the file cannot be read or has errors.
pub fn open(mut store: BacklogStore) -> Result<(Coordinator, Running), CoordinatorError> {
    let first = Arc::new(store.snapshot()?);
    let (sender, snapshots) = watch::channel(first);
    let story = Arc::new(Mutex::new(Story::new(store.paths())));
    let writer = Writer { store, snapshots: sender, retired: None, has_reported: false };
    let (handle, worker) = batch::spawn(writer, Options::default())
        .map_err(|error| CoordinatorError::Spawn(Arc::new(error)))?;
    Ok((Coordinator { handle, snapshots, story }, Running { worker }))
}

impl Running {
    /// Ends the writer: what is queued is made and answered first.
    ///
    /// # Errors
    /// [`CoordinatorError::Closed`] where the writer had died.
    pub fn shutdown(self) -> Result<(), CoordinatorError> {
        self.worker.shutdown().map_err(|panicked| {
            tracing::error!(%panicked, "the writer died");
            CoordinatorError::Closed
        })
    }
}

impl Coordinator {
    /// Asks, and waits for the answer without blocking the runtime.
    ///
    /// # Errors
    /// Where the writer has ended, or the command failed as a whole.
    pub async fn ask(&self, command: Command) -> Result<Reply, CoordinatorError> {
        Ok(self.handle.ask(command).await??)
    }

    /// Asks, and blocks until the answer comes: for callers without a runtime.
    ///
    /// # Errors
    /// The same as [`Coordinator::ask`].
    pub fn ask_blocking(&self, command: Command) -> Result<Reply, CoordinatorError> {
        Ok(self.handle.ask_blocking(command)??)
    }

    /// Makes changes, and blocks until they are durable.
    ///
    /// # Errors
    /// The same as [`Coordinator::ask`].
    pub fn change_blocking(&self, changes: Vec<Change>) -> Result<Changed, CoordinatorError> {
        match self.ask_blocking(of_changes(changes))? {
            Reply::Changed(changed) => Ok(changed),
            _ => Err(CoordinatorError::Confused),
        }
    }

    /// Makes changes, and waits until they are durable.
    ///
    /// # Errors
    /// The same as [`Coordinator::ask`].
    pub async fn change(&self, changes: Vec<Change>) -> Result<Changed, CoordinatorError> {
        match self.ask(of_changes(changes)).await? {
            Reply::Changed(changed) => Ok(changed),
            _ => Err(CoordinatorError::Confused),
        }
    }

    /// Takes in an inbox, and blocks until it is done.
    ///
    /// # Errors
    /// The same as [`Coordinator::ask`]; a malformed inbox among them.
    pub fn ingest_blocking(&self, inbox: PathBuf) -> Result<Ingested, CoordinatorError> {
        match self.ask_blocking(Command::Ingest(inbox))? {
            Reply::Ingested(ingested) => Ok(ingested),
            _ => Err(CoordinatorError::Confused),
        }
    }

    /// Returns the backlog as last saved or read. Never waits.
    pub fn snapshot(&self) -> Arc<BacklogSnapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Returns the events of the phases of an item that were done, oldest first. Never
    /// waits for a writer.
    ///
    /// # Errors
    /// Where the story cannot be read.
    pub fn phases_done(&self, id: &str) -> Result<Vec<Event>, StoreError> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner).done(id)
    }

    /// Returns a receiver that is told of each new snapshot.
    pub fn watch(&self) -> watch::Receiver<Arc<BacklogSnapshot>> {
        self.snapshots.clone()
    }
}

fn of_changes(changes: Vec<Change>) -> Command {
    Command::Change(changes.into_iter().map(Request::from).collect())
}
