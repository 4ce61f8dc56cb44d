//! Sequences in databases: what every store must do, and what is special to one.

#[cfg(feature = "runtime")]
mod authority;
#[cfg(all(unix, feature = "cli"))]
mod cli;
mod conformance;
#[cfg(all(unix, feature = "postgres", feature = "sqlite"))]
mod kills;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
