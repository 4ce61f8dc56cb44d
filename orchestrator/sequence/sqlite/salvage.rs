//! What can still be read of sequences: in a damaged file, in a log whose file is lost, and
//! of reservations whose sequence is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{ErrorCode, ffi};
use uuid::Uuid;

use super::adopt::{COMPANIONS, LOG, REBUILDING, failed, with_end};
use super::backend::read as list_as_far;
use super::connection::{Database, is_empty, log_page_size};
use super::schema;
use super::statements::Statements;
use crate::fs::{self, Durability};
use crate::sequence::reservation::taken as taken_of;
use crate::sequence::{Counter, Layout, SequenceError};

/// How much of the sequences in a damaged file could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// There are some, or were.
    Part,
    /// Not even whether there were any.
    Unknown,
}

/// Returns what can still be read of the sequences in a damaged file, and how much that is.
///
/// # Errors
/// What says nothing about the file, such as a full disk: tried again, it may be all.
pub(super) fn remains(
    path: &Path,
    layout: &Layout,
    busy_for: Duration,
) -> Result<(Vec<Counter>, Extent), SequenceError> {
    let mut counters = Vec::new();
    let read = match is_empty(path)? {
        true => salvage_log(path, layout, busy_for, &mut counters),
        false => salvage(path, layout, busy_for, &mut counters),
    };
    match read {
        Ok(extent) => Ok((counters, extent)),
        Err(error) if is_of_the_content(&error) => {
            tracing::info!(%error, "the damaged database cannot be read");
            Ok((counters, Extent::Unknown))
        }
        Err(error) => Err(error),
    }
}

/// Tells whether an error is the file's own: what is in it, or a place of the disk that
/// cannot be read.
fn is_of_the_content(error: &SequenceError) -> bool {
    let SequenceError::Database { source, .. } = error else {
        return matches!(error, SequenceError::NotADatabase { .. });
    };
    let Some(error) = source.downcast_ref::<rusqlite::Error>() else { return false };
    let is_unread = |error: &ffi::Error| error.extended_code == ffi::SQLITE_IOERR_READ;
    match error.sqlite_error_code() {
        None | Some(ErrorCode::Unknown | ErrorCode::TooBig | ErrorCode::TypeMismatch) => true,
        Some(_) => error.sqlite_error().is_some_and(is_unread),
    }
}

/// Reads the counters of a damaged file, from its beginning and from its end, each as far
/// as it goes.
fn salvage(
    path: &Path,
    layout: &Layout,
    busy_for: Duration,
    counters: &mut Vec<Counter>,
) -> Result<Extent, SequenceError> {
    let database = Database::open_damaged(path, busy_for)?;
    // What was reserved was told, whatever the counters say.
    match reserved(&database, layout) {
        Ok(told) => counters.extend(told),
        Err(error) if is_of_the_content(&error) => {}
        Err(error) => return Err(error),
    }
    if !may_have_table(&database, layout)? {
        return Ok(Extent::All);
    }
    let scan = Statements::new(layout).scan;
    let doing = "read the counters";
    let told = counters.len();
    let read = database.retry(doing, || {
        counters.truncate(told);
        list_as_far(&database.conn, layout, &scan, counters)
    });
    match read {
        Ok(()) => Ok(Extent::All),
        Err(error) if is_of_the_content(&error) => {
            tracing::info!(%error, "not all sequences of the damaged database can be read");
            let from_behind = format!("{scan} ORDER BY s.rowid DESC");
            let _as_far_as_it_goes = list_as_far(&database.conn, layout, &from_behind, counters);
            Ok(Extent::Part)
        }
        Err(error) => Err(error),
    }
}

/// Tells whether the sequences of a layout are in a database: where its schema can be read
/// and has no such table, or another layout's of that name, they are not.
fn may_have_table(database: &Database, layout: &Layout) -> Result<bool, SequenceError> {
    let (_, table) = schema::names(layout);
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE)";
    let look = || database.conn.query_row(exists, [table], |row| row.get(0));
    if !database.retry("read the schema", look)? {
        return Ok(false);
    }
    Ok(!matches!(schema::check(&database.conn, layout), Err(SequenceError::OtherColumns { .. })))
}

/// Returns the highest number of each reservation.
///
/// # Errors
/// Where they cannot be read; there may be none.
pub(super) fn reserved(
    database: &Database,
    layout: &Layout,
) -> Result<Vec<Counter>, SequenceError> {
    let table = schema::reservations(layout);
    let is_registry = layout.layout_name() == "registry";
    let of = match is_registry {
        true => "json_array(r.artifact_type, r.project_id), r.artifact_type",
        false => "r.sequence_key, r.sequence_table",
    };
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    let sql = format!("SELECT {of}, r.reserved_ids FROM {table} AS r NOT INDEXED");
    let read = || {
        let mut counters = Vec::new();
        if !database.conn.query_row(exists, [table], |row| row.get::<_, bool>(0))? {
            return Ok(counters);
        }
        let mut statement = database.conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, of): (String, String) = (row.get(0)?, row.get(1)?);
            let ids: String = row.get(2)?;
            if is_registry || of == layout.table() {
                let list = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
                let taken = list(&key).zip(list(&ids));
                counters.extend(taken.and_then(|(key, ids)| taken_of(layout, key, &ids)));
            }
        }
        Ok(counters)
    };
    database.retry("read the reservations", read)
}

/// Reads the counters of a log whose file is lost: behind a file of one page that says
/// nothing. SQLite removes a log whose file is empty, so that both are copies.
fn salvage_log(
    path: &Path,
    layout: &Layout,
    busy_for: Duration,
    counters: &mut Vec<Counter>,
) -> Result<Extent, SequenceError> {
    const DOING: &str = "read the log of a lost database";
    let Some(size) = log_page_size(path) else {
        let source = Arc::new(rusqlite::Error::InvalidQuery);
        return Err(SequenceError::Database { doing: DOING, source });
    };
    let log = fs::read(&with_end(path, LOG)).map_err(failed(DOING))?;
    let copy = with_end(path, &format!("{REBUILDING}{}", Uuid::new_v4().simple()));
    let made = fs::append(&with_end(&copy, LOG), &log, Durability::Buffered)
        .and_then(|()| fs::append(&copy, &vec![0; size as usize], Durability::Buffered))
        .map_err(failed(DOING));
    let read = made.and_then(|()| salvage(&copy, layout, busy_for, counters));
    for end in COMPANIONS.iter().chain([&""]) {
        fs::remove_if_exists(&with_end(&copy, end)).map_err(failed("remove"))?;
    }
    read
}
