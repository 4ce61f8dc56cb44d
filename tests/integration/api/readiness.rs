//! `/readyz`: it says yes where a request for a number would be carried out, and asks no
//! more of the database than one probe at a time.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use orchestrator::api::Limits;
use orchestrator::sequence::AuthorityOptions;

use super::limits::InProcess;
use super::server::{Server, Store};
use crate::support::program;

const NEXT: &str = "/ids/next?type=US&project=p";

/// A database of another program has a journal, which a full disk has no place for.
#[test]
fn a_disk_that_takes_no_write() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let path = folder.path().join("theirs.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)").unwrap();
    drop(theirs);
    let args = ["--db", "sqlite:theirs.db"];
    let server = Server::within(Arc::clone(&folder), &args);
    server.get(NEXT).is(200);
    server.get("/readyz").is(200);
    drop(server);

    // No file can become longer than it is.
    let mut command = Command::new("sh");
    let full = "trap '' XFSZ && ulimit -f 0 && exec \"$0\" \"$@\"";
    command.args(["-c", full]).arg(program(folder.path()).get_program());
    command.current_dir(folder.path());
    let server = Server::run(command, folder, Store::Sqlite, "127.0.0.1:0", &args);
    // Before any request has failed.
    server.get("/readyz").failed(503);
    server.get(NEXT).failed(503);
    server.get("/healthz").is(200);
}

#[test]
fn a_table_of_sequences_that_is_gone() {
    for store in [Store::Sqlite, Store::postgres()] {
        let server = Server::on(store);
        server.get(NEXT).is(200);
        server.get("/readyz").is(200);
        server.execute("ALTER TABLE id_registry RENAME TO elsewhere");
        server.get(NEXT).failed(503);
        // It was told a moment ago that all is well.
        assert_eq!(server.get("/readyz").failed(503).0, "database");
    }
}

#[test]
fn all_who_ask_share_one_probe() {
    let mut server = InProcess::with(Limits::default(), AuthorityOptions::default());
    let gate = Arc::clone(&server.gate);
    let held = gate.lock().unwrap();
    let begin = Instant::now();
    let mut waiting: Vec<_> = (0..20).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    // Those that go away do not make the next one ask again.
    drop(waiting.split_off(10));
    drop(held);
    for client in &mut waiting {
        client.read(false).unwrap().is(200);
    }
    let most = 1 + begin.elapsed().as_secs() as usize;
    let asked = *server.requests.lock().unwrap();
    assert!((1..=most).contains(&asked), "{asked} probes");
    drop(waiting);
    assert!(server.end());
}
