//! Exit codes: what kind of failure it was, in one number.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Refused by a rule: a transition, a cycle, a guardrail.
    Refused = 1,
    /// Not a command line of ours.
    Usage = 2,
    /// There is no backlog.
    NotInitialised = 3,
    /// No such item.
    NoSuchItem = 4,
    /// A conflict, or a duplicate.
    Conflict = 5,
    /// Somebody else was at it for too long.
    Busy = 6,
    /// The backlog, inbox, mark or configuration is invalid.
    Invalid = 7,
    /// Reading or writing failed.
    Io = 8,
    /// A person ended it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
