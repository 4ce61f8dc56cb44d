//! Sequences in a database: a row that holds the last number issued under a key.
//!
//! A [`Layout`] says in which table and columns; a [`Key`] which row. Programs in
//! other languages that follow the same statements on the same tables never get a
//! number that was issued here, and the other way round.
//!
//! [`Plan`] holds what all databases share: what a batch adds to which row, which
//! answers are repeated, who gets which number. A [`Backend`] carries a batch out
//! in one transaction, and `authority` takes what waits from all callers together.
//! `sqlite::allocate` and its twin in `postgres` work inside a transaction of the
//! caller's own.
//!
//! Guarantees: a number is told once, and only after it is durable; a number that
//! was issued and is not used is a gap, never issued again. Which IDs exist in
//! files and other tables, and how errors reach people, is left to the callers.

pub mod adopt;
#[cfg(feature = "runtime")]
mod authority;
mod backend;
mod database_url;
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod floors;
mod format;
mod key;
mod layout;
mod plan;
#[cfg(feature = "postgres")]
pub mod postgres;
mod request;
mod reservation;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "runtime")]
pub use authority::{Authority, AuthorityOptions, Cleanup, Running, open};
pub use backend::{Backend, Counter};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::{Cause, SequenceError};
pub use format::IdTemplate;
pub use key::Key;
pub use layout::{KeyColumn, Layout, MissingRow};
pub use plan::{Known, Plan, Settled, Sum};
pub use request::{Action, Idempotency, Issued, MAX_COUNT, MAX_EXPIRED, Reply, Request};
pub use reservation::{Reservation, ReservationRow, StoredAnswer};
