//! Sequences in an SQLite file.
//!
//! [`allocate`] takes numbers inside a transaction of the caller's own, so that an
//! ID and the row that carries it are committed together. [`SqliteBackend`] carries
//! out batches in transactions of its own, from one thread, and may block.
//!
//! Guarantees: `BEGIN IMMEDIATE` before anything is read, so that no other process
//! can take the same number; `synchronous=EXTRA`, so that what is told survives a
//! power failure. A file that is not there is an error, never made in silence. A
//! database of another program keeps its journal mode and its rows.

mod adopt;
mod allocate;
mod backend;
mod connection;
mod damage;
mod exchange;
mod migrate;
mod rebuild;
mod rows;
mod salvage;
mod schema;
mod statements;

pub use adopt::{Raised, Raises, column};
pub use allocate::allocate;
pub use backend::{Make, SqliteBackend, SqliteOptions};
pub use rebuild::{RebuildPlan, Rebuilt, make_and_raise, plan_rebuild, rebuild};
