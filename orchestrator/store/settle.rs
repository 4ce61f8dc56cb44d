//! Reading what is settled: a text that somebody may still be writing is read
//! again until it stands still.
//!
//! Editors take no lock, and a file cut short by a save in progress can parse
//! well. So a text that we did not see before, and that is fresh, shorter than it
//! was or not readable, is read until two reads 50 ms apart agree.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Clock, StoreError};
use crate::fs;

/// How old a change must be to be believed at once.
const FRESH: Duration = Duration::from_millis(100);
/// The time between two reads that must agree.
const PAUSE: Duration = Duration::from_millis(50);
/// The time between two looks.
const MOMENT: Duration = Duration::from_millis(8);
/// After how long a text counts as one that changes all the time.
const RESTLESS: Duration = Duration::from_millis(200);
/// How long we wait for a text to stand still.
const PATIENCE: Duration = Duration::from_secs(2);

/// A text that stood still.
pub(super) struct Settled {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: String,
    /// The file's state just before it was read.
    pub stamp: fs::Stamp,
}

/// Reads a file once it stands still. `is_known` tells by its hash whether we have
/// seen a text before; of any other `count` tells how many items it has, where it
/// can be read, and fewer than `items` look like a part.
///
/// A text that changes all the time, as under an editor that saves with every key,
/// is taken once it can be read and does not shrink from one look to the next:
/// should it be a part after all, the rest lands in the displaced file, and is
/// carried forward.
///
/// # Errors
/// [`StoreError::NotInitialised`] where there is no file,
/// [`StoreError::Unsettled`] where it keeps changing for 2 s.
pub(super) fn read_settled(
    path: &Path,
    clock: &Clock,
    items: usize,
    is_known: impl Fn(&str) -> bool,
    mut count: impl FnMut(&[u8]) -> Option<usize>,
) -> Result<Settled, StoreError> {
    let start = Instant::now();
    let missing = || StoreError::NotInitialised { path: path.to_owned() };
    let mut last = read_once(path)?;
    if let Some(read) = &last {
        let is_old = !is_fresh(&read.stamp, clock);
        let is_whole = |found: Option<usize>| found.is_some_and(|found| found >= items);
        if is_known(&read.hash) || (is_old && is_whole(count(&read.bytes))) {
            return last.ok_or_else(missing);
        }
    }
    let mut since = start;
    let mut fewest = items;
    loop {
        thread::sleep(MOMENT);
        let again = read_once(path)?;
        let waited = start.elapsed();
        if again.as_ref().map(|read| &read.hash) != last.as_ref().map(|read| &read.hash) {
            since = Instant::now();
            last = again;
        } else if since.elapsed() >= PAUSE {
            return again.ok_or_else(missing);
        }
        if waited > RESTLESS
            && let Some(read) = &last
            && let Some(found) = count(&read.bytes)
        {
            if found >= fewest {
                return last.ok_or_else(missing);
            }
            fewest = found;
        }
        if waited > PATIENCE {
            return Err(StoreError::Unsettled { path: path.to_owned(), waited });
        }
    }
}

/// Reads a text that a save has just displaced. One that can be read is believed at
/// once: whoever still writes into it is found by the next look.
///
/// # Errors
/// The same as [`read_settled`].
pub(super) fn read_displaced(
    path: &Path,
    clock: &Clock,
    mut count: impl FnMut(&[u8]) -> Option<usize>,
) -> Result<Settled, StoreError> {
    match read_once(path)? {
        Some(read) if count(&read.bytes).is_some() => Ok(read),
        _ => read_settled(path, clock, 0, |_| false, count),
    }
}

fn read_once(path: &Path) -> Result<Option<Settled>, StoreError> {
    // The stamp first: what changes after it is noticed by the next look.
    let Some(stamp) = fs::stamp(path)? else {
        return Ok(None);
    };
    let Some(bytes) = fs::read_if_exists(path)? else {
        return Ok(None);
    };
    Ok(Some(Settled { hash: fs::hash(&bytes), bytes, stamp }))
}

fn is_fresh(stamp: &fs::Stamp, clock: &Clock) -> bool {
    let age = clock.now().as_nanosecond() - stamp.mtime_ns;
    // A time in the future tells nothing: read again.
    age < FRESH.as_nanos().cast_signed()
}
