//! Batches on a PostgreSQL database.
//!
//! One connection, used by one thread, on a runtime of its own. What others got in
//! the way of is tried again, and so is what was lost before its commit; a lost
//! connection is opened anew after 0, 100, 200 and 400 ms. A request whose values
//! the database refuses does not spoil the batch for the others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use super::connection::{Isolation, Target};
use super::failure::Failure;
use super::session::Session;
use crate::sequence::floors::Floors;
use crate::sequence::{Backend, Counter, Layout, Reply, Request, SequenceError};

type Outcome = Result<Reply, SequenceError>;

/// How long is waited before each try to connect.
const PAUSES_MS: [u64; 4] = [0, 100, 200, 400];
/// After this no further try to connect is begun: callers wait.
const CONNECT_FOR: Duration = Duration::from_secs(3);
/// Tries of a batch that others get in the way of.
const MAX_CONFLICTS: u32 = 20;
/// The longest pause between two of them.
const MAX_PAUSE: Duration = Duration::from_millis(20);
/// Tries of a batch whose connection is lost before the commit.
const MAX_LOSSES: u32 = 2;
/// How long a batch may take, and how much longer than a lock is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const MORE_THAN_LOCKS: Duration = Duration::from_secs(5);

/// How a database is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How transactions are kept apart.
    pub isolation: Isolation,
    /// Whether tables that are missing are made when the database is opened.
    pub make_tables: bool,
    /// How long locks of other programs are waited for; the default is 5 s.
    pub busy_for: Duration,
    /// Whether nothing is written, so that a server which takes no writes, such as a
    /// standby, will do.
    pub reads_only: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        let busy_for = Duration::from_secs(5);
        Self { isolation: Isolation::default(), make_tables: false, busy_for, reads_only: false }
    }
}

/// Sequences in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresBackend {
    layout: Layout,
    target: Target,
    options: PostgresOptions,
    /// There until it is dropped.
    runtime: Option<Runtime>,
    /// None after the connection was lost.
    session: Option<Session>,
    floors: Floors,
}

impl PostgresBackend {
    /// Connects to a database by a URL such as `postgres://user@host:5432/name`.
    ///
    /// # Errors
    /// [`SequenceError::Database`] for a URL that cannot be used;
    /// [`SequenceError::Unreachable`]; [`SequenceError::NoTable`],
    /// [`SequenceError::OtherColumns`], [`SequenceError::NotUnique`] and
    /// [`SequenceError::Layout`] for a table that is not of this layout.
    pub fn open(
        url: &str,
        layout: Layout,
        options: PostgresOptions,
    ) -> Result<Self, SequenceError> {
        let mut target = Target::new(url)?;
        let mut options = options;
        if options.reads_only {
            target = target.for_reading();
            // A standby has no other; a single statement needs none.
            options.isolation = Isolation::ReadCommitted;
        }
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = Some(runtime.map_err(|_| SequenceError::Closed)?);
        let floors = Floors::default();
        let mut backend = Self { layout, target, options, runtime, session: None, floors };
        let session = backend.connect()?;
        backend.session = Some(session);
        // A table that goes later is not made anew: its numbers would come again.
        backend.options.make_tables = false;
        Ok(backend)
    }

    fn connect(&self) -> Result<Session, SequenceError> {
        let begin = Instant::now();
        let mut last = SequenceError::Closed;
        for pause in PAUSES_MS {
            if begin.elapsed() > CONNECT_FOR {
                break;
            }
            thread::sleep(Duration::from_millis(pause));
            match self.wait(Session::open(&self.target, self.options, &self.layout)) {
                Some(Ok(session)) => return Ok(session),
                Some(Err(error @ SequenceError::Unreachable { .. })) => last = error,
                Some(Err(error)) => return Err(error),
                None => last = SequenceError::TimedOut { waited: self.patience() },
            }
        }
        Err(last)
    }

    /// Returns how long a batch may take.
    fn patience(&self) -> Duration {
        patience(self.options.busy_for)
    }

    /// Returns the session, a new one where the old one is gone.
    fn session(&mut self) -> Result<Session, SequenceError> {
        if let Some(session) = self.session.take()
            && self.wait(session.is_alive()) == Some(true)
        {
            return Ok(session);
        }
        self.connect()
    }

    /// Returns the session, which may have gone meanwhile, or a new one where there is none.
    fn kept_or_new(&mut self) -> Result<Session, SequenceError> {
        self.session.take().map_or_else(|| self.connect(), Ok)
    }

    /// Waits for a future on the runtime of this backend; `None` after too long.
    fn wait<F>(&self, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let runtime = self.runtime.as_ref()?;
        let bounded = async { tokio::time::timeout(self.patience(), future).await.ok() };
        if Handle::try_current().is_err() {
            return runtime.block_on(bounded);
        }
        // On a thread of another runtime none can be waited for.
        let waiter = || runtime.block_on(bounded);
        thread::scope(|scope| scope.spawn(waiter).join().ok().flatten())
    }

