//! Group commit: one thread that takes all that waits and commits it at once.
//!
//! ```text
//! ask ─┐   queue, bounded             batch, bounded
//! ask ─┼─▶ [c][c][c][c] ── drain ──▶ Commit::commit ──▶ one durable write
//! ask ─┘                                    │
//!  ▲       one-shot channel each            ▼
//!  └────────────────────────────── replies, in order
//! ```
//! The queue holds [`Options::queue`] commands: several batches, so that it never
//! runs dry, and few enough that the last one in is answered soon; more callers
//! wait outside, or hear that it is busy. A batch holds [`Options::max_batch`], so
//! that one write stays short. A reply channel holds the one reply. Nothing is
//! answered before `commit` returned. What a command means is the committer's.

mod error;
mod handle;
mod queue;
mod worker;

pub use error::{AskError, SpawnError, WorkerPanicked};
pub use handle::Handle;
pub use worker::{Callers, Commit, Options, Worker, spawn};
