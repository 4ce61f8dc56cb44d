//! Git: where a repository is, what changed in its work tree, and a commit of
//! exactly some of that.
//!
//! The common directory is found by reading files, before and without any process.
//! All else is done by the git command: started without a shell, asked and answered
//! in bytes with NUL between paths, never prompting, and blind to what a hook that
//! started us left in the environment. A [`Snapshot`] says which paths differ from
//! the last commit and what is in them, so that two of them tell what happened in
//! between. A commit is made through an index of its own: what a person staged stays
//! staged, their hooks run, and the index then agrees with the commit. Whose
//! changes are whose, and when to commit, is the caller's to know. Calls block.

mod commit;
mod common_dir;
mod error;
mod history;
mod hurry;
mod path;
mod process;
mod repository;
mod snapshot;

pub use commit::Commit;
pub use common_dir::{Checkout, find};
pub use error::GitError;
pub use hurry::Hurry;
pub use path::RepoPath;
pub use repository::Repository;
pub use snapshot::{Content, Snapshot};

#[cfg(test)]
#[cfg(unix)]
mod tests;
