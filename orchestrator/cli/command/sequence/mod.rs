//! `id` on a database: which sequence is meant, and what is asked of it.
//!
//! Each command makes a [`Target`](target::Target) of the options and of
//! `orchestrator.toml`, opens the database, asks once and shows the answer. Numbers,
//! transactions and what counts as an ID are `sequence`'s.

mod database;
mod number;
mod reservation;
mod sources;
mod status;
mod sync;
mod target;

pub(super) use number::next;
pub(super) use reservation::{confirm, expire, reserve};
pub(super) use status::status;
pub(super) use sync::sync;
pub(super) use target::url_of_environment;
