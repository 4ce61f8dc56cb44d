//! Many processes on one file, and SIGKILLs at random moments: no number is told
//! twice, and none that is not durable.
//!
//! `ORCHESTRATOR_SEQUENCE_SEED` repeats a run as far as the system's scheduling
//! allows. The processes are this test program itself, started at `taker`.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use orchestrator::sequence::Layout;
use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use rusqlite::Connection;

use super::Ours;
use crate::sequence::conformance::{Store, ask, next, range, us};
use crate::support::Random;

const PROCESSES: usize = 40;
const EACH: usize = 12;
/// Where the process started here finds the database.
const DATABASE: &str = "ORCHESTRATOR_TEST_SEQUENCE";

/// What each of the processes does; without a database, nothing.
#[test]
#[ignore = "started by forty_processes_and_kills_tell_no_number_twice"]
fn taker() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let options =
        SqliteOptions { make: Make::Nothing, busy_for: Duration::from_secs(120), presize: false };
    let mut backend = SqliteBackend::open(path.as_ref(), Layout::registry(), options).unwrap();
    for _ in 0..EACH {
        let (first, _) = range(ask(&mut backend, next(&us(), 1)));
        // Straight to the pipe: the test runner would keep it until the end.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(format!("told {first}\n").as_bytes()).unwrap();
        stdout.flush().unwrap();
    }
}

fn start(database: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sequence::sqlite::kills::taker", "--ignored", "--nocapture"])
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

#[test]
fn forty_processes_and_kills_tell_no_number_twice() {
    let mut random = Random::from_env("ORCHESTRATOR_SEQUENCE_SEED");
    let store = Ours::new(Layout::registry());
    let path = store.path();
    let kills: Vec<Option<usize>> =
        (0..PROCESSES).map(|i| i.is_multiple_of(2).then(|| 1 + random.below(EACH - 1))).collect();
    let told = thread::scope(|scope| {
        let listener = |kill: &Option<usize>| {
            let (path, kill) = (&path, *kill);
            scope.spawn(move || listen(start(path), kill))
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
    let sql = "SELECT last_assigned_id FROM id_registry";
    let conn = Connection::open(&path).unwrap();
    let counter: u32 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    let highest = distinct.last().copied().unwrap();
    assert!(counter >= highest, "{highest} was told and is not durable");
    // Each kill loses at most the number that was just taken, and those that were
    // on their way into the pipe.
    let gaps = counter as usize - told.len();
    assert!(gaps <= kills.iter().flatten().count(), "{gaps} numbers were lost");
    assert_eq!(range(ask(&mut store.open(), next(&us(), 1))).0, counter + 1);
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
