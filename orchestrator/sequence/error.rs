//! Why a number was not issued, and what to do about it.
//!
//! The texts name the way out where there is one. Only
//! [`SequenceError::OutcomeUnknown`] and [`SequenceError::TimedOut`] leave open
//! whether the database has the change; after every other error it has not. Which
//! exit code or status an error becomes is for the command line and the API.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Key;

/// An error of a database's driver, which every caller of a batch gets a copy of.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// What can go wrong with a sequence.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A table or column name that is no plain identifier.
    #[error(
        "{name:?} is no name of a table or column: letters, digits and `_`, not a digit first, at most 63"
    )]
    Identifier {
        /// The name.
        name: String,
    },
    /// A layout without key columns, or with a column that is named twice.
    #[error("the layout of {table} {problem}")]
    Layout {
        /// The table.
        table: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An ID template that cannot be used.
    #[error("the ID format {template:?} {problem}")]
    Format {
        /// The template.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key that the layout has no row for.
    #[error("{problem}")]
    Key {
        /// What is wrong with it.
        problem: String,
    },
    /// A count of 0, or more than a request may take.
    #[error("{count} is no number of IDs to take at once: 1 to {max}")]
    Count {
        /// What was asked for.
        count: u32,
        /// The most that may be asked for.
        max: u32,
    },
    /// There is no such database file. None is made in silence: it would issue the
    /// old numbers again.
    #[error(
        "there is no database {path}; `--create` makes one that starts anew, and after a loss `id sync --rebuild` makes it from the IDs that exist"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The database file was removed or exchanged for another one while it was open.
    #[error(
        "{path} is no longer the file that was opened; what is there now may know fewer numbers: run `id sync`, then start again"
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The database file has several names (hard links). SQLite keeps the log, and what
    /// its locks lie on, by the name: two processes that use one each see nothing of
    /// each other.
    #[error(
        "{path} has {names} names (hard links), and SQLite has a log and locks for each: numbers would come twice; remove the other names, or put a copy in the place of this one"
    )]
    Linked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        names: u64,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "{path} is not a database, or damaged; `id sync --rebuild` makes it anew from the IDs that exist"
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// A table of sequences is damaged, and other tables lie beside it: to make the
    /// database anew would take those away.
    #[error(
        "the table {table} is damaged, and {path} has other tables too, so it is not made anew: mend it with REINDEX, or with `.recover` of sqlite3 into another file; or put it away as {path}.damaged-1, whose numbers then count, and try again"
    )]
    DamagedTable {
        /// The file.
        path: PathBuf,
        /// The table.
        table: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The database has no such table.
    #[error(
        "the database has no table {table}; `--create` adds it, but one that was there and is lost only `id sync --rebuild` makes"
    )]
    NoTable {
        /// The table.
        table: String,
    },
    /// The table has no such columns.
    #[error(
        "the table {table} has no column {missing}, so it is not of this layout; see `--layout`"
    )]
    OtherColumns {
        /// The table.
        table: String,
        /// What it lacks, by comma.
        missing: String,
    },
    /// The key columns do not identify a row.
    #[error("several rows of {table} may have the same key: its key columns need a unique index")]
    NotUnique {
        /// The table.
        table: String,
    },
    /// The sequence has no row, and in this layout it must have one.
    #[error("there is no sequence {key}; `id sync` makes it from the IDs that exist")]
    NoSequence {
        /// The key.
        key: Key,
    },
    /// The counter is no number that could have been issued.
    #[error(
        "the counter of {key} is {found}, which is no number of an ID; put it right, then run `id sync`"
    )]
    Counter {
        /// The key.
        key: Key,
        /// What stands there.
        found: String,
    },
    /// The numbers are used up.
    #[error("the numbers of {key} end at {}: {last} is the last one issued", u32::MAX)]
    Exhausted {
        /// The key.
        key: Key,
        /// The counter.
        last: i64,
    },
    /// Another body was sent with the same idempotency key before.
    #[error("the idempotency key was used before, for another request")]
    IdempotencyConflict,
    /// There is no such reservation, or its time is up.
    #[error("reservation expired or not found")]
    NoReservation,
    /// The queue is full; the request was not taken.
    #[error("too many requests are waiting; try again in a moment")]
    QueueFull,
    /// Others kept the database locked for all of the time; nothing was changed.
    #[error("the database was locked by others{}; try again", for_so_long(waited))]
    Busy {
        /// How long was tried.
        waited: Duration,
    },
    /// The caller's time is up. The request may still be carried out; its numbers
    /// are then a gap.
    #[error("no answer after {} ms; whether numbers were taken is unknown", waited.as_millis())]
    TimedOut {
        /// How long was waited.
        waited: Duration,
    },
    /// The connection was lost, or the disk failed, while the change was committed.
    /// What it took is a gap: ask again for other numbers.
    #[error("the outcome is unknown: the database failed during the commit")]
    OutcomeUnknown {
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// The caller has no transaction under way.
    #[error("numbers are taken inside a transaction; begin one (on SQLite, BEGIN IMMEDIATE)")]
    NoTransaction,
    /// The database cannot be reached, or was lost before the commit; nothing was
    /// changed.
    #[error("the database cannot be reached; try again")]
    Unreachable {
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// The database refused; nothing was changed.
    #[error("cannot {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// The authority has ended, or could not be started.
    #[error("the authority over the database has ended")]
    Closed,
}

/// A counter that did not become what was written to it.
#[derive(Debug, thiserror::Error)]
#[error("the counter of {key} does not keep what is written to it; look for a trigger or a rule")]
pub(super) struct NotKept {
    key: Key,
}

/// A reservation that is not there though it was written.
#[derive(Debug, thiserror::Error)]
#[error("it is not kept; look for a trigger or a rule")]
pub(super) struct NotHeld;

fn for_so_long(waited: &Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(" for {} ms", waited.as_millis()) }
}

impl SequenceError {
    /// Makes the error of a counter that did not become what was written to it: to tell
    /// the number would be to tell it again the next time.
    pub(super) fn not_kept(key: &Key) -> Self {
        let source = Arc::new(NotKept { key: key.clone() });
        Self::Database { doing: "write a counter", source }
    }

    /// Makes the error of a table that a crash of the server empties.
    #[cfg(feature = "postgres")]
    pub(super) fn emptied(table: &str) -> Self {
        let problem = "is on a table that a crash of the server empties";
        Self::Layout { table: table.to_owned(), problem }
    }

    /// Makes the error of a reservation that is not there: who was told of it could never
    /// confirm it.
    pub(super) fn not_held() -> Self {
        Self::Database { doing: "write a reservation", source: Arc::new(NotHeld) }
    }

    /// Tells whether the database may have the change all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. } | Self::TimedOut { .. })
    }
}
