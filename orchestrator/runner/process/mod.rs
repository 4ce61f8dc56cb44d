//! Processes: the supervisor, the tree below it, and how both are watched.
//!
//! An agent runs under a supervisor, a process that has no other agent meanwhile and
//! outlives the orchestrator by as long as it takes to end the agent's tree. The two
//! talk through a socket, which closes with the orchestrator, however that ends, and
//! a small file that records who runs. Signals go to processes that are known by
//! number and start time, never to a number alone where the system can tell.

mod end;
mod message;
mod pool;
mod record;
mod supervise;
mod table;
mod watch;

pub use record::Exit;
pub use supervise::supervise_main;

pub(super) use end::end_leftovers;
pub(super) use message::Plan;
pub(super) use pool::Pool;
pub(super) use record::Record;
pub(super) use watch::{Ended, EndedBy, OutputLog, Patience, watch};
