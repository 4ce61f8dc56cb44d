//! The backlog on disk: the file, its high-water mark, what is archived, what is
//! proposed, and what is wrong with it.
//!
//! Guarantees: items and mark are saved in one atomic replace, under a lock, and
//! only from [`LockedBacklog::save`], which works on what the file holds at that
//! moment. Not one byte changes that need not. An ID is durable in the mark before
//! it is told. An edit that somebody makes while we save is carried forward. A
//! file that cannot be read is never written. Archived items are in the worklog
//! before they leave the file.
//!
//! Leaves to others: when to save (`coordinator`), and how to say what went wrong.

mod backlog_store;
mod cache;
mod clock;
mod diagnostics;
mod edits;
mod error;
pub mod events;
pub mod history;
mod inbox;
mod init;
mod journal;
mod late;
mod links;
mod load;
mod locked;
mod lost;
mod made;
mod mark;
mod migration;
mod options;
mod packed;
mod parsed;
mod paths;
mod planned;
mod reload;
mod replace;
mod request;
mod run_record;
mod schema;
mod settle;
mod story;
mod threads;
mod told;
mod touched;
pub mod worklog;

pub use backlog_store::BacklogStore;
pub use clock::Clock;
pub use error::{RequestError, StoreError};
pub use inbox::{Ingested, has_inbox};
pub use init::{Initialised, init};
pub use locked::LockedBacklog;
pub use options::{LOCK_TIMEOUT, StoreOptions};
pub use parsed::ParsedBacklog;
pub use paths::{Paths, STATE_DIR};
pub use planned::Planned;
pub use request::{Request, Saved};
pub use run_record::{RunLock, RunRecord, make_place, remove_place};
pub use story::Story;
pub use told::{PhaseLog, Told};
