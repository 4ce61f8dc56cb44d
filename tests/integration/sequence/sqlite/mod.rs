//! Sequences in SQLite files.

mod callers;
mod files;
mod integrity;
#[cfg(unix)]
mod kills;
mod others;
mod suite;

pub(crate) use suite::Ours;
