//! The single writer of a backlog in a running process.
//!
//! ```text
//!  CLI command ─┐                      ┌──────────── writer thread ────────────┐
//!  run loop ────┼─ ask ─► queue (1024) ─► batch (≤ 256) ─► lock, read, apply,   │
//!  ingest ──────┘   ▲                  │   save once, publish, answer each      │
//!                   └────── answers ───┴───────────────────────────────────────┘
//!  readers ◄── Arc<BacklogSnapshot> (watch: the last one, never a queue)
//! ```
//!
//! Everything that changes a backlog goes through here, so that what waits is
//! saved together: one lock, one write, one fsync for all. Nothing is answered
//! before it is durable. A command that is refused is taken back alone; a save that
//! fails answers everyone with the error, and memory is then what the file has.
//!
//! The queue holds 1024 commands: more than any caller of ours has under way, and
//! little enough that a full one means that the disk stands still, which callers
//! should hear. A batch takes at most 256, so that one save stays within some
//! milliseconds even where each command is large. Snapshots need no queue: only the
//! last one counts, and reading never waits for a writer.
//!
//! Between batches, once a second, a file that changed is read again and published.
//! Leaves to `store` what a save is, and to callers what to ask for.

mod command;
mod error;
mod event_loop;
mod handle;

pub use crate::store::events::{
    Event, PHASE_DONE, PHASE_FAILED, PHASE_INTERRUPTED, PHASE_RETRIED, PHASE_STARTED,
};
pub use crate::store::worklog::PhaseEntry;
pub use crate::store::{
    Clock, Paths, PhaseLog, Request, RequestError, RunLock, RunRecord, StoreError, Told, has_inbox,
    make_place, remove_place,
};
pub use command::{Changed, Command, Reply};
pub use error::CoordinatorError;
pub use handle::{Coordinator, Running, open};
