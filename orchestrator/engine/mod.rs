//! The run loop: takes items through their phases until nothing is left to start.
//!
//! Each round takes a snapshot, plans, runs what is next, and gives what came of it
//! to the coordinator as one command and one save. A result is applied once,
//! whatever dies in between: the IDs it takes are written beside it before the
//! save, and the next run finds what the last one left. What may be started is the
//! scheduler's to say, how an agent is run the runner's; what a person sees is told
//! to an observer.

mod apply;
mod environment;
mod error;
mod event;
mod leftovers;
mod phase;
mod run;
mod summary;

pub use environment::{Environment, RunOptions};
pub use error::EngineError;
pub use event::RunEvent;
pub use run::run;
pub use summary::{Halt, ItemRef, Summary};
