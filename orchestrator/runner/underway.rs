//! Phases that run right now, whoever runs them: what another process can see.
//!
//! Read from the attempts' own files: the record of processes says which of them
//! live, the prompt when each began, the output what was said last. Nothing is
//! changed, and nothing is locked; what is told is the state of a moment ago.

use std::path::Path;

use jiff::Timestamp;

use super::attempt::Attempt;
use super::error::RunnerError;
use super::process::Record;
use super::transcript;
use crate::fs;

/// How much of the end of an output is read to find the last line.
const WINDOW: usize = 64 * 1024;

/// A phase that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underway {
    /// The item's ID.
    pub item: String,
    /// The phase.
    pub phase: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the attempt began, where that is known.
    pub since: Option<Timestamp>,
    /// What the agent printed last, fit for a terminal.
    pub last_line: Option<String>,
}

/// Returns the phases that run now, by the attempts below `runs`; in order of item
/// and phase. Where the system does not tell of processes, none.
///
/// # Errors
/// Where a folder or a file cannot be read.
pub fn underway(runs: &Path) -> Result<Vec<Underway>, RunnerError> {
    let mut found = Vec::new();
    for attempt in Attempt::unfinished(runs)? {
        if !Record::read(&attempt.pid_file())?.is_some_and(|record| record.is_alive()) {
            continue;
        }
        let began = fs::stamp(&attempt.prompt_file())?;
        let since = began.and_then(|stamp| Timestamp::from_nanosecond(stamp.mtime_ns).ok());
        found.push(Underway {
            item: attempt.item().to_owned(),
            phase: attempt.phase().to_owned(),
            attempt: attempt.number(),
            since,
            last_line: last_line(&attempt)?,
        });
    }
    Ok(found)
}

/// Returns what was printed last, to whichever output grew last.
fn last_line(attempt: &Attempt) -> Result<Option<String>, RunnerError> {
    let mut outputs = Vec::new();
    for path in [attempt.output_file(), attempt.error_file()] {
        if let Some(stamp) = fs::stamp(&path)? {
            outputs.push((stamp.mtime_ns, path));
        }
    }
    outputs.sort_by(|a, b| b.cmp(a));
    for (_, path) in outputs {
        if let Some(line) = transcript::last_line(&fs::tail(&path, WINDOW)?) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}
