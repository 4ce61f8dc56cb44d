//! Which files are opened, made, left alone, or given up.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{Action, Backend, Layout, Reply, SequenceError};
use rusqlite::Connection;

use super::Ours;
use super::suite::make;
use crate::sequence::conformance::{HOUR, Store, ask, next, range, reserve, us};

fn open(path: &Path, make: Make) -> Result<SqliteBackend, SequenceError> {
    let options = SqliteOptions {
        make,
        busy_for: Duration::from_secs(60),
        presize: true,
        ..SqliteOptions::default()
    };
    SqliteBackend::open(path, Layout::registry(), options)
}

fn text(path: &Path, sql: &str) -> String {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_lost_file_is_never_made_anew_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ids.db");
    for kind in [Make::Nothing, Make::Tables] {
        let error = open(&path, kind).unwrap_err();
        assert!(matches!(&error, SequenceError::Missing { path: at } if *at == path));
        let text = error.to_string();
        assert!(text.contains("--create") && text.contains("id sync --rebuild"), "{text}");
        assert!(!path.exists());
    }
    // Lost while it is open: numbers would go into a file that nobody finds again.
    let mut backend = open(&path, Make::File).unwrap();
    assert_eq!(range(ask(&mut backend, next(&us(), 3))), (1, 3));
    std::fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
        assert!(matches!(error, SequenceError::Missing { .. }), "{error}");
        assert!(backend.counters().is_err());
    }
    assert!(!path.exists());
}

#[test]
fn a_file_that_was_exchanged_stays_an_error_until_it_is_opened_anew() {
    let store = Ours::new(Layout::registry());
    let mut backend = store.open();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
    let old = store.path().with_extension("old");
    make(&old, Layout::registry());
    std::fs::rename(&old, store.path()).unwrap();
    for _ in 0..2 {
        let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
        assert!(matches!(error, SequenceError::Replaced { .. }), "{error}");
    }
}

#[test]
fn a_file_with_two_names_issues_nothing_until_it_has_one() {
    let store = Ours::new(Layout::registry());
    let mut backend = store.open();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
    let other = store.path().with_extension("other");
    std::fs::hard_link(store.path(), &other).unwrap();
    // Each name has a log of its own: whoever comes by the other one knows nothing of it.
    let refuses = |mut backend: SqliteBackend| {
        let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
        assert!(matches!(error, SequenceError::Linked { names: 2, .. }), "{error}");
        assert!(error.to_string().contains("remove the other names"));
        assert_eq!(backend.counters().unwrap().len(), 1);
    };
    refuses(backend);
    refuses(store.open());
    refuses(open(&other, Make::Nothing).unwrap());
    assert!(matches!(open(&other, Make::Tables), Err(SequenceError::Linked { .. })));
    std::fs::remove_file(&other).unwrap();
    // A link that only leads there is no other name.
    std::os::unix::fs::symlink(store.path(), &other).unwrap();
    let mut linked = open(&other, Make::Nothing).unwrap();
    assert_eq!(range(ask(&mut linked, next(&us(), 1))), (2, 2));
    assert_eq!(range(ask(&mut store.open(), next(&us(), 1))), (3, 3));
}

#[test]
fn names_that_mean_memory_to_sqlite_are_files() {
    let dir = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:ids.db?mode=memory", "a b'c\"d;.db"] {
        let path = dir.path().join(name);
        assert!(open(&path, Make::File).unwrap().was_made());
        assert!(path.is_file(), "{name}");
        assert!(!open(&path, Make::File).unwrap().was_made());
    }
}

#[test]
fn our_database_is_safe_and_says_that_it_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/ids.db");
    let mut backend = open(&path, Make::File).unwrap();
    assert!(backend.was_made());
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
    assert_eq!(text(&path, "PRAGMA journal_mode"), "wal");
    // Grown in advance, and nothing of that is in the database.
    let log = path.with_extension("db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 4_000_000);
    assert_eq!(
        text(
            &path,
            "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)"
        ),
        "id_registry,id_reservations,orchestrator_idempotency,orchestrator_migrations"
    );
    assert_eq!(text(&path, "SELECT CAST(page_count < 30 AS TEXT) FROM pragma_page_count"), "1");
}

#[test]
fn another_programs_database_keeps_its_journal_mode_and_its_rows() {
    for mode in ["delete", "wal"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chunks.sqlite3");
        let theirs = Connection::open(&path).unwrap();
        theirs
            .execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; PRAGMA user_version = 7; PRAGMA application_id = 99;
                 CREATE TABLE chunks (id INTEGER PRIMARY KEY, body TEXT);
                 INSERT INTO chunks (body) VALUES ('one'), ('two');
                 CREATE TABLE id_registry (artifact_type TEXT, project_id TEXT,
                     last_assigned_id INTEGER, updated_at TEXT,
                     PRIMARY KEY (artifact_type, project_id));
                 INSERT INTO id_registry VALUES ('US', 'alpha', 27, 'then'), ('US', 'beta', 20, 'then');"
            ))
            .unwrap();
        // Numbers need no table of ours; nothing is added for them.
        let mut backend = open(&path, Make::Nothing).unwrap();
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (28, 28));
        let tables = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)";
        assert_eq!(text(&path, tables), "chunks id_registry");
        let refused = ask(&mut backend, reserve(&us(), 1, HOUR)).unwrap_err();
        assert!(matches!(&refused, SequenceError::NoTable { table } if table == "id_reservations"));
        assert!(refused.to_string().contains("--create"));
        assert!(ask(&mut backend, Action::Confirm(uuid::Uuid::nil()).into()).is_err());
        drop(backend);

        let mut backend = open(&path, Make::Tables).unwrap();
        assert!(!backend.was_made());
        assert_eq!(range(ask(&mut backend, reserve(&us(), 6, HOUR))), (29, 34));
        drop(backend);
        assert_eq!(text(&path, "PRAGMA journal_mode"), mode);
        assert_eq!(
            text(
                &path,
                "SELECT user_version || ' ' || application_id FROM pragma_user_version, pragma_application_id"
            ),
            "7 99"
        );
        assert_eq!(text(&path, "SELECT group_concat(body) FROM chunks"), "one,two");
        let beta =
            "SELECT last_assigned_id || updated_at FROM id_registry WHERE project_id = 'beta'";
        assert_eq!(text(&path, beta), "20then");
        let alpha = "SELECT last_assigned_id || ' ' || (updated_at > '2020') FROM id_registry WHERE project_id = 'alpha'";
        assert_eq!(text(&path, alpha), "34 1");
        let reserved = "SELECT reserved_ids FROM id_reservations";
        assert_eq!(
            text(&path, reserved),
            r#"["US-029","US-030","US-031","US-032","US-033","US-034"]"#
        );
    }
}

