//! The authority over a database: many callers, lost connections, leases.
//!
//! `authority!(Store)` makes a test of each rule for one store, as `conformance!`
//! does; what does not depend on the database is tested on SQLite alone.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use orchestrator::sequence::{
    Action, Authority, AuthorityOptions, Backend, Cleanup, Counter, Idempotency, Key, Layout,
    Reply, Request, Running, SequenceError, open,
};
use tokio::task::JoinSet;

use super::conformance::{HOUR, Store, next, range, reserve, us};

/// What happens to a backend's batches on their way.
struct Watched<B> {
    backend: B,
    batches: Arc<AtomicUsize>,
    /// The batches, counted from 0, whose connection is lost after the commit.
    lost: Vec<usize>,
    /// Each batch waits for one message; after the sender is gone none does.
    gate: Option<mpsc::Receiver<()>>,
}

impl<B: Backend> Watched<B> {
    fn new(backend: B) -> Self {
        Self { backend, batches: Arc::default(), lost: Vec::new(), gate: None }
    }
}

impl<B: Backend> Backend for Watched<B> {
    fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        if let Some(gate) = &self.gate {
            // An error only says that the gate is open for good.
            gate.recv().unwrap_or(());
        }
        let outcomes = self.backend.commit(requests)?;
        if self.lost.contains(&self.batches.fetch_add(1, Ordering::SeqCst)) {
            let source = Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            return Err(SequenceError::OutcomeUnknown { source });
        }
        Ok(outcomes)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError> {
        self.backend.counters()
    }
}

fn patient() -> AuthorityOptions {
    AuthorityOptions { deadline: Duration::from_secs(120), ..AuthorityOptions::default() }
}

fn leased(size: u32) -> AuthorityOptions {
    AuthorityOptions { lease: NonZeroU32::new(size), ..patient() }
}

fn counter(backend: &mut impl Backend, key: &Key) -> u32 {
    let counters = backend.counters().unwrap();
    counters.into_iter().find(|(of, _)| of == key).map(|(_, last)| last.unwrap()).unwrap_or(0)
}

fn one(authority: &Authority, request: Request) -> (u32, u32) {
    range(authority.ask_blocking(request))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn crowd(authority: &Authority, callers: u32, each: u32) -> Vec<u32> {
    let mut tasks = JoinSet::new();
    let highest = Arc::new(AtomicU32::new(0));
    for caller in 0..callers {
        let (authority, highest) = (authority.clone(), Arc::clone(&highest));
        tasks.spawn(async move {
            let mut numbers: Vec<u32> = Vec::new();
            for n in 0..each {
                let request = if (caller + n).is_multiple_of(3) {
                    reserve(&us(), 1 + n % 4, HOUR)
                } else {
                    next(&us(), 1)
                };
                let before = highest.load(Ordering::SeqCst);
                let (first, last) = range(authority.ask(request).await);
                // Whoever asks after another one was told gets a higher number.
                assert!(before < first, "{first} was told after {before}");
                highest.fetch_max(last, Ordering::SeqCst);
                numbers.extend(first..=last);
            }
            numbers
        });
    }
    tasks.join_all().await.concat()
}

fn assert_distinct(numbers: &[u32]) {
    let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was told twice");
}

pub(crate) fn fifty_callers_share_transactions_and_no_number_is_told_twice<S: Store>() {
    let store = S::new(Layout::registry());
    let backend = Watched::new(store.open());
    let batches = Arc::clone(&backend.batches);
    let (authority, running) = open(backend, patient()).unwrap();
    let numbers = crowd(&authority, 50, 12);
    running.shutdown().unwrap();
    assert_distinct(&numbers);
    assert_eq!(counter(&mut store.open(), &us()) as usize, numbers.len());
    let batches = batches.load(Ordering::SeqCst);
    assert!(batches < 50 * 12 / 2, "{batches} transactions for 600 requests share nothing");
}

pub(crate) fn two_authorities_on_one_database_tell_no_number_twice<S: Store + Sync>() {
    let store = S::new(Layout::registry());
    let numbers = std::thread::scope(|scope| {
        let server = || {
            let (authority, running) = open(store.open(), patient()).unwrap();
            let numbers = crowd(&authority, 8, 10);
            running.shutdown().unwrap();
            numbers
        };
        let servers = [scope.spawn(server), scope.spawn(server)];
        servers.map(|server| server.join().unwrap()).concat()
    });
    assert_distinct(&numbers);
    assert_eq!(counter(&mut store.open(), &us()) as usize, numbers.len());
}

pub(crate) fn a_lost_connection_is_an_unknown_outcome_and_a_gap<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = Watched::new(store.open());
    backend.lost = vec![1, 3];
    let (authority, running) = open(backend, patient()).unwrap();
    assert_eq!(one(&authority, next(&us(), 1)), (1, 1));
    let lost = authority.ask_blocking(next(&us(), 2)).unwrap_err();
    assert!(lost.is_outcome_unknown() && lost.to_string().contains("unknown"), "{lost}");
    // What it took is a gap.
    assert_eq!(one(&authority, next(&us(), 1)), (4, 4));
    // With an idempotency key the answer that was lost is told after all.
    let mut once = next(&us(), 1);
    let (scope, key) = ("t".to_owned(), "k".to_owned());
    once.idempotency = Some(Idempotency { scope, key, keep: HOUR });
    assert!(authority.ask_blocking(once.clone()).unwrap_err().is_outcome_unknown());
    assert_eq!(one(&authority, once), (5, 5));
    assert_eq!(one(&authority, next(&us(), 1)), (6, 6));
    running.shutdown().unwrap();
}

