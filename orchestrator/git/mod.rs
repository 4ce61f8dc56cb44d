//! Git: the common directory, found without a process.
//!
//! Owns what must be known of a repository before the first command is run: where
//! its work tree is, and the folder that all worktrees of a clone share. Reads
//! only; nothing here changes a repository.

mod common_dir;
mod error;

pub use common_dir::{Checkout, find};
pub use error::GitError;
