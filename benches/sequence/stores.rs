//! The plain designs that ours is measured against, each on a store of its own:
//! what a program would do that takes its numbers itself.
//!
//! Every client takes numbers until the time is over, one request after the other;
//! what it was told is returned, so that the caller can check it.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio_postgres::{Client, IsolationLevel, NoTls, Statement};

use crate::{Error, Result};

/// What every client of a round asks for.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) project: String,
    pub(crate) time: Duration,
}

const TABLE: &str = "CREATE TABLE id_registry (
    artifact_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    last_assigned_id BIGINT NOT NULL DEFAULT 0,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (artifact_type, project_id))";

const UPSERT: &str = "INSERT INTO id_registry (artifact_type, project_id, last_assigned_id)
    VALUES ('US', $1, 1) ON CONFLICT (artifact_type, project_id) DO UPDATE SET
    last_assigned_id = id_registry.last_assigned_id + 1, updated_at = CURRENT_TIMESTAMP
    RETURNING last_assigned_id";

/// SQLite with a connection for each thread, or with one alone.
pub(crate) struct Sqlite {
    connections: Vec<Connection>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, connections: usize) -> Result<Self> {
        let open = || -> Result<Connection> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.busy_timeout(Duration::from_secs(60))?;
            Ok(connection)
        };
        let first = open()?;
        first.execute_batch(TABLE)?;
        let mut all = vec![first];
        for _ in 1..connections {
            all.push(open()?);
        }
        Ok(Self { connections: all })
    }

    /// Runs the first connection alone, on this thread.
    pub(crate) fn run_one(&self, round: &Round) -> Result<Vec<i64>> {
        let connection = self.connections.first().ok_or("no connection")?;
        let mut upsert = connection.prepare(UPSERT)?;
        let mut told = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < round.time {
            told.push(upsert.query_row([&round.project], |row| row.get(0))?);
        }
        Ok(told)
    }

    /// Runs the first `clients` connections, each in a thread of its own.
    pub(crate) fn run(&mut self, clients: usize, round: &Round) -> Result<Vec<i64>> {
        let work = |connection: &mut Connection| -> Result<Vec<i64>> {
            let mut told = Vec::new();
            let begin = Instant::now();
            while begin.elapsed() < round.time {
                let behavior = TransactionBehavior::Immediate;
                let transaction = connection.transaction_with_behavior(behavior)?;
                let number = transaction
                    .prepare_cached(UPSERT)?
                    .query_row([&round.project], |row| row.get(0))?;
                transaction.commit()?;
                told.push(number);
            }
            Ok(told)
        };
        thread::scope(|scope| {
            let each = self.connections.iter_mut().take(clients);
            let threads: Vec<_> = each.map(|one| scope.spawn(move || work(one))).collect();
            let mut told = Vec::new();
            for thread in threads {
                told.extend(thread.join().map_err(|_| "a client panicked")??);
            }
            Ok(told)
        })
    }
}

/// A connection for each client to PostgreSQL.
pub(crate) struct Postgres {
    clients: Vec<Arc<Mutex>>,
}

type Mutex = tokio::sync::Mutex<Session>;

struct Session {
    client: Client,
    select: Statement,
    insert: Statement,
    update: Statement,
    upsert: Statement,
}

/// What a client does for one number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    /// A transaction with SERIALIZABLE, SELECT FOR UPDATE and UPDATE, tried once more
    /// where it fails.
    Literal,
    /// One statement with the server's own isolation.
    Upsert,
}

impl Postgres {
    pub(crate) async fn connect(url: &str, clients: usize) -> Result<Self> {
        let mut all = Vec::new();
        for number in 0..clients {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            if number == 0 {
                client.batch_execute(TABLE).await?;
            }
            let select = "SELECT last_assigned_id FROM id_registry
                WHERE artifact_type = 'US' AND project_id = $1 FOR UPDATE";
            let insert = "INSERT INTO id_registry (artifact_type, project_id)
                VALUES ('US', $1) ON CONFLICT DO NOTHING";
            let update = "UPDATE id_registry SET last_assigned_id = $1, updated_at = NOW()
                WHERE artifact_type = 'US' AND project_id = $2";
            let session = Session {
                select: client.prepare(select).await?,
                insert: client.prepare(insert).await?,
                update: client.prepare(update).await?,
                upsert: client.prepare(UPSERT).await?,
                client,
            };
            all.push(Arc::new(Mutex::new(session)));
        }
        Ok(Self { clients: all })
    }

    /// Runs the first `clients` connections at the same time.
    pub(crate) async fn run(
        &self,
        design: Design,
        clients: usize,
        round: &Round,
    ) -> Result<Vec<i64>> {
        // The row is there before the time begins, as the original has it.
        let first = self.clients.first().ok_or("no connection")?.lock().await;
        first.client.execute(&first.insert, &[&round.project]).await?;
        drop(first);
        let tasks: Vec<_> = self.clients[..clients]
            .iter()
            .map(|session| {
                let (session, round) = (Arc::clone(session), round.clone());
                tokio::spawn(async move {
                    let mut session = session.lock().await;
                    session.work(design, &round).await
                })
            })
            .collect();
        let mut told = Vec::new();
        for task in tasks {
            told.extend(task.await??);
        }
        Ok(told)
    }
}

impl Session {
    async fn work(&mut self, design: Design, round: &Round) -> Result<Vec<i64>> {
        let mut told = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < round.time {
            if design == Design::Upsert {
                let row = self.client.query_one(&self.upsert, &[&round.project]).await?;
                told.push(row.get(0));
                continue;
            }
            // Tried again once; then it is a server error, and the client asks anew.
            for _ in 0..2 {
                match self.literal(&round.project).await {
                    Ok(number) => {
                        told.push(number);
                        break;
                    }
                    Err(error) if is_serialization(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(told)
    }

    async fn literal(&mut self, project: &str) -> Result<i64, tokio_postgres::Error> {
        let begin = self.client.build_transaction().isolation_level(IsolationLevel::Serializable);
        let transaction = begin.start().await?;
        let last: i64 = transaction.query_one(&self.select, &[&project]).await?.get(0);
        let next = last + 1;
        transaction.execute(&self.update, &[&next, &project]).await?;
        transaction.commit().await?;
        Ok(next)
    }
}

fn is_serialization(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::T_R_SERIALIZATION_FAILURE)
}

/// Checks that nobody was told what somebody else was, and that the counter stands
/// at what was told.
pub(crate) fn check(name: &str, mut told: Vec<i64>) -> Result<usize> {
    told.sort_unstable();
    let count = told.len();
    told.dedup();
    let last = told.last().copied().unwrap_or(0);
    if told.len() != count || i64::try_from(count) != Ok(last) {
        return Err(Error::from(format!("{name}: {count} told, {} different", told.len())));
    }
    Ok(count)
}
