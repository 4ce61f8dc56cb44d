//! What the service is measured against, behind the same routes: nothing at all, and
//! a transaction for each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator::api::{Answer, Source};
use orchestrator::sequence::{Action, Issued, Key, Layout, Reply, Request, SequenceError};
use tokio::sync::{Mutex as Exclusive, Semaphore};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, IsolationLevel, NoTls};

use crate::Result;

/// Connections of the plain design.
const POOL: usize = 20;
/// Tries of a transaction that others got in the way of; the clients of a bench
/// need an answer.
const TRIES: usize = 10_000;

pub(crate) fn key_of(request: Request) -> Key {
    match request.action {
        Action::Next { key, .. } | Action::Reserve { key, .. } => key,
        other => panic!("the bench asks for numbers alone: {other:?}"),
    }
}

/// Counts in memory: what a route costs by itself.
#[derive(Debug)]
pub(crate) struct Nothing {
    layout: Layout,
    last: Mutex<HashMap<Key, u32>>,
}

impl Nothing {
    pub(crate) fn new() -> Self {
        Self { layout: Layout::registry(), last: Mutex::default() }
    }
}

impl Source for Nothing {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn ask(&self, request: Request) -> Answer<'_> {
        let key = key_of(request);
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.entry(key.clone()).or_default();
        *last += 1;
        let issued = Issued { key, first: *last, count: 1 };
        Box::pin(async move { Ok(Reply::Issued(issued)) })
    }
}

/// A SERIALIZABLE transaction for each request, as the specification has it.
#[derive(Debug)]
pub(crate) struct Literal {
    layout: Layout,
    slots: Semaphore,
    idle: Exclusive<Vec<Client>>,
}

impl Literal {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..POOL {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            idle.push(client);
        }
        let (slots, idle) = (Semaphore::new(POOL), Exclusive::new(idle));
        Ok(Self { layout: Layout::registry(), slots, idle })
    }

    async fn take(&self, key: &Key) -> Result<u32, tokio_postgres::Error> {
        let _slot = self.slots.acquire().await.expect("it is never closed");
        let mut client = self.idle.lock().await.pop().expect("a slot stands for a connection");
        let mut taken = once(&mut client, key).await;
        for _ in 1..TRIES {
            let code = taken.as_ref().err().and_then(tokio_postgres::Error::code).cloned();
            let conflicts = [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::UNIQUE_VIOLATION,
            ];
            if !code.is_some_and(|code| conflicts.contains(&code)) {
                break;
            }
            taken = once(&mut client, key).await;
        }
        self.idle.lock().await.push(client);
        taken
    }
}

async fn once(client: &mut Client, key: &Key) -> Result<u32, tokio_postgres::Error> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::Serializable);
    let transaction = begin.start().await?;
    let values = key.values();
    let select = "SELECT last_assigned_id::bigint FROM id_registry \
                  WHERE artifact_type = $1 AND project_id = $2 FOR UPDATE";
    let row = transaction.query_opt(select, &[&values[0], &values[1]]).await?;
    let next = row.as_ref().map_or(0, |row| row.get::<_, i64>(0)) + 1;
    let write = if row.is_some() {
        "UPDATE id_registry SET last_assigned_id = $1::bigint, updated_at = now() \
         WHERE artifact_type = $2 AND project_id = $3"
    } else {
        "INSERT INTO id_registry (last_assigned_id, artifact_type, project_id) \
         VALUES ($1::bigint, $2, $3)"
    };
    transaction.execute(write, &[&next, &values[0], &values[1]]).await?;
    transaction.commit().await?;
    Ok(u32::try_from(next).expect("a bench takes few"))
}

impl Source for Literal {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn ask(&self, request: Request) -> Answer<'_> {
        Box::pin(async move {
            let key = key_of(request);
            let first = self.take(&key).await.map_err(|source| SequenceError::Database {
                doing: "take a number",
                source: Arc::new(source),
            })?;
            Ok(Reply::Issued(Issued { key, first, count: 1 }))
        })
    }
}
