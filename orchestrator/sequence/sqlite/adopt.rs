//! Taking over IDs that exist: reading them from a column, and making tables or a
//! whole file in which they are counted from the first moment on.
//!
//! Tables are made and sequences raised in one transaction, and a file is made beside
//! its place and then renamed, so that nobody ever finds a sequence that starts at 1
//! though its IDs exist. A damaged file is kept under another name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Database, has_log};
use super::damage::is_damaged;
use super::migrate::{migrate_within, revive};
use super::salvage::{remains, reserved};
use super::statements::Statements;
use super::{rows, schema};
use crate::fs::{self, FileLock, FsError, Holder, LockError};
use crate::sequence::adopt::Column;
use crate::sequence::{Counter, Key, Layout, SequenceError};

/// What SQLite keeps beside a database, by the end of the name.
pub(super) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What is put at the end of a damaged file's name, before the time.
const DAMAGED: &str = ".damaged-";

/// What is put at the end of the name of a file that is being made, before 32 digits.
const NEW: &str = ".new-";
pub(super) const REBUILDING: &str = ".rebuilding-";

/// Sequences and the numbers that they are raised to.
pub type Raises = BTreeMap<Key, u32>;

/// Where each sequence stood before, `None` where it had no row, or why it could not
/// be raised; in the order of their keys.
pub type Raised = Vec<Result<Option<u32>, SequenceError>>;

/// What a rebuild did.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// What the sequences were raised to: at least to what was asked for, and to what
    /// a damaged file still said.
    pub raises: Raises,
    /// What became of them.
    pub raised: Raised,
    /// Whether the file was made; else it was sound, and only raised.
    pub was_made: bool,
    /// Where the damaged file is now.
    pub kept: Option<PathBuf>,
    /// Other layouts whose sequences were taken over from it as they stood.
    pub others: Vec<&'static str>,
    /// Damaged files of which not all counters could be read.
    pub unread: Vec<PathBuf>,
}

/// What a rebuild would do.
#[derive(Debug)]
pub struct RebuildPlan {
    /// Whether the file is there and damaged, and not lost.
    pub is_damaged: bool,
    /// What the sequences would be raised to.
    pub raises: Raises,
}

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

/// Makes the tables that are missing and raises sequences, in one transaction; the
/// file is made where it is missing.
///
/// # Errors
/// Those of opening the file; [`SequenceError::Busy`] where somebody else is making it.
/// What is wrong with a single sequence is in the answer.
pub fn make_and_raise(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    holder: &Holder,
    busy_for: Duration,
) -> Result<Raised, SequenceError> {
    match Database::open(path, false, busy_for) {
        Ok(database) => raise_all(&database, layout, raises, false),
        Err(SequenceError::Missing { path }) => {
            let path = place(&path)?;
            locked(&path, holder, busy_for, || make_locked(&path, layout, raises, busy_for))
        }
        Err(error) => Err(error),
    }
}

fn make_locked(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    busy_for: Duration,
) -> Result<Raised, SequenceError> {
    sweep(path)?;
    let (new, raised) = build_beside(path, NEW, layout, raises, &[], busy_for)?;
    match put(&new, path)? {
        true => Ok(raised),
        // Somebody made it just now.
        false => raise_all(&Database::open(path, false, busy_for)?, layout, raises, false),
    }
}

/// Makes a lost or damaged file anew, with these sequences in it. A sound file is only
/// raised; a damaged one is renamed to `FILE.damaged-NOW`. What can still be read of its
/// sequences counts too, and of those that were renamed so before: a rebuild may have
/// been killed between the two renames.
///
/// # Errors
/// [`SequenceError::Busy`] where another rebuild is under way; those of the files.
pub fn rebuild(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    now: Timestamp,
    holder: &Holder,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    let path = place(path)?;
    locked(&path, holder, busy_for, || rebuild_locked(&path, layout, raises, now, busy_for))
}

/// Runs what makes a file with the lock that all who make it take.
fn locked<T>(
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

/// Says what [`rebuild`] would do to a file that is lost or damaged; `None` for a sound
/// one, which would only be raised.
///
/// # Errors
/// [`SequenceError::Busy`]; those of the files.
pub fn plan_rebuild(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    busy_for: Duration,
) -> Result<Option<RebuildPlan>, SequenceError> {
    let Some(is_damaged) = is_damaged(path, layout, busy_for)? else { return Ok(None) };
    let mut raises = raises.clone();
    if let Ok(path) = fs::resolve(path) {
        count(&left(&path, is_damaged)?, layout, &mut raises, busy_for);
    }
    Ok(Some(RebuildPlan { is_damaged, raises }))
}

/// Returns the path of a file that is there or is to be made, links followed: what lies
/// beside it, and what takes its place, must not lie beside a link.
fn place(path: &Path) -> Result<PathBuf, SequenceError> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(failed("make the folder"))?;
    }
    fs::resolve(path).map_err(failed("find the database"))
}

