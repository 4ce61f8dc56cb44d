//! Numbers inside the caller's own transaction.

use rusqlite::Connection;

use super::connection::fault;
use super::rows::{Fallible, add, kept, lock};
use super::schema;
use super::statements::Statements;
use crate::sequence::{Action, Issued, Key, Layout, SequenceError};

/// Takes the next `count` numbers of a sequence in the transaction that is under
/// way on `conn`; a [`rusqlite::Transaction`] derefs to one.
///
/// The numbers are yours once the transaction is committed, together with the rows
/// that carry them. A rollback gives them back, and the next one gets them: show
/// them to nobody before the commit. Begin with `BEGIN IMMEDIATE`: a transaction
/// that has read before it writes can fail with `SQLITE_BUSY` where waiting would
/// not help. Durability, journal mode and waiting for locks are the connection's: without
/// WAL a commit outlives a power failure only with `PRAGMA synchronous = EXTRA`.
///
/// # Errors
/// [`SequenceError::NoTransaction`] without one; [`SequenceError::NoSequence`],
/// [`SequenceError::Counter`] or [`SequenceError::Exhausted`] where the row has no
/// number to give; [`SequenceError::Busy`] where others kept the lock;
/// [`SequenceError::NoTable`] or [`SequenceError::OtherColumns`] where the database
/// is not of this layout. Roll back after any of them.
///
/// ```
/// use orchestrator::sequence::{Layout, sqlite};
///
/// # let file = tempfile::NamedTempFile::new()?;
/// let mut conn = rusqlite::Connection::open(file.path())?;
/// conn.execute_batch(
///     "CREATE TABLE id_sequences (name TEXT PRIMARY KEY, last_value INTEGER NOT NULL);
///      INSERT INTO id_sequences VALUES ('credit_lines', 8);
///      CREATE TABLE credit_lines (id TEXT PRIMARY KEY, amount INTEGER NOT NULL);",
/// )?;
/// let layout = Layout::name();
/// let key = layout.key(&[("name", "credit_lines")])?;
///
/// let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
/// let issued = sqlite::allocate(&tx, &layout, &key, 1)?;
/// let id = layout.id(&key, issued.first);
/// tx.execute("INSERT INTO credit_lines VALUES (?1, 5000)", [&id])?;
/// tx.commit()?;
/// assert_eq!(id, "CL009");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn allocate(
    conn: &Connection,
    layout: &Layout,
    key: &Key,
    count: u32,
) -> Result<Issued, SequenceError> {
    Action::Next { key: key.clone(), count }.check(layout)?;
    if conn.is_autocommit() {
        return Err(SequenceError::NoTransaction);
    }
    let fitting = |last: u32| if last.checked_add(count).is_some() { count } else { 0 };
    let added = take(conn, layout, key, fitting);
    // A table that is not of the layout is better named than by the driver's words.
    let added = added.or_else(|error| match error {
        SequenceError::Database { .. } => schema::check(conn, layout).and(Err(error)),
        other => Err(other),
    });
    let before = added??;
    if before.checked_add(count).is_none() {
        return Err(SequenceError::Exhausted { key: key.clone(), last: i64::from(before) });
    }
    Ok(Issued { key: key.clone(), first: before + 1, count })
}

/// Adds to a counter under the lock, and checks that it was.
fn take(
    conn: &Connection,
    layout: &Layout,
    key: &Key,
    fitting: impl Fn(u32) -> u32,
) -> Fallible<u32> {
    let failed = |error| fault(conn, "write a counter", error);
    let statements = Statements::of(conn, layout).map_err(failed)?;
    lock(conn, &statements).map_err(failed)?;
    let added = add(conn, layout, &statements, key, &fitting)?;
    if let Ok(before) = added {
        let after = i64::from(before) + i64::from(fitting(before));
        kept(conn, layout, &statements, key, after)?;
    }
    Ok(added)
}
