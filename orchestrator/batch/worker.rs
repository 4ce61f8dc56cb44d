//! The worker's side of group commit: drain, commit once, answer all.
//!
//! A plain thread, so that a commit may block: on a disk, on a lock, in a runtime
//! of its own. It ends when it is shut down, or when all handles are gone; both
//! ways it first commits and answers what is in the queue. A panic of the
//! committer ends it too: all who wait are told that it is closed, and the panic
//! is reported to whoever shuts it down.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::handle::{Answer, Request};
use super::queue::{Drain, Next, queue};
use super::{AskError, Handle, SpawnError, WorkerPanicked};

/// What a worker does with the commands it takes. It runs on a thread of its own
/// and may block.
pub trait Commit: Send + 'static {
    /// What a caller asks for.
    type Command: Send + 'static;
    /// What a caller gets.
    type Reply: Send + 'static;
    /// Why a whole batch failed; each of its callers gets a copy.
    type Error: Clone + Send + 'static;

    /// Applies all commands in order and commits once; returns one reply for each
    /// command, in the same order. A command that fails alone has that as its reply;
    /// an error answers all of the batch.
    ///
    /// The batch is never empty, and at most [`Options::max_batch`] long.
    fn commit(&mut self, batch: Vec<Self::Command>) -> Result<Vec<Self::Reply>, Self::Error>;

    /// Called when all of a batch are answered: for work that nobody waits for.
    fn after(&mut self) {}

    /// Called each time nothing has come for [`Options::idle_every`].
    fn idle(&mut self) {}
}

/// The longest time for which the next batch is left to gather after one that several
/// callers shared.
const LINGER_MOST: Duration = Duration::from_millis(4);
/// The same in commits like theirs, for callers that are far: some come back at once, and
/// the others would find the processors busy with commits of a few of them.
const LINGER_COMMITS: u32 = 8;
/// The part of such a commit for callers that are near, and the shortest time that a
/// thread sleeps in earnest: where a commit is so quick that this is more than the part,
/// the next one begins at once.
const LINGER_PART: u32 = 8;
const LINGER_LEAST: Duration = Duration::from_micros(100);
/// The part of the callers that is not waited for: the last of them come when the others
/// could be on the disk, and go with the next batch.
const STRAGGLERS_PART: usize = 8;

/// How soon callers that were answered ask again.
///
/// A batch is left to gather for those who were just answered, lest each half of the
/// callers waits for the other's commit; this says for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Callers {
    /// Within microseconds: they run beside the worker. For an eighth of what the last
    /// commit took, so that the store is hardly ever idle; not at all where that is no
    /// time, below 0.1 ms.
    Near,
    /// Later: over a network, or with work of their own in between. For up to eight
    /// commits like the last one.
    #[default]
    Far,
}

impl Callers {
    fn linger(self, commit: Duration) -> Duration {
        let linger = match self {
            Self::Near if commit / LINGER_PART < LINGER_LEAST => Duration::ZERO,
            Self::Near => commit / LINGER_PART,
            Self::Far => commit * LINGER_COMMITS,
        };
        linger.min(LINGER_MOST)
    }
}

/// How much may wait, and for how long. A size of 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Commands that may wait. The default, 1024, is four full batches: at some
    /// milliseconds for each, the last one in is answered before a person notices,
    /// while a longer queue would only hide an overload.
    pub queue: usize,
    /// Commands of one commit. The default, 256, spreads the cost of one fsync so
    /// thin that more would gain little, and keep other processes longer from the
    /// lock.
    pub max_batch: usize,
    /// How long nothing must come until [`Commit::idle`] is called; at least a
    /// millisecond. The default is a second.
    pub idle_every: Duration,
    /// For whom a batch gathers. The default is [`Callers::Far`].
    pub callers: Callers,
}

impl Default for Options {
    fn default() -> Self {
        let (idle_every, callers) = (Duration::from_secs(1), Callers::default());
        Self { queue: 1024, max_batch: 256, idle_every, callers }
    }
}

/// A running worker. Dropped, it goes on until all handles are gone.
pub struct Worker {
    thread: JoinHandle<()>,
    close: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("finished", &self.is_finished()).finish()
    }
}

