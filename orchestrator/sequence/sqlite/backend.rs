//! Batches on an SQLite file.
//!
//! One connection, used by one thread. After an error that may have left it in an
//! unknown state the connection is closed, and the next batch opens the file
//! anew, without making it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use super::connection::{Database, FileIdentity, check_names, fault, is_constraint};
use super::migrate::migrate;
use super::rebuild::is_emptied;
use super::rows;
use super::schema;
use super::statements::Statements;
use crate::fs;
use crate::sequence::error::{NotHeld, NotKept};
use crate::sequence::floors::Floors;
use crate::sequence::{
    Backend, Counter, Idempotency, Key, Known, Layout, MAX_EXPIRED, Plan, Reply, Request,
    ReservationRow, SequenceError, StoredAnswer,
};

/// What may be made where it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Make {
    /// Nothing: the file and the table must be there.
    Nothing,
    /// Tables, in a file that must be there.
    Tables,
    /// The file too. What it had issued before, if it was lost, is not known.
    File,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteOptions {
    /// What may be made.
    pub make: Make,
    /// How long locks of other processes are waited for; the default is 5 s.
    pub busy_for: Duration,
    /// Whether the log of a database that we made is grown at once to the size it
    /// will have, which makes each commit cheaper; for whoever stays open.
    pub presize: bool,
    /// Whether nothing is written: neither counters nor the log of another program that
    /// was killed.
    pub reads_only: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        let busy_for = Duration::from_secs(5);
        Self { make: Make::Nothing, busy_for, presize: false, reads_only: false }
    }
}

/// Sequences in an SQLite file.
#[derive(Debug)]
pub struct SqliteBackend {
    layout: Layout,
    statements: Statements,
    path: PathBuf,
    options: SqliteOptions,
    /// None after an error that may have left it in any state.
    database: Option<Database>,
    /// The file that was opened first: a later one may know less.
    file: FileIdentity,
    was_made: bool,
    floors: Floors,
}

impl SqliteBackend {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`SequenceError::Missing`] where there is none and none may be made;
    /// [`SequenceError::NotADatabase`], [`SequenceError::NoTable`],
    /// [`SequenceError::OtherColumns`] and [`SequenceError::NotUnique`] for what is
    /// there; [`SequenceError::Busy`] where others keep it locked.
    pub fn open(
        path: &Path,
        layout: Layout,
        options: SqliteOptions,
    ) -> Result<Self, SequenceError> {
        let statements = Statements::new(&layout);
        let path = path.to_owned();
        let (database, file, was_made, floors) = (None, None, false, Floors::default());
        let mut backend =
            Self { layout, statements, path, options, database, file, was_made, floors };
        check_left(&backend.path, options.make)?;
        let database = backend.connect(options.make)?;
        backend.file = database.file();
        backend.path = database.path().to_owned();
        // Only here: on a disk that is nearly full, growing the log at each connection
        // would take the space that the commits need.
        if options.presize
            && database.is_ours()?
            && let Err(error) = database.presize()
        {
            tracing::debug!(%error, "the log was not grown in advance");
        }
        backend.database = Some(database);
        Ok(backend)
    }

    /// Tells whether [`SqliteBackend::open`] made the file.
    pub fn was_made(&self) -> bool {
        self.was_made
    }

    /// Returns the file's path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(&mut self, make: Make) -> Result<Database, SequenceError> {
        let database = Database::open(&self.path, make == Make::File, self.options.busy_for)?;
        if self.options.reads_only {
            database.keep_log()?;
        }
        if make > Make::Nothing {
            self.was_made |= migrate(&database, &self.layout)?;
        } else {
            database.wait(|| schema::check(&database.conn, &self.layout))?;
        }
        let statements = || Statements::of(&database.conn, &self.layout);
        self.statements = database.retry("read the schema", statements)?;
        if database.is_ours()? && !database.is_read_only()? && !self.options.reads_only {
            // On a database of another program the journal mode stays as it is.
            database.retry("set the journal mode", || {
                database.conn.pragma_update(None, "journal_mode", "WAL")
            })?;
        }
        Ok(database)
    }

    /// Runs `f` on the connection, which is opened anew where the last error may
    /// have left it in any state. What it is opened to may be another file by then, so
    /// `f` looks first: a file that was lost or exchanged stays an error until somebody
    /// opens what is there now, which may be an old copy.
    fn on_database<T>(
        &mut self,
        f: impl FnOnce(&Database, &Layout, &Statements) -> Result<T, SequenceError>,
    ) -> Result<T, SequenceError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => self.connect(Make::Nothing)?,
        };
        let done = f(&database, &self.layout, &self.statements);
        if matches!(done, Ok(_) | Err(SequenceError::Busy { .. })) {
            self.database = Some(database);
        }
        done
    }

    fn carry_out(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        let file = self.file;
        let mut floors = std::mem::take(&mut self.floors);
        let outcomes = self.on_database(|database, layout, statements| {
            database.transaction(|conn| {
                // Only under the lock: who had it before may have exchanged the file.
                database.check_file(file)?;
                carry_out(conn, layout, statements, requests, &floors)
            })
        });
        if let Ok(outcomes) = &outcomes {
            floors.learn(outcomes);
        }
        self.floors = floors;
        outcomes
    }
}