fn rebuild_locked(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    now: Timestamp,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    sweep(path)?;
    let mut raises = raises.clone();
    let Some(is_damaged) = is_damaged(path, layout, busy_for)? else {
        // Somebody may have made it while it was away for a moment, or a kill kept it so.
        let unread = count(&left(path, false)?, layout, &mut raises, busy_for);
        let database = Database::open(path, false, busy_for)?;
        // Where the table is lost, reservations may be all that is left of it.
        raise_to(&mut raises, reserved(&database, layout)?);
        let raised = raise_all(&database, layout, &raises, true)?;
        return Ok(Rebuilt { raises, raised, was_made: false, unread, ..Rebuilt::default() });
    };
    // Nobody may take a number of the old file once its counters were read. Where it is
    // too damaged for a lock, nobody can take one either.
    let is_empty = is_empty(path)?;
    let held = if is_damaged && !is_empty { hold(path, busy_for)? } else { None };
    // What no source knows of would else begin anew.
    let left = left(path, is_damaged)?;
    let unread = count(&left, layout, &mut raises, busy_for);
    let others = others(&left, layout, busy_for);
    let (new, raised) = build_beside(path, REBUILDING, layout, &raises, &others, busy_for)?;
    if is_damaged {
        fs::copy_attributes(path, &new).map_err(failed("make the database its owner's"))?;
    }
    let kept = now.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let kept = if is_damaged { Some(set_aside(path, &kept)?) } else { None };
    if !put(&new, path)? {
        return Err(SequenceError::Replaced { path: path.to_owned() });
    }
    drop(held);
    let others = others.iter().map(|(layout, _)| layout.layout_name()).collect();
    Ok(Rebuilt { raises, raised, was_made: true, kept, others, unread })
}

/// Removes what others that were killed had begun to make. Those who live have the lock.
fn sweep(path: &Path) -> Result<(), SequenceError> {
    for more in [NEW, REBUILDING] {
        let begin = with_end(path, more).as_os_str().len();
        for file in beside(path, more)? {
            if is_of_ours(&file.as_os_str().as_encoded_bytes()[begin..]) {
                fs::remove_if_exists(&file).map_err(failed("remove"))?;
            }
        }
    }
    Ok(())
}

/// Tells whether the end of a name is one that we gave: a person may keep a copy under
/// a name that begins like ours.
fn is_of_ours(end: &[u8]) -> bool {
    let Some((id, companion)) = end.split_at_checked(32) else { return false };
    let is_id = id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    is_id && (companion.is_empty() || COMPANIONS.iter().any(|end| end.as_bytes() == companion))
}

/// Takes the write lock of a damaged file, where it has one to take.
fn hold(path: &Path, busy_for: Duration) -> Result<Option<Database>, SequenceError> {
    let held = Database::open(path, false, busy_for).and_then(|database| {
        database.retry("lock", || database.conn.execute_batch("BEGIN IMMEDIATE"))?;
        Ok(database)
    });
    match held {
        Ok(held) => Ok(Some(held)),
        // Whoever has the lock may be about to take a number.
        Err(error @ SequenceError::Busy { .. }) => Err(error),
        Err(error) => {
            tracing::info!(%error, "the damaged database cannot be locked");
            Ok(None)
        }
    }
}

/// Returns the files that were the database once, and may say what was issued.
fn left(path: &Path, is_damaged: bool) -> Result<Vec<PathBuf>, SequenceError> {
    let is_file = |file: &PathBuf| {
        let name = file.as_os_str().as_encoded_bytes();
        !COMPANIONS.iter().any(|end| name.ends_with(end.as_bytes()))
    };
    let before = beside(path, DAMAGED)?.into_iter().filter(is_file);
    let is_left = is_damaged || is_empty(path)? && has_log(path)?;
    Ok(is_left.then(|| path.to_owned()).into_iter().chain(before).collect())
}

/// Tells whether there is nothing at all in the file, or no file.
pub(super) fn is_empty(path: &Path) -> Result<bool, SequenceError> {
    let stamp = fs::stamp(path).map_err(failed("look for the database"))?;
    Ok(stamp.is_none_or(|stamp| stamp.len == 0))
}