#[test]
fn the_tables_are_those_that_other_programs_make() {
    let statements = [
        (
            Layout::prefix_type(),
            "CREATE TABLE IF NOT EXISTS id_sequences (
             prefix TEXT NOT NULL,
             type_code TEXT NOT NULL,
             next_number INTEGER NOT NULL DEFAULT 1,
             PRIMARY KEY (prefix, type_code)
         );",
        ),
        (
            Layout::name(),
            "CREATE TABLE id_sequences(name TEXT PRIMARY KEY, last_value INTEGER NOT NULL)",
        ),
    ];
    let columns = "SELECT group_concat(name || type || \"notnull\" || coalesce(dflt_value, '') || pk) FROM pragma_table_info('id_sequences')";
    for (layout, statement) in statements {
        let theirs = Connection::open_in_memory().unwrap();
        theirs.execute_batch(statement).unwrap();
        let theirs: String = theirs.query_row(columns, [], |row| row.get(0)).unwrap();
        let store = Ours::new(layout);
        assert_eq!(text(&store.path(), columns), theirs);
    }
}

#[test]
fn migrations_are_numbered_recorded_and_applied_once() {
    let store = Ours::new(Layout::registry());
    store.execute("INSERT INTO id_registry (artifact_type, project_id, last_assigned_id) VALUES ('US', 'p', 5)");
    let record = "SELECT group_concat(number || name) FROM (SELECT * FROM orchestrator_migrations ORDER BY number)";
    let applied = "10001_id_registry,20002_id_reservations,60006_orchestrator_idempotency";
    assert_eq!(text(&store.path(), record), applied);
    // What is recorded is not recorded again, and no row is touched.
    assert!(!make(&store.path(), Layout::registry()).was_made());
    assert_eq!(text(&store.path(), record), applied);
    let counter = "SELECT CAST(last_assigned_id AS TEXT) FROM id_registry";
    assert_eq!(text(&store.path(), counter), "5");
    // Another layout in the same file adds its own.
    make(&store.path(), Layout::prefix_type());
    assert!(text(&store.path(), record).contains("30003_id_sequences_prefix_type,50005"));
    // And one whose table is there with other columns changes nothing.
    let options = SqliteOptions { make: Make::File, ..SqliteOptions::default() };
    let error = SqliteBackend::open(&store.path(), Layout::name(), options).unwrap_err();
    assert!(
        matches!(&error, SequenceError::OtherColumns { missing, .. } if missing == "name, last_value")
    );
    assert!(!text(&store.path(), record).contains("0004"));
}

#[test]
fn of_several_that_make_the_file_at_once_one_does() {
    const PROGRAMS: usize = 8;
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids.db");
        let together = Barrier::new(PROGRAMS);
        let program = || {
            together.wait();
            let mut backend = open(&path, Make::File).unwrap();
            let reply = ask(&mut backend, next(&us(), 1)).unwrap();
            let Reply::Issued(issued) = reply else { panic!("{reply:?}") };
            (backend.was_made(), issued.first)
        };
        let mut answers = thread::scope(|scope| {
            let programs: Vec<_> = (0..PROGRAMS).map(|_| scope.spawn(program)).collect();
            programs.into_iter().map(|program| program.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(answers.iter().filter(|answer| answer.0).count(), 1);
        answers.sort_by_key(|answer| answer.1);
        assert!(answers.iter().map(|answer| answer.1).eq(1..=PROGRAMS as u32));
    }
}

#[test]
fn a_table_of_sequences_that_was_lost_never_comes_back_empty() {
    let store = Ours::new(Layout::registry());
    assert_eq!(range(ask(&mut store.open(), next(&us(), 3))), (1, 3));
    store.execute("DROP TABLE id_reservations");
    let refused = ask(&mut store.open(), reserve(&us(), 1, HOUR)).unwrap_err();
    assert!(matches!(&refused, SequenceError::NoTable { table } if table == "id_reservations"));
    // What is beside the sequences can be made again.
    let mut backend = open(&store.path(), Make::Tables).unwrap();
    assert_eq!(range(ask(&mut backend, reserve(&us(), 1, HOUR))), (4, 4));
    store.execute("DROP TABLE id_registry");
    for kind in [Make::Nothing, Make::Tables, Make::File] {
        let error = open(&store.path(), kind).unwrap_err();
        assert!(matches!(&error, SequenceError::NoTable { table } if table == "id_registry"));
        assert!(error.to_string().contains("id sync --rebuild"), "{error}");
    }
    assert!(ask(&mut backend, next(&us(), 1)).is_err());
}
