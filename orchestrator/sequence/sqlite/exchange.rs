//! Exchanging what is in a damaged database, which stays where it is.
//!
//! It is one transaction of SQLite's own, under the write lock that is taken before the
//! counters are read: whoever has the file open, or waits for its lock, goes on with what is
//! new in it. To rename it would leave others with a file of which nobody else knows, and
//! with a log that is found by its name and is another's. A copy of it is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use uuid::Uuid;

use super::adopt::{
    COMPANIONS, DAMAGED, JOURNAL, LOG, REBUILDING, Raised, Raises, beside, failed, sync, with_end,
};
use super::connection::{
    APPLICATION_ID, Database, FileIdentity, check_names, fault_at, identity, identity_of, is_empty,
    wait,
};
use super::damage::is_damaged;
use super::migrate::migrate_within;
use super::rebuild::{Known, Rebuilt, fill, left};
use crate::fs;
use crate::sequence::{Layout, SequenceError};

const KEEP: &str = "keep the damaged database";
const DOING: &str = "exchange the damaged database";

/// Pages of an exchange: as many as there are.
const ALL: i32 = -1;

/// Keeps a copy of a damaged file, and gives it new content with all that is known.
pub(super) fn exchange_damaged(
    path: &Path,
    layout: &Layout,
    raises: Raises,
    now: Timestamp,
    busy_for: Duration,
) -> Result<Rebuilt, SequenceError> {
    // To close it ends all locks that this process has on the file: it is the first to be
    // opened, and the last to be closed.
    let file = fs::open(path).map_err(failed(KEEP))?;
    let opened = identity_of(&file, path)?;
    let head = Head::read(path)?;
    let kept = free_name(path, now)?;
    let old = Old { path, file: &file, opened, was_empty: is_empty(path)?, kept: &kept };
    check_names(path)?;
    if old.was_empty {
        // SQLite removes both when it opens the file.
        old.keep(&[LOG, JOURNAL])?;
    }
    let exchanged = old.exchange(&head, layout, raises, busy_for);
    if exchanged.is_err() && !old.was_empty && old.is_as_it_was(layout, busy_for) {
        // All that the copy says is there still.
        old.discard_copy()?;
    }
    let (known, raised) = exchanged?;
    drop(file);
    let is_kept = |path: &PathBuf| fs::stamp(path).is_ok_and(|stamp| stamp.is_some());
    let kept = [kept.clone(), with_end(&kept, LOG)].into_iter().find(is_kept);
    Ok(known.rebuilt(raised, kept))
}

/// A damaged file that is open, and where its copy is kept.
struct Old<'a> {
    path: &'a Path,
    file: &'a fs::File,
    opened: FileIdentity,
    was_empty: bool,
    kept: &'a Path,
}

impl Old<'_> {
    fn exchange(
        &self,
        head: &Head,
        layout: &Layout,
        raises: Raises,
        busy_for: Duration,
    ) -> Result<(Known, Raised), SequenceError> {
        let path = self.path;
        let (mut damaged, is_readable) = Database::open_to_exchange(path, busy_for)?;
        self.check_file()?;
        let read = || self.read(layout, raises, busy_for);
        if is_readable && !self.was_empty {
            return overwrite(path, &mut damaged, layout, busy_for, read);
        }
        damaged.transaction(|conn| {
            let known = read()?;
            let is_ours = head.take_over(conn).map_err(|error| fault_at(path, DOING, error))?;
            let raised = fill(conn, layout, is_ours, &known)?;
            // Whoever has the file open must see that their schema is not this one, which
            // would begin to count at the same number.
            let version = Uuid::new_v4().as_u128() as i32 & 0x3fff_ffff | 0x10_0000;
            let set = conn.pragma_update(None, "schema_version", version);
            set.map_err(|error| fault_at(path, DOING, error))?;
            Ok((known, raised))
        })
    }

    /// Keeps a copy and reads it, under the write lock, when nobody else takes a number.
    fn read(
        &self,
        layout: &Layout,
        raises: Raises,
        busy_for: Duration,
    ) -> Result<Known, SequenceError> {
        self.check_file()?;
        if !self.was_empty {
            // A journal was played in when the file was opened, and one that is there is ours.
            self.keep(&[LOG, ""])?;
            if is_damaged(self.kept, layout, busy_for)?.is_none() {
                // Somebody has mended it.
                self.discard_copy()?;
                return Err(SequenceError::Replaced { path: self.path.to_owned() });
            }
        }
        let known = Known::of(&left(self.path, false)?, layout, raises, busy_for);
        // That of the copy, which means nothing without those who have it open.
        fs::remove_if_exists(&with_end(self.kept, "-shm")).map_err(failed(KEEP))?;
        known
    }

    fn check_file(&self) -> Result<(), SequenceError> {
        match identity(self.path)? == self.opened && is_empty(self.path)? == self.was_empty {
            true => Ok(()),
            false => Err(SequenceError::Replaced { path: self.path.to_owned() }),
        }
    }

    fn is_as_it_was(&self, layout: &Layout, busy_for: Duration) -> bool {
        let found = || is_damaged(self.path, layout, busy_for);
        self.check_file().is_ok()
            && matches!(found(), Ok(Some(true)) | Err(SequenceError::DamagedTable { .. }))
    }

    fn discard_copy(&self) -> Result<(), SequenceError> {
        for end in COMPANIONS.iter().chain([&""]) {
            fs::remove_if_exists(&with_end(self.kept, end)).map_err(failed("remove"))?;
        }
        Ok(())
    }

    /// Copies the file and what lies beside it, by the ends of their names, and gives the
    /// copies the name under which they are kept, for good. The file comes last: with its
    /// name, all is there.
    fn keep(&self, ends: &[&str]) -> Result<(), SequenceError> {
        let copy = with_end(self.path, &format!("{REBUILDING}{}", Uuid::new_v4().simple()));
        let all = ends.iter().try_for_each(|end| {
            let (from, to) = (with_end(self.path, end), with_end(&copy, end));
            if end.is_empty() {
                return fs::copy_new(self.file, self.path, &to);
            }
            match fs::open(&from) {
                Ok(log) => fs::copy_new(&log, &from, &to),
                Err(error) if error.is_not_found() => Ok(()),
                Err(error) => Err(error),
            }
        });
        let all = all.and_then(|()| {
            ends.iter().try_for_each(|end| {
                match fs::rename_noreplace(&with_end(&copy, end), &with_end(self.kept, end)) {
                    Err(error) if error.is_not_found() => Ok(()),
                    renamed => renamed,
                }
            })
        });
        if all.is_err() {
            // On a full disk each part of a copy is in the way.
            for end in ends {
                fs::remove_if_exists(&with_end(&copy, end)).map_err(failed("remove"))?;
            }
        }
        all.map_err(failed(KEEP))?;
        sync(self.kept)
    }
}

