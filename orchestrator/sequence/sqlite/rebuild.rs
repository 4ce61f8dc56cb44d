//! Making a database, also one that was lost or is damaged, so that no number is told again.
//!
//! One that is not there is built beside its place and put there. In a damaged one the content is
//! exchanged, in one transaction of SQLite's own: whoever has the file open, or waits for
//! its lock, goes on with what is new in it. To rename it would leave others with a file of
//! which nobody else knows, and with a log that is found by its name and is another's. A
//! copy of it is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use uuid::Uuid;

use super::adopt::{
    COMPANIONS, DAMAGED, NEW, REBUILDING, Raised, Raises, beside, build_beside, failed, locked,
    place, put, raise_all, raise_rows, sweep, sync, with_end,
};
use super::connection::{APPLICATION_ID, Database, fault_at, has_log, identity, wait};
use super::damage::is_damaged;
use super::migrate::migrate_within;
use super::salvage::{remains, reserved};
use crate::fs::{self, Holder};
use crate::sequence::{Counter, Layout, SequenceError};

const KEEP: &str = "keep the damaged database";

/// What SQLite keeps beside a file and could not make anew, by the end of the name.
const LOG: &str = "-wal";
const JOURNAL: &str = "-journal";

/// Pages of an exchange: as many as there are.
const ALL: i32 = -1;

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
    /// Where the copy of a damaged file is.
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

/// Makes the tables that are missing and raises sequences, in one transaction. The file is
/// made where it is missing, with what one that was lost has left to say.
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
) -> Result<Rebuilt, SequenceError> {
    let raise = |path: &Path| {
        let database = Database::open(path, false, busy_for)?;
        let raised = raise_all(&database, layout, raises, false)?;
        Ok(Rebuilt { raises: raises.clone(), raised, ..Rebuilt::default() })
    };
    match raise(path) {
        Err(SequenceError::Missing { path }) => {
            let path = place(&path)?;
            locked(&path, holder, busy_for, || {
                sweep(&path)?;
                match make_lost(&path, NEW, layout, raises.clone(), busy_for) {
                    // Somebody made it just now.
                    Err(SequenceError::Replaced { .. }) => raise(&path),
                    made => made,
                }
            })
        }
        raised => raised,
    }
}

/// Makes a lost or damaged file anew, with these sequences in it. A sound file is only
/// raised; of a damaged one a copy is kept as `FILE.damaged-NOW`, and its content exchanged.
/// What can still be read of its sequences counts too, and of copies that are left from
/// before.
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

fn rebuild_locked(
    path: &Path,
    layout: &Layout,
    raises: &Raises,
    now: Timestamp,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    sweep(path)?;
    match is_damaged(path, layout, busy_for)? {
        None => raise_sound(path, layout, raises.clone(), busy_for),
        Some(false) => make_lost(path, REBUILDING, layout, raises.clone(), busy_for),
        Some(true) => exchange_damaged(path, layout, raises.clone(), now, busy_for),
    }
}

fn raise_sound(
    path: &Path,
    layout: &Layout,
    mut raises: Raises,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    // Somebody may have made it while it was lost.
    let unread = count(&left(path, false)?, layout, &mut raises, busy_for);
    let database = Database::open(path, false, busy_for)?;
    // Where the table is lost, reservations may be all that is left of it.
    raise_to(&mut raises, reserved(&database, layout)?);
    let raised = raise_all(&database, layout, &raises, true)?;
    Ok(Rebuilt { raises, raised, unread, ..Rebuilt::default() })
}

fn make_lost(
    path: &Path,
    more: &str,
    layout: &Layout,
    mut raises: Raises,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    // What no source knows of would else begin anew.
    let left = left(path, false)?;
    let unread = count(&left, layout, &mut raises, busy_for);
    let others = others(&left, layout, busy_for);
    let (new, raised) = build_beside(path, more, layout, &raises, &others, busy_for)?;
    if !put(&new, path)? {
        return Err(SequenceError::Replaced { path: path.to_owned() });
    }
    let others = names(&others);
    Ok(Rebuilt { raises, raised, was_made: true, kept: None, others, unread })
}

