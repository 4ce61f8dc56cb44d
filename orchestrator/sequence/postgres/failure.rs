//! What an error of the driver says of the transaction: refused, to be tried again,
//! or unknown.
//!
//! An error that the server sends is a refusal: nothing was changed. One that ends
//! the connection leaves the outcome open if the commit was under way, and else
//! means that nothing was changed, since the server rolls back what nobody commits.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::{Error, Severity, SqlState};

use crate::sequence::SequenceError;

/// Why a transaction did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was changed, and another try would fail the same way.
    Refused(SequenceError),
    /// Nothing was changed; a value is one that the database cannot take.
    BadData(SequenceError),
    /// Nothing was changed; others kept a lock for as long as was waited for it.
    Locked(SequenceError),
    /// Nothing was changed; others were in the way, but perhaps no longer.
    Conflict(SequenceError),
    /// Nothing was changed; the connection is gone.
    Lost(SequenceError),
    /// The connection is gone, and perhaps the change was made.
    Unknown(SequenceError),
}

impl Failure {
    /// Tells whether the connection can still be used.
    pub(super) fn is_connected(&self) -> bool {
        !matches!(self, Self::Lost(_) | Self::Unknown(_))
    }

    /// Returns the error that callers get.
    pub(super) fn into_error(self) -> SequenceError {
        match self {
            Self::Refused(error)
            | Self::BadData(error)
            | Self::Locked(error)
            | Self::Conflict(error)
            | Self::Lost(error)
            | Self::Unknown(error) => error,
        }
    }
}

/// Judges an error of a statement before the commit.
pub(super) fn before_commit(doing: &'static str, error: Error) -> Failure {
    judge(doing, error, false)
}

/// Judges an error of a statement that commits, or is sent along with a commit.
pub(super) fn in_commit(doing: &'static str, error: Error) -> Failure {
    judge(doing, error, true)
}

fn judge(doing: &'static str, error: Error, is_committing: bool) -> Failure {
    let answer = error.as_db_error().filter(|answer| {
        // What is fatal ends the connection, and may come after a commit.
        answer.parsed_severity() == Some(Severity::Error)
            && *answer.code() != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    });
    let Some(answer) = answer else {
        let source = Arc::new(error);
        return if is_committing {
            Failure::Unknown(SequenceError::OutcomeUnknown { source })
        } else {
            Failure::Lost(SequenceError::Unreachable { source })
        };
    };
    let code = answer.code().clone();
    let refusal = SequenceError::Database { doing, source: Arc::new(error) };
    match code.code().get(..2) {
        _ if code == SqlState::LOCK_NOT_AVAILABLE => Failure::Locked(refusal),
        _ if is_conflict(&code) => Failure::Conflict(refusal),
        // Data exceptions, and constraints.
        Some("22" | "23") => Failure::BadData(refusal),
        _ => Failure::Refused(refusal),
    }
}

/// A unique key is violated only by rows of ours that another server wrote at the
/// same time.
fn is_conflict(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
    ]
    .contains(code)
}

/// Returns the error of a statement after which nobody commits.
pub(super) fn refused(doing: &'static str, error: Error) -> SequenceError {
    match before_commit(doing, error) {
        // How long is the server's to know.
        Failure::Locked(_) => SequenceError::Busy { waited: Duration::ZERO },
        other => other.into_error(),
    }
}

/// Returns the error of a statement inside a caller's transaction, which waited for
/// so long: [`SequenceError::Busy`] where the whole transaction can be tried again.
pub(super) fn in_transaction(doing: &'static str, error: Error, waited: Duration) -> SequenceError {
    match before_commit(doing, error) {
        Failure::Conflict(_) | Failure::Locked(_) => SequenceError::Busy { waited },
        other => other.into_error(),
    }
}
