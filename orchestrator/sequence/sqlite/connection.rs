//! An open database file: how it is opened, locked and waited for.
//!
//! Waiting is our own, bounded and with jitter, since SQLite's busy handler lets
//! some callers starve for seconds. A file that is removed or exchanged while it
//! is open is noticed before the next batch: numbers written into a file that
//! nobody will open again would be issued a second time.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::adopt::{JOURNAL, LOG, with_end};
use crate::fs;
use crate::sequence::SequenceError;

/// The first pause between two tries for a lock, and the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LAST_PAUSE: Duration = Duration::from_millis(10);

/// Says in the file's header that this program made it: "ORCH".
pub(super) const APPLICATION_ID: i32 = 0x4f52_4348;

/// Device and inode of what lies at a path, if anything does.
pub(super) type FileIdentity = Option<(u64, u64)>;

/// A connection, and the file that it is to.
#[derive(Debug)]
pub(super) struct Database {
    pub conn: Connection,
    path: PathBuf,
    /// The file that it is to.
    file: FileIdentity,
    busy_for: Duration,
}

impl Database {
    /// Leaves a log that others have left as it is, where all others are gone when this is
    /// closed: who only looks changes no file.
    pub(super) fn keep_log(&self) -> Result<(), SequenceError> {
        let kept = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        kept.map(drop).map_err(|error| fault(&self.conn, "open the database", error))
    }

