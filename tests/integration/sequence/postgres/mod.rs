//! Sequences in PostgreSQL, on servers that the tests start.

mod rig;
mod suite;
