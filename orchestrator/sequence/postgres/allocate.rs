//! Numbers inside the caller's own transaction.

use std::collections::HashMap;
use std::time::Instant;

use tokio_postgres::Transaction;

use super::failure::in_transaction;
use super::rows::Rows;
use super::table::Table;
use crate::sequence::{Action, Issued, Key, Known, Layout, Plan, Reply, Request, SequenceError};

/// Takes the next `count` numbers of a sequence in a transaction of the caller's.
///
/// The numbers are yours once the transaction is committed, together with the rows
/// that carry them. A rollback gives them back, and the next one gets them: show
/// them to nobody before the commit. Others who want numbers of the same sequence
/// wait until then, so take them late, and commit soon. Isolation, durability and
/// waiting for locks are the connection's. What a deferred trigger makes of the counter
/// at the commit is not seen.
///
/// # Errors
/// [`SequenceError::NoSequence`], [`SequenceError::Counter`] or
/// [`SequenceError::Exhausted`] where the row has no number to give;
/// [`SequenceError::Busy`] where others were in the way, and the whole transaction
/// can be tried again; [`SequenceError::NoTable`], [`SequenceError::OtherColumns`]
/// and the like where the database is not of this layout. Roll back after any of
/// them.
///
/// ```no_run
/// use orchestrator::sequence::{Layout, postgres};
///
/// # async fn book(client: &mut tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let layout = Layout::name();
/// let key = layout.key(&[("name", "credit_lines")])?;
///
/// let transaction = client.transaction().await?;
/// let issued = postgres::allocate(&transaction, &layout, &key, 1).await?;
/// let id = layout.id(&key, issued.first);
/// transaction.execute("INSERT INTO credit_lines VALUES ($1, 5000)", &[&id]).await?;
/// transaction.commit().await?;
/// # Ok(())
/// # }
/// ```
pub async fn allocate(
    transaction: &Transaction<'_>,
    layout: &Layout,
    key: &Key,
    count: u32,
) -> Result<Issued, SequenceError> {
    let begin = Instant::now();
    let request = Request::from(Action::Next { key: key.clone(), count });
    request.action.check(layout)?;
    let client = transaction.client();
    let table = Table::describe(client, layout).await?;
    let failed = |error| in_transaction("take numbers", error, begin.elapsed());
    let rows = Rows::prepare(client, &table).await.map_err(failed)?;
    let requests = [request];
    let plan = Plan::new(layout, &requests, &Known::new());
    // To prepare has taken the lock that keeps triggers out until the transaction ends.
    let looks_again = rows.must_look_again(client).await.map_err(failed)?;
    let standing = match looks_again {
        true => rows.standing(client, plan.sums()).await.map_err(failed)?,
        false => HashMap::new(),
    };
    let mut added = Vec::new();
    for (sum, before) in
        plan.sums().iter().zip(rows.add(client, plan.sums()).await.map_err(failed)?)
    {
        added.push(match before {
            Some(before) => Ok(before),
            None => {
                let looked = rows.add_rest(client, &[sum]).await.map_err(failed)?;
                looked.into_iter().next().unwrap_or(Err(SequenceError::Closed))
            }
        });
    }
    if looks_again {
        let written = plan.written(&[], &added, |key| standing.get(key.values()).copied());
        if let Some(key) = rows.lost(client, &written).await.map_err(failed)? {
            return Err(SequenceError::not_kept(key));
        }
    }
    let outcomes = plan.settle(jiff::Timestamp::UNIX_EPOCH, &[], &added).outcomes(&[], &[]);
    match outcomes.into_iter().next() {
        Some(Ok(Reply::Issued(issued))) => Ok(issued),
        Some(Err(error)) => Err(error),
        _ => Err(SequenceError::Closed),
    }
}