/// Tells whether it may be the fault of one request that nothing was committed: a
/// table that only some need, or a rule of another program's.
fn is_of_one_request(error: &SequenceError) -> bool {
    match error {
        SequenceError::NoTable { .. } | SequenceError::NotUnique { .. } => true,
        SequenceError::Database { source, .. } => {
            is_constraint(source.as_ref()) || source.is::<NotKept>() || source.is::<NotHeld>()
        }
        _ => false,
    }
}

impl Backend for SqliteBackend {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        match self.carry_out(requests) {
            // The others of the batch have nothing to do with it.
            Err(error) if requests.len() > 1 && is_of_one_request(&error) => {
                let alone = |request| self.carry_out(std::slice::from_ref(request))?.remove(0);
                Ok(requests.iter().map(alone).collect())
            }
            outcomes => outcomes,
        }
    }

    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError> {
        let file = self.file;
        self.on_database(|database, layout, statements| {
            database.check_file(file)?;
            if let Err(error) = check_names(database.path()) {
                // To look does no harm, but may show less than there is.
                tracing::warn!("{error}");
            }
            database.retry("read the counters", || list(&database.conn, layout, statements))
        })
    }
}

fn carry_out(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
    requests: &[Request],
    floors: &Floors,
) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
    let questions = Plan::questions(requests);
    let known = known(conn, &questions).map_err(|error| missing_table(conn, error, ANSWERS))?;
    let plan = Plan::new(layout, requests, &known);
    let raise = |(key, to): &(Key, u32)| rows::raise(conn, layout, statements, key, *to);
    let raised: Vec<_> = plan.raises().iter().map(raise).collect::<Result<_, _>>()?;
    let add = |sum: &crate::sequence::Sum| {
        let fitting = |last| sum.fitting(last);
        rows::add(conn, layout, statements, &sum.key, fitting)
    };
    let added: Vec<_> = plan.sums().iter().map(add).collect::<Result<_, _>>()?;
    let added = floors.check(plan.sums(), added);
    if plan.probes() {
        let written = rows::lock(conn, statements);
        written.map_err(|error| fault(conn, "write a counter", error))?;
    }
    let expirations = plan.expirations().to_vec();
    let written = plan.written(&raised, &added, |_| None);
    let settled = plan.settle(now(conn)?, &raised, &added);

    let table = schema::reservations(layout);
    let failed = |error| missing_table(conn, error, table);
    for row in &settled.reservations {
        hold(conn, layout, row).map_err(failed)?;
    }
    for answer in &settled.answers {
        keep(conn, answer).map_err(|error| missing_table(conn, error, ANSWERS))?;
    }
    let confirm = format!(
        "UPDATE {table} AS r SET confirmed = 1 WHERE r.reservation_id IN (?1, upper(?1)) \
         AND ({IS_CONFIRMED} OR julianday(r.expires_at) > julianday('now'))"
    );
    let confirm =
        |id: &uuid::Uuid| Ok(conn.prepare_cached(&confirm)?.execute([id.to_string()])? > 0);
    let confirmed: rusqlite::Result<Vec<bool>> =
        settled.confirmations().iter().map(confirm).collect();
    let confirmed = confirmed.map_err(failed)?;
    let expire = |grace: &Duration| expire(conn, table, *grace);
    let deleted: rusqlite::Result<Vec<(u64, bool)>> = expirations.iter().map(expire).collect();
    let deleted = deleted.map_err(failed)?;
    // All tables may have triggers.
    for row in &settled.reservations {
        check_held(conn, table, row)?;
    }
    for (key, number) in written {
        rows::kept(conn, layout, statements, &key, number)?;
    }
    Ok(settled.outcomes(&confirmed, &deleted))
}

