//! What the tests of several modules need: a backlog in a folder of its own, the
//! programs they start.

mod editors;
#[cfg(all(unix, feature = "cli"))]
mod example;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
#[cfg(all(unix, feature = "cli"))]
mod program;
mod project;
#[cfg(all(unix, feature = "postgres"))]
mod proxy;
mod random;

pub(crate) use editors::{Race, SaveAs, by_rename, in_place};
#[cfg(all(unix, feature = "cli"))]
pub(crate) use example::example;
#[cfg(all(unix, feature = "postgres"))]
pub(crate) use postgres::{Cluster, Private};
#[cfg(all(unix, feature = "cli"))]
pub(crate) use program::{Answer, program};
pub(crate) use project::{Project, titles};
#[cfg(all(unix, feature = "postgres"))]
pub(crate) use proxy::Proxy;
pub(crate) use random::{Random, count};
