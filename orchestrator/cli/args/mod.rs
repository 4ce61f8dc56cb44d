//! What can be typed: commands, options, and the values they take.
//!
//! A value that cannot be right is refused here, with what it could have been;
//! whether an item exists or a transition is legal is found out later. Every
//! command's help stands alone: one line that says what it does, its options, and
//! examples.

mod backlog;
mod global;
mod item;
mod lifecycle;
mod run;
#[cfg(test)]
mod tests;
mod value;
mod word;

pub(crate) use backlog::{Check, Completions, Id, IdCommand, IdNext, Ingest, Init, Migrate};
pub(crate) use global::{Cli, ColorWhen, Command, Global};
pub(crate) use item::{Add, Edit, List, Log, Show, Update};
pub(crate) use lifecycle::{Advance, Archive, Block, Done, Merge, Restore, Unblock};
pub(crate) use run::{Run, Triage};
