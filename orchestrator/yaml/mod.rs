//! Text-preserving YAML: a file that people edit is changed without losing a
//! byte that the change does not name.
//!
//! A [`Document`] is the text and an index of its records, made in one pass of
//! events. An [`Edit`] becomes one splice of the text; after each, the touched
//! slice is parsed again by two parsers and compared with what was meant, and
//! where they disagree the edit is refused and the text is what it was.
//!
//! Owns positions, quoting and layout. Knows nothing of backlogs: which root key
//! holds the records is an argument, and what the keys mean is the caller's.
//! Pure values: no I/O, no clock.

mod append;
mod apply;
mod change;
mod document;
mod edit;
mod editing;
mod entry;
mod halves;
mod index;
mod lines;
mod node;
mod plan;
mod plan_block;
mod plan_flow;
mod problem;
mod refused;
mod reload;
mod remove;
mod render;
mod scalar;
mod skeleton;
mod smaller;
mod value;
mod verify;

pub use apply::Undo;
pub use document::{Document, Location, parse_record};
pub use edit::{Edit, Step};
pub use editing::Editing;
pub use problem::{Problem, ProblemKind};
pub use refused::{Reason, Refused};
pub use reload::Reloaded;

#[cfg(test)]
mod tests;
