//! Taking over IDs that exist: reading them from a column, and making tables in which
//! they are counted from the first moment on.
//!
//! Tables are made and sequences raised in one transaction, so that nobody ever finds a
//! sequence that starts at 1 though its IDs exist.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::connection::{Isolation, Target, connect};
use super::failure::{in_commit, refused};
use super::migrate::{apply_within, is_there, revive};
use super::rows::Rows;
use super::side::reservations;
use super::table::Table;
use crate::sequence::adopt::Column;
use crate::sequence::reservation::taken;
use crate::sequence::{Counter, Key, Layout, SequenceError};

/// How long reading a column, or waiting for somebody else's migration, may take; longer
/// where locks are waited for longer.
const LIMIT: Duration = Duration::from_secs(300);

/// Reads all values of a column, but for NULLs; locks of others are waited for that
/// long. Blocks.
///
/// # Errors
/// [`SequenceError::Unreachable`]; [`SequenceError::Database`] where there is no such
/// column.
pub fn column(
    url: &str,
    column: &Column,
    busy_for: Duration,
) -> Result<Vec<String>, SequenceError> {
    let target = Target::new(url)?;
    blocking(busy_for, async {
        let client = connect(&target, Isolation::ReadCommitted, busy_for).await?;
        // What a policy hides is issued again; so it is an error.
        match client.batch_execute("SET row_security TO off").await {
            // Nor has every server that speaks like PostgreSQL policies.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {}
            shows_all => shows_all.map_err(|error| refused("read the column", error))?,
        }
        let rows = client.query(&column.select(), &[]).await;
        let rows = rows.map_err(|error| refused("read the column", error))?;
        let value = |row: &tokio_postgres::Row| row.try_get(0);
        let values: Result<Vec<String>, _> = rows.iter().map(value).collect();
        values.map_err(|error| refused("read the column", error))
    })
}

/// Returns the highest number of each reservation there is, in no order: who holds them was
/// told, also where the sequence is lost. Blocks.
///
/// # Errors
/// [`SequenceError::Unreachable`]; [`SequenceError::Database`] where they cannot be read.
pub fn reserved(
    url: &str,
    layout: &Layout,
    busy_for: Duration,
) -> Result<Vec<Counter>, SequenceError> {
    let target = Target::new(url)?;
    let doing = |error| refused("read the reservations", error);
    blocking(busy_for, async {
        let client = connect(&target, Isolation::ReadCommitted, busy_for).await?;
        let table = reservations(layout);
        if !is_there(&client, table).await.map_err(doing)? {
            return Ok(Vec::new());
        }
        let of = match layout.layout_name() {
            "registry" => "ARRAY[r.artifact_type, r.project_id], $1::text",
            _ => "r.sequence_key, r.sequence_table",
        };
        let sql = format!("SELECT {of}, r.reserved_ids FROM {table} r");
        let sql =
            format!("SELECT key, ids FROM ({sql}) AS held (key, of, ids) WHERE of = $1::text");
        let mut counters = Vec::new();
        for row in client.query(&sql, &[&layout.table()]).await.map_err(doing)? {
            let (key, ids) = (row.try_get(0).map_err(doing)?, row.try_get(1).map_err(doing)?);
            let (key, ids): (Vec<String>, Vec<String>) = (key, ids);
            counters.extend(taken(layout, key, &ids));
        }
        Ok(counters)
    })
}

/// Makes the tables that are missing and raises sequences, in one transaction; returns
/// where each stood before, `None` where it had no row. With `revives` a table that was
/// made before and is lost is made too. Blocks.
///
/// # Errors
/// [`SequenceError::Unreachable`], and those of a table that is not of this layout.
/// What is wrong with a single sequence is in the answer.
pub fn make_and_raise(
    url: &str,
    layout: &Layout,
    raises: &BTreeMap<Key, u32>,
    revives: bool,
    busy_for: Duration,
) -> Result<Vec<Result<Option<u32>, SequenceError>>, SequenceError> {
    let target = Target::new(url)?;
    let raises: Vec<(Key, u32)> = raises.iter().map(|(key, to)| (key.clone(), *to)).collect();
    blocking(busy_for, async {
        let client = connect(&target, Isolation::ReadCommitted, busy_for).await?;
        let done = raise_all(&client, layout, &raises, revives).await;
        // A connection that ends takes what was not committed with it.
        drop(client);
        done
    })
}

async fn raise_all(
    client: &Client,
    layout: &Layout,
    raises: &[(Key, u32)],
    revives: bool,
) -> Result<Vec<Result<Option<u32>, SequenceError>>, SequenceError> {
    let doing = |error| refused("make the tables", error);
    client.batch_execute("BEGIN").await.map_err(doing)?;
    apply_within(client, layout).await.map_err(doing)?;
    if revives {
        revive(client, layout).await.map_err(doing)?;
    }
    let table = Table::describe(client, layout).await?;
    let rows = Rows::prepare(client, &table).await.map_err(doing)?;
    let raised = match raises {
        [] => Vec::new(),
        raises => rows.raise(client, raises).await.map_err(doing)?,
    };
    rows.fire(client).await.map_err(doing)?;
    // Those that were refused have written nothing.
    let written = raises.iter().zip(&raised).filter(|(_, raised)| raised.is_ok());
    let written = written.map(|((key, to), _)| (key.clone(), i64::from(*to))).collect();
    if let Some(key) = rows.lost(client, &written).await.map_err(doing)? {
        return Err(SequenceError::not_kept(key));
    }
    let committed = client.batch_execute("COMMIT").await;
    committed.map_err(|error| in_commit("commit", error).into_error())?;
    Ok(raised)
}

/// Waits for a future on a runtime of its own, also on a thread of another one.
fn blocking<T: Send>(
    busy_for: Duration,
    future: impl Future<Output = Result<T, SequenceError>> + Send,
) -> Result<T, SequenceError> {
    let run = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| SequenceError::Closed)?;
        let limit = LIMIT.max(busy_for.saturating_mul(2));
        let bounded = async { tokio::time::timeout(limit, future).await };
        runtime.block_on(bounded).unwrap_or(Err(SequenceError::TimedOut { waited: limit }))
    };
    if Handle::try_current().is_err() {
        return run();
    }
    thread::scope(|scope| scope.spawn(run).join().unwrap_or(Err(SequenceError::Closed)))
}
