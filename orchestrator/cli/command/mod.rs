//! What each command does: a file per command, each of which asks a module below
//! and shows its answer.
//!
//! A command returns how the program ends, or why it did not get that far. It never
//! prints by itself, and reads the clock only to hand the time on.

mod add;
mod archive;
mod audit;
mod check;
mod completions;
mod edit;
mod id;
mod ingest;
mod init;
mod lifecycle;
mod list;
mod log;
mod merge;
mod migrate;
mod restore;
mod run;
mod schema;
mod sequence;
mod serve;
mod show;
mod status;
mod update;

pub(crate) use add::add;
pub(crate) use archive::archive;
pub(crate) use check::check;
pub(crate) use completions::completions;
pub(crate) use edit::edit;
pub(crate) use id::id;
pub(crate) use ingest::ingest;
pub(crate) use init::init;
pub(crate) use lifecycle::{advance, block, done, unblock};
pub(crate) use list::list;
pub(crate) use log::log;
pub(crate) use merge::merge;
pub(crate) use migrate::migrate;
pub(crate) use restore::restore;
pub(crate) use run::{run, triage};
pub(crate) use schema::schema;
pub(crate) use serve::serve;
pub(crate) use show::show;
pub(crate) use status::status;
pub(crate) use update::update;