/// Tells whether a rebuild has left something of a database beside it.
pub(super) fn has_remains(path: &Path) -> Result<bool, SequenceError> {
    let Ok(path) = fs::resolve(path) else { return Ok(false) };
    if !fs::stamp(path.parent().unwrap_or(&path)).is_ok_and(|folder| folder.is_some()) {
        return Ok(false);
    }
    let is_file = |file: &PathBuf| fs::stamp(file).is_ok_and(|stamp| stamp.is_some());
    let left = [REBUILDING, DAMAGED].map(|more| beside(&path, more));
    for left in left {
        if left?.iter().any(is_file) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Raises to what such files say; returns those that do not say all.
fn count(
    files: &[PathBuf],
    layout: &Layout,
    raises: &mut Raises,
    busy_for: Duration,
) -> Vec<PathBuf> {
    let mut unread = Vec::new();
    for file in files {
        let (counters, is_all) = remains(file, layout, busy_for);
        if !is_all {
            unread.push(file.clone());
        }
        raise_to(raises, counters);
    }
    unread
}

fn raise_to(raises: &mut Raises, counters: Vec<Counter>) {
    for (key, last) in counters {
        if let Ok(last) = last {
            let to = raises.entry(key).or_default();
            *to = last.max(*to);
        }
    }
}

/// Returns what such files say in layouts that were not asked for, but lie in the same
/// database.
fn others(files: &[PathBuf], layout: &Layout, busy_for: Duration) -> Vec<(Layout, Raises)> {
    let mut found: Vec<(Layout, Raises)> = Vec::new();
    for other in [Layout::registry(), Layout::prefix_type(), Layout::name()] {
        let is_taken = found.iter().any(|(one, _)| one.table() == other.table());
        if is_taken || other.table() == layout.table() {
            continue;
        }
        let mut raises = Raises::new();
        count(files, &other, &mut raises, busy_for);
        if !raises.is_empty() {
            found.push((other, raises));
        }
    }
    found
}

/// Returns the files whose name is the database's and goes on like this.
fn beside(path: &Path, more: &str) -> Result<Vec<PathBuf>, SequenceError> {
    let dir = path.parent().unwrap_or(path);
    let entries = fs::list(dir).map_err(failed("look at the database's folder"))?;
    let begin = with_end(path, more);
    let begin = begin.as_os_str().as_encoded_bytes();
    let files = entries.into_iter().map(|entry| entry.path);
    Ok(files.filter(|file| file.as_os_str().as_encoded_bytes().starts_with(begin)).collect())
}

/// Makes a file of another name with all sequences in it, closed and durable.
fn build_beside(
    path: &Path,
    more: &str,
    layout: &Layout,
    raises: &Raises,
    others: &[(Layout, Raises)],
    busy_for: Duration,
) -> Result<(PathBuf, Raised), SequenceError> {
    let new = with_end(path, &format!("{more}{}", Uuid::new_v4().simple()));
    let made = Database::open(&new, true, busy_for).and_then(|database| {
        let raised = raise_all(&database, layout, raises, false)?;
        for (layout, raises) in others {
            raise_all(&database, layout, raises, false)?;
        }
        Ok(raised)
    });
    match made {
        Ok(raised) => Ok((new, raised)),
        Err(error) => {
            for end in COMPANIONS.iter().chain([&""]) {
                fs::remove_if_exists(&with_end(&new, end)).map_err(failed("remove"))?;
            }
            Err(error)
        }
    }
}

fn raise_all(
    database: &Database,
    layout: &Layout,
    raises: &Raises,
    revives: bool,
) -> Result<Raised, SequenceError> {
    let statements = Statements::new(layout);
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
            migrate_within(database, conn, layout)?;
        }
        let raise = |(key, to): (&Key, &u32)| rows::raise(conn, layout, &statements, key, *to);
        raises.iter().map(raise).collect()
    })
}

/// Puts a new file in its place; returns whether nothing was there. A log that a lost
/// file has left would be played into the new one, and is renamed first.
fn put(new: &Path, path: &Path) -> Result<bool, SequenceError> {
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

/// Renames a damaged file and its companions, and returns the new name. Killed in
/// between, either name has all: what goes with the file is copied first, and goes last.
fn set_aside(path: &Path, when: &str) -> Result<PathBuf, SequenceError> {
    let kept = with_end(path, &format!("{DAMAGED}{when}"));
    // The index of the log is made anew from the log; to open it here would end the lock
    // that this process holds through it.
    for companion in COMPANIONS.into_iter().filter(|end| *end != "-shm") {
        let bytes = fs::read_if_exists(&with_end(path, companion));
        if let Some(bytes) = bytes.map_err(failed("keep the damaged database"))? {
            fs::create_new(&with_end(&kept, companion), &bytes)
                .map_err(failed("keep the damaged database"))?;
        }
    }
    fs::rename_noreplace(path, &kept).map_err(failed("keep the damaged database"))?;
    sync(path)?;
    for companion in COMPANIONS {
        fs::remove_if_exists(&with_end(path, companion)).map_err(failed("remove"))?;
    }
    sync(path)?;
    Ok(kept)
}

pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn sync(path: &Path) -> Result<(), SequenceError> {
    let dir = path.parent().unwrap_or(path);
    fs::sync_dir(dir).map_err(failed("sync the folder"))
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(FsError) -> SequenceError {
    move |error| SequenceError::Database { doing, source: Arc::new(error) }
}
