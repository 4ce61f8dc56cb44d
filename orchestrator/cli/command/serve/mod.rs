//! `serve`: the ID service, from its command line to its end.
//!
//! Here the database and the tokens are opened and the signals heard; what is asked
//! and answered is the API's.

mod signals;
mod start;
mod token;

pub(crate) use start::serve;
