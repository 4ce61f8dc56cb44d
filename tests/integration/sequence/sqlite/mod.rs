//! Sequences in SQLite files.

mod suite;

#[cfg(feature = "runtime")]
pub(crate) use suite::Ours;
