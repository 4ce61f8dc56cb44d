//! Many processes on one database, and SIGKILLs at random moments: no number is told
//! twice, and none that is not durable.
//!
//! `ORCHESTRATOR_SEQUENCE_SEED` repeats a run as far as the system's scheduling
//! allows. The processes are this test program itself, started at `taker`.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use orchestrator::sequence::postgres::{PostgresBackend, PostgresOptions};
use orchestrator::sequence::sqlite::{SqliteBackend, SqliteOptions};
use orchestrator::sequence::{Backend, Layout, SequenceError};
use rusqlite::Connection;

use super::conformance::{Store, next, range, us};
use super::sqlite::Ours;
use crate::support::{Cluster, Random};

const PROCESSES: usize = 40;
const EACH: usize = 12;
/// Where the process started here finds the database.
const DATABASE: &str = "ORCHESTRATOR_TEST_SEQUENCE";

/// Opens a database: a URL of PostgreSQL, or the path of an SQLite file.
fn open(database: &str) -> Box<dyn Backend> {
    let busy_for = Duration::from_secs(120);
    if database.starts_with("postgres") {
        let options = PostgresOptions { busy_for, ..PostgresOptions::default() };
        return Box::new(PostgresBackend::open(database, Layout::registry(), options).unwrap());
    }
    let options = SqliteOptions { busy_for, ..SqliteOptions::default() };
    Box::new(SqliteBackend::open(database.as_ref(), Layout::registry(), options).unwrap())
}

/// Takes a number; again where too many others were in the way.
fn take(backend: &mut dyn Backend) -> u32 {
    loop {
        let answer = backend.commit(&[next(&us(), 1)]).map(|mut answers| answers.remove(0));
        match answer.flatten() {
            Err(SequenceError::Busy { .. }) => {}
            answer => return range(answer).0,
        }
    }
}

/// What each of the processes does; without a database, nothing.
#[test]
#[ignore = "started by those that kill"]
fn taker() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let mut backend = open(&database);
    for _ in 0..EACH {
        let number = take(&mut *backend);
        // Straight to the pipe: the test runner would keep it until the end.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(format!("told {number}\n").as_bytes()).unwrap();
        stdout.flush().unwrap();
    }
}

fn start(database: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sequence::kills::taker", "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads what a process tells, and kills it after so many numbers.
fn listen(mut child: Child, kill_after: Option<usize>) -> Vec<u32> {
    let mut told = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        // The runner begins a line of its own, which ours may follow.
        let line = line.unwrap();
        if let Some((_, number)) = line.rsplit_once("told ") {
            told.push(number.parse().unwrap());
        }
        if Some(told.len()) == kill_after {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(kill_after.is_some() || status.success(), "{status}");
    told
}

/// Lets the processes take numbers, and kills every other one; all they were told.
fn storm(database: &str) {
    let mut random = Random::from_env("ORCHESTRATOR_SEQUENCE_SEED");
    let kills: Vec<Option<usize>> =
        (0..PROCESSES).map(|i| i.is_multiple_of(2).then(|| 1 + random.below(EACH - 1))).collect();
    let told = thread::scope(|scope| {
        let listener = |kill: &Option<usize>| {
            scope.spawn({
                let kill = *kill;
                move || listen(start(database), kill)
            })
        };
        let listeners: Vec<_> = kills.iter().map(listener).collect();
        listeners.into_iter().map(|listener| listener.join().unwrap()).collect::<Vec<_>>()
    });
    for (told, kill) in told.iter().zip(&kills) {
        // Who is killed may have told more before it died.
        assert!(told.len() >= kill.unwrap_or(EACH), "{told:?} {kill:?}");
        assert!(told.is_sorted(), "{told:?}");
    }
    let told: Vec<u32> = told.concat();
    let distinct: BTreeSet<u32> = told.iter().copied().collect();
    assert_eq!(distinct.len(), told.len(), "a number was told twice");
    let mut backend = open(database);
    let counter = backend.counters().unwrap().remove(0).1.unwrap();
    let highest = distinct.last().copied().unwrap();
    assert!(counter >= highest, "{highest} was told and is not durable");
    // Each kill loses at most the number that was just taken, and those that were
    // on their way into the pipe.
    let gaps = counter as usize - told.len();
    assert!(gaps <= kills.iter().flatten().count(), "{gaps} numbers were lost");
    assert_eq!(take(&mut *backend), counter + 1);
}

#[test]
fn forty_processes_and_kills_tell_no_number_twice_on_sqlite() {
    let store = Ours::new(Layout::registry());
    let path = store.path();
    storm(path.to_str().unwrap());
    let conn = Connection::open(&path).unwrap();
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn forty_processes_and_kills_tell_no_number_twice_on_postgresql() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.database());
    let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
    drop(PostgresBackend::open(&url, Layout::registry(), options).unwrap());
    storm(&url);
}
