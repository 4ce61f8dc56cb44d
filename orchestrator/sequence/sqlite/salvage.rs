//! What can still be read of sequences: in a damaged file, in a log whose file is lost, and
//! of reservations whose sequence is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::adopt::{COMPANIONS, REBUILDING, failed, with_end};
use super::backend::read as list_as_far;
use super::connection::{Database, log_page_size};
use super::rebuild::is_empty;
use super::schema;
use super::statements::Statements;
use crate::fs;
use crate::sequence::reservation::taken as taken_of;
use crate::sequence::{Counter, Layout, SequenceError};

/// Returns what can still be read of the sequences in a damaged file, and whether that is
/// all.
pub(super) fn remains(path: &Path, layout: &Layout, busy_for: Duration) -> (Vec<Counter>, bool) {
    let mut counters = Vec::new();
    let read = is_empty(path).and_then(|is_empty| match is_empty {
        true => salvage_log(path, layout, busy_for, &mut counters),
        false => salvage(path, layout, busy_for, &mut counters),
    });
    if let Err(error) = &read {
        tracing::info!(%error, "not all sequences of the damaged database can be read");
    }
    (counters, read.is_ok())
}

/// Reads the counters of a damaged file, from its beginning and from its end, each as far
/// as it goes.
fn salvage(
    path: &Path,
    layout: &Layout,
    busy_for: Duration,
    counters: &mut Vec<Counter>,
) -> Result<(), SequenceError> {
    let database = Database::open_damaged(path, busy_for)?;
    let scan = Statements::new(layout).scan;
    let doing = "read the counters";
    let read = database.retry(doing, || {
        counters.clear();
        list_as_far(&database.conn, layout, &scan, counters)
    });
    let told = reserved(&database, layout);
    if read.is_err() {
        let from_behind = format!("{scan} ORDER BY s.rowid DESC");
        let _as_far_as_it_goes = list_as_far(&database.conn, layout, &from_behind, counters);
    }
    // What was reserved was told, whatever the counters say.
    counters.extend(told.unwrap_or_default());
    read
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
) -> Result<(), SequenceError> {
    const DOING: &str = "read the log of a lost database";
    let Some(size) = log_page_size(path) else {
        let source = Arc::new(rusqlite::Error::InvalidQuery);
        return Err(SequenceError::Database { doing: DOING, source });
    };
    let log = fs::read(&with_end(path, "-wal")).map_err(failed(DOING))?;
    let copy = with_end(path, &format!("{REBUILDING}{}", Uuid::new_v4().simple()));
    let made = fs::create_new(&with_end(&copy, "-wal"), &log)
        .and_then(|()| fs::create_new(&copy, &vec![0; size as usize]))
        .map_err(failed(DOING));
    let read = made.and_then(|()| salvage(&copy, layout, busy_for, counters));
    for end in COMPANIONS.iter().chain([&""]) {
        fs::remove_if_exists(&with_end(&copy, end)).map_err(failed("remove"))?;
    }
    read
}
