//! An ID and the row that carries it, committed together.
//!
//! A bank numbers its credit lines `CL001`, `CL002`, … and its fixed advances
//! `FV0001`, `FV0002`, …. So far each request read the highest ID, added one and
//! inserted, and two requests at the same time computed the same ID. This program
//! adds the sequence table, fills it from the rows that exist, and then creates
//! rows from many threads at once. Run it with
//! `cargo run --example allocate_in_transaction`; it checks what it did. With the
//! URL of a PostgreSQL database as its argument it does the same there too.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

#[path = "allocate_in_transaction/on_postgres.rs"]
mod on_postgres;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use orchestrator::sequence::sqlite::{self, Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{Action, Backend, Key, Layout, Reply, SequenceError};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

/// Requests at the same time.
const THREADS: usize = 32;
/// Rows that each of them tries to create.
const EACH: usize = 6;

/// What the bank creates: the table is also the name of its sequence.
const TABLES: [&str; 2] = ["credit_lines", "fixed_advances"];

/// Why a row was not created. Each is a clean answer to whoever asked.
#[derive(Debug, thiserror::Error)]
enum CreateError {
    #[error("an amount must be above 0")]
    Amount,
    #[error("the database is busy; please try again")]
    Busy,
    #[error("no ID could be given")]
    Sequence(#[source] SequenceError),
    #[error("the row could not be stored")]
    Database(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for CreateError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}

impl From<SequenceError> for CreateError {
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::Busy { .. } => Self::Busy,
            error => Self::Sequence(error),
        }
    }
}

/// Creates a row, and tells its ID once both are committed. While others have the
/// lock it tries again, until `patience` is used up.
fn create(
    conn: &mut Connection,
    table: &str,
    amount: i64,
    patience: Duration,
) -> Result<String, CreateError> {
    let start = Instant::now();
    for attempt in 1.. {
        // BEGIN IMMEDIATE takes the lock before anything is read.
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate);
        let created = tx.map_err(CreateError::from).and_then(|tx| insert(tx, table, amount));
        match created {
            Err(CreateError::Busy) if start.elapsed() < patience => {
                // Not all at once again: the threads differ in how often they tried.
                thread::sleep(Duration::from_millis(1 + attempt * 7 % 13));
            }
            answer => return answer,
        }
    }
    Err(CreateError::Busy)
}

/// Takes the ID and inserts the row; dropped without a commit, the transaction is
/// rolled back, and the number with it.
fn insert(tx: Transaction<'_>, table: &str, amount: i64) -> Result<String, CreateError> {
    let layout = Layout::name();
    let key = layout.key(&[("name", table)])?;
    let issued = sqlite::allocate(&tx, &layout, &key, 1)?;
    let id = layout.id(&key, issued.first);
    tx.execute(&format!("INSERT INTO {table} (id, amount) VALUES (?1, ?2)"), params![id, amount])?;
    if amount <= 0 {
        return Err(CreateError::Amount);
    }
    tx.commit()?;
    Ok(id)
}

/// The bank as it was: rows with IDs, and no sequence.
fn old_bank(path: &Path) -> rusqlite::Result<()> {
    let conn = Connection::open(path)?;
    conn.execute_batch(
        "CREATE TABLE credit_lines (id TEXT PRIMARY KEY, amount INTEGER NOT NULL);
         CREATE TABLE fixed_advances (id TEXT PRIMARY KEY, amount INTEGER NOT NULL);
         INSERT INTO credit_lines VALUES ('CL001', 100), ('CL002', 200), ('CL008', 800);
         INSERT INTO fixed_advances VALUES ('FV0998', 1);",
    )
}

/// The migration: adds the table, and raises each sequence to the highest number
/// that exists. It changes no row, and it may run again.
fn migrate(path: &Path) -> Result<(), Box<dyn Error>> {
    let options = SqliteOptions { make: Make::Tables, ..SqliteOptions::default() };
    let mut backend = SqliteBackend::open(path, Layout::name(), options)?;
    let conn = Connection::open(path)?;
    for table in TABLES {
        let key = Key::new([table])?;
        let format = backend.layout().format(&key).clone();
        let mut rows = conn.prepare(&format!("SELECT id FROM {table}"))?;
        let mut highest = 0;
        for id in rows.query_map([], |row| row.get::<_, String>(0))? {
            let number = format.number(key.values(), &id?).unwrap_or(0);
            highest = highest.max(u32::try_from(number)?);
        }
        let raised = backend.commit(&[Action::Raise { key, to: highest }.into()])?;
        for outcome in raised {
            if let Reply::Raised { before, now } = outcome? {
                println!("{table}: stood at {}, stands at {now}", before.unwrap_or(0));
            }
        }
    }
    Ok(())
}

