//! The file system: the only code that touches it.
//!
//! Guarantees: a replaced file is the old one or the new one, never half of
//! each, and durable when [`replace`] returns; steps that leave an fsync to the
//! caller say so. A lock that was taken is the lock of the path as it stands, and
//! is released by a kill too. Every change of state passes one seam, [`fault`],
//! where tests make a disk full or a process die. Knows nothing of what the files
//! hold: who locks what, in which order, and what a left-over means, is the
//! caller's.

pub mod fault;

mod atomic;
mod error;
mod lock;
mod read;
mod stream;
mod walk;

/// A file that is open.
pub use std::fs::File;

pub use atomic::{
    Durability, Exchange, Staged, TEMP_PREFIX, Unsynced, append, append_unsynced, copy_new,
    create_dir, create_dir_all, create_new, exchange, link, remove, remove_if_exists, rename,
    rename_noreplace, replace, replace_private, stage, stage_unsynced, sync_dir,
};
pub use error::FsError;
pub use lock::{FileLock, HeldBy, Holder, LockError};
pub use read::{
    Entry, Kind, Stamp, hash, hash_file, is_same_mount, link_stamp, link_target, list, names, read,
    read_head, read_if_exists, resolve, stamp, stamp_of,
};
pub use stream::{OutputFile, open, open_output, read_ranges, tail};
pub use walk::{Walked, walk};