pub(crate) fn a_lease_skips_at_most_its_size<S: Store>() {
    let store = S::new(Layout::registry());
    for (start, told) in [(1, 7), (11, 20), (21, 21)] {
        let backend = Watched::new(store.open());
        let batches = Arc::clone(&backend.batches);
        let (authority, running) = open(backend, leased(10)).unwrap();
        for n in start..=told {
            assert_eq!(one(&authority, next(&us(), 1)), (n, n));
        }
        assert_eq!(batches.load(Ordering::SeqCst), 1);
        // As after a crash: nothing is given back.
        drop(authority);
        running.shutdown().unwrap();
    }
    assert_eq!(counter(&mut store.open(), &us()), 30);
}

pub(crate) fn reservations_and_repetitions_go_past_the_lease<S: Store>() {
    let store = S::new(Layout::registry());
    let (authority, running) = open(store.open(), leased(10)).unwrap();
    let other = Key::new(["US", "beta"]).unwrap();
    assert_eq!(one(&authority, next(&us(), 1)), (1, 1));
    assert_eq!(one(&authority, next(&other, 1)), (1, 1));
    // The rest of the lease would be lower than what the reservation gets.
    assert_eq!(one(&authority, reserve(&us(), 3, HOUR)), (11, 13));
    assert_eq!(one(&authority, next(&us(), 2)), (14, 15));
    let mut once = next(&us(), 1);
    let (scope, key) = ("t".to_owned(), "k".to_owned());
    once.idempotency = Some(Idempotency { scope, key, keep: HOUR });
    assert_eq!(one(&authority, once.clone()), (24, 24));
    assert_eq!(one(&authority, next(&us(), 1)), (25, 25));
    assert_eq!(one(&authority, once), (24, 24));
    // Numbers that exist elsewhere may lie within the lease.
    authority.ask_blocking(Action::Raise { key: us(), to: 30 }.into()).unwrap();
    let (first, _) = one(&authority, next(&us(), 1));
    assert!(first > 30, "{first}");
    // More than a lease has, and the other sequence goes on with its own.
    let (_, last) = one(&authority, next(&us(), 11));
    assert_eq!(one(&authority, next(&us(), 1)).0, last + 1);
    assert_eq!(one(&authority, next(&other, 1)), (2, 2));
    running.shutdown().unwrap();
}

pub(crate) fn a_crowd_on_leases_is_told_no_number_twice<S: Store>() {
    let store = S::new(Layout::registry());
    let (authority, running) = open(store.open(), leased(16)).unwrap();
    let numbers = crowd(&authority, 20, 10);
    running.shutdown().unwrap();
    assert_distinct(&numbers);
    assert!(counter(&mut store.open(), &us()) >= *numbers.iter().max().unwrap());
}

pub(crate) fn with_a_lease_the_last_numbers_are_issued_too<S: Store>() {
    let store = S::new(Layout::registry());
    let last = u32::MAX - 3;
    store.execute(&format!("INSERT INTO id_registry (artifact_type, project_id, last_assigned_id) VALUES ('US', 'alpha', {last})"));
    let (authority, running) = open(store.open(), leased(2)).unwrap();
    for n in last + 1..=u32::MAX {
        assert_eq!(one(&authority, next(&us(), 1)), (n, n));
    }
    let end = authority.ask_blocking(next(&us(), 1)).unwrap_err();
    assert!(matches!(end, SequenceError::Exhausted { .. }), "{end}");
    running.shutdown().unwrap();
}

