//! What other programs, disks and people can do to a database: a clear error, and
//! nothing issued.

use std::time::{Duration, Instant};

use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions, allocate};
use orchestrator::sequence::{Action, Backend, Key, Layout, SequenceError};
use rusqlite::Connection;

use super::Ours;
use crate::sequence::conformance::{HOUR, Store, ask, next, once, range, reserve, us};

fn open(path: &std::path::Path, make: Make) -> Result<SqliteBackend, SequenceError> {
    let options = SqliteOptions {
        make,
        busy_for: Duration::from_millis(100),
        presize: false,
        ..SqliteOptions::default()
    };
    SqliteBackend::open(path, Layout::registry(), options)
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ids.db");
    let long = "no database at all\n".repeat(500);
    for content in ["id: US-001\n", "SQLite format 3\0 and then nothing of it", &long] {
        std::fs::write(&path, content).unwrap();
        for make in [Make::Nothing, Make::Tables, Make::File] {
            let error = open(&path, make).unwrap_err();
            assert!(
                matches!(error, SequenceError::NotADatabase { .. }),
                "{content:.20}: {error:?}"
            );
            assert!(error.to_string().contains("id sync --rebuild"));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    // An empty file has no table; only who makes files fills it.
    std::fs::write(&path, "").unwrap();
    assert!(matches!(open(&path, Make::Nothing), Err(SequenceError::NoTable { .. })));
    assert!(open(&path, Make::File).unwrap().was_made());
    assert!(matches!(open(dir.path(), Make::File), Err(SequenceError::Database { .. })));
}

#[test]
fn a_damaged_database_issues_nothing() {
    let store = Ours::new(Layout::registry());
    assert_eq!(range(ask(&mut store.open(), next(&us(), 1))), (1, 1));
    let path = store.path();
    let bytes = std::fs::read(&path).unwrap();
    // All but the header and the schema is gone, as after a disk error.
    let mut damaged = bytes.clone();
    damaged[4096..].fill(0xA5);
    std::fs::write(&path, &damaged).unwrap();
    let error =
        open(&path, Make::Nothing).and_then(|mut backend| ask(&mut backend, next(&us(), 1)));
    let error = error.unwrap_err();
    assert!(matches!(error, SequenceError::NotADatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("id sync --rebuild"));
}

#[test]
fn a_rule_that_refuses_at_the_commit_costs_only_who_breaks_it() {
    let store = Ours::new(Layout::registry());
    store.execute(
        "CREATE TABLE projects (id TEXT PRIMARY KEY);
         INSERT INTO projects VALUES ('alpha');
         DROP TABLE id_registry;
         CREATE TABLE id_registry (artifact_type TEXT, last_assigned_id INTEGER, updated_at TEXT,
             project_id TEXT REFERENCES projects DEFERRABLE INITIALLY DEFERRED,
             PRIMARY KEY (artifact_type, project_id))",
    );
    let mut backend = store.open();
    let none = Key::new(["US", "none"]).unwrap();
    let batch = [next(&us(), 1), reserve(&none, 1, HOUR), next(&us(), 2)];
    let outcomes = backend.commit(&batch).unwrap();
    let [one, refused, other] = <[_; 3]>::try_from(outcomes).unwrap();
    assert!(matches!(refused, Err(SequenceError::Database { .. })), "{refused:?}");
    assert_eq!((range(one), range(other)), ((1, 1), (2, 3)));
    let counters = backend.counters().unwrap();
    assert!(matches!(counters.as_slice(), [(key, Ok(3))] if *key == us()), "{counters:?}");
    let held = "SELECT count(*) FROM id_reservations";
    let held = Connection::open(store.path()).unwrap().query_row(held, [], |row| row.get(0));
    assert_eq!(held, Ok(0));
}

#[test]
fn tables_of_another_kind_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let table = |columns: &str| {
        let path = dir.path().join(format!("{}.db", columns.len()));
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("CREATE TABLE t (x); CREATE TABLE id_registry ({columns})"))
            .unwrap();
        open(&path, Make::Nothing).unwrap_err()
    };
    let error = table("artifact_type, project_id, last_assigned_id");
    assert!(
        matches!(&error, SequenceError::OtherColumns { missing, .. } if missing == "updated_at"),
        "{error}"
    );
    let error = table("prefix, type_code, next_number, PRIMARY KEY (prefix, type_code)");
    assert!(
        matches!(&error, SequenceError::OtherColumns { missing, .. } if missing.contains("artifact_type, project_id"))
    );
    // Without a unique key two rows could answer to one key.
    let all = "Artifact_Type, PROJECT_ID, last_assigned_id, updated_at";
    for key in
        ["", ", UNIQUE (artifact_type, project_id, updated_at)", ", PRIMARY KEY (updated_at)"]
    {
        let error = table(&format!("{all}{key}"));
        assert!(matches!(&error, SequenceError::NotUnique { .. }), "{key}: {error}");
    }
    let path = dir.path().join("partial.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "CREATE TABLE id_registry ({all});
         CREATE UNIQUE INDEX part ON id_registry (artifact_type, project_id) WHERE project_id > 'a'"
    ))
    .unwrap();
    assert!(matches!(open(&path, Make::Nothing), Err(SequenceError::NotUnique { .. })));
    conn.execute_batch("CREATE UNIQUE INDEX whole ON id_registry (Project_id, artifact_type)")
        .unwrap();
    assert_eq!(range(ask(&mut open(&path, Make::Nothing).unwrap(), next(&us(), 1))), (1, 1));
    let without = dir.path().join("without.db");
    Connection::open(&without).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = open(&without, Make::Nothing).unwrap_err();
    assert!(
        matches!(&error, SequenceError::NoTable { .. }) && error.to_string().contains("--create")
    );
}