    /// Opens a file, which is made where it is missing only if `create` says so.
    pub(super) fn open(
        path: &Path,
        create: bool,
        busy_for: Duration,
    ) -> Result<Self, SequenceError> {
        // SQLite takes some names, such as `:memory:`, for no file at all.
        let path = std::path::absolute(path).map_err(|error| SequenceError::Database {
            doing: "find the database",
            source: Arc::new(error),
        })?;
        let file = identity(&path)?;
        if file.is_none() {
            if !create {
                return Err(SequenceError::Missing { path });
            }
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(file_error)?;
            }
        }
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let failed = |source| SequenceError::Database {
            doing: "open the database",
            source: Arc::new(source) as _,
        };
        let conn = Connection::open_with_flags(&path, flags).map_err(failed)?;
        let mut database = Self { conn, path, file, busy_for };
        match database.prepare() {
            Err(error) if is_in_unwritable_folder(&error) && !database.has_log()? => {
                let url = unchanging(&database.path);
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX
                    | OpenFlags::SQLITE_OPEN_URI;
                database.conn = Connection::open_with_flags(url, flags).map_err(failed)?;
                database.prepare()?;
            }
            prepared => prepared?,
        }
        let now = database.identity()?;
        if file.is_some() && now != file {
            // Exchanged meanwhile: the log that was found by its name may be the other's.
            // Closed first: what this process closes later would end its locks on that log.
            drop(database.conn);
            return Self::open(&database.path, create, busy_for);
        }
        database.file = now;
        Ok(database)
    }

    /// Opens what is left of a damaged file: what makes no sense in its schema is passed
    /// over, and the other tables can still tell what they know.
    pub(super) fn open_damaged(path: &Path, busy_for: Duration) -> Result<Self, SequenceError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags);
        let conn = conn.map_err(|error| SequenceError::Database {
            doing: "open the database",
            source: Arc::new(error),
        })?;
        let database = Self { conn, path: path.to_owned(), file: identity(path)?, busy_for };
        database.retry("open the database", || {
            database.conn.busy_timeout(Duration::ZERO)?;
            // As elsewhere; that of `synchronous` would need the schema, and is right.
            database.conn.pragma_update(None, "fullfsync", true)?;
            database.conn.pragma_update(None, "checkpoint_fullfsync", true)?;
            database.conn.pragma_update(None, "writable_schema", true)
        })?;
        Ok(database)
    }

    /// Opens a damaged file whose content is to be exchanged, and returns whether its schema
    /// can be read. One of which it cannot is taken for empty.
    pub(super) fn open_to_exchange(
        path: &Path,
        busy_for: Duration,
    ) -> Result<(Self, bool), SequenceError> {
        let database = Self::open_damaged(path, busy_for)?;
        let log = log_page_size(path);
        let is_readable = || {
            let count = "SELECT count(*) FROM sqlite_schema";
            database.conn.query_row(count, [], |_| Ok(()))?;
            let size = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
            let size = database.conn.pragma_query_value(None, "page_size", size)?;
            Ok(log.is_none_or(|log| log == size))
        };
        match database.retry("open the database", is_readable) {
            Ok(false) | Err(SequenceError::NotADatabase { .. }) => {}
            read => return read.map(|_| (database, true)),
        }
        drop(database);
        let database = Self::open_damaged(path, busy_for)?;
        database.retry("open the database", || {
            // Its pages must have the size that its log has, which may be in use.
            if let Some(size) = log {
                database.conn.pragma_update(None, "page_size", size)?;
            }
            database.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true).map(drop)
        })?;
        Ok((database, false))
    }

    /// Tells whether a log lies beside the file, which may know more than the file does.
    fn has_log(&self) -> Result<bool, SequenceError> {
        has_log(&self.path)
    }

    fn prepare(&self) -> Result<(), SequenceError> {
        let conn = &self.conn;
        conn.set_prepared_statement_cache_capacity(32);
        let settings = || {
            conn.busy_timeout(Duration::ZERO)?;
            // A name that is no column is an error, never a text.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            // Less can lose the last commits, and a lost commit is a number told twice: with
            // FULL, a journal whose removal makes a commit may come back.
            conn.pragma_update(None, "synchronous", "EXTRA")?;
            // Elsewhere than on macOS these do nothing.
            conn.pragma_update(None, "fullfsync", true)?;
            conn.pragma_update(None, "checkpoint_fullfsync", true)?;
            // The first look at the file: it may be none of SQLite's.
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        };
        self.retry("open the database", settings)
    }

    /// Returns the path, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file that was opened.
    pub(super) fn file(&self) -> FileIdentity {
        self.file
    }

    /// Tells whether it can only be read.
    pub(super) fn is_read_only(&self) -> Result<bool, SequenceError> {
        self.retry("read the database", || self.conn.is_readonly("main"))
    }

    /// Returns which file the path leads to now.
    fn identity(&self) -> Result<FileIdentity, SequenceError> {
        identity(&self.path)
    }

    /// Checks that the path still leads to the same file.
    pub(super) fn check_file(&self, file: FileIdentity) -> Result<(), SequenceError> {
        match self.identity()? {
            now if now == file => Ok(()),
            Some(_) => Err(SequenceError::Replaced { path: self.path.clone() }),
            None => Err(SequenceError::Missing { path: self.path.clone() }),
        }
    }

    /// Tells whether nothing was ever written to the file.
    pub(super) fn is_empty(&self) -> Result<bool, SequenceError> {
        is_empty(&self.path)
    }

    /// Tells whether this program made the file.
    pub(super) fn is_ours(&self) -> Result<bool, SequenceError> {
        let id =
            || self.conn.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
        Ok(self.retry("read the database", id)? == APPLICATION_ID)
    }

    /// Grows the write-ahead log to the size at which it is begun anew, by a
    /// transaction that outgrows its cache and is rolled back. A commit into space
    /// that the file has already costs the disk less than one that makes it grow.
    pub(super) fn presize(&self) -> Result<(), SequenceError> {
        const FILL: &str = "BEGIN IMMEDIATE;
            CREATE TABLE orchestrator_presize (filler BLOB);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
            INSERT INTO orchestrator_presize SELECT zeroblob(3500) FROM n;
            ROLLBACK";
        let cache = || self.conn.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0));
        let before = self.retry("read the settings", cache)?;
        let resize = |size: i64| self.conn.pragma_update(None, "cache_size", size);
        self.retry("prepare the log", || resize(10))?;
        let filled = self.retry("grow the log", || {
            let rollback = Rollback(&self.conn);
            let filled = self.conn.execute_batch(FILL);
            drop(rollback);
            filled
        });
        self.retry("prepare the log", || resize(before))?;
        filled
    }

    /// Runs `f` in a transaction that has the write lock from its beginning, and
    /// commits; an error, or a panic, rolls back.
    pub(super) fn transaction<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, SequenceError>,
    ) -> Result<T, SequenceError> {
        self.retry("lock the database", || run(&self.conn, "BEGIN IMMEDIATE"))?;
        let rollback = Rollback(&self.conn);
        check_names(&self.path)?;
        let made = f(&self.conn)?;
        if self.conn.is_autocommit() {
            // As by a trigger that says RAISE(ROLLBACK).
            let source = Arc::new(rusqlite::Error::InvalidQuery);
            return Err(SequenceError::Database { doing: "keep the transaction", source });
        }
        // Where readers keep a database without WAL, the commit can be tried again.
        let committed = self.wait(|| {
            run(&self.conn, "COMMIT").map_err(|error| match self.conn.is_autocommit() {
                // SQLite has rolled it back: a second try would only say so.
                true => SequenceError::Database { doing: "commit", source: Arc::new(error) },
                false => fault(&self.conn, "commit", error),
            })
        });
        drop(rollback);
        match committed {
            Ok(()) => Ok(made),
            Err(SequenceError::Database { source, .. }) if !is_constraint(source.as_ref()) => {
                Err(SequenceError::OutcomeUnknown { source })
            }
            Err(error) => Err(error),
        }
    }

    /// Tries until others let go of their locks, or the time is up.
    pub(super) fn retry<T>(
        &self,
        doing: &'static str,
        mut f: impl FnMut() -> rusqlite::Result<T>,
    ) -> Result<T, SequenceError> {
        self.wait(|| f().map_err(|error| fault(&self.conn, doing, error)))
    }

    /// Tries until it is no longer busy, or the time is up.
    pub(super) fn wait<T>(
        &self,
        f: impl FnMut() -> Result<T, SequenceError>,
    ) -> Result<T, SequenceError> {
        wait(self.busy_for, f)
    }
}

