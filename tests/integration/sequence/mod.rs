//! Sequences in databases: what every store must do, and what is special to one.

mod conformance;
#[cfg(feature = "sqlite")]
mod sqlite;
