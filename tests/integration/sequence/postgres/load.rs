//! Many callers while servers die, connections are reset and two authorities share
//! a database: no number is told twice, and every number that was told is on disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use orchestrator::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions};
use orchestrator::sequence::{
    Authority, AuthorityOptions, Backend, Layout, Reply, Running, SequenceError, open,
};

use super::super::conformance::{HOUR, next, range, reserve, us};
use crate::support::{Cluster, Proxy};

fn backend(url: &str, isolation: Isolation) -> PostgresBackend {
    let options = PostgresOptions { isolation, make_tables: true, ..PostgresOptions::default() };
    PostgresBackend::open(url, Layout::registry(), options).unwrap()
}

fn authority(url: &str, isolation: Isolation) -> (Authority, Running) {
    open(backend(url, isolation), AuthorityOptions::default()).unwrap()
}

/// What callers were told, while a test does its worst.
#[derive(Default)]
struct Told {
    ranges: Vec<(u32, u32)>,
    errors: Vec<SequenceError>,
}

impl Told {
    /// Checks that no number was told twice, and that the next one is above all.
    fn check(&self, url: &str) -> u32 {
        let numbers: Vec<u32> =
            self.ranges.iter().flat_map(|&(first, last)| first..=last).collect();
        let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len(), "a number was told twice");
        let mut backend = backend(url, Isolation::Serializable);
        let last = backend.counters().unwrap().remove(0).1.unwrap();
        assert!(distinct.last() <= Some(&last), "{:?} was told, {last} is stored", distinct.last());
        for error in &self.errors {
            let is_expected = matches!(
                error,
                SequenceError::OutcomeUnknown { .. }
                    | SequenceError::Unreachable { .. }
                    | SequenceError::TimedOut { .. }
                    | SequenceError::Busy { .. }
            );
            assert!(is_expected, "{error}: {error:?}");
        }
        last
    }
}

/// Callers that ask until they are told to end.
struct Callers {
    runtime: tokio::runtime::Runtime,
    end: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    failed: Arc<AtomicU32>,
    tasks: Vec<tokio::task::JoinHandle<Told>>,
}

impl Callers {
    fn start(authorities: &[&Authority], each: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU32::new(0));
        let failed = Arc::new(AtomicU32::new(0));
        let callers =
            authorities.iter().flat_map(|authority| (0..each).map(move |i| (*authority, i)));
        let tasks = callers
            .map(|(authority, i)| {
                let (authority, end) = (authority.clone(), Arc::clone(&end));
                let (answered, failed) = (Arc::clone(&answered), Arc::clone(&failed));
                runtime.spawn(async move {
                    let mut told = Told::default();
                    while !end.load(Ordering::Relaxed) {
                        let is_plain = i % 4 != 0;
                        let request =
                            if is_plain { next(&us(), 1) } else { reserve(&us(), 1 + i % 3, HOUR) };
                        match authority.ask(request).await {
                            Ok(reply @ (Reply::Issued(_) | Reply::Reserved(_))) => {
                                told.ranges.push(range(Ok(reply)));
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(other) => panic!("{other:?}"),
                            Err(error) => {
                                told.errors.push(error);
                                failed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                    told
                })
            })
            .collect();
        Self { runtime, end, answered, failed, tasks }
    }

    /// Waits until so many more were answered.
    fn wait_for(&self, more: u32) {
        Self::wait(&self.answered, more, "nobody is answered any more");
    }

    /// Waits until somebody was told an error. What fails for a moment only is tried
    /// again, and nobody notices.
    fn wait_for_an_error(&self) {
        Self::wait(&self.failed, 1, "nobody noticed");
    }

    fn wait(counter: &AtomicU32, more: u32, otherwise: &str) {
        let (before, begin) = (counter.load(Ordering::Relaxed), Instant::now());
        while counter.load(Ordering::Relaxed) < before + more {
            assert!(begin.elapsed() < Duration::from_secs(120), "{otherwise}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(self) -> Told {
        self.end.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for task in self.tasks {
            let told = self.runtime.block_on(task).unwrap();
            all.ranges.extend(told.ranges);
            all.errors.extend(told.errors);
        }
        all
    }
}

#[test]
fn a_server_that_is_stopped_at_once_under_load_loses_nothing_that_was_told() {
    let cluster = Cluster::private();
    for isolation in [Isolation::Serializable, Isolation::ReadCommitted] {
        let url = cluster.url(&cluster.database());
        let (authority, running) = authority(&url, isolation);
        let callers = Callers::start(&[&authority], 40);
        callers.wait_for(200);
        cluster.stop_immediately();
        callers.wait_for_an_error();
        cluster.start();
        callers.wait_for(200);
        let told = callers.end();
        told.check(&url);
        drop(authority);
        running.shutdown().unwrap();
    }
}

#[test]
fn connections_that_are_reset_under_load_lose_nothing_that_was_told() {
    for isolation in [Isolation::Serializable, Isolation::ReadCommitted] {
        let database = Cluster::shared().database();
        let proxy = Proxy::before(Cluster::shared().socket());
        let (authority, running) = authority(&proxy.url(&database), isolation);
        let callers = Callers::start(&[&authority], 40);
        for n in 0..10 {
            callers.wait_for(50);
            if n % 2 == 0 { proxy.cut() } else { proxy.swallow_an_answer() }
        }
        callers.wait_for(50);
        let told = callers.end();
        let is_unknown = |error: &&SequenceError| error.is_outcome_unknown();
        let lost = told.errors.iter().filter(is_unknown).count();
        let last = told.check(&Cluster::shared().url(&database));
        // What is missing are the gaps of those who were told that nobody knows.
        let numbers: u32 = told.ranges.iter().map(|(first, last)| last - first + 1).sum();
        assert!(last - numbers <= 3 * u32::try_from(lost).unwrap(), "{last} {numbers} {lost}");
        drop(authority);
        running.shutdown().unwrap();
    }
}

#[test]
fn two_authorities_on_one_database_issue_no_number_twice() {
    for (one, other) in [
        (Isolation::Serializable, Isolation::Serializable),
        (Isolation::ReadCommitted, Isolation::ReadCommitted),
        (Isolation::Serializable, Isolation::ReadCommitted),
    ] {
        let url = Cluster::shared().url(&Cluster::shared().database());
        let (one, first) = authority(&url, one);
        let (other, second) = authority(&url, other);
        let callers = Callers::start(&[&one, &other], 25);
        callers.wait_for(1_000);
        let told = callers.end();
        assert!(told.errors.is_empty(), "{:?}", told.errors);
        let last = told.check(&url);
        let numbers: u32 = told.ranges.iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(numbers, last, "a number is missing");
        drop((one, other));
        first.shutdown().unwrap();
        second.shutdown().unwrap();
    }
}
