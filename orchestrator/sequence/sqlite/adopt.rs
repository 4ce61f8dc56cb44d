//! The steps of taking over IDs that exist: reading them from a column, and making tables
//! or a whole file in which they are counted from the first moment on.
//!
//! Tables are made and sequences raised in one transaction, and a file is made beside
//! its place and then renamed, so that nobody ever finds a sequence that starts at 1
//! though its IDs exist.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use super::connection::{Database, fault};
use super::migrate::{migrate_within, revive};
use super::statements::Statements;
use super::{rows, schema};
use crate::fs::{self, FileLock, FsError, Holder, LockError};
use crate::sequence::adopt::Column;
use crate::sequence::{Key, Layout, SequenceError};

/// What SQLite keeps beside a database and could not make anew, by the end of the name.
pub(super) const LOG: &str = "-wal";
pub(super) const JOURNAL: &str = "-journal";

/// All that it keeps there.
pub(super) const COMPANIONS: [&str; 3] = [LOG, "-shm", JOURNAL];

/// What is put at the end of the name of a damaged file's copy, before the time.
pub(super) const DAMAGED: &str = ".damaged-";

/// What is put at the end of the name of a file that is being made, before 32 digits.
pub(super) const NEW: &str = ".new-";
pub(super) const REBUILDING: &str = ".rebuilding-";

/// Sequences and the numbers that they are raised to.
pub type Raises = BTreeMap<Key, u32>;

/// Where each sequence stood before, `None` where it had no row, or why it could not
/// be raised; in the order of their keys.
pub type Raised = Vec<Result<Option<u32>, SequenceError>>;

/// Reads all values of a column, but for NULLs.
///
/// # Errors
/// [`SequenceError::Missing`], [`SequenceError::NotADatabase`],
/// [`SequenceError::Busy`]; [`SequenceError::Database`] where there is no such column.
pub fn column(
    path: &Path,
    column: &Column,
    busy_for: Duration,
) -> Result<Vec<String>, SequenceError> {
    let database = Database::open(path, false, busy_for)?;
    database.keep_log()?;
    let select = column.select();
    let read = || {
        let mut statement = database.conn.prepare(&select)?;
        let mut rows = statement.query([])?;
        let mut values = Vec::new();
        while let Some(row) = rows.next()? {
            // Bytes that are no UTF-8 are none of an ID.
            values.push(String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?).into_owned());
        }
        Ok(values)
    };
    database.retry("read the column", read)
}

/// Runs what makes a file with the lock that all who make it take.
pub(super) fn locked<T>(
    path: &Path,
    holder: &Holder,
    busy_for: Duration,
    make: impl FnOnce() -> Result<T, SequenceError>,
) -> Result<T, SequenceError> {
    let lock = FileLock::acquire(&with_end(path, ".rebuild"), busy_for, holder);
    let lock = lock.map_err(|error| match error {
        LockError::Busy { waited, .. } => SequenceError::Busy { waited },
        LockError::File(error) => failed("lock the rebuild")(error),
    })?;
    let done = make();
    fs::remove_if_exists(lock.path()).map_err(failed("end the rebuild"))?;
    done
}

/// Returns the path of a file that is there or is to be made, links followed: what lies
/// beside it, and what takes its place, must not lie beside a link.
pub(super) fn place(path: &Path) -> Result<PathBuf, SequenceError> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(failed("make the folder"))?;
    }
    fs::resolve(path).map_err(failed("find the database"))
}

/// Removes what others that were killed had begun to make, also of what they had put aside.
/// Those who live have the lock.
pub(super) fn sweep(path: &Path) -> Result<(), SequenceError> {
    for file in beside(path, ".")? {
        let name = file.to_string_lossy();
        let end_of = |more| Some(name.rsplit_once(more)?.1);
        if [NEW, REBUILDING].into_iter().filter_map(end_of).any(is_of_ours) {
            fs::remove_if_exists(&file).map_err(failed("remove"))?;
        }
    }
    Ok(())
}