/// Runs a statement that is run again and again, and is compiled once.
pub(super) fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

/// Tries until it is no longer busy, or the time is up.
pub(super) fn wait<T>(
    busy_for: Duration,
    mut f: impl FnMut() -> Result<T, SequenceError>,
) -> Result<T, SequenceError> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let done = f();
        let waited = start.elapsed();
        match done {
            Err(SequenceError::Busy { .. }) if waited < busy_for => {}
            Err(SequenceError::Busy { .. }) => return Err(SequenceError::Busy { waited }),
            done => return done,
        }
        thread::sleep(jitter(pause).min(busy_for - waited));
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Ends a transaction that was not committed.
struct Rollback<'a>(&'a Connection);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            // The next BEGIN fails then, and the connection is opened anew.
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

/// Turns an error of the driver into one that says what to do.
pub(super) fn fault(
    conn: &Connection,
    doing: &'static str,
    error: rusqlite::Error,
) -> SequenceError {
    fault_at(Path::new(conn.path().unwrap_or_default()), doing, error)
}

/// The same where the connection is in use.
pub(super) fn fault_at(path: &Path, doing: &'static str, error: rusqlite::Error) -> SequenceError {
    let source = |error| Arc::new(error) as _;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            SequenceError::NotADatabase { path: path.to_owned(), source: source(error) }
        }
        // The last one: others kept changing the log while it was to be read.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => SequenceError::Busy { waited: Duration::ZERO },
        _ => match no_room(&error) {
            Some(advice) => SequenceError::Database {
                doing,
                source: Arc::new(NoRoom { advice, source: error }),
            },
            None => SequenceError::Database { doing, source: source(error) },
        },
    }
}

/// What SQLite says only by a number.
#[derive(Debug, thiserror::Error)]
#[error("{advice}")]
struct NoRoom {
    advice: &'static str,
    source: rusqlite::Error,
}

/// Says what to do about an error that a full disk may be the reason of: also to read,
/// SQLite makes files beside the database.
fn no_room(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error()?.extended_code {
        ffi::SQLITE_FULL => Some("the disk is full: free some space, then try again"),
        ffi::SQLITE_IOERR_WRITE
        | ffi::SQLITE_IOERR_FSYNC
        | ffi::SQLITE_IOERR_DIR_FSYNC
        | ffi::SQLITE_IOERR_TRUNCATE
        | ffi::SQLITE_IOERR_SHMSIZE => Some(
            "the disk may be full, or a quota reached, or it fails: look at its space, then try again",
        ),
        _ => None,
    }
}

