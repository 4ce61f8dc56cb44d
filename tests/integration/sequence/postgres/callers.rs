//! Numbers inside a transaction of the caller's own: the ID and the row that
//! carries it are committed together, or neither.

use orchestrator::sequence::postgres::{PostgresBackend, PostgresOptions, allocate};
use orchestrator::sequence::{Action, Key, Layout, SequenceError};
use tokio_postgres::{Client, IsolationLevel};

use super::super::conformance::ask;
use super::{block_on, connect, text};
use crate::support::Cluster;

/// The tables of an application, some rows in them, and its sequences.
fn application() -> String {
    let cluster = Cluster::shared();
    let database = cluster.database();
    cluster.execute(
        &database,
        "CREATE TABLE id_sequences (name text PRIMARY KEY, last_value integer NOT NULL);
         CREATE TABLE credit_lines (id text PRIMARY KEY, amount integer NOT NULL);
         CREATE TABLE fixed_advances (id text PRIMARY KEY, amount integer NOT NULL);
         INSERT INTO credit_lines VALUES ('CL001', 10), ('CL008', 20);
         INSERT INTO id_sequences VALUES ('credit_lines', 8), ('fixed_advances', 998)",
    );
    cluster.url(&database)
}

fn key(name: &str) -> Key {
    Key::new([name]).unwrap()
}

/// Books a row with the next ID; another try where others were in the way.
async fn book(
    client: &mut Client,
    isolation: IsolationLevel,
    table: &str,
) -> Result<String, SequenceError> {
    let layout = Layout::name();
    let mut tries = 0;
    loop {
        let begin = client.build_transaction().isolation_level(isolation);
        let transaction = begin.start().await.unwrap();
        let issued = match allocate(&transaction, &layout, &key(table), 1).await {
            Ok(issued) => issued,
            Err(SequenceError::Busy { .. }) if tries < 1_000 => {
                tries += 1;
                transaction.rollback().await.unwrap();
                continue;
            }
            Err(error) => return Err(error),
        };
        let id = layout.id(&key(table), issued.first);
        let insert = format!("INSERT INTO {table} VALUES ($1, 5000)");
        transaction.execute(&insert, &[&id]).await.unwrap();
        transaction.commit().await.unwrap();
        return Ok(id);
    }
}

#[test]
fn an_id_and_its_row_are_committed_together() {
    let url = application();
    block_on(async {
        let mut client = connect(&url).await;
        let isolation = IsolationLevel::ReadCommitted;
        assert_eq!(book(&mut client, isolation, "credit_lines").await.unwrap(), "CL009");
        assert_eq!(book(&mut client, isolation, "credit_lines").await.unwrap(), "CL010");
        assert_eq!(book(&mut client, isolation, "fixed_advances").await.unwrap(), "FV0999");
        assert_eq!(book(&mut client, isolation, "fixed_advances").await.unwrap(), "FV1000");
        let ids = "SELECT string_agg(id, ' ' ORDER BY id) FROM credit_lines";
        assert_eq!(text(&client, ids).await, "CL001 CL008 CL009 CL010");
    });
}

#[test]
fn a_rollback_gives_nothing_away_and_takes_nothing() {
    let url = application();
    block_on(async {
        let mut client = connect(&url).await;
        let layout = Layout::name();
        for count in [1, 5] {
            let transaction = client.transaction().await.unwrap();
            let issued = allocate(&transaction, &layout, &key("credit_lines"), count).await;
            assert_eq!(issued.unwrap().first, 9);
            transaction.rollback().await.unwrap();
        }
        let id = book(&mut client, IsolationLevel::Serializable, "credit_lines").await;
        assert_eq!(id.unwrap(), "CL009");
        let last = "SELECT last_value::text FROM id_sequences WHERE name = 'credit_lines'";
        assert_eq!(text(&client, last).await, "9");
    });
}

#[test]
fn many_callers_at_once_leave_neither_gap_nor_duplicate() {
    const EACH: usize = 3;
    // A serializable one that waited is turned away, however many waited with it.
    for (isolation, callers) in
        [(IsolationLevel::ReadCommitted, 32), (IsolationLevel::Serializable, 6)]
    {
        let url = application();
        let mut ids: Vec<String> = block_on(async {
            let tasks = (0..callers).map(|_| {
                let url = url.clone();
                tokio::spawn(async move {
                    let mut client = connect(&url).await;
                    let mut ids = Vec::new();
                    for _ in 0..EACH {
                        ids.push(book(&mut client, isolation, "credit_lines").await.unwrap());
                    }
                    ids
                })
            });
            let tasks: Vec<_> = tasks.collect();
            let mut ids = Vec::new();
            for task in tasks {
                ids.extend(task.await.unwrap());
            }
            ids
        });
        ids.sort();
        let last = 8 + callers * EACH;
        let mut expected: Vec<String> = (9..=last).map(|n| format!("CL{n:03}")).collect();
        expected.sort();
        assert_eq!(ids, expected);
        let stored = "SELECT string_agg(id, ' ' ORDER BY id COLLATE \"C\") FROM credit_lines
            WHERE amount = 5000";
        let stored = block_on(async { text(&connect(&url).await, stored).await });
        assert_eq!(stored, expected.join(" "));
    }
}

#[test]
fn a_sequence_that_is_not_there_says_sync_and_rows_backfill_it() {
    let url = application();
    let orders = key("orders");
    block_on(async {
        let mut client = connect(&url).await;
        let transaction = client.transaction().await.unwrap();
        let error = allocate(&transaction, &Layout::name(), &orders, 1).await.unwrap_err();
        assert!(matches!(error, SequenceError::NoSequence { .. }));
        assert!(error.to_string().contains("id sync"), "{error}");
        for count in [0, 20_000] {
            let error = allocate(&transaction, &Layout::name(), &orders, count).await;
            assert!(matches!(error, Err(SequenceError::Count { .. })));
        }
    });
    let options = PostgresOptions::default();
    let mut backend = PostgresBackend::open(&url, Layout::name(), options).unwrap();
    ask(&mut backend, Action::Raise { key: orders.clone(), to: 41 }.into()).unwrap();
    block_on(async {
        let mut client = connect(&url).await;
        let transaction = client.transaction().await.unwrap();
        let issued = allocate(&transaction, &Layout::name(), &orders, 2).await.unwrap();
        assert_eq!((issued.first, issued.count), (42, 2));
        transaction.commit().await.unwrap();
    });
}

#[test]
fn a_table_of_another_layout_is_named() {
    let url = application();
    block_on(async {
        let mut client = connect(&url).await;
        let transaction = client.transaction().await.unwrap();
        let key = Key::new(["A", "B"]).unwrap();
        let error = allocate(&transaction, &Layout::prefix_type(), &key, 1).await.unwrap_err();
        assert!(matches!(error, SequenceError::OtherColumns { .. }), "{error}");
        let error = allocate(&transaction, &Layout::registry(), &key, 1).await.unwrap_err();
        assert!(matches!(error, SequenceError::NoTable { .. }), "{error}");
    });
}

#[test]
#[cfg(feature = "cli")]
fn the_example_tells_the_story_here_too() {
    let url = Cluster::shared().url(&Cluster::shared().database());
    let example = crate::support::example("allocate_in_transaction");
    let output = std::process::Command::new(example).arg(url).output().unwrap();
    let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(output.status.success(), "{stdout}{stderr}");
    let (_, here) = stdout.split_once("on PostgreSQL, 32 connections:").unwrap();
    let created = here.matches("each with an ID of its own").count();
    assert_eq!(created, 2, "{stdout}");
}
