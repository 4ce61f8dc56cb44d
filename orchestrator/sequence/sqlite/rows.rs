//! One row of a sequence: adding to it, raising it, and what its counter may be.
//!
//! All of it is done under the lock, which a caller's deferred transaction takes by
//! [`lock`]. Two kinds of errors: one that concerns a single sequence and has changed
//! nothing, inside, and one after which the transaction must not be committed, outside.

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params_from_iter};

use super::connection::{fault, run};
use super::statements::Statements;
use crate::sequence::{Key, Layout, MissingRow, SequenceError};

/// What became of one sequence, or why the transaction cannot go on.
pub(super) type Fallible<T> = Result<Result<T, SequenceError>, SequenceError>;

/// Takes the lock, where the transaction has only read so far.
pub(super) fn lock(conn: &Connection, statements: &Statements) -> rusqlite::Result<()> {
    run(conn, &statements.lock)
}

/// Adds to a counter as much as `fitting` says of where it stands; returns the counter
/// before.
///
/// By one statement that reads and one that writes: RETURNING keeps its rows in a table of
/// its own, which is made each time and costs more.
pub(super) fn add(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
    key: &Key,
    fitting: impl Fn(u32) -> u32,
) -> Fallible<u32> {
    let found = match read(conn, layout, statements, key)? {
        Err(error) => return Ok(Err(error)),
        Ok(None) if layout.missing_row() == MissingRow::IsAnError => {
            return Ok(Err(SequenceError::NoSequence { key: key.clone() }));
        }
        Ok(found) => found,
    };
    let before = found.unwrap_or(0);
    let after = i64::from(before) + i64::from(fitting(before));
    let sql = if found.is_none() { &statements.insert } else { &statements.set };
    if found.is_none() || after > i64::from(before) {
        write(conn, sql, after, key)?;
    }
    Ok(Ok(before))
}

/// Raises a counter to a number, or leaves it where it is higher; returns the
/// counter before, `None` where there was no row.
pub(super) fn raise(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
    key: &Key,
    to: u32,
) -> Fallible<Option<u32>> {
    let before = match read(conn, layout, statements, key)? {
        Ok(before) => before,
        Err(error) => return Ok(Err(error)),
    };
    let sql = match before {
        None => &statements.insert,
        Some(before) if before < to => &statements.set,
        Some(_) => return Ok(Ok(before)),
    };
    write(conn, sql, i64::from(to), key)?;
    Ok(Ok(before))
}

/// Checks that a counter is still what was written to it: a trigger may have changed it,
/// that of another row or table, too. So this is done last.
pub(super) fn kept(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
    key: &Key,
    written: i64,
) -> Result<(), SequenceError> {
    match read(conn, layout, statements, key)? {
        Ok(Some(now)) if i64::from(now) == written => Ok(()),
        _ => Err(SequenceError::not_kept(key)),
    }
}

fn read(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
    key: &Key,
) -> Fallible<Option<u32>> {
    let run = || {
        let mut statement = conn.prepare_cached(&statements.read)?;
        let found = statement.query_map(params_from_iter(parameters(&0, key)), |row| row.get(0))?;
        found.collect::<rusqlite::Result<Vec<Value>>>()
    };
    let found = run().map_err(|error| fault(conn, "read a counter", error))?;
    match found.as_slice() {
        [] => Ok(Ok(None)),
        [value] => Ok(check(key, value).map(Some)),
        _ => Err(SequenceError::NotUnique { table: layout.table().to_owned() }),
    }
}

/// Returns a counter as a number that can have been issued.
pub(super) fn check(key: &Key, value: &Value) -> Result<u32, SequenceError> {
    match value {
        Value::Integer(last) if *last > i64::from(u32::MAX) => {
            Err(SequenceError::Exhausted { key: key.clone(), last: *last })
        }
        Value::Integer(last) => u32::try_from(*last).map_err(|_| counter(key, value)),
        _ => Err(counter(key, value)),
    }
}

fn counter(key: &Key, value: &Value) -> SequenceError {
    let found = match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("the fraction {number}"),
        Value::Text(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        Value::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    };
    SequenceError::Counter { key: key.clone(), found }
}

fn write(conn: &Connection, sql: &str, number: i64, key: &Key) -> Result<(), SequenceError> {
    let run = || conn.prepare_cached(sql)?.execute(params_from_iter(parameters(&number, key)));
    match run() {
        Ok(1) => Ok(()),
        Ok(_) => Err(SequenceError::not_kept(key)),
        Err(error) => Err(fault(conn, "write a counter", error)),
    }
}

fn parameters<'a>(number: &'a i64, key: &'a Key) -> impl Iterator<Item = &'a dyn ToSql> {
    let values = key.values().iter().map(|value| value as &dyn ToSql);
    std::iter::once(number as &dyn ToSql).chain(values)
}