/// Tells whether a rule of the database refused, such as a check or a trigger.
pub(super) fn is_constraint(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<rusqlite::Error>();
    error.and_then(rusqlite::Error::sqlite_error_code) == Some(ErrorCode::ConstraintViolation)
}

/// Tells whether it failed since SQLite wants to put a log beside the file, and may not.
fn is_in_unwritable_folder(error: &SequenceError) -> bool {
    let SequenceError::Database { source, .. } = error else { return false };
    let error = source.downcast_ref::<rusqlite::Error>();
    let code = error.and_then(rusqlite::Error::sqlite_error).map(|error| error.extended_code);
    code == Some(ffi::SQLITE_READONLY_DIRECTORY)
}

/// Returns the URL by which SQLite reads a file as one that nobody changes.
fn unchanging(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?immutable=1")
}

/// Checks that no other process can come to a file by another name.
pub(super) fn check_names(path: &Path) -> Result<(), SequenceError> {
    match fs::names(path).map_err(file_error)? {
        names @ 2.. => Err(SequenceError::Linked { path: path.to_owned(), names }),
        _ => Ok(()),
    }
}

/// Tells whether there is nothing at all in the file, or no file.
pub(super) fn is_empty(path: &Path) -> Result<bool, SequenceError> {
    let stamp = fs::stamp(path).map_err(file_error)?;
    Ok(stamp.is_none_or(|stamp| stamp.len == 0))
}

/// Tells whether a write-ahead log lies beside a file, or beside where a link leads to.
pub(super) fn has_log(path: &Path) -> Result<bool, SequenceError> {
    has_beside(path, LOG)
}

/// Tells whether a journal has lost its file: whoever makes one begins with the file, which
/// is looked for last.
pub(super) fn has_lost_journal(path: &Path) -> Result<bool, SequenceError> {
    Ok(has_beside(path, JOURNAL)? && identity(path)?.is_none())
}

fn has_beside(path: &Path, end: &str) -> Result<bool, SequenceError> {
    // Where not even the folder is there, there is no log.
    let path = fs::resolve(path).unwrap_or_else(|_| path.to_owned());
    let log = fs::stamp(&with_end(&path, end)).map_err(file_error)?;
    Ok(log.is_some_and(|log| log.len > 0))
}

/// Returns the size of the pages in the log beside a file.
pub(super) fn log_page_size(path: &Path) -> Option<u32> {
    let head = fs::read_head(&with_end(path, LOG), 12).ok()?;
    let size = u32::from_be_bytes(head.get(8..12)?.try_into().ok()?);
    (size.is_power_of_two() && size <= 65_536).then_some(size)
}

/// Returns which file is open.
pub(super) fn identity_of(file: &fs::File, path: &Path) -> Result<FileIdentity, SequenceError> {
    let stamp = fs::stamp_of(file, path).map_err(file_error)?;
    Ok(Some((stamp.dev, stamp.ino)))
}

pub(super) fn identity(path: &Path) -> Result<FileIdentity, SequenceError> {
    let stamp = fs::stamp(path).map_err(file_error)?;
    Ok(stamp.map(|stamp| (stamp.dev, stamp.ino)))
}

fn file_error(error: fs::FsError) -> SequenceError {
    SequenceError::Database { doing: "reach the database file", source: Arc::new(error) }
}

/// Returns a random pause of half to the whole of `pause`, so that those who wait
/// do not all come back at once.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    // Below 512, so the cast keeps the value.
    pause / 2 + pause * (random as u32) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a journal's removal commits, the folder must be synced behind it.
    #[test]
    fn a_commit_outlives_a_power_failure_with_any_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let database = Database::open(&path, false, Duration::from_secs(1)).unwrap();
        let conn = &database.conn;
        let journal: String =
            conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let extra: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((journal.as_str(), extra), ("delete", 3));
    }
}