/// Checks that a reservation is there: a trigger may have kept it away.
fn check_held(conn: &Connection, table: &str, row: &ReservationRow) -> Result<(), SequenceError> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE reservation_id = ?1)");
    let is_there = || {
        let mut statement = conn.prepare_cached(&sql)?;
        statement.query_row([row.reservation.id.to_string()], |row| row.get(0))
    };
    match is_there() {
        Ok(true) => Ok(()),
        Ok(false) => Err(SequenceError::not_held()),
        Err(error) => Err(fault(conn, "read a reservation", error)),
    }
}

const ANSWERS: &str = "orchestrator_idempotency";

/// Whether a reservation is confirmed; other programs may write that as a word.
const IS_CONFIRMED: &str = "(r.confirmed OR typeof(r.confirmed) = 'text' \
     AND lower(r.confirmed) IN ('t', 'true', 'y', 'yes', 'on'))";

/// Names the table of ours that an error is about, if it is not there.
fn missing_table(conn: &Connection, error: rusqlite::Error, table: &str) -> SequenceError {
    let exists = "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1))";
    match conn.query_row(exists, [table], |row| row.get(0)) {
        Ok(false) => SequenceError::NoTable { table: table.to_owned() },
        _ => fault(conn, "keep a reservation or an answer", error),
    }
}

