//! Migrations: an ordered table of steps from one schema version to the next.
//!
//! A step says, item by item, which keys get which values; how the text changes is
//! then an edit like any other, so that comments and unknown keys survive. A step
//! is made in memory on load; the next write persists it.

mod table;
mod v1_to_v2;

pub(super) use table::STEPS;
pub(super) use v1_to_v2::read_status;
