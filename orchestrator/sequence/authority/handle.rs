//! The callers' side: ask within a time, and hear of an overload at once.

use std::num::NonZeroU32;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::actor::Actor;
use super::lease::Held;
use crate::batch::{self, AskError, Callers, Handle, Options, Worker};
use crate::sequence::{Backend, Layout, Reply, Request, SequenceError};

/// How an authority works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityOptions {
    /// Requests that may wait; more are told [`SequenceError::QueueFull`].
    pub queue: usize,
    /// Requests of one transaction.
    pub max_batch: usize,
    /// How long a caller waits for its answer; the default is 10 s.
    pub deadline: Duration,
    /// How many numbers of a sequence are taken in advance, at most
    /// [`MAX_COUNT`](crate::sequence::MAX_COUNT); none by default. A crash or a
    /// restart leaves at most so many as a gap, for each sequence. Numbers of a block
    /// count as issued, so `id sync` does not notice an ID in it that somebody has
    /// made by hand: with a lease, nobody may.
    pub lease: Option<NonZeroU32>,
    /// When reservations are deleted that nobody confirmed; `None` for never.
    pub cleanup: Option<Cleanup>,
    /// How soon callers ask again: by default at once, as tasks of this program do. For a
    /// service, [`Callers::Far`].
    pub callers: Callers,
}

/// When reservations are deleted whose time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanup {
    /// How often; the default is every 10 minutes.
    pub every: Duration,
    /// How long ago their time must have been up; the default is 24 hours.
    pub grace: Duration,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self { every: Duration::from_secs(600), grace: Duration::from_secs(24 * 3600) }
    }
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        let Options { queue, max_batch, .. } = Options::default();
        let deadline = Duration::from_secs(10);
        let callers = Callers::Near;
        Self { queue, max_batch, deadline, lease: None, cleanup: None, callers }
    }
}

/// A handle to the authority over a database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authority {
    handle: Handle<Actor>,
    layout: Arc<Layout>,
    deadline: Duration,
    /// What was leased, where there are leases.
    held: Option<Held>,
}

/// The authority's thread, to be ended in order.
#[derive(Debug)]
pub struct Running {
    worker: Worker,
}

/// Starts the authority over a database that was opened.
///
/// # Errors
/// [`SequenceError::Closed`] where its thread cannot be started.
pub fn open(
    backend: impl Backend,
    options: AuthorityOptions,
) -> Result<(Authority, Running), SequenceError> {
    let layout = Arc::new(backend.layout().clone());
    let held = options.lease.map(Held::new);
    let actor = Actor::new(Box::new(backend), held.clone(), options.cleanup);
    let AuthorityOptions { queue, max_batch, deadline, callers, .. } = options;
    let options = Options { queue, max_batch, callers, ..Options::default() };
    let (handle, worker) = batch::spawn(actor, options).map_err(|error| {
        tracing::error!(%error, "the authority was not started");
        SequenceError::Closed
    })?;
    Ok((Authority { handle, layout, deadline, held }, Running { worker }))
}

impl Authority {
    /// Returns where the sequences lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Asks, and waits for the answer on a tokio runtime.
    ///
    /// # Errors
    /// [`SequenceError::QueueFull`] at once where too many wait;
    /// [`SequenceError::TimedOut`] after the deadline, and then the outcome is
    /// unknown; [`SequenceError::Closed`] after the end; else what the request or
    /// its batch came to.
    pub async fn ask(&self, request: Request) -> Result<Reply, SequenceError> {
        // What is wrong with the request alone need not wait for others.
        request.action.check(&self.layout)?;
        if let Some(issued) = self.leased(&request) {
            return Ok(issued);
        }
        let answer = tokio::time::timeout(self.deadline, self.handle.try_ask(request));
        match answer.await {
            Ok(answer) => settled(answer),
            Err(_) => Err(SequenceError::TimedOut { waited: self.deadline }),
        }
    }

    /// Asks, and blocks the thread until the answer comes: for callers without a
    /// runtime. There is no deadline but the database's.
    ///
    /// # Errors
    /// The same as [`Authority::ask`], but for those of the queue and the deadline.
    pub fn ask_blocking(&self, request: Request) -> Result<Reply, SequenceError> {
        request.action.check(&self.layout)?;
        if let Some(issued) = self.leased(&request) {
            return Ok(issued);
        }
        settled(self.handle.ask_blocking(request))
    }
}

impl Authority {
    fn leased(&self, request: &Request) -> Option<Reply> {
        Some(Reply::Issued(self.held.as_ref()?.take(request)?))
    }
}

type Answer = Result<Result<Reply, SequenceError>, AskError<std::convert::Infallible>>;

fn settled(answer: Answer) -> Result<Reply, SequenceError> {
    answer.unwrap_or_else(|error| match error {
        AskError::Busy => Err(SequenceError::QueueFull),
        AskError::Commit(never) => match never {},
        AskError::Closed | AskError::ReplyCount { .. } => Err(SequenceError::Closed),
    })
}

impl Running {
    /// Tells whether the authority has ended, as after a panic.
    pub fn is_finished(&self) -> bool {
        self.worker.is_finished()
    }

    /// [`Running::shutdown`], but for at most `patience`: returns whether it has ended
    /// by then. Where it has not, its thread goes on with what is queued.
    ///
    /// # Errors
    /// [`SequenceError::Closed`] where it had died.
    pub fn shutdown_within(self, patience: Duration) -> Result<bool, SequenceError> {
        let (ended, end) = mpsc::channel();
        let wait = move || drop(ended.send(self.shutdown()));
        if let Err(error) = thread::Builder::new().name("shutdown".to_owned()).spawn(wait) {
            tracing::error!(%error, "the authority was not ended");
            return Ok(false);
        }
        end.recv_timeout(patience).map_or(Ok(false), |ended| ended.map(|()| true))
    }

    /// Ends the authority: what is queued is carried out and answered first.
    ///
    /// # Errors
    /// [`SequenceError::Closed`] where it had died.
    pub fn shutdown(self) -> Result<(), SequenceError> {
        self.worker.shutdown().map_err(|panicked| {
            tracing::error!(%panicked, "the authority died");
            SequenceError::Closed
        })
    }
}
