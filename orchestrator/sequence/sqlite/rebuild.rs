//! Making a database, also one that was lost or is damaged, so that no number is told again.
//!
//! One that is not there is built beside its place and put there; what is in a damaged one
//! is exchanged. What is left of the old one counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::adopt::{
    COMPANIONS, DAMAGED, LOG, NEW, REBUILDING, Raised, Raises, beside, build, locked, place, put,
    raise_all, raise_rows, sweep, with_end,
};
use super::connection::{Database, has_log, has_lost_journal, is_empty};
use super::damage::is_damaged;
use super::exchange::exchange_damaged;
use super::migrate::{migrate_within, note_lost};
use super::salvage::{Extent, remains, reserved};
use crate::fs::{self, Holder};
use crate::sequence::{Counter, Layout, SequenceError};

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
    /// Other layouts whose sequences could not all be read: their table is not made, so that
    /// none begins anew, before a rebuild of that layout.
    pub lost: Vec<&'static str>,
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
    // Of one that was cut to nothing the log knows more, and SQLite would remove it.
    if fs::stamp(path).is_ok_and(|file| file.is_some()) && is_emptied(path)? {
        return Err(SequenceError::Missing { path: path.to_owned() });
    }
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
/// The file is opened and closed, which ends the locks that this process has on it by other
/// connections: not to be called beside one.
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
        count(&left(&path, is_damaged)?, layout, &mut raises, busy_for)?;
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
    let unread = paths(count(&left(path, false)?, layout, &mut raises, busy_for)?);
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
    raises: Raises,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    // What no source knows of would else begin anew.
    let known = Known::of(&left(path, false)?, layout, raises, busy_for)?;
    let new = with_end(path, &format!("{more}{}", Uuid::new_v4().simple()));
    let raised = build(&new, busy_for, |conn| fill(conn, layout, true, &known))?;
    if !put(&new, path)? {
        return Err(SequenceError::Replaced { path: path.to_owned() });
    }
    Ok(known.rebuilt(raised, None))
}

/// What is known of a database that is to be made anew.
pub(super) struct Known {
    raises: Raises,
    unread: Vec<PathBuf>,
    others: Vec<Other>,
}

/// What is known of a layout that was not asked for, but lies in the same database.
struct Other {
    layout: Layout,
    raises: Raises,
    is_all: bool,
}

impl Known {
    pub(super) fn of(
        left: &[PathBuf],
        layout: &Layout,
        mut raises: Raises,
        busy_for: Duration,
    ) -> Result<Self, SequenceError> {
        let unread = paths(count(left, layout, &mut raises, busy_for)?);
        let others = others(left, layout, busy_for)?;
        Ok(Self { raises, unread, others })
    }

    pub(super) fn rebuilt(self, raised: Raised, kept: Option<PathBuf>) -> Rebuilt {
        let name = |other: Other| other.layout.layout_name();
        let (whole, part) = self.others.into_iter().partition::<Vec<_>, _>(|other| other.is_all);
        Rebuilt {
            raises: self.raises,
            raised,
            was_made: true,
            kept,
            others: whole.into_iter().map(name).collect(),
            lost: part.into_iter().map(name).collect(),
            unread: self.unread,
        }
    }
}

/// Makes tables and sequences in a new database, within a transaction.
pub(super) fn fill(
    conn: &Connection,
    layout: &Layout,
    is_ours: bool,
    known: &Known,
) -> Result<Raised, SequenceError> {
    migrate_within(conn, layout, is_ours)?;
    let raised = raise_rows(conn, layout, &known.raises)?;
    for other in &known.others {
        if other.is_all {
            migrate_within(conn, &other.layout, false)?;
            raise_rows(conn, &other.layout, &other.raises)?;
        } else {
            // A sequence that could not be read would begin anew: without the table none
            // does, before a rebuild with sources of its own.
            note_lost(conn, &other.layout)?;
        }
    }
    Ok(raised)
}

/// Returns the files that were the database once, and may say what was issued.
pub(super) fn left(path: &Path, is_damaged: bool) -> Result<Vec<PathBuf>, SequenceError> {
    let mut before = BTreeSet::new();
    for file in beside(path, DAMAGED)? {
        let ends = |end: &&str| file.as_os_str().as_encoded_bytes().ends_with(end.as_bytes());
        if !COMPANIONS.iter().any(ends) {
            before.insert(file);
        } else if let Some(file) = file.to_str().and_then(|name| name.strip_suffix(LOG)) {
            // A log that a lost file left was kept without it.
            before.insert(file.into());
        }
    }
    let is_left = is_damaged || is_empty(path)? && has_log(path)?;
    Ok(is_left.then(|| path.to_owned()).into_iter().chain(before).collect())
}

/// Tells whether a file has nothing in it, or is not there, though it was a database.
pub(super) fn is_emptied(path: &Path) -> Result<bool, SequenceError> {
    Ok(is_empty(path)? && (has_log(path)? || has_lost_journal(path)? || has_remains(path)?))
}

/// Tells whether a rebuild has left something of a database beside it.
fn has_remains(path: &Path) -> Result<bool, SequenceError> {
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

/// Raises to what such files say; returns those that do not say all, and how much they say.
fn count(
    files: &[PathBuf],
    layout: &Layout,
    raises: &mut Raises,
    busy_for: Duration,
) -> Result<Vec<(PathBuf, Extent)>, SequenceError> {
    let mut unread = Vec::new();
    for file in files {
        let (counters, extent) = remains(file, layout, busy_for)?;
        if extent != Extent::All {
            unread.push((file.clone(), extent));
        }
        raise_to(raises, counters);
    }
    Ok(unread)
}

fn paths(unread: Vec<(PathBuf, Extent)>) -> Vec<PathBuf> {
    unread.into_iter().map(|(path, _)| path).collect()
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
fn others(
    files: &[PathBuf],
    layout: &Layout,
    busy_for: Duration,
) -> Result<Vec<Other>, SequenceError> {
    let mut found: Vec<Other> = Vec::new();
    for other in [Layout::registry(), Layout::prefix_type(), Layout::name()] {
        let is_taken = found.iter().any(|one| one.layout.table() == other.table());
        if is_taken || other.table() == layout.table() {
            continue;
        }
        let mut raises = Raises::new();
        let unread = count(files, &other, &mut raises, busy_for)?;
        let is_all = unread.iter().all(|(_, extent)| *extent != Extent::Part);
        if !(raises.is_empty() && is_all) {
            found.push(Other { layout: other, raises, is_all });
        }
    }
    Ok(found)
}