/// Makes a test of each rule, for one store.
macro_rules! authority {
    ($store:ty: $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            $crate::sequence::authority::$rule::<$store>();
        })*
    };
    ($store:ty) => {
        authority!($store:
            fifty_callers_share_transactions_and_no_number_is_told_twice
            two_authorities_on_one_database_tell_no_number_twice
            a_lost_connection_is_an_unknown_outcome_and_a_gap
            a_lease_skips_at_most_its_size
            reservations_and_repetitions_go_past_the_lease
            a_crowd_on_leases_is_told_no_number_twice
            with_a_lease_the_last_numbers_are_issued_too
        );
    };
}
pub(crate) use authority;

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use super::*;
    use crate::sequence::sqlite::Ours;

    fn gated(options: AuthorityOptions) -> (Ours, mpsc::Sender<()>, Authority, Running) {
        let store = Ours::new(Layout::registry());
        let mut backend = Watched::new(store.open());
        let (sender, receiver) = mpsc::channel();
        backend.gate = Some(receiver);
        let (authority, running) = open(backend, options).unwrap();
        (store, sender, authority, running)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_told_at_once() {
        let options = AuthorityOptions { queue: 2, max_batch: 1, ..patient() };
        let (_store, gate, authority, running) = gated(options);
        let mut waiting = JoinSet::new();
        let start = Instant::now();
        // One is at the gate, two wait, and one more finds no place.
        let full = loop {
            let asking = authority.clone();
            waiting.spawn(async move { asking.ask(next(&us(), 1)).await });
            if let Ok(Some(answer)) =
                tokio::time::timeout(Duration::from_millis(20), waiting.join_next()).await
            {
                break answer.unwrap();
            }
            assert!(start.elapsed() < Duration::from_secs(60));
        };
        assert!(matches!(full, Err(SequenceError::QueueFull)), "{full:?}");
        drop(gate);
        let mut numbers = Vec::new();
        for answer in waiting.join_all().await {
            match answer {
                Ok(Reply::Issued(issued)) => numbers.push(issued.first),
                Err(SequenceError::QueueFull) => {}
                other => panic!("{other:?}"),
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3]);
        running.shutdown().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_does_not_wait_beyond_its_deadline() {
        let options = AuthorityOptions { deadline: Duration::from_millis(50), ..patient() };
        let (store, gate, authority, running) = gated(options);
        let late = authority.ask(next(&us(), 1)).await.unwrap_err();
        assert!(matches!(late, SequenceError::TimedOut { .. }) && late.is_outcome_unknown());
        drop(gate);
        running.shutdown().unwrap();
        // It was carried out all the same: a gap.
        assert_eq!(counter(&mut store.open(), &us()), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_waits_no_longer_than_it_may() {
        let options = AuthorityOptions { deadline: Duration::from_millis(50), ..patient() };
        let (store, gate, authority, running) = gated(options);
        assert!(authority.ask(next(&us(), 1)).await.is_err());
        assert!(!running.shutdown_within(Duration::from_millis(20)).unwrap());
        drop(gate);
        // What was queued is carried out all the same.
        let start = Instant::now();
        while store.open().counters().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn at_the_end_what_is_queued_is_answered() {
        let (store, gate, authority, running) = gated(patient());
        let mut waiting = JoinSet::new();
        for _ in 0..5 {
            let asking = authority.clone();
            waiting.spawn(async move { asking.ask(next(&us(), 1)).await });
        }
        let ended = tokio::task::spawn_blocking(move || running.shutdown());
        drop(gate);
        let mut told = 0;
        for answer in waiting.join_all().await {
            match answer {
                Ok(Reply::Issued(_)) => told += 1,
                Err(SequenceError::Closed) => {}
                other => panic!("{other:?}"),
            }
        }
        ended.await.unwrap().unwrap();
        let after = authority.ask(next(&us(), 1)).await;
        assert!(matches!(after, Err(SequenceError::Closed)), "{after:?}");
        assert_eq!(counter(&mut store.open(), &us()), told);
    }

    #[test]
    fn old_reservations_are_deleted_in_the_background() {
        let store = Ours::new(Layout::registry());
        let cleanup = Cleanup { every: Duration::ZERO, grace: Duration::ZERO };
        let options = AuthorityOptions { cleanup: Some(cleanup), ..patient() };
        let (authority, running) = open(store.open(), options).unwrap();
        let Ok(Reply::Reserved(kept)) = authority.ask_blocking(reserve(&us(), 1, HOUR)) else {
            panic!("no reservation")
        };
        authority.ask_blocking(reserve(&us(), 2, Duration::ZERO)).unwrap();
        let count = || {
            let conn = rusqlite::Connection::open(store.path()).unwrap();
            conn.query_row("SELECT count(*) FROM id_reservations", [], |row| row.get::<_, i64>(0))
        };
        let start = Instant::now();
        while count().unwrap() != 1 {
            assert!(start.elapsed() < Duration::from_secs(60), "it is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
        let confirmed = authority.ask_blocking(Action::Confirm(kept.id).into()).unwrap();
        assert_eq!(confirmed, Reply::Confirmed(kept.id));
        assert_eq!(one(&authority, next(&us(), 1)), (4, 4));
        running.shutdown().unwrap();
    }
}
