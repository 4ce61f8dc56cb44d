//! What came of a phase.
//!
//! The agent's result file is what counts, and only the one in the attempt's own
//! folder: not the exit code, not what was printed. A file that holds no whole
//! result counts as none, with the reason kept; one about another item or phase
//! is told apart, since to try again would not help.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::attempt::Attempt;
use super::process::Exit;
use crate::fs::{self, Kind};
use crate::model::{ItemId, PhaseResult, PhaseResultError};

/// A longer result is none; no agent writes that much.
const MAX_RESULT: u64 = 16 * 1024 * 1024;

/// How a phase ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With a result, good or bad, about this item and phase.
    Result(Box<PhaseResult>),
    /// Without a usable result: a failure.
    NoResult {
        /// Why, in words.
        reason: String,
    },
    /// With a result about another item: a failure that is not to be retried.
    WrongItem {
        /// The item that was given.
        expected: String,
        /// The item in the result.
        found: String,
    },
    /// With a result about another phase: a failure that is not to be retried.
    WrongPhase {
        /// The phase that was given.
        expected: String,
        /// The phase in the result.
        found: String,
    },
    /// It was ended because the caller wanted to stop, and no result was there: the
    /// attempt counts for nothing.
    Interrupted,
    /// It took too long, and no result was there: a failure.
    TimedOut(Timeout),
}

/// Which time an agent exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// It printed nothing for that long.
    Idle(Duration),
    /// It had not ended after that long.
    Total(Duration),
}

impl Outcome {
    /// Returns the result, where there is one.
    pub fn result(&self) -> Option<&PhaseResult> {
        match self {
            Self::Result(result) => Some(result),
            _ => None,
        }
    }
}

/// In words, for a person and for the next attempt; of a result its summary.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(result) => write!(f, "{}: {}", result.result, result.summary),
            Self::NoResult { reason } => f.write_str(reason),
            Self::WrongItem { expected, found } => {
                write!(f, "the result is about the item `{found}`, not `{expected}`")
            }
            Self::WrongPhase { expected, found } => {
                write!(f, "the result is about the phase `{found}`, not `{expected}`")
            }
            Self::Interrupted => f.write_str("it was interrupted"),
            Self::TimedOut(Timeout::Idle(time)) => {
                write!(f, "it printed nothing for {time:?} (`idle_timeout`) and was ended")
            }
            Self::TimedOut(Timeout::Total(time)) => {
                write!(f, "it took longer than {time:?} (`phase_timeout`) and was ended")
            }
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// How the agent's process ended, where that is known.
    pub exit: Option<Exit>,
    /// The last line the agent printed, fit for a terminal.
    pub last_line: Option<String>,
    /// The end of what the agent wrote to standard error, at most 4 KiB.
    pub stderr_tail: String,
    /// How long it took.
    pub duration: Duration,
    /// The number of the attempt.
    pub attempt: u32,
    /// The folder of the attempt.
    pub folder: PathBuf,
    /// What a person should know, although it changed nothing.
    pub warnings: Vec<String>,
}

/// Reads the result that an attempt has left: [`Outcome::Result`], or why there is
/// none. Whoever may still write it must have ended.
pub fn read_result(attempt: &Attempt) -> Outcome {
    match parse_result(attempt) {
        Ok(result) => check(attempt, result),
        Err(reason) => reason,
    }
}

fn parse_result(attempt: &Attempt) -> Result<PhaseResult, Outcome> {
    let none = |reason: String| Outcome::NoResult { reason };
    let path = attempt.result_file();
    let unreadable = |error: fs::FsError| none(format!("the result is unreadable: {}", error.io()));
    match fs::stamp(&path).map_err(unreadable)? {
        None => return Err(none("no result was written".to_owned())),
        // Some kinds of file would be waited for without end.
        Some(stamp) if stamp.kind != Kind::File => {
            return Err(none("the result is not a file".to_owned()));
        }
        Some(stamp) if stamp.len > MAX_RESULT => {
            let reason = format!("the result is longer than {MAX_RESULT} bytes");
            return Err(none(reason));
        }
        Some(_) => {}
    }
    let bytes = fs::read(&path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| none("the result is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(none("the result is empty".to_owned()));
    }
    PhaseResult::from_json(text).map_err(|error| match error {
        PhaseResultError::BadItemId { id } => {
            Outcome::WrongItem { expected: attempt.item().to_owned(), found: id }
        }
        PhaseResultError::Json(cause) => none(format!("the result is not JSON: {cause}")),
        error => none(error.to_string()),
    })
}

fn check(attempt: &Attempt, result: PhaseResult) -> Outcome {
    if !ItemId::same(&result.item_id, attempt.item()) {
        return Outcome::WrongItem { expected: attempt.item().to_owned(), found: result.item_id };
    }
    if result.phase.trim() != attempt.phase() {
        return Outcome::WrongPhase { expected: attempt.phase().to_owned(), found: result.phase };
    }
    Outcome::Result(Box::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_of(json: &[u8]) -> Outcome {
        let dir = tempfile::tempdir().unwrap();
        let attempt = Attempt::create(dir.path(), "WRK-007", "build").unwrap();
        fs::create_new(&attempt.result_file(), json).unwrap();
        read_result(&attempt)
    }

    fn json(item: &str, phase: &str) -> String {
        let value = serde_json::json!({"item_id": item, "phase": phase, "result": "failed", "summary": "s"});
        value.to_string()
    }

    #[test]
    fn a_result_is_about_its_own_item_and_phase() {
        for item in ["WRK-007", "wrk-7"] {
            let found = outcome_of(json(item, " build\n").as_bytes());
            assert_eq!(found.result().unwrap().summary, "s", "{found}");
        }
        let bom = format!("\u{feff}{}\n", json("WRK-007", "build"));
        assert!(outcome_of(bom.as_bytes()).result().is_some());
        let wrong = outcome_of(json("WRK-008", "build").as_bytes());
        assert_eq!(
            wrong,
            Outcome::WrongItem { expected: "WRK-007".to_owned(), found: "WRK-008".to_owned() }
        );
        let path = outcome_of(json("../WRK-007", "build").as_bytes());
        assert!(matches!(path, Outcome::WrongItem { .. }), "{path}");
        let wrong = outcome_of(json("WRK-007", "Build").as_bytes());
        assert!(matches!(wrong, Outcome::WrongPhase { .. }), "{wrong}");
    }

    #[test]
    fn anything_else_is_no_result_and_says_why() {
        let whole = json("WRK-007", "build");
        for len in 0..whole.len() {
            let found = outcome_of(&whole.as_bytes()[..len]);
            assert!(matches!(found, Outcome::NoResult { .. }), "{len}: {found}");
        }
        assert_eq!(outcome_of(b" \n").to_string(), "the result is empty");
        assert_eq!(outcome_of(b"\xff{}").to_string(), "the result is not UTF-8");
        let found = outcome_of(b"{\"item_id\": \"WRK-007\"}");
        assert_eq!(found.to_string(), "the result has no usable `result`");
        let dir = tempfile::tempdir().unwrap();
        let attempt = Attempt::create(dir.path(), "WRK-007", "build").unwrap();
        assert_eq!(read_result(&attempt).to_string(), "no result was written");
        fs::create_dir(&attempt.result_file()).unwrap();
        assert_eq!(read_result(&attempt).to_string(), "the result is not a file");
    }
}