impl Worker {
    /// Stops taking commands, commits and answers those in the queue, and waits
    /// for the end. Callers that waited for a place get [`AskError::Closed`].
    ///
    /// Blocks for as long as the commits take, but never waits for a caller, so
    /// it may be called on a runtime's thread; `spawn_blocking` keeps that free.
    ///
    /// # Errors
    /// [`WorkerPanicked`] where the committer panicked, now or earlier.
    pub fn shutdown(self) -> Result<(), WorkerPanicked> {
        (self.close)();
        self.thread.join().map_err(|payload| WorkerPanicked { message: text_of(payload.as_ref()) })
    }

    /// Tells whether the worker has ended, as after a panic.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// Starts a worker on a thread of its own.
///
/// ```
/// use orchestrator::batch::{Commit, Options, spawn};
///
/// struct Sum(u64);
/// impl Commit for Sum {
///     type Command = u64;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
///     fn commit(&mut self, batch: Vec<u64>) -> Result<Vec<u64>, Self::Error> {
///         Ok(batch.into_iter().map(|n| { self.0 += n; self.0 }).collect())
///     }
/// }
/// let (sum, worker) = spawn(Sum(0), Options::default())?;
/// assert_eq!(sum.ask_blocking(2)?, 2);
/// assert_eq!(sum.ask_blocking(3)?, 5);
/// worker.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn<C: Commit>(
    mut committer: C,
    options: Options,
) -> Result<(Handle<C>, Worker), SpawnError> {
    let (queue, drain) = queue(options.queue);
    let thread = thread::Builder::new()
        .name("batch".to_owned())
        .spawn(move || run(&mut committer, &drain, options))
        .map_err(SpawnError)?;
    let closed = Arc::clone(&queue);
    let close = Box::new(move || closed.close());
    Ok((Handle::new(queue), Worker { thread, close }))
}

fn run<C: Commit>(committer: &mut C, drain: &Drain<Request<C>>, options: Options) {
    let idle_every = options.idle_every.max(Duration::from_millis(1));
    let max_batch = options.max_batch.max(1);
    loop {
        match drain.next(max_batch, idle_every) {
            Next::Batch(batch) => {
                let answered = batch.len();
                let begin = Instant::now();
                let waiting = commit(committer, batch, drain);
                let linger = options.callers.linger(begin.elapsed());
                committer.after();
                if answered > 1 && !linger.is_zero() {
                    // Those just answered are about to ask again: without a moment
                    // for them, each half of the callers waits for the other's commit.
                    let callers = (answered + waiting).min(max_batch);
                    drain.gather(callers - callers / STRAGGLERS_PART, linger);
                }
            }
            Next::Nothing => committer.idle(),
            Next::End => return,
        }
    }
}

/// Commits and answers a batch. Returns how many others wait for the next one: who came
/// before there was an answer is none of those who get it.
fn commit<C: Commit>(
    committer: &mut C,
    batch: Vec<Request<C>>,
    drain: &Drain<Request<C>>,
) -> usize {
    let (commands, callers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|request| (request.command, request.reply_to)).unzip();
    let count = callers.len();
    let answers = answers::<C>(count, committer.commit(commands));
    let waiting = drain.len();
    for (caller, answer) in callers.into_iter().zip(answers) {
        if caller.send(answer).is_err() {
            tracing::trace!("a caller did not wait for its answer");
        }
    }
    waiting
}

/// Returns an answer for each of `commands` callers.
fn answers<C: Commit>(commands: usize, result: Result<Vec<C::Reply>, C::Error>) -> Vec<Answer<C>> {
    match result {
        Ok(replies) if replies.len() == commands => replies.into_iter().map(Ok).collect(),
        Ok(replies) => {
            let replies = replies.len();
            tracing::error!(commands, replies, "a committer miscounts its replies");
            let miscount = || Err(AskError::ReplyCount { commands, replies });
            std::iter::repeat_with(miscount).take(commands).collect()
        }
        Err(error) => {
            let failed = || Err(AskError::Commit(error.clone()));
            std::iter::repeat_with(failed).take(commands).collect()
        }
    }
}

#[cfg(test)]
mod tests;
