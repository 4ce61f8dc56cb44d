//! The authority over a database: one thread that takes all that waits.
//!
//! ```text
//!  callers ── try_ask ─► queue (1024) ─► batch (≤ 256) ─► leases ─► Backend::commit
//!     ▲                     full: busy                                    │
//!     └──────────── answers, each its own, after the commit ◄─────────────┘
//! ```
//! Requests that wait together share one transaction and one fsync. The queue holds
//! four full batches: a longer one would only hide that the database does not keep
//! up, which callers should hear at once. With a lease, plain requests are answered
//! from a block that was taken before, without the thread. Now and then reservations whose time was up
//! long ago are deleted.
//!
//! Guarantees: nothing is answered before it is durable; a request that nobody
//! waits for any more leaves a gap. What a batch means is [`Plan`](super::Plan)'s.

mod actor;
mod handle;
mod lease;

pub use handle::{Authority, AuthorityOptions, Cleanup, Running, open};
