//! `run` and `triage`: agents take items through their phases.
//!
//! The loop is the engine's, on a thread of its own; here its events are shown, a
//! person's signals are handed to it, and its summary is told.

mod events;
mod report;
mod signals;
mod start;

pub(crate) use start::{run, triage};
