//! The ID service: the REST API over the authority of a database.
//!
//! A request passes one guard (request ID, limits, the shape of every error), then
//! its route, which reads it, asks [`Authority`](crate::sequence::Authority), and
//! tells the answer. It decides nothing about numbers.
//!
//! Guarantees: nothing is told before it is durable; every answer is JSON, or the
//! text of the metrics, with a request ID; what a client sends is a 4xx at worst,
//! and a database that is away a 503 with `Retry-After`; without a token nothing is
//! told where tokens are asked for, and where none are, no page of another site is
//! answered. Which database, files and signals are the
//! command line's.

mod access;
mod clock;
mod error;
mod guard;
mod kinds;
mod metrics;
mod payload;
mod pending;
mod readiness;
mod router;
mod routes;
mod same_machine;
mod schemas;
mod server;
mod service;
mod tokens;
mod unparsed;
mod write_time;

pub use kinds::{ArtifactTypes, KindError};
pub use metrics::{Measured, Metrics};
pub use router::{openapi, router};
pub use server::{Limits, serve};
pub use service::{Answer, Service, ServiceOptions, Source};
pub use tokens::{Issue, Scope, TokenError, Tokens};
