//! Sequences in PostgreSQL, version 15 or newer, or what speaks like it.
//!
//! [`allocate`] takes numbers inside a transaction of the caller's own, so that an
//! ID and the row that carries it are committed together. [`PostgresBackend`]
//! carries out batches in transactions of its own, from one thread, and may block;
//! several servers may share a database.
//!
//! Guarantees: rows are locked in the order of their keys; what is told was
//! committed with `synchronous_commit`. Where a connection dies during the commit,
//! the outcome is unknown, and what it took is a gap. Connections are not encrypted:
//! use a socket, a private network or a tunnel. A pooler in between must keep one
//! connection for a session.

mod adopt;
mod allocate;
mod alone;
mod backend;
mod connection;
mod failure;
mod migrate;
mod rows;
mod session;
mod side;
mod table;
mod tls;

pub use adopt::{column, make_and_raise, reserved};
pub use allocate::allocate;
pub use backend::{PostgresBackend, PostgresOptions};
pub use connection::Isolation;
