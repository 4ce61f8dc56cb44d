//! The same story on PostgreSQL, in a schema that is new and stays for a look.
//!
//! Each client has a connection. READ COMMITTED is enough: the row of the sequence
//! is locked, and whoever waited for it reads it anew. In SERIALIZABLE transactions,
//! and after a deadlock, any statement may say that others were in the way; then the
//! whole transaction is done again, a bounded number of times.

use std::error::Error;

use orchestrator::sequence::postgres::{PostgresBackend, PostgresOptions, allocate};
use orchestrator::sequence::{Action, Backend, Key, Layout, SequenceError};
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::{EACH, TABLES, THREADS};

/// Tries of a transaction that others get in the way of.
const MAX_TRIES: usize = 10;

/// Why a row was not created.
#[derive(Debug, thiserror::Error)]
enum CreateError {
    #[error("an amount must be above 0")]
    Amount,
    #[error("the database is busy; please try again")]
    Busy,
    #[error("no ID could be given")]
    Sequence(#[source] SequenceError),
    #[error("the row could not be stored")]
    Database(#[source] tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for CreateError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&(SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED)) => {
                Self::Busy
            }
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

async fn create(client: &mut Client, table: &str, amount: i64) -> Result<String, CreateError> {
    for _ in 0..MAX_TRIES {
        match insert(client, table, amount).await {
            Err(CreateError::Busy) => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
    Err(CreateError::Busy)
}

/// Takes the ID and inserts the row; dropped without a commit, the transaction is
/// rolled back, and the number with it.
async fn insert(client: &mut Client, table: &str, amount: i64) -> Result<String, CreateError> {
    let layout = Layout::name();
    let key = layout.key(&[("name", table)])?;
    let transaction = client.transaction().await?;
    let issued = allocate(&transaction, &layout, &key, 1).await?;
    let id = layout.id(&key, issued.first);
    let insert = format!("INSERT INTO {table} (id, amount) VALUES ($1, $2)");
    transaction.execute(&insert, &[&id, &amount]).await?;
    if amount <= 0 {
        return Err(CreateError::Amount);
    }
    transaction.commit().await?;
    Ok(id)
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client, and what it has to say the client says too.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

/// The bank as it was: rows with IDs, and no sequence.
async fn old_bank(config: &Config, schema: &str) -> Result<(), tokio_postgres::Error> {
    let bank = format!(
        "CREATE SCHEMA {schema};
         CREATE TABLE credit_lines (id TEXT PRIMARY KEY, amount BIGINT NOT NULL);
         CREATE TABLE fixed_advances (id TEXT PRIMARY KEY, amount BIGINT NOT NULL);
         INSERT INTO credit_lines VALUES ('CL001', 100), ('CL002', 200), ('CL008', 800);
         INSERT INTO fixed_advances VALUES ('FV0998', 1);"
    );
    connect(config).await?.batch_execute(&bank).await
}

/// The migration: adds the table, and raises each sequence to the highest number
/// that exists. It changes no row, and it may run again.
async fn migrate(config: &Config, url: &str) -> Result<(), Box<dyn Error>> {
    let client = connect(config).await?;
    let mut raises = Vec::new();
    let layout = Layout::name();
    for table in TABLES {
        let key = Key::new([table])?;
        let mut highest = 0;
        for row in client.query(&format!("SELECT id FROM {table}"), &[]).await? {
            let number = layout.format(&key).number(key.values(), row.get(0)).unwrap_or(0);
            highest = highest.max(u32::try_from(number)?);
        }
        raises.push(Action::Raise { key, to: highest }.into());
    }
    let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
    for outcome in PostgresBackend::open(url, layout, options)?.commit(&raises)? {
        outcome?;
    }
    Ok(())
}

/// One client's work: both kinds of rows, and now and then one that is refused.
async fn work(config: Config, number: usize) -> Result<Vec<(usize, String)>, CreateError> {
    let mut client = connect(&config).await?;
    let mut created = Vec::new();
    for n in 0..EACH {
        let table = (number + n) % TABLES.len();
        let amount = if (number + n).is_multiple_of(5) { 0 } else { 1_000 };
        match create(&mut client, TABLES[table], amount).await {
            Ok(id) => created.push((table, id)),
            Err(CreateError::Amount) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(created)
}

/// Checks that the IDs follow each other without a gap, and have their rows.
async fn check(config: &Config, created: &[(usize, String)]) -> Result<(), Box<dyn Error>> {
    let client = connect(config).await?;
    let layout = Layout::name();
    for (place, before) in [8, 998].into_iter().enumerate() {
        let table = TABLES[place];
        let key = Key::new([table])?;
        let mut told: Vec<&str> =
            created.iter().filter(|row| row.0 == place).map(|row| row.1.as_str()).collect();
        told.sort_unstable();
        let last = before + u32::try_from(told.len())?;
        let mut expected: Vec<String> =
            (before + 1..=last).map(|number| layout.id(&key, number)).collect();
        expected.sort_unstable();
        assert_eq!(told, expected);
        let rows = format!("SELECT id FROM {table} WHERE amount = 1000 ORDER BY id COLLATE \"C\"");
        let rows = client.query(&rows, &[]).await?;
        assert!(rows.iter().map(|row| row.get::<_, &str>(0)).eq(told.iter().copied()));
        println!(
            "{table}: {} created, each with an ID of its own, up to {}",
            told.len(),
            layout.id(&key, last)
        );
    }
    Ok(())
}

/// Runs the story on the database at `url`.
pub(crate) fn run(url: &str) -> Result<(), Box<dyn Error>> {
    let schema = format!("bank_{}", std::process::id());
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options=-csearch_path%3D{schema}");
    let config: Config = url.parse()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        old_bank(&config, &schema).await?;
        migrate(&config, &url).await?;
        // It may run again, as every deployment does.
        migrate(&config, &url).await?;
        let mut clients = JoinSet::new();
        for number in 0..THREADS {
            clients.spawn(work(config.clone(), number));
        }
        let mut created = Vec::new();
        for client in clients.join_all().await {
            created.extend(client?);
        }
        check(&config, &created).await
    })
}
