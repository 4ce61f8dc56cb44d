//! Whether a file is damaged, as far as its sequences go.
//!
//! A database is mostly somebody else's, and what is wrong in their tables, such as a
//! row against a check or a stale index, is theirs to mend: the file works, and must
//! not be exchanged for one without their rows. So only what sequences are kept in is
//! looked at, and all of the file where nothing else is in it. Only such a file is made
//! anew.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::connection::Database;
use super::schema;
use crate::fs;
use crate::sequence::{Layout, SequenceError};

/// What the names of our own tables begin with, beside those of sequences.
const OWN: &str = "orchestrator_";

/// The tables of sequences that we make, and of their reservations.
const TABLES: [&str; 3] = ["id_registry", "id_reservations", "id_sequences"];

/// What SQLite says of rows that are against a rule of their table, and are whole.
const RULES: [&str; 4] =
    ["CHECK constraint failed", "NULL value in", "TEXT value in", "NUMERIC value in"];

/// Returns `None` for a file whose sequences are sound, else whether it is damaged and
/// not lost.
///
/// # Errors
/// [`SequenceError::Busy`]; those of the file.
pub(super) fn is_damaged(
    path: &Path,
    layout: &Layout,
    busy_for: Duration,
) -> Result<Option<bool>, SequenceError> {
    // One that was cut to nothing is none of a program that has just begun, and its log
    // must not be opened: SQLite would remove it.
    let stamp = fs::stamp(path).map_err(|error| SequenceError::Database {
        doing: "look for the database",
        source: Arc::new(error),
    })?;
    if stamp.is_some_and(|stamp| stamp.len == 0) {
        return Ok(Some(true));
    }
    match check(path, layout, busy_for) {
        Ok(()) => Ok(None),
        Err(SequenceError::Missing { .. }) => Ok(Some(false)),
        Err(SequenceError::NotADatabase { .. }) => Ok(Some(true)),
        Err(error) => Err(error),
    }
}

fn check(path: &Path, layout: &Layout, busy_for: Duration) -> Result<(), SequenceError> {
    let database = Database::open(path, false, busy_for)?;
    let found = database.retry("check the database", || look(&database.conn, layout))?;
    let path = path.to_owned();
    match found {
        None => Ok(()),
        Some((None, found)) => {
            Err(SequenceError::NotADatabase { path, source: Arc::new(Damage(found)) })
        }
        Some((Some(table), found)) => {
            Err(SequenceError::DamagedTable { path, table, source: Arc::new(Damage(found)) })
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damage(String);

/// Returns what is damaged, if anything is, with the table where others lie beside it.
fn look(conn: &Connection, layout: &Layout) -> rusqlite::Result<Option<(Option<String>, String)>> {
    let (_, own) = schema::names(layout);
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut names = conn.prepare(names)?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_ours = |name: &&String| {
        let name = name.to_ascii_lowercase();
        name == own.to_ascii_lowercase() || name.starts_with(OWN) || TABLES.contains(&name.as_str())
    };
    if names.iter().all(|name| is_ours(&name)) {
        return Ok(first(conn, None)?.map(|found| (None, found)));
    }
    for name in names.iter().filter(is_ours) {
        if let Some(found) = first(conn, Some(name))? {
            return Ok(Some((Some(name.clone()), found)));
        }
    }
    Ok(None)
}

/// Returns the first damage of a table and its indexes, or of the whole file.
fn first(conn: &Connection, table: Option<&str>) -> rusqlite::Result<Option<String>> {
    let mut damage = None;
    let look = |row: &rusqlite::Row<'_>| {
        let found: String = row.get(0)?;
        if found != "ok" && !RULES.iter().any(|rule| found.starts_with(rule)) {
            damage.get_or_insert(found);
        }
        Ok(())
    };
    let looked = match table {
        Some(table) => conn.pragma(None, "integrity_check", table, look),
        None => conn.pragma(None, "integrity_check", i32::MAX, look),
    };
    match looked {
        // Some damage is not told of as a row.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            damage.get_or_insert(error.to_string());
        }
        looked => looked?,
    }
    Ok(damage)
}
