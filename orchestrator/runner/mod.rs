//! One phase of one item: an agent is started, watched, ended, and reported on.
//!
//! Guarantees: the agent's whole tree of processes ends with it, also where the
//! orchestrator is killed (Linux; elsewhere its process group); output of any
//! size costs no memory; a result that lies in the attempt's own folder is used
//! whatever else went wrong, and without one the phase has failed, whatever the
//! exit code. It reports and never writes the backlog: what a result means for
//! its item, retries included, is the run loop's to decide.

mod agent;
mod attempt;
mod error;
mod job;
mod process;
mod prompt;
mod report;
mod run;
mod transcript;
mod underway;

pub use attempt::Attempt;
pub use error::RunnerError;
pub use job::{PhaseJob, Progress, Stop, Summary, Supervisor};
pub use process::{Exit, supervise_main};
pub use report::{Outcome, Report, Timeout, read_result};
pub use run::{end_leftover, run};
pub use underway::{Underway, underway};