/// Tells whether the end of a name is one that we gave: a person may keep a copy under
/// a name that begins like ours.
fn is_of_ours(end: &str) -> bool {
    let Some((id, companion)) = end.split_at_checked(32) else { return false };
    let is_id = id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_id && (companion.is_empty() || COMPANIONS.contains(&companion))
}

/// Returns the files whose name is the database's and goes on like this.
pub(super) fn beside(path: &Path, more: &str) -> Result<Vec<PathBuf>, SequenceError> {
    let dir = path.parent().unwrap_or(path);
    let entries = fs::list(dir).map_err(failed("look at the database's folder"))?;
    let begin = with_end(path, more);
    let begin = begin.as_os_str().as_encoded_bytes();
    let files = entries.into_iter().map(|entry| entry.path);
    Ok(files.filter(|file| file.as_os_str().as_encoded_bytes().starts_with(begin)).collect())
}

/// Makes a file, filled in one transaction, closed and durable; where that fails, none.
pub(super) fn build<T>(
    new: &Path,
    busy_for: Duration,
    fill: impl FnOnce(&Connection) -> Result<T, SequenceError>,
) -> Result<T, SequenceError> {
    let made = Database::open(new, true, busy_for).and_then(|database| database.transaction(fill));
    if made.is_err() {
        for end in COMPANIONS.iter().chain([&""]) {
            fs::remove_if_exists(&with_end(new, end)).map_err(failed("remove"))?;
        }
    }
    made
}

pub(super) fn raise_all(
    database: &Database,
    layout: &Layout,
    raises: &Raises,
    revives: bool,
) -> Result<Raised, SequenceError> {
    database.transaction(|conn| {
        let is_there = match schema::check(conn, layout) {
            Err(SequenceError::NoTable { .. }) => false,
            found => found.map(|()| true)?,
        };
        // Another program's database gets no tables that raising does not need.
        if !(revives && is_there) {
            if revives {
                revive(conn, layout)?;
            }
            migrate_within(conn, layout, database.is_empty()?)?;
        }
        raise_rows(conn, layout, raises)
    })
}

/// Raises each sequence whose table is there.
pub(super) fn raise_rows(
    conn: &Connection,
    layout: &Layout,
    raises: &Raises,
) -> Result<Raised, SequenceError> {
    let statements = Statements::of(conn, layout);
    let statements = statements.map_err(|error| fault(conn, "read the schema", error))?;
    let raise = |(key, to): (&Key, &u32)| rows::raise(conn, layout, &statements, key, *to);
    let raised: Raised = raises.iter().map(raise).collect::<Result<_, _>>()?;
    for ((key, to), before) in raises.iter().zip(&raised) {
        if let Ok(before) = before {
            let now = before.unwrap_or(0).max(*to);
            rows::kept(conn, layout, &statements, key, i64::from(now))?;
        }
    }
    Ok(raised)
}

/// Puts a new file in its place; returns whether nothing was there. A log that a lost
/// file has left would be played into the new one, and is renamed first.
pub(super) fn put(new: &Path, path: &Path) -> Result<bool, SequenceError> {
    if fs::stamp(path).map_err(failed("look for the database"))?.is_none() {
        let lost = with_end(path, &format!("{DAMAGED}lost-{}", Uuid::new_v4().simple()));
        for companion in COMPANIONS {
            match fs::rename_noreplace(&with_end(path, companion), &with_end(&lost, companion)) {
                Err(error) if !error.is_not_found() => {
                    return Err(failed("put a lost database's log aside")(error));
                }
                _ => {}
            }
        }
        sync(path)?;
    }
    let error = match fs::rename_noreplace(new, path) {
        Ok(()) => return sync(path).map(|()| true),
        Err(error) => error,
    };
    fs::remove_if_exists(new).map_err(failed("remove"))?;
    if error.is_already_exists() {
        return Ok(false);
    }
    Err(failed("put the new database in its place")(error))
}

pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

pub(super) fn sync(path: &Path) -> Result<(), SequenceError> {
    let dir = path.parent().unwrap_or(path);
    fs::sync_dir(dir).map_err(failed("sync the folder"))
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(FsError) -> SequenceError {
    move |error| SequenceError::Database { doing, source: Arc::new(error) }
}
