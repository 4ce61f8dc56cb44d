//! The bounded queue between callers that await and a worker that blocks.
//!
//! Once the queue is closed nothing gets in, and once its [`Drain`] is dropped
//! nothing is left in it: an entry is either taken or dropped, so that a caller
//! who waits for a reply always hears of its end. (A channel that hands out places
//! ahead of the entries can keep one that nobody will ever look at.)

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, TryAcquireError};

/// The callers' end.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Signalled when an entry comes, and when the queue is closed.
    changed: Condvar,
    /// The free places; callers wait for one in the order in which they came.
    places: Semaphore,
}

struct State<T> {
    entries: VecDeque<T>,
    /// How many entries the drain waits for; to wake it for fewer would cost more than
    /// it brings.
    wanted: usize,
    closed: bool,
}

/// Why an entry did not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// What [`Drain::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// At least one entry.
    Batch(Vec<T>),
    /// Nothing came in time.
    Nothing,
    /// Nothing is left, and nothing will come.
    End,
}

/// Makes a queue with a number of places, at least one.
pub(super) fn queue<T>(places: usize) -> (Arc<Queue<T>>, Drain<T>) {
    let state = State { entries: VecDeque::new(), wanted: 1, closed: false };
    let queue = Arc::new(Queue {
        state: Mutex::new(state),
        changed: Condvar::new(),
        places: Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)),
    });
    (Arc::clone(&queue), Drain { queue })
}

impl<T> Queue<T> {
    /// Waits for a place and puts `entry` there.
    pub(super) async fn push(&self, entry: T) -> Result<(), Refused> {
        let place = self.places.acquire().await;
        let place = place.map_err(|_| Refused::Closed)?;
        self.insert(entry)?;
        place.forget();
        Ok(())
    }

    /// Puts `entry` into a place that is free now.
    pub(super) fn try_push(&self, entry: T) -> Result<(), Refused> {
        let place = self.places.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => Refused::Full,
            TryAcquireError::Closed => Refused::Closed,
        })?;
        self.insert(entry)?;
        place.forget();
        Ok(())
    }

    fn insert(&self, entry: T) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.entries.push_back(entry);
        let is_enough = state.entries.len() >= state.wanted;
        drop(state);
        if is_enough {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Lets nothing in any more; what is in the queue can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.changed.notify_one();
    }

    /// Returns the number of free places.
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it holds the lock, and no step leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's end. Dropped, it closes the queue and drops what is left in it.
pub(super) struct Drain<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Drain<T> {
    /// Takes all that waits, at most `max`; where nothing does, blocks until
    /// something comes, at most for `timeout`.
    pub(super) fn next(&self, max: usize, timeout: Duration) -> Next<T> {
        let state = self.queue.lock();
        let is_quiet = |state: &mut State<T>| state.entries.is_empty() && !state.closed;
        let waited = self.queue.changed.wait_timeout_while(state, timeout, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.entries.is_empty() {
            return if state.closed { Next::End } else { Next::Nothing };
        }
        let count = state.entries.len().min(max);
        let batch: Vec<T> = state.entries.drain(..count).collect();
        drop(state);
        self.queue.places.add_permits(count);
        Next::Batch(batch)
    }

    /// Returns how many entries wait.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().entries.len()
    }

    /// Blocks until `count` entries wait, at most for `timeout`.
    pub(super) fn gather(&self, count: usize, timeout: Duration) {
        let mut state = self.queue.lock();
        state.wanted = count;
        let is_short = |state: &mut State<T>| state.entries.len() < count && !state.closed;
        let waited = self.queue.changed.wait_timeout_while(state, timeout, is_short);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.wanted = 1;
    }
}

impl<T> Drop for Drain<T> {
    fn drop(&mut self) {
        self.queue.close();
        let left = std::mem::take(&mut self.queue.lock().entries);
        // After the lock is released: to drop an entry wakes who waits for it.
        drop(left);
    }
}
