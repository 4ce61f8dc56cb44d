//! What the tests of several modules need: a backlog in a folder of its own.

mod project;

pub(crate) use project::{Project, titles};