#[test]
fn counters_that_are_no_numbers_are_errors_and_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.db");
    // Columns without a type keep whatever is put in.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE id_registry (artifact_type, project_id, last_assigned_id, updated_at,
             PRIMARY KEY (artifact_type, project_id))",
    )
    .unwrap();
    let garbage = [
        "-1",
        "-9223372036854775808",
        "NULL",
        "'41'",
        "'9223372036854775808'",
        "4.0",
        "1e300",
        "x'31'",
        "''",
        "4294967296",
        "9223372036854775807",
    ];
    for (i, value) in garbage.iter().enumerate() {
        conn.execute_batch(&format!(
            "INSERT INTO id_registry VALUES ('K{i}', 'p', {value}, 'then')"
        ))
        .unwrap();
    }
    let snapshot = || -> String {
        conn.query_row(
            "SELECT group_concat(quote(last_assigned_id) || updated_at) FROM id_registry",
            [],
            |row| row.get(0),
        )
        .unwrap()
    };
    let before = snapshot();
    let mut backend = open(&path, Make::Nothing).unwrap();
    for (i, value) in garbage.iter().enumerate() {
        let key = Key::new([format!("K{i}"), "p".to_owned()]).unwrap();
        for request in [next(&key, 1), next(&key, 100)] {
            let error = ask(&mut backend, request).unwrap_err();
            let expected =
                matches!(error, SequenceError::Counter { .. } | SequenceError::Exhausted { .. });
            assert!(expected && error.to_string().contains(&key.to_string()), "{value}: {error}");
        }
    }
    assert!(backend.counters().unwrap().iter().all(|(_, last)| last.is_err()));
    assert_eq!(snapshot(), before);
}

#[test]
fn a_writer_elsewhere_is_waited_for_and_then_a_clean_error() {
    let store = Ours::new(Layout::registry());
    let mut backend = open(&store.path(), Make::Nothing).unwrap();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE id_registry SET last_assigned_id = 9").unwrap();
    let start = Instant::now();
    let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
    assert!(
        matches!(error, SequenceError::Busy { waited } if waited >= Duration::from_millis(100)),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(60) && !error.is_outcome_unknown());
    other.execute_batch("COMMIT").unwrap();
    // Nothing was read before the lock was there.
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (10, 10));
}

