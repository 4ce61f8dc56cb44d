//! Sequences in databases.

#[cfg(all(unix, feature = "postgres"))]
mod postgres;
