//! The ID service, over real HTTP.

mod abuse;
mod access;
mod client;
mod clients;
mod deaths;
mod limits;
mod load;
mod readiness;
mod scenarios;
mod serve;
mod server;
