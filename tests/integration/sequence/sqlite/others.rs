//! Programs in another language on the same file at the same time: they run their
//! own statements and know nothing of ours.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use orchestrator::sequence::sqlite::{self, Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{Action, Key, Layout, Reply, SequenceError};
use rusqlite::{Connection, TransactionBehavior};

use super::Ours;
use crate::sequence::conformance::{Store, ask, next, range};

const EACH: u32 = 60;

/// Runs a program of the fixtures; returns the numbers that it printed.
fn python(program: &str, database: &std::path::Path) -> Vec<u32> {
    let program = format!("{}/tests/fixtures/sequence/{program}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.arg(program).arg(database).arg(EACH.to_string()).stdin(Stdio::null());
    let output = command.output().expect("python3 is needed: scripts/setup installs it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

fn patient(make: Make) -> SqliteOptions {
    SqliteOptions {
        make,
        busy_for: Duration::from_secs(120),
        presize: false,
        ..SqliteOptions::default()
    }
}

/// Runs two programs of the other language and two of ours, and checks what all of
/// them were told.
fn together(
    first: u32,
    program: &str,
    database: &std::path::Path,
    ours: impl Fn() -> Vec<u32> + Sync,
) -> u32 {
    let told = thread::scope(|scope| {
        let theirs = [(); 2].map(|()| scope.spawn(|| python(program, database)));
        let ours = [(); 2].map(|()| scope.spawn(&ours));
        let all = theirs.into_iter().chain(ours);
        all.flat_map(|program| program.join().unwrap()).collect::<Vec<u32>>()
    });
    assert_eq!(told.len(), 4 * EACH as usize);
    let distinct: BTreeSet<u32> = told.iter().copied().collect();
    assert!(distinct.iter().copied().eq(first..first + 4 * EACH), "duplicates or gaps: {told:?}");
    first + 4 * EACH - 1
}

#[test]
fn a_program_that_upserts_prefix_and_type_never_collides_with_ours() {
    for ours_made_it in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chunks.sqlite3");
        if !ours_made_it {
            let chunks = "CREATE TABLE chunks (x); INSERT INTO chunks VALUES (1)";
            Connection::open(&path).unwrap().execute_batch(chunks).unwrap();
        }
        let layout = Layout::prefix_type;
        let make = if ours_made_it { Make::File } else { Make::Tables };
        SqliteBackend::open(&path, layout(), patient(make)).unwrap();
        let key = Key::new(["KABSD", "TSK"]).unwrap();
        let issued = together(1, "upsert_in_place.py", &path, || {
            let mut backend = SqliteBackend::open(&path, layout(), patient(Make::Nothing)).unwrap();
            (0..EACH).map(|_| range(ask(&mut backend, next(&key, 1))).0).collect()
        });
        let conn = Connection::open(&path).unwrap();
        let counter =
            "SELECT next_number FROM id_sequences WHERE prefix = 'KABSD' AND type_code = 'TSK'";
        let counter: u32 = conn.query_row(counter, [], |row| row.get(0)).unwrap();
        assert_eq!(counter, issued);
    }
}

#[test]
fn a_program_that_updates_then_selects_by_name_never_collides_with_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bank.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE id_sequences(name TEXT PRIMARY KEY, last_value INTEGER NOT NULL);
         INSERT INTO id_sequences VALUES ('credit_lines', 120);
         CREATE TABLE credit_lines (id TEXT PRIMARY KEY)",
    )
    .unwrap();
    let layout = Layout::name();
    let key = Key::new(["credit_lines"]).unwrap();
    let issued = together(121, "update_then_select.py", &path, || {
        let mut conn = Connection::open(&path).unwrap();
        conn.busy_timeout(Duration::from_secs(120)).unwrap();
        let mut create = || -> Result<u32, SequenceError> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
            let issued = sqlite::allocate(&tx, &layout, &key, 1)?;
            tx.execute("INSERT INTO credit_lines VALUES (?1)", [layout.id(&key, issued.first)])
                .unwrap();
            tx.commit().unwrap();
            Ok(issued.first)
        };
        (0..EACH).map(|_| create().unwrap()).collect()
    });
    let counters: (u32, u32) = conn
        .query_row(
            "SELECT last_value, (SELECT count(*) FROM credit_lines) FROM id_sequences",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(counters, (issued, 4 * EACH));
}

#[test]
fn a_reservation_that_another_program_wrote_in_capitals_is_confirmed() {
    let store = Ours::new(Layout::registry());
    let id = uuid::Uuid::new_v4();
    store.execute(&format!(
        "INSERT INTO id_reservations (reservation_id, artifact_type, project_id, reserved_ids,
         expires_at) VALUES (upper('{id}'), 'US', 'alpha', '[]', '9999-01-01')"
    ));
    assert!(matches!(ask(&mut store.open(), Action::Confirm(id).into()), Ok(Reply::Confirmed(_))));
}

#[test]
fn a_reservation_of_theirs_that_nobody_has_decided_on_is_not_confirmed() {
    let store = Ours::new(Layout::registry());
    store.execute(
        "DROP TABLE id_reservations;
         CREATE TABLE id_reservations (reservation_id TEXT PRIMARY KEY, artifact_type TEXT,
             project_id TEXT, reserved_ids TEXT, expires_at TEXT, confirmed BOOLEAN)",
    );
    let mut rows = Vec::new();
    for confirmed in ["NULL", "0", "0.0", "''", "'no'", "x'00'", "1", "'true'", "'T'"] {
        for until in ["2020-01-01 00:00:00", "9999-01-01 00:00:00"] {
            let id = uuid::Uuid::new_v4();
            store.execute(&format!(
                "INSERT INTO id_reservations VALUES
                 ('{id}', 'US', 'alpha', '[]', '{until}', {confirmed})"
            ));
            let is_confirmed = ["1", "'true'", "'T'"].contains(&confirmed);
            rows.push((id, is_confirmed || until > "9"));
        }
    }
    let mut backend = store.open();
    for (id, _) in rows.iter().filter(|(_, is_kept)| !is_kept) {
        let reply = ask(&mut backend, Action::Confirm(*id).into());
        assert!(matches!(reply, Err(SequenceError::NoReservation)), "{reply:?}");
    }
    let expire = Action::Expire { grace: Duration::ZERO };
    let reply = ask(&mut backend, expire.into()).unwrap();
    assert_eq!(reply, Reply::Expired { deleted: 6, is_all: true });
    for (id, _) in rows.iter().filter(|(_, is_kept)| *is_kept) {
        let reply = ask(&mut backend, Action::Confirm(*id).into()).unwrap();
        assert_eq!(reply, Reply::Confirmed(*id));
    }
}
