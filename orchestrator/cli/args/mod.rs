//! What can be typed: commands, options, and the values they take.
//!
//! A value that cannot be right is refused here, with what it could have been;
//! whether an item exists or a transition is legal is found out later. Every
//! command's help stands alone: one line that says what it does, its options, and
//! examples.

mod backlog;
mod global;
mod id;
mod item;
mod lifecycle;
mod run;
mod serve;
#[cfg(test)]
mod tests;
mod value;
mod word;

pub(crate) use backlog::{Check, Completions, Ingest, Init, Migrate};
pub(crate) use global::{Cli, ColorWhen, Command, Global};
pub(crate) use id::{
    Id, IdAudit, IdCommand, IdConfirm, IdExpire, IdNext, IdReserve, IdStatus, IdSync, SequenceArgs,
    Sources,
};
pub(crate) use item::{Add, Edit, List, Log, Show, Update};
pub(crate) use lifecycle::{Advance, Archive, Block, Done, Merge, Restore, Unblock};
pub(crate) use run::{Run, Triage};
pub(crate) use serve::{IsolationLevel, Serve, ServeCommand, TokenCommand, TokenNew};
pub(crate) use value::reservation_minutes;
