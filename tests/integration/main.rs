//! All integration tests, as one program: a folder per module.
#![expect(clippy::disallowed_methods, reason = "tests look at files as other programs would")]
#![expect(clippy::print_stdout, reason = "tests say which seed they take, and what they skip")]
#![expect(clippy::unwrap_used, reason = "what tests have in common may fail as they may")]

#[cfg(all(unix, feature = "cli"))]
mod api;
#[cfg(all(unix, feature = "cli"))]
mod cli;
#[cfg(all(unix, feature = "cli"))]
mod engine;
mod model;
#[cfg(all(unix, feature = "cli"))]
mod process;
#[cfg(all(unix, feature = "cli"))]
mod readme;
#[cfg(all(unix, feature = "cli"))]
mod runner;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sequence;
mod store;
mod support;
mod yaml;
