//! The record of an attempt's processes: the file `pid`, a line of JSON for each state
//! of it, of which the last whole one counts.
//!
//! Announced by whoever starts a supervisor, then written by the supervisor alone:
//! before it starts the agent, after that, and when all is over. It only grows, since a
//! file system may write out at once what a rename puts in the place of a file. A
//! process is recorded with its start time, and both with the boot they belong to, so
//! that a later run can tell whether a number still means the same process.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::error::RunnerError;
use super::table::Process;
use crate::fs::{self, Durability};

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By the signal of this number.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => match name_of(*signal) {
                Some(name) => f.write_str(name),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}

fn name_of(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    match Signal::from_named_raw(signal)? {
        Signal::HUP => Some("SIGHUP"),
        Signal::INT => Some("SIGINT"),
        Signal::QUIT => Some("SIGQUIT"),
        Signal::ABORT => Some("SIGABRT"),
        Signal::KILL => Some("SIGKILL"),
        Signal::SEGV => Some("SIGSEGV"),
        Signal::PIPE => Some("SIGPIPE"),
        Signal::TERM => Some("SIGTERM"),
        _ => None,
    }
}

/// The processes of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The boot that all numbers belong to, where the system names it.
    pub(crate) boot: Option<String>,
    /// The supervisor.
    pub(crate) supervisor: Option<Process>,
    /// The agent, once it was started.
    pub(crate) agent: Option<Process>,
    /// What the system answered where it could not be started.
    pub(crate) start_error: Option<i32>,
    /// How it ended.
    pub(crate) exit: Option<Exit>,
    /// Whether somebody else told the supervisor to end, by a signal.
    #[serde(default)]
    pub(crate) signalled: bool,
    /// Processes that could not be ended.
    #[serde(default)]
    pub(crate) survivors: Vec<i32>,
}

impl Record {
    /// Tells whether a signal such as a person sends, or a system that shuts down,
    /// ended the agent, to itself or to its supervisor.
    pub(crate) fn is_signalled(&self) -> bool {
        use rustix::process::Signal;
        let by_hand = [Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
        self.signalled
            || matches!(self.exit, Some(Exit::Signal(signal)) if by_hand.contains(&signal))
    }

    /// Tells whether the supervisor or the agent lives.
    pub(crate) fn is_alive(&self) -> bool {
        let processes = [&self.supervisor, &self.agent];
        processes.into_iter().flatten().any(|process| process.is_alive())
    }

    /// Reads the record; `None` where there is none, or no whole line of one.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, RunnerError> {
        // An empty one was made in advance.
        let Some(bytes) = fs::read_if_exists(path)?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        let mut lines = bytes.split(|byte| *byte == b'\n').rev();
        let record = lines.find_map(|line| serde_json::from_slice(line).ok());
        if record.is_none() {
            // Who edits this file has to live with processes not being found by it.
            tracing::warn!(path = %path.display(), "an unreadable record of processes");
        }
        Ok(record)
    }

    /// Writes an empty record, before there is any process: whoever comes after a
    /// kill must look for what was just being started. Not fsynced, since no process
    /// outlives the machine.
    pub(crate) fn announce(path: &Path) -> Result<(), RunnerError> {
        Self::default().write(path)
    }

    /// Writes the record as it is now; not fsynced either.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RunnerError> {
        let mut line = serde_json::to_vec(self).map_err(RunnerError::system("write a record"))?;
        line.push(b'\n');
        Ok(fs::append(path, &line, Durability::Buffered)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        assert_eq!(Record::read(&path).unwrap(), None);
        Record::announce(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(Record::default()));
        let record = Record {
            boot: Some("b".to_owned()),
            supervisor: Some(Process { pid: 7, start: Some(3) }),
            exit: Some(Exit::Signal(9)),
            survivors: vec![4],
            ..Record::default()
        };
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record.clone()));
        // A line that was cut short leaves the one before it.
        fs::append(&path, b"{\"agent\":{\"pi", Durability::Buffered).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record));
        for half in ["", "{\"boot\":", "[]", "{\"agent\":{\"pid\":\"x\"}}"] {
            fs::replace(&path, half.as_bytes()).unwrap();
            assert_eq!(Record::read(&path).unwrap(), None, "{half}");
        }
    }

    #[test]
    fn ends_have_names() {
        assert_eq!(Exit::Code(3).to_string(), "exit status 3");
        assert_eq!(Exit::Signal(9).to_string(), "SIGKILL");
        assert_eq!(Exit::Signal(64).to_string(), "signal 64");
    }
}