fn now(conn: &Connection) -> Result<Timestamp, SequenceError> {
    let read = || {
        let sql = "SELECT CAST(1000 * unixepoch('subsec') AS INTEGER)";
        let millis: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        // SQLite's clock ends with the year 9999, as jiff's does.
        Ok(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
    };
    read().map_err(|error| fault(conn, "read the clock", error))
}

/// Writes a time as SQLite does itself, UTC, so that texts can be compared.
fn text_of(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

fn known(conn: &Connection, questions: &[&Idempotency]) -> rusqlite::Result<Known> {
    let mut known = Known::new();
    for question in questions {
        let sql = "SELECT a.fingerprint, a.answer, a.expires_at FROM orchestrator_idempotency AS a \
                   WHERE a.scope = ?1 AND a.key = ?2 AND a.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')";
        let answer = |row: &rusqlite::Row<'_>| {
            Ok(StoredAnswer {
                scope: question.scope.clone(),
                key: question.key.clone(),
                fingerprint: row.get(0)?,
                answer: row.get(1)?,
                expires_at: Timestamp::MAX,
            })
        };
        let mut statement = conn.prepare_cached(sql)?;
        let found = statement.query_row([&question.scope, &question.key], answer).optional()?;
        if let Some(found) = found {
            known.insert((question.scope.clone(), question.key.clone()), found);
        }
    }
    Ok(known)
}

fn keep(conn: &Connection, answer: &StoredAnswer) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO orchestrator_idempotency \
               (scope, key, fingerprint, answer, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let StoredAnswer { scope, key, fingerprint, answer, expires_at } = answer;
    let expires_at = text_of(*expires_at);
    conn.prepare_cached(sql)?.execute([scope, key, fingerprint, answer, &expires_at]).map(drop)
}

fn hold(conn: &Connection, layout: &Layout, row: &ReservationRow) -> rusqlite::Result<()> {
    let reservation = &row.reservation;
    let id = reservation.id.to_string();
    let ids = json(&row.ids);
    let expires_at = text_of(reservation.expires_at);
    let key = &reservation.issued.key;
    let (of, values) = match (layout.layout_name(), key.values()) {
        ("registry", [kind, project]) => (
            "id_reservations (reservation_id, artifact_type, project_id",
            [kind.clone(), project.clone()],
        ),
        _ => (
            "orchestrator_reservations (reservation_id, sequence_table, sequence_key",
            [layout.table().to_owned(), json(key.values())],
        ),
    };
    let sql = format!("INSERT INTO {of}, reserved_ids, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)");
    let [first, second] = values;
    conn.prepare_cached(&sql)?.execute([id, first, second, ids, expires_at]).map(drop)
}

/// Checks that what is missing was never there: a log without its file, a copy that a
/// rebuild has kept, or a file that was named and is empty, is one that was lost.
fn check_left(path: &Path, make: Make) -> Result<(), SequenceError> {
    let file = fs::stamp(path).map_err(|error| SequenceError::Database {
        doing: "reach the database file",
        source: Arc::new(error),
    })?;
    if file.as_ref().is_some_and(|file| file.len > 0) {
        return Ok(());
    }
    if file.is_some() && make == Make::Tables || is_emptied(path)? {
        return Err(SequenceError::Missing { path: path.to_owned() });
    }
    Ok(())
}

/// Returns how many reservations were deleted, and whether nothing is left.
fn expire(conn: &Connection, table: &str, grace: Duration) -> rusqlite::Result<(u64, bool)> {
    let most = i64::from(MAX_EXPIRED);
    let old = |is_open: &str| {
        format!(
            "SELECT r.reservation_id FROM {table} AS r \
             WHERE {is_open} AND julianday(r.expires_at) < julianday('now') - ?1 / 86400.0"
        )
    };
    // Apart, since an index has the first; in a table of ours no row is of the second.
    let is_open = format!("NOT r.confirmed AND NOT {IS_CONFIRMED}");
    let (open, undecided) = (old(&is_open), old("r.confirmed IS NULL"));
    let sql = format!(
        "DELETE FROM {table} WHERE reservation_id IN ({open} UNION ALL {undecided} LIMIT ?2)"
    );
    let deleted = conn.prepare_cached(&sql)?.execute(params![grace.as_secs_f64(), most])?;
    let sql = "DELETE FROM orchestrator_idempotency WHERE (scope, key) IN \
               (SELECT a.scope, a.key FROM orchestrator_idempotency AS a \
               WHERE a.expires_at < strftime('%Y-%m-%d %H:%M:%f', 'now') LIMIT ?1)";
    let has_answers = "SELECT EXISTS (SELECT 1 FROM sqlite_schema \
                       WHERE name = 'orchestrator_idempotency')";
    let mut answers = 0;
    // Answers are repeated until then only, so nobody counts them. Tables of another
    // program's making may have none.
    if conn.query_row(has_answers, [], |row| row.get(0))? {
        answers = conn.prepare_cached(sql)?.execute([most])?;
    }
    Ok((deleted as u64, deleted.max(answers) < MAX_EXPIRED as usize))
}

/// A list of texts always has a JSON form.
fn json(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

pub(super) fn list(
    conn: &Connection,
    layout: &Layout,
    statements: &Statements,
) -> rusqlite::Result<Vec<Counter>> {
    let mut counters = Vec::new();
    read(conn, layout, &statements.list, &mut counters)?;
    Ok(counters)
}

/// Reads the rows that a statement has, as far as they can be read.
pub(super) fn read(
    conn: &Connection,
    layout: &Layout,
    sql: &str,
    counters: &mut Vec<Counter>,
) -> rusqlite::Result<()> {
    let width = layout.key_columns().len();
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<String> =
            (0..width).map(|i| row.get_ref(i).map(shown)).collect::<Result<_, _>>()?;
        let value: Value = row.get(width)?;
        match Key::new(values) {
            Ok(key) => {
                let last = rows::check(&key, &value);
                counters.push((key, last));
            }
            Err(error) => tracing::warn!(%error, "a row of {} was passed over", layout.table()),
        }
    }
    Ok(())
}

/// A key part as text, whatever type a column without one has given it.
fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}
