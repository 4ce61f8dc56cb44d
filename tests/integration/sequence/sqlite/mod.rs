//! Sequences in SQLite files.

mod callers;
mod files;
mod integrity;
mod others;
mod suite;

pub(crate) use suite::Ours;
