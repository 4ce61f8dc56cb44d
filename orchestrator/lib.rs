//! A backlog file that people and programs write at the same time, with IDs
//! that are never issued twice.

#[cfg(feature = "runtime")]
pub mod batch;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "runtime")]
pub mod coordinator;
#[cfg(all(unix, feature = "runtime"))]
pub mod engine;
pub mod fs;
pub mod git;
pub mod ingest;
pub mod model;
#[cfg(all(unix, feature = "runtime"))]
pub mod runner;
pub mod scheduler;
pub mod store;
pub mod yaml;
