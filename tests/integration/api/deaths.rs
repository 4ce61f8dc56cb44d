//! The service, or its database, dies under load: no number is told twice, and what
//! was told is durable.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::load::{Told, all_of, ask};
use super::server::{Server, Store};
use crate::support::Cluster;

const CLIENTS: usize = 12;
/// How long something may take to happen on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What clients were told so far, and what else they heard.
#[derive(Default)]
struct Heard {
    told: Mutex<Told>,
    answers: AtomicUsize,
    refused: AtomicUsize,
    other: Mutex<Vec<u16>>,
    is_over: AtomicBool,
}

impl Heard {
    /// Waits until there were this many more answers.
    fn wait_for(&self, more: usize) {
        let from = self.answers.load(Ordering::Relaxed);
        wait_until(|| self.answers.load(Ordering::Relaxed) >= from + more);
    }

    /// Asks until it is over, and connects again where a connection is lost.
    fn client(&self, address: std::net::SocketAddr, start: usize) {
        let mut client = None;
        let mut turn = start;
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(connected) = client.take().or_else(|| Client::connect(address).ok()) else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            let mut connected: Client = connected;
            turn += 1;
            match ask(&mut connected, turn) {
                Ok(Ok(told)) => {
                    self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                    self.answers.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Err(503)) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(Err(status)) => self.other.lock().unwrap().push(status),
                Err(_) => continue,
            }
            client = Some(connected);
        }
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Ends the load also where a test fails.
struct Over<'a>(&'a Heard);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Does something while clients ask, and returns what they heard.
fn under_load(server: &mut Server, f: impl FnOnce(&mut Server, &Heard)) -> Heard {
    let heard = Heard::default();
    let address = server.address;
    thread::scope(|scope| {
        let heard = &heard;
        for i in 0..CLIENTS {
            scope.spawn(move || heard.client(address, i));
        }
        let _over = Over(heard);
        heard.wait_for(30);
        f(server, heard);
    });
    heard
}

/// Checks that each number was told once, and that the database knows all of them.
fn holds(server: &Server, heard: Heard) {
    let told = heard.told.into_inner().unwrap();
    for (project, numbers) in all_of([told]) {
        let highest = numbers.last().copied().unwrap();
        assert!(server.last(project) >= i64::from(highest), "{project}: {highest} is not durable");
    }
    assert_eq!(heard.other.into_inner().unwrap(), [0u16; 0]);
}

fn killed(store: Store) {
    let mut server = Server::on(store);
    let heard = under_load(&mut server, |server, heard| {
        for _ in 0..4 {
            server.killed_and_started();
            heard.wait_for(30);
        }
    });
    holds(&server, heard);
}

#[test]
fn killed_and_started_on_sqlite() {
    killed(Store::Sqlite);
}

#[test]
fn killed_and_started_on_postgresql() {
    killed(Store::postgres());
}

#[test]
fn a_lease_that_is_lost_is_a_gap() {
    let mut server = Server::with(Store::Sqlite, &["--lease", "20"]);
    let heard = under_load(&mut server, |server, heard| {
        for _ in 0..2 {
            server.killed_and_started();
            heard.wait_for(30);
        }
    });
    holds(&server, heard);
}

#[test]
fn ended_in_order_and_started() {
    for store in [Store::Sqlite, Store::postgres()] {
        let mut server = Server::on(store);
        let heard = under_load(&mut server, |server, heard| {
            for signal in ["-TERM", "-INT"] {
                server.signal(signal);
                assert_eq!(server.wait().code(), Some(0));
                server.start_again();
                heard.wait_for(30);
            }
        });
        // What was committed was answered: nothing but the restarts lies between.
        let cut = server.log().iter().any(|line| line["message"].as_str() == Some("cut"));
        assert!(!cut);
        let told: usize = heard.told.lock().unwrap().iter().map(|(_, numbers)| numbers.len()).sum();
        let issued: i64 = super::load::PROJECTS.iter().map(|project| server.last(project)).sum();
        assert_eq!(issued, i64::try_from(told).unwrap(), "a number was taken and not told");
        holds(&server, heard);
    }
}

#[test]
fn a_database_that_goes_and_comes_back() {
    let cluster = Cluster::private();
    let mut server = Server::on(Store::of(&cluster));
    let heard = under_load(&mut server, |server, heard| {
        for _ in 0..2 {
            cluster.stop_immediately();
            let from = heard.refused.load(Ordering::Relaxed);
            wait_until(|| heard.refused.load(Ordering::Relaxed) > from);
            server.get("/readyz").failed(503);
            server.get("/healthz").is(200);
            cluster.start();
            heard.wait_for(50);
            wait_until(|| server.get("/readyz").status == 200);
        }
    });
    holds(&server, heard);
}

/// Lets a process go on that was stopped.
struct Stopped(String);

impl Stopped {
    fn send(pid: &str, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        Self::send(&self.0, "-CONT");
    }
}

/// Of a database that hangs, nobody waits for the 10 s that its last batch may have.
#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::on(Store::postgres());
    server.get("/ids/next?type=US&project=p").is(200);
    let pid = server.number(
        "SELECT pid FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'orchestrator'",
    );
    let mut watching = server.client();
    Stopped::send(&pid.to_string(), "-STOP");
    let stopped = Stopped(pid.to_string());
    let mut waiting = server.client();
    waiting.send(b"GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while !watching.get("/metrics").body.contains("orchestrator_queue_depth 1") {}
    server.signal("-TERM");
    wait_until(|| Client::connect(server.address).is_err());
    let begin = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(waiting.read(false).is_err());
    assert!(server.log().iter().any(|line| line["level"] == "WARN"));
    drop(stopped);
}

#[test]
fn a_database_file_that_is_removed_is_not_made_anew() {
    let server = Server::on(Store::Sqlite);
    let target = "/ids/next?type=US&project=p";
    server.get(target).is(200);
    for name in ["ids.db", "ids.db-wal", "ids.db-shm"] {
        let path = server.folder().join(".orchestrator").join(name);
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
    for _ in 0..3 {
        server.get(target).failed(503);
        server.get("/readyz").failed(503);
    }
    assert!(!server.folder().join(".orchestrator/ids.db").exists());
}