/// One thread's work: both kinds of rows, and now and then one that is refused.
fn client(path: &Path, number: usize) -> Result<Vec<(&'static str, String)>, CreateError> {
    let mut conn = Connection::open(path)?;
    let mut created = Vec::new();
    for n in 0..EACH {
        let table = TABLES[(number + n) % TABLES.len()];
        let amount = if (number + n).is_multiple_of(5) { 0 } else { 1_000 };
        match create(&mut conn, table, amount, Duration::from_secs(120)) {
            Ok(id) => created.push((table, id)),
            Err(CreateError::Amount) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(created)
}

/// Runs all threads at once; returns what they created.
fn create_from_many_threads(path: &Path) -> Result<Vec<(&'static str, String)>, CreateError> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|number| scope.spawn(move || client(path, number))).collect();
        let mut created = Vec::new();
        for thread in threads {
            created.extend(thread.join().expect("a client does not panic")?);
        }
        Ok(created)
    })
}

/// Checks that nobody got an ID that somebody else has, that none was given away by
/// a row that was refused, and that the rows of before are as they were.
fn check(path: &Path, created: &[(&'static str, String)]) -> Result<(), Box<dyn Error>> {
    let conn = Connection::open(path)?;
    let layout = Layout::name();
    for (table, before) in TABLES.into_iter().zip([8, 998]) {
        let told: BTreeSet<&str> =
            created.iter().filter(|row| row.0 == table).map(|row| row.1.as_str()).collect();
        let count = u32::try_from(created.iter().filter(|row| row.0 == table).count())?;
        let key = Key::new([table])?;
        let expected: BTreeSet<String> =
            (before + 1..=before + count).map(|number| layout.id(&key, number)).collect();
        assert!(told.iter().copied().eq(expected.iter().map(String::as_str)), "{told:?}");
        let counter = "SELECT last_value FROM id_sequences WHERE name = ?1";
        let counter: u32 = conn.query_row(counter, [table], |row| row.get(0))?;
        assert_eq!(counter, before + count);
        println!(
            "{table}: {count} created, each with an ID of its own, up to {}",
            layout.id(&key, counter)
        );
    }
    let old = "SELECT group_concat(id || '=' || amount, ' ') FROM \
               (SELECT * FROM credit_lines WHERE amount < 1000 ORDER BY id)";
    let old: String = conn.query_row(old, [], |row| row.get(0))?;
    assert_eq!(old, "CL001=100 CL002=200 CL008=800");
    Ok(())
}

/// Shows the answer to a request while somebody keeps the lock for too long.
fn busy(path: &Path) -> Result<(), Box<dyn Error>> {
    let holder = Connection::open(path)?;
    holder.execute_batch("BEGIN IMMEDIATE")?;
    let mut conn = Connection::open(path)?;
    conn.busy_timeout(Duration::ZERO)?;
    let refused = create(&mut conn, "credit_lines", 1, Duration::from_millis(50));
    holder.execute_batch("ROLLBACK")?;
    let Err(refused @ CreateError::Busy) = refused else {
        return Err(format!("the lock was not heeded: {refused:?}").into());
    };
    println!("while the database is locked: {refused}");
    Ok(())
}

fn on_sqlite() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("bank.db");
    old_bank(&path)?;
    migrate(&path)?;
    // It may run again, as every deployment does.
    migrate(&path)?;
    let created = create_from_many_threads(&path)?;
    check(&path, &created)?;
    busy(&path)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("on SQLite, {THREADS} threads:");
    on_sqlite()?;
    if let Some(url) = std::env::args().nth(1) {
        println!("on PostgreSQL, {THREADS} connections:");
        on_postgres::run(&url)?;
    }
    Ok(())
}
