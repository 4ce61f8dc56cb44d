//! Commits of what phases change.
//!
//! Owns the question whose a change is. What was dirty when a phase began belongs to
//! a person and is not committed; what became dirty since is the phase's. A
//! destructive phase's changes are committed when it ends, before its result is
//! saved; those of the others together, before a destructive phase begins and when
//! the run ends. What a failed or killed phase left is committed with the attempt
//! that succeeds. The ledger keeps all this through a kill. The backlog and the
//! worklog go with the next commit, where they were clean when the run began. How a
//! commit is made is git's to know; what a failure means for an item is decided by
//! the task that runs its phase.

mod committer;
mod facade;
mod ledger;
mod message;

pub(super) use committer::Done;
pub(super) use facade::{Commits, describe};
pub(super) use message::Subject;