    /// Tries until it is done, refused, or unknown.
    fn carry_out(&mut self, requests: &[Request]) -> Result<Vec<Outcome>, Failure> {
        let begin = Instant::now();
        let (mut conflicts, mut losses) = (0, 0);
        loop {
            let is_kept = self.session.is_some();
            let mut session = self.kept_or_new().map_err(Failure::Refused)?;
            // A new one may find other tables than the last.
            if let Some(error) = requests.iter().find_map(|request| session.refusal(request)) {
                self.session = Some(session);
                return Err(Failure::BadData(error));
            }
            let commit = async {
                match !is_kept || session.is_alive().await {
                    true => Some(session.commit(&self.layout, requests, &self.floors).await),
                    false => None,
                }
            };
            let Some(done) = self.wait(commit) else {
                let waited = begin.elapsed();
                return Err(Failure::Unknown(SequenceError::TimedOut { waited }));
            };
            // It was gone before anything was sent.
            let Some(done) = done else { continue };
            match done {
                Err(Failure::Lost(error)) => {
                    losses += 1;
                    if losses > MAX_LOSSES {
                        return Err(Failure::Lost(error));
                    }
                }
                Err(failure @ Failure::Unknown(_)) => return Err(failure),
                Err(Failure::Locked(error)) => {
                    self.session = Some(session);
                    tracing::debug!(%error, "another program kept a lock");
                    let waited = begin.elapsed();
                    return Err(Failure::Refused(SequenceError::Busy { waited }));
                }
                Err(Failure::Conflict(error)) => {
                    self.session = Some(session);
                    conflicts += 1;
                    if conflicts > MAX_CONFLICTS {
                        tracing::warn!(%error, "others got in the way of every try");
                        let waited = begin.elapsed();
                        return Err(Failure::Refused(SequenceError::Busy { waited }));
                    }
                    thread::sleep(pause_after(conflicts));
                }
                other => {
                    self.session = Some(session);
                    return other;
                }
            }
        }
    }

    /// Halves a batch until the requests are alone whose values are refused.
    fn divide(&mut self, requests: &[Request]) -> Vec<Outcome> {
        match self.carry_out(requests) {
            Ok(outcomes) => outcomes,
            Err(Failure::BadData(_)) if requests.len() > 1 => {
                let (one, other) = requests.split_at(requests.len() / 2);
                let mut outcomes = self.divide(one);
                outcomes.extend(self.divide(other));
                outcomes
            }
            Err(failure) => {
                let error = failure.into_error();
                requests.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Carries out what needs no table that is not there.
    fn carry_out_possible(&mut self, requests: &[Request]) -> Result<Vec<Outcome>, SequenceError> {
        let mut session = self.kept_or_new()?;
        if requests.iter().any(|request| session.refusal(request).is_some()) {
            // It may be of a server that has gone, and come with other tables.
            self.session = Some(session);
            session = self.session()?;
        }
        let refusals: Vec<Option<SequenceError>> =
            requests.iter().map(|request| session.refusal(request)).collect();
        self.session = Some(session);
        if refusals.iter().all(Option::is_none) {
            return match self.carry_out(requests) {
                Ok(outcomes) => Ok(outcomes),
                Err(Failure::BadData(_)) => Ok(self.divide(requests)),
                Err(failure) => Err(failure.into_error()),
            };
        }
        let possible = requests.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
        let possible: Vec<Request> = possible.map(|(request, _)| request.clone()).collect();
        let mut outcomes = self.divide(&possible).into_iter();
        let one = |refusal: Option<SequenceError>| match refusal {
            Some(error) => Err(error),
            None => outcomes.next().unwrap_or(Err(SequenceError::Closed)),
        };
        Ok(refusals.into_iter().map(one).collect())
    }
}

impl Backend for PostgresBackend {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Outcome>, SequenceError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = self.carry_out_possible(requests)?;
        self.floors.learn(&outcomes);
        Ok(outcomes)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError> {
        let mut losses = 0;
        loop {
            let session = self.session()?;
            match self.wait(session.counters()) {
                Some(Err(Failure::Lost(_))) if losses < MAX_LOSSES => losses += 1,
                Some(read) => {
                    if !matches!(read, Err(Failure::Lost(_))) {
                        self.session = Some(session);
                    }
                    return read.map_err(Failure::into_error);
                }
                None => return Err(SequenceError::TimedOut { waited: self.patience() }),
            }
        }
    }
}

impl Drop for PostgresBackend {
    fn drop(&mut self) {
        self.session = None;
        if let Some(runtime) = self.runtime.take() {
            // A plain drop waits, which another runtime's thread must not.
            runtime.shutdown_background();
        }
    }
}

/// Returns how long a batch may take where locks are waited for so long: the wait that
/// somebody asked for must not be cut off.
fn patience(busy_for: Duration) -> Duration {
    ANSWER_TIMEOUT.max(busy_for.saturating_add(MORE_THAN_LOCKS))
}

/// Doubles from half a millisecond, with as much again by chance, so that two
/// servers do not meet again.
fn pause_after(conflicts: u32) -> Duration {
    let base = Duration::from_micros(250 << conflicts.min(10)).min(MAX_PAUSE);
    let chance = RandomState::new().build_hasher().finish() % 1_000;
    base + base.mul_f64(chance as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_long_for_locks_is_not_cut_off() {
        let of = |seconds| patience(Duration::from_secs(seconds)).as_secs();
        assert_eq!([of(0), of(5), of(25), of(26), of(3600)], [30, 30, 30, 31, 3605]);
        assert_eq!(patience(Duration::MAX), Duration::MAX);
    }
}
