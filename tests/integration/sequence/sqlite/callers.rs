//! Numbers inside transactions of the caller's own.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use orchestrator::sequence::{Key, Layout, SequenceError, sqlite};
use rusqlite::{Connection, TransactionBehavior};
use tempfile::TempDir;

fn bank() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bank.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE id_sequences(name TEXT PRIMARY KEY, last_value INTEGER NOT NULL);
         INSERT INTO id_sequences VALUES ('credit_lines', 8), ('fixed_advances', 998);
         CREATE TABLE credit_lines (id TEXT PRIMARY KEY);
         INSERT INTO credit_lines VALUES ('CL007'), ('CL008');",
    )
    .unwrap();
    (dir, path)
}

fn named(name: &str) -> Key {
    Key::new([name]).unwrap()
}

fn last(conn: &Connection, name: &str) -> i64 {
    let sql = "SELECT last_value FROM id_sequences WHERE name = ?1";
    conn.query_row(sql, [name], |row| row.get(0)).unwrap()
}

#[test]
fn the_number_and_the_row_are_committed_together() {
    let (_dir, path) = bank();
    let mut conn = Connection::open(path).unwrap();
    let layout = Layout::name();
    for expected in ["FV0999", "FV1000"] {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let issued = sqlite::allocate(&tx, &layout, &named("fixed_advances"), 1).unwrap();
        assert_eq!(issued.ids(&layout), [expected]);
        tx.commit().unwrap();
    }
    assert_eq!(last(&conn, "fixed_advances"), 1000);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let issued = sqlite::allocate(&tx, &layout, &named("credit_lines"), 3).unwrap();
    assert_eq!(issued.ids(&layout), ["CL009", "CL010", "CL011"]);
    assert_eq!(issued.previous(&layout).as_deref(), Some("CL008"));
    tx.commit().unwrap();
}

#[test]
fn a_rollback_gives_the_number_back() {
    let (_dir, path) = bank();
    let mut conn = Connection::open(path).unwrap();
    let layout = Layout::name();
    for _ in 0..2 {
        let tx = conn.transaction().unwrap();
        let issued = sqlite::allocate(&tx, &layout, &named("credit_lines"), 1).unwrap();
        assert_eq!(issued.first, 9);
        tx.rollback().unwrap();
    }
    // A savepoint gives back as much as it took.
    let mut tx = conn.transaction().unwrap();
    let savepoint = tx.savepoint().unwrap();
    assert_eq!(sqlite::allocate(&savepoint, &layout, &named("credit_lines"), 5).unwrap().first, 9);
    drop(savepoint);
    assert_eq!(sqlite::allocate(&tx, &layout, &named("credit_lines"), 1).unwrap().first, 9);
    tx.commit().unwrap();
    assert_eq!(last(&conn, "credit_lines"), 9);
}

#[test]
fn what_a_caller_can_do_wrong() {
    let (_dir, path) = bank();
    let mut conn = Connection::open(path).unwrap();
    let layout = Layout::name();
    let alone = sqlite::allocate(&conn, &layout, &named("credit_lines"), 1).unwrap_err();
    assert!(matches!(alone, SequenceError::NoTransaction), "{alone}");
    let tx = conn.transaction().unwrap();
    let take = |layout: &Layout, key: &Key, count| sqlite::allocate(&tx, layout, key, count);
    let unknown = take(&layout, &named("orders"), 1).unwrap_err();
    assert!(matches!(unknown, SequenceError::NoSequence { .. }), "{unknown}");
    assert!(unknown.to_string().contains("id sync"));
    assert!(matches!(take(&layout, &named("credit_lines"), 0), Err(SequenceError::Count { .. })));
    let two = Key::new(["a", "b"]).unwrap();
    assert!(matches!(take(&layout, &two, 1), Err(SequenceError::Key { .. })));
    let columns = take(&Layout::prefix_type(), &two, 1).unwrap_err();
    assert!(matches!(columns, SequenceError::OtherColumns { .. }), "{columns}");
    let table = take(&Layout::registry(), &two, 1).unwrap_err();
    assert!(matches!(table, SequenceError::NoTable { .. }), "{table}");
    // A column that is not there is no text: SQLite would compare with its name.
    let odd = Layout::custom("id_sequences", &["credit_lines"], "last_value", "{n}").unwrap();
    let odd = take(&odd, &named("credit_lines"), 1).unwrap_err();
    assert!(matches!(odd, SequenceError::OtherColumns { .. }), "{odd}");
    drop(tx);
    assert_eq!(last(&conn, "credit_lines"), 8);
}

#[test]
fn at_the_end_of_all_numbers_nothing_is_taken() {
    let (_dir, path) = bank();
    let mut conn = Connection::open(path).unwrap();
    let near = i64::from(u32::MAX) - 2;
    conn.execute("UPDATE id_sequences SET last_value = ?1 WHERE name = 'credit_lines'", [near])
        .unwrap();
    let layout = Layout::name();
    let tx = conn.transaction().unwrap();
    let full = sqlite::allocate(&tx, &layout, &named("credit_lines"), 3).unwrap_err();
    assert!(matches!(full, SequenceError::Exhausted { last, .. } if last == near), "{full}");
    let two = sqlite::allocate(&tx, &layout, &named("credit_lines"), 2).unwrap();
    assert_eq!(two.numbers().collect::<Vec<_>>(), [u32::MAX - 1, u32::MAX]);
    assert!(sqlite::allocate(&tx, &layout, &named("credit_lines"), 1).is_err());
}

#[test]
fn thirty_two_threads_create_rows_without_a_duplicate() {
    const THREADS: usize = 32;
    const EACH: usize = 8;
    let (_dir, path) = bank();
    let create = |n: usize| {
        let mut conn = Connection::open(&path).unwrap();
        conn.busy_timeout(Duration::from_secs(120)).unwrap();
        let layout = Layout::name();
        let mut created = Vec::new();
        while created.len() < EACH {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
            let issued = sqlite::allocate(&tx, &layout, &named("credit_lines"), 1).unwrap();
            let id = layout.id(&issued.key, issued.first);
            tx.execute("INSERT INTO credit_lines VALUES (?1)", [&id]).unwrap();
            // Some think better of it.
            if (n + created.len() + issued.first as usize).is_multiple_of(5) {
                tx.rollback().unwrap();
                created.push(None);
            } else {
                tx.commit().unwrap();
                created.push(Some(id));
            }
        }
        created
    };
    let created: Vec<Option<String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || create(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let told: Vec<&String> = created.iter().flatten().collect();
    let distinct: BTreeSet<_> = told.iter().collect();
    assert_eq!(distinct.len(), told.len());
    let conn = Connection::open(&path).unwrap();
    // Nothing is given away by a rollback: the rows are numbered without a gap.
    assert_eq!(last(&conn, "credit_lines"), 8 + told.len() as i64);
    let rows: i64 =
        conn.query_row("SELECT count(*) FROM credit_lines", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2 + told.len() as i64);
}

#[cfg(all(unix, feature = "cli"))]
#[test]
fn the_example_does_what_it_says() {
    let program = crate::support::example("allocate_in_transaction");
    let output = std::process::Command::new(program).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "credit_lines: stood at 8, stands at 8",
        "each with an ID of its own, up to CL",
        "the database is busy; please try again",
    ] {
        assert!(told.contains(line), "{told}");
    }
}
