//! The callers' side of group commit: ask, and wait for the reply.
//!
//! A handle is cheap to clone. Commands are applied in the order in which they got
//! into the queue; those of a caller that awaits each reply, in its own. A caller
//! that goes away while it waits for a place takes its command with it; later, the
//! command is applied all the same.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use super::queue::{Queue, Refused};
use super::{AskError, Commit};

/// What the worker sends back for one command.
pub(super) type Answer<C> = Result<<C as Commit>::Reply, AskError<<C as Commit>::Error>>;

/// A command on its way, and where its answer goes.
pub(super) struct Request<C: Commit> {
    pub(super) command: C::Command,
    pub(super) reply_to: oneshot::Sender<Answer<C>>,
}

/// Asks a worker; made by [`spawn`](super::spawn).
pub struct Handle<C: Commit> {
    pub(super) callers: Arc<Callers<C>>,
}

/// What all handles of a worker share; when the last of them goes, it ends.
pub(super) struct Callers<C: Commit> {
    pub(super) queue: Arc<Queue<Request<C>>>,
}

impl<C: Commit> Drop for Callers<C> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

// Derived, it would ask that the committer can be cloned.
impl<C: Commit> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { callers: Arc::clone(&self.callers) }
    }
}

impl<C: Commit> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("free", &self.callers.queue.free()).finish()
    }
}

impl<C: Commit> Handle<C> {
    pub(super) fn new(queue: Arc<Queue<Request<C>>>) -> Self {
        let callers = Arc::new(Callers { queue });
        Self { callers }
    }

    /// Waits for a place in the queue, then for the reply.
    pub async fn ask(&self, command: C::Command) -> Result<C::Reply, AskError<C::Error>> {
        let (request, reply) = request(command);
        self.callers.queue.push(request).await?;
        answer(reply).await
    }

    /// Waits for the reply, but not for a place: [`AskError::Busy`] where the
    /// queue is full.
    pub async fn try_ask(&self, command: C::Command) -> Result<C::Reply, AskError<C::Error>> {
        let (request, reply) = request(command);
        self.callers.queue.try_push(request)?;
        answer(reply).await
    }

    /// [`Handle::ask`] for callers without a runtime: blocks the calling thread.
    /// On a runtime's thread it works too, but keeps the thread from all else.
    pub fn ask_blocking(&self, command: C::Command) -> Result<C::Reply, AskError<C::Error>> {
        block_on(self.ask(command))
    }
}

impl<E> From<Refused> for AskError<E> {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Busy,
            Refused::Closed => Self::Closed,
        }
    }
}

fn request<C: Commit>(command: C::Command) -> (Request<C>, oneshot::Receiver<Answer<C>>) {
    let (reply_to, reply) = oneshot::channel();
    (Request { command, reply_to }, reply)
}

/// The worker drops the sender of a command it will not answer.
async fn answer<T, E>(reply: oneshot::Receiver<Result<T, AskError<E>>>) -> Result<T, AskError<E>> {
    reply.await.unwrap_or(Err(AskError::Closed))
}

/// Wakes a future by unparking the thread that waits for it.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that needs no runtime, inside of one too, where a
/// runtime's own `block_on` would panic.
fn block_on<F: Future>(future: F) -> F::Output {
    // A task's budget would be used up here, where nothing can fill it again.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
