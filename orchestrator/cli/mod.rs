//! The command line: reads what was typed, calls what does it, shows what came of
//! it. It decides nothing about backlogs.
//!
//! Guarantees: results and nothing else on stdout, one JSON document with `--json`;
//! everything else on stderr; an exit code that says what kind of failure it was;
//! no question is ever asked. What a change means is `model`'s, what is written
//! `store`'s, and JSON shapes are `wire`'s.

mod args;
mod command;
mod entry;
mod error;
mod exit;
mod output;
mod session;
mod signals;

pub(crate) use entry::SUPERVISE;
pub use entry::main;
