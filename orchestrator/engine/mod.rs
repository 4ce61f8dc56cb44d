//! The run loop: takes items through their phases until nothing is left to start.
//!
//! Each round takes a snapshot, plans, and starts what is next: every phase is a task
//! of its own, with its retries, its one command to the coordinator and its one
//! save. The loop itself only decides and counts. A result is applied once, whatever
//! dies in between: the IDs it takes are written beside it before the save, and the
//! next run finds what the last one left. What may be started is the scheduler's to
//! say, how an agent is run the runner's; what a person sees is told to an observer.

mod apply;
mod commits;
mod environment;
mod error;
mod event;
mod leftovers;
mod phase;
mod run;
mod summary;
mod task;

pub use environment::{Environment, Observer, RunOptions};
pub use error::EngineError;
pub use event::{Outlook, RunEvent};
pub use run::{check_targets, run};
pub use summary::{Halt, ItemRef, Summary};