#[test]
fn a_reader_that_blocks_the_commit_costs_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.db");
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("CREATE TABLE chunks (x)").unwrap();
    drop(open(&path, Make::Tables).unwrap());
    let mut backend = open(&path, Make::Nothing).unwrap();
    // Without a write-ahead log a reader keeps the commit from the file.
    reader.execute_batch("BEGIN; SELECT count(*) FROM chunks").unwrap();
    let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
    assert!(matches!(error, SequenceError::Busy { .. }), "{error:?}");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
}

#[test]
fn a_trigger_of_another_program_may_refuse() {
    let store = Ours::new(Layout::registry());
    let mut backend = store.open();
    for action in ["ABORT", "FAIL", "ROLLBACK"] {
        store.execute(&format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON id_registry
             BEGIN SELECT RAISE({action}, 'not today'); END"
        ));
        let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
        assert!(
            matches!(&error, SequenceError::Database { source, .. } if source.to_string().contains("not today")),
            "{error:?}"
        );
        store.execute("DROP TRIGGER refuse");
        assert!(backend.counters().unwrap().is_empty());
    }
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
}

#[test]
fn what_one_request_lacks_costs_the_others_of_its_batch_nothing() {
    let store = Ours::new(Layout::registry());
    store.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON id_registry WHEN new.artifact_type = 'BAD'
         BEGIN SELECT RAISE(ABORT, 'not today'); END;
         CREATE TRIGGER holds AFTER INSERT ON id_registry WHEN new.artifact_type = 'HELD'
         BEGIN DELETE FROM id_registry WHERE artifact_type = 'HELD'; END;
         DROP TABLE id_reservations;",
    );
    let mut backend = store.open();
    let bad = Key::new(["BAD", "alpha"]).unwrap();
    let back = Key::new(["HELD", "alpha"]).unwrap();
    let batch =
        [next(&us(), 1), next(&bad, 1), next(&back, 1), reserve(&us(), 5, HOUR), next(&us(), 2)];
    let outcomes = backend.commit(&batch).unwrap();
    let [first, refused, back, held, last] = <[_; 5]>::try_from(outcomes).unwrap();
    for refused in [refused, back] {
        assert!(matches!(refused, Err(SequenceError::Database { .. })), "{refused:?}");
    }
    assert!(matches!(held, Err(SequenceError::NoTable { .. })), "{held:?}");
    assert_eq!((range(first), range(last)), ((1, 1), (2, 3)));
}

#[test]
fn a_counter_that_a_trigger_holds_issues_nothing() {
    let triggers = [
        "BEFORE UPDATE ON id_registry BEGIN SELECT RAISE(IGNORE); END",
        "AFTER UPDATE ON id_registry WHEN new.last_assigned_id > 7 BEGIN
         UPDATE id_registry SET last_assigned_id = 7; END",
        "BEFORE INSERT ON id_registry BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON id_registry BEGIN UPDATE id_registry SET last_assigned_id = 0; END",
        "AFTER INSERT ON id_registry BEGIN DELETE FROM id_registry; END",
    ];
    for (trigger, is_there) in triggers.into_iter().zip([true, true, false, false, false]) {
        let store = Ours::new(Layout::registry());
        if is_there {
            assert_eq!(range(ask(&mut store.open(), next(&us(), 7))), (1, 7));
        }
        let conn = Connection::open(store.path()).unwrap();
        conn.execute_batch(&format!("CREATE TRIGGER theirs {trigger}")).unwrap();
        let raise = Action::Raise { key: us(), to: 9 }.into();
        for request in [next(&us(), 1), reserve(&us(), 2, HOUR), raise] {
            let error = ask(&mut store.open(), request).unwrap_err();
            assert!(matches!(error, SequenceError::Database { .. }), "{trigger}: {error:?}");
        }
        conn.execute_batch("DROP TRIGGER theirs").unwrap();
        let first = if is_there { 8 } else { 1 };
        assert_eq!(range(ask(&mut store.open(), next(&us(), 1))), (first, first));
    }
}