fn exchange_damaged(
    path: &Path,
    layout: &Layout,
    mut raises: Raises,
    now: Timestamp,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    const DOING: &str = "exchange the damaged database";
    // To close it ends all locks that this process has on the file: it is the first to be
    // opened, and the last to be closed.
    let file = fs::open(path).map_err(failed(KEEP))?;
    let copy = with_end(path, &format!("{REBUILDING}{}", Uuid::new_v4().simple()));
    let was_empty = is_empty(path)?;
    if was_empty {
        // SQLite removes both when it opens the file.
        copy_log(path, &copy, LOG)?;
        copy_log(path, &copy, JOURNAL)?;
    }
    let mut damaged = Database::open_to_exchange(path, busy_for)?;
    damaged.check_names()?;
    let opened = damaged.file();
    let new = Connection::open_in_memory().map_err(|error| fault_at(path, DOING, error))?;
    let is_ours = damaged.retry(DOING, || take_settings(&damaged.conn, &new))?;
    migrate_within(&new, layout, was_empty || is_ours)?;
    let exchange = Backup::new(&new, &mut damaged.conn);
    let exchange = exchange.map_err(|error| fault_at(path, DOING, error))?;
    let step = |pages| match exchange.step(pages) {
        Ok(StepResult::Busy | StepResult::Locked) => {
            Err(SequenceError::Busy { waited: Duration::ZERO })
        }
        stepped => stepped.map(drop).map_err(|error| fault_at(path, DOING, error)),
    };
    // From here on the write lock is ours, and nobody else takes a number.
    wait(busy_for, || step(0))?;
    if identity(path)? != opened || is_empty(path)? != was_empty {
        return Err(SequenceError::Replaced { path: path.to_owned() });
    }
    if !was_empty {
        // A journal was played in when the file was opened, and one that is there is ours.
        copy_log(path, &copy, LOG)?;
    }
    let kept = with_end(path, &format!("{DAMAGED}{}", now.strftime("%Y%m%dT%H%M%S%3fZ")));
    fs::copy_new(&file, path, &copy).map_err(failed(KEEP))?;
    keep(&copy, &kept)?;
    let left = left(path, false)?;
    let unread = count(&left, layout, &mut raises, busy_for);
    let others = others(&left, layout, busy_for);
    let raised = raise_rows(&new, layout, &raises)?;
    for (layout, raises) in &others {
        migrate_within(&new, layout, false)?;
        raise_rows(&new, layout, raises)?;
    }
    step(ALL)?;
    drop(exchange);
    drop(damaged);
    drop(file);
    let others = names(&others);
    Ok(Rebuilt { raises, raised, was_made: true, kept: Some(kept), others, unread })
}

/// Gives a new database what can be read of the settings of a damaged one, and returns
/// whether that is ours, as one is of which nothing can be read.
fn take_settings(damaged: &Connection, new: &Connection) -> rusqlite::Result<bool> {
    let read = |name| damaged.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    // With a log of pages of another size nobody could go on.
    new.pragma_update(None, "page_size", read("page_size")?)?;
    new.pragma_update(None, "user_version", read("user_version")?)?;
    let application = read("application_id")?;
    new.pragma_update(None, "application_id", application)?;
    let is_unread = damaged.db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE)?;
    Ok(is_unread || application == APPLICATION_ID)
}

/// Copies a log that lies beside a file, if one does.
fn copy_log(path: &Path, copy: &Path, end: &str) -> Result<(), SequenceError> {
    let log = with_end(path, end);
    let copied = match fs::open(&log) {
        Ok(file) => fs::copy_new(&file, &log, &with_end(copy, end)),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    };
    copied.map_err(failed(KEEP))
}

/// Gives a copy the name under which it is kept. The file comes last: with the name, all
/// is there.
fn keep(copy: &Path, kept: &Path) -> Result<(), SequenceError> {
    for end in [LOG, JOURNAL, ""] {
        match fs::rename_noreplace(&with_end(copy, end), &with_end(kept, end)) {
            Err(error) if !error.is_not_found() => return Err(failed(KEEP)(error)),
            _ => {}
        }
    }
    sync(kept)
}

/// Returns the files that were the database once, and may say what was issued.
fn left(path: &Path, is_damaged: bool) -> Result<Vec<PathBuf>, SequenceError> {
    let mut before = BTreeSet::new();
    for file in beside(path, DAMAGED)? {
        // A log that a lost file left was kept without it.
        let name = file.to_string_lossy();
        let of_log = name.strip_suffix(LOG).map(PathBuf::from);
        if !COMPANIONS.iter().any(|end| name.ends_with(end)) {
            before.insert(file);
        } else if let Some(file) = of_log {
            before.insert(file);
        }
    }
    let is_left = is_damaged || is_empty(path)? && has_log(path)?;
    Ok(is_left.then(|| path.to_owned()).into_iter().chain(before).collect())
}

fn names(layouts: &[(Layout, Raises)]) -> Vec<&'static str> {
    layouts.iter().map(|(layout, _)| layout.layout_name()).collect()
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
