//! What the tests of several modules need: a backlog in a folder of its own, the
//! programs they start.

#[cfg(all(unix, feature = "runtime"))]
mod example;
mod project;

#[cfg(all(unix, feature = "runtime"))]
pub(crate) use example::example;
pub(crate) use project::{Project, titles};
