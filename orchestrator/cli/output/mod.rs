//! All that is shown: the only code that prints.
//!
//! Guarantees: results go to stdout, notes, warnings and errors to stderr; with
//! `--json` stdout holds JSON documents and nothing else, and stderr, where a
//! command fails, exactly one; text from files cannot steer a terminal; a reader
//! that goes away ends the output quietly and not the work.

mod diff;
mod live;
mod log;
mod log_writer;
mod screen;
mod service_log;
mod snippet;
mod streams;
mod table;
mod terminal;
#[cfg(test)]
mod tests;

pub(crate) use diff::unified;
pub(crate) use live::Live;
pub(crate) use log::start_log;
pub(crate) use service_log::start_service_log;
pub(crate) use streams::Output;
pub(crate) use table::{Table, one_line};
pub(crate) use terminal::{printable, shortened};