#[test]
fn triggers_on_reservations_keep_none_away_and_hold_no_counter() {
    for trigger in [
        "BEFORE INSERT ON id_reservations BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON id_reservations BEGIN DELETE FROM id_reservations; END",
        "AFTER INSERT ON id_reservations BEGIN UPDATE id_registry SET last_assigned_id = 7; END",
    ] {
        let store = Ours::new(Layout::registry());
        assert_eq!(range(ask(&mut store.open(), next(&us(), 7))), (1, 7));
        store.execute(&format!("CREATE TRIGGER theirs {trigger}"));
        let mut backend = store.open();
        // The other one of the batch has nothing to do with it.
        let outcomes = backend.commit(&[reserve(&us(), 2, HOUR), next(&us(), 1)]).unwrap();
        let [held, taken] = <[_; 2]>::try_from(outcomes).unwrap();
        assert!(matches!(held, Err(SequenceError::Database { .. })), "{trigger}: {held:?}");
        assert_eq!(range(taken), (8, 8), "{trigger}");
    }
}

#[test]
fn a_trigger_on_kept_answers_sets_no_counter_back() {
    let store = Ours::new(Layout::registry());
    assert_eq!(range(ask(&mut store.open(), next(&us(), 7))), (1, 7));
    store.execute(
        "CREATE TRIGGER theirs AFTER INSERT ON orchestrator_idempotency
             BEGIN UPDATE id_registry SET last_assigned_id = 1; END",
    );
    let error = ask(&mut store.open(), once(next(&us(), 1), "agent", "k")).unwrap_err();
    assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
    assert_eq!(range(ask(&mut store.open(), next(&us(), 1))), (8, 8));
}

/// What a statement says of conflicts would hold for those of triggers, too.
#[test]
fn triggers_of_another_program_go_on_to_work() {
    let store = Ours::new(Layout::registry());
    store.execute(
        "CREATE TABLE last_change (of TEXT PRIMARY KEY, n INTEGER);
         CREATE TRIGGER inserted AFTER INSERT ON id_registry BEGIN
             INSERT OR REPLACE INTO last_change VALUES ('registry', new.last_assigned_id); END;
         CREATE TRIGGER updated AFTER UPDATE ON id_registry BEGIN
             INSERT OR REPLACE INTO last_change VALUES ('registry', new.last_assigned_id); END;",
    );
    let mut backend = store.open();
    for n in 1..=3 {
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (n, n));
    }
    let raise = Action::Raise { key: us(), to: 9 }.into();
    ask(&mut backend, raise).unwrap();
    let mut conn = Connection::open(store.path()).unwrap();
    let transaction = conn.transaction().unwrap();
    assert_eq!(allocate(&transaction, &Layout::registry(), &us(), 1).unwrap().first, 10);
    transaction.commit().unwrap();
    let last = "SELECT n FROM last_change";
    assert_eq!(conn.query_row(last, [], |row| row.get::<_, i64>(0)).unwrap(), 10);
}

#[test]
fn a_constraint_that_replaces_rows_loses_none() {
    let store = Ours::new(Layout::registry());
    store.execute(
        "DROP TABLE id_registry;
         CREATE TABLE id_registry (artifact_type TEXT, project_id TEXT,
         last_assigned_id INTEGER UNIQUE ON CONFLICT REPLACE, updated_at TEXT,
         PRIMARY KEY (artifact_type, project_id));
         INSERT INTO id_registry VALUES ('US', 'alpha', 5, NULL), ('US', 'beta', 6, NULL);",
    );
    let mut backend = store.open();
    let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
    assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
    assert_eq!(store.open().counters().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_written_says_why() {
    let keys = "artifact_type TEXT, project_id TEXT, updated_at TEXT";
    for (made, why) in [
        (
            format!(
                "CREATE TABLE id_registry ({keys}, last_assigned_id INTEGER AS (1) STORED,
                 PRIMARY KEY (artifact_type, project_id))"
            ),
            "generated",
        ),
        (
            format!(
                "CREATE TABLE real ({keys}, last_assigned_id INTEGER);
                 CREATE VIEW id_registry AS SELECT * FROM real"
            ),
            "no table",
        ),
    ] {
        let store = Ours::new(Layout::registry());
        store.execute(&format!("DROP TABLE id_registry; {made}"));
        let options = SqliteOptions::default();
        let error = SqliteBackend::open(&store.path(), Layout::registry(), options).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
