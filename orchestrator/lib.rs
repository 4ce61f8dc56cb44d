//! A backlog file that people and programs write at the same time, with IDs
//! that are never issued twice.
//!
//! # The idea
//!
//! 1. **A number that was ever issued is never issued again.** A *high-water mark*
//!    records the highest number issued; the next one is above every number seen
//!    and above every copy of the mark, and the new mark is durable before anyone
//!    is told the ID. The mark is saved together with the items, in one file, and
//!    has a second copy outside the work tree, which no checkout winds back.
//! 2. **The file belongs to the people who edit it.** A save changes the bytes it
//!    means to change and no others. A hand edit made meanwhile is carried forward,
//!    never overwritten.
//! 3. **One writer, many askers.** What changes state in a running process goes
//!    through one thread that takes all that waits, applies it, saves once, and then
//!    answers everyone. Nothing is answered before it is durable.
//!
//! # An example
//!
//! ```
//! use orchestrator::model::{Change, change::NewItem};
//! use orchestrator::store::{BacklogStore, Request, StoreOptions, init};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("BACKLOG.yaml");
//! std::fs::write(&path, "# ours\nitems:\n  - title: By hand # as it stands\n")?;
//! let mut store = BacklogStore::open(StoreOptions::new(&path))?;
//!
//! // The only way to save is through the lock, which reads the file anew.
//! let add = |title| Request::from(Change::Add(vec![NewItem::titled(title)]));
//! let saved = store.lock()?.save(&[add("By program")])?;
//! let added = &saved.outcomes[0].as_ref().unwrap().added;
//! assert_eq!(added[0].id.as_deref(), Some("WRK-002"));
//! assert!(store.text()?.starts_with("# ours\n"));
//! assert!(store.text()?.contains("  - id: WRK-001\n    title: By hand # as it stands\n"));
//!
//! // An archived item is in the worklog; its number stays taken.
//! let archive = Change::Archive { items: vec!["2".into()], reason: Some("not needed".into()) };
//! let saved = store.lock()?.save(&[archive.into(), add("Another")])?;
//! let added = &saved.outcomes[1].as_ref().unwrap().added;
//! assert_eq!(added[0].id.as_deref(), Some("WRK-003"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! A module imports only from floors below its own; `tests/tidy.rs` holds the exact
//! table, and `ARCHITECTURE.md` explains it.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 0 | [`model`] | values: items, IDs, every change; no I/O, no clock |
//! | 1 | [`yaml`], [`fs`], [`git`], `batch` | mechanisms that know nothing of backlogs |
//! | 1 | [`scheduler`], [`ingest`] | policy: pure functions over the model |
//! | 2 | [`store`], `config` | state on disk |
//! | 2 | `sequence` | numbers from a database |
//! | 3 | `coordinator`, `runner` | actors: the single writer; one phase and its agent |
//! | 4 | `engine`, `wire` | the run loop; the JSON that programs read |
//! | 5 | `api` | the ID service over HTTP: reads, asks, answers, decides nothing |
//! | 5 | `cli` | the command line: parses, calls, renders, decides nothing |
//!
//! # Features
//!
//! - none: the core, with the modules that are links above. No async runtime.
//! - `runtime`: `batch`, `config` and `coordinator`, and on Unix `runner` and
//!   `engine`.
//! - `sqlite`, `postgres`: `sequence`, on these databases.
//! - `api`: `api`, the ID service, over either of them.
//! - `cli` (default): all of these, `wire` and `cli`, which the program is made of; on
//!   Unix.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "runtime")]
pub mod batch;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "runtime")]
pub mod coordinator;
#[cfg(all(unix, feature = "runtime"))]
pub mod engine;
pub mod fs;
pub mod git;
pub mod ingest;
pub mod model;
#[cfg(all(unix, feature = "runtime"))]
pub mod runner;
pub mod scheduler;
#[cfg(any(feature = "api", feature = "sqlite", feature = "postgres"))]
pub mod sequence;
pub mod store;
#[cfg(feature = "cli")]
pub mod wire;
pub mod yaml;
