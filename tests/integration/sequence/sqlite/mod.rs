//! Sequences in SQLite files.

mod suite;
