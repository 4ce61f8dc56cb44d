//! Sequences in databases: what every store must do, and what is special to one.

#[cfg(feature = "runtime")]
mod authority;
mod conformance;
#[cfg(feature = "sqlite")]
mod sqlite;
