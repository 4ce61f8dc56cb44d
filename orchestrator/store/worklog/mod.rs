//! The worklog: what was done, in Markdown, a file a month, append-only.
//!
//! An archived item stands there whole, exactly as it stood in the backlog, and can
//! be put back from there. Entries are durable before the item leaves the backlog;
//! one that was cut short by a crash is closed and marked before the next, and is
//! no archive. People may read and edit the months; what cannot be understood is
//! passed over, but its numbers still count.

mod entry;
mod history;
mod log;
mod month;

pub use entry::{ArchiveEntry, PhaseEntry};
pub use log::{Archived, Worklog};
