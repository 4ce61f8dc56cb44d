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
/// seen a text before; `looks_whole` is asked about any other, and its answer no
/// only leads to another look: what stands still is returned, right or wrong.
///
/// # Errors
/// [`StoreError::NotInitialised`] where there is no file,
/// [`StoreError::Unsettled`] where it keeps changing for 2 s.
pub(super) fn read_settled(
    path: &Path,
    clock: &Clock,
    is_known: impl Fn(&str) -> bool,
    mut looks_whole: impl FnMut(&[u8]) -> bool,
) -> Result<Settled, StoreError> {
    let start = Instant::now();
    let mut last = read_once(path)?;
    if let Some(read) = &last
        && (is_known(&read.hash) || (!is_fresh(&read.stamp, clock) && looks_whole(&read.bytes)))
    {
        return last.ok_or_else(|| StoreError::NotInitialised { path: path.to_owned() });
    }
    loop {
        thread::sleep(PAUSE);
        let again = read_once(path)?;
        if again.as_ref().map(|read| &read.hash) == last.as_ref().map(|read| &read.hash) {
            return again.ok_or_else(|| StoreError::NotInitialised { path: path.to_owned() });
        }
        last = again;
        let waited = start.elapsed();
        if waited > PATIENCE {
            return Err(StoreError::Unsettled { path: path.to_owned(), waited });
        }
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