/// Exchanges what is in a database whose schema can be read, page by page: so that what a
/// crash leaves is the old one, a page that is not in use any more must be in the journal.
fn overwrite(
    path: &Path,
    damaged: &mut Database,
    layout: &Layout,
    busy_for: Duration,
    read: impl FnOnce() -> Result<Known, SequenceError>,
) -> Result<(Known, Raised), SequenceError> {
    let new = Connection::open_in_memory().map_err(|error| fault_at(path, DOING, error))?;
    let is_ours = damaged.retry(DOING, || take_settings(&damaged.conn, &new))?;
    migrate_within(&new, layout, is_ours)?;
    // What is to be recovered is so before: a step that was refused for that stays refused.
    damaged.retry(DOING, || damaged.conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK"))?;
    let exchange = Backup::new(&new, &mut damaged.conn);
    let exchange = exchange.map_err(|error| fault_at(path, DOING, error))?;
    let step = |pages| match exchange.step(pages) {
        Ok(StepResult::Busy | StepResult::Locked) => {
            Err(SequenceError::Busy { waited: Duration::ZERO })
        }
        Ok(StepResult::More) if pages == ALL => {
            Err(fault_at(path, DOING, rusqlite::Error::InvalidQuery))
        }
        stepped => stepped.map(drop).map_err(|error| fault_at(path, DOING, error)),
    };
    // This takes the lock.
    wait(busy_for, || step(0))?;
    let known = read()?;
    let raised = fill(&new, layout, false, &known)?;
    step(ALL)?;
    Ok((known, raised))
}

/// Gives a new database the settings of a damaged one, and returns whether that is ours.
fn take_settings(damaged: &Connection, new: &Connection) -> rusqlite::Result<bool> {
    let read = |name| damaged.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let encoding: String = damaged.pragma_query_value(None, "encoding", |row| row.get(0))?;
    new.pragma_update(None, "encoding", encoding)?;
    for name in ["page_size", "auto_vacuum", "user_version", "application_id"] {
        new.pragma_update(None, name, read(name)?)?;
    }
    Ok(read("application_id")? == APPLICATION_ID)
}

/// The head of a file, see "The Database Header" in SQLite's description of its files.
struct Head(Vec<u8>);

impl Head {
    fn read(path: &Path) -> Result<Self, SequenceError> {
        fs::read_head(path, 100).map(Self).map_err(failed("read the damaged database"))
    }

    /// Gives a new database what its program has written there, and returns whether it is
    /// ours, as one is of which nothing can be read.
    fn take_over(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let number = |at: usize| {
            // Of these no other value is possible.
            let is_whole = self.0.starts_with(b"SQLite format 3\0")
                && self.0.get(21..24) == Some(&[64, 32, 32]);
            let bytes = self.0.get(at..at + 4).filter(|_| is_whole);
            bytes.and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)))
        };
        let (Some(user), Some(application)) = (number(60), number(68)) else { return Ok(true) };
        conn.pragma_update(None, "user_version", user)?;
        conn.pragma_update(None, "application_id", application)?;
        Ok(application == APPLICATION_ID)
    }
}

/// Returns a name for a copy that nothing has; the lock of the rebuild keeps it so.
fn free_name(path: &Path, now: Timestamp) -> Result<PathBuf, SequenceError> {
    let name = with_end(path, &format!("{DAMAGED}{}", now.strftime("%Y%m%dT%H%M%S%3fZ")));
    let taken = beside(path, DAMAGED)?;
    let is_free = |name: &PathBuf| {
        let begin = name.as_os_str().as_encoded_bytes();
        !taken.iter().any(|file| file.as_os_str().as_encoded_bytes().starts_with(begin))
    };
    let mut names = (2_u32..).map(|n| with_end(&name, &format!("-{n}")));
    Ok(if is_free(&name) { name } else { names.find(is_free).unwrap_or_default() })
}
