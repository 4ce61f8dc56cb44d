//! What a phase is run with, and what a caller can say and see meanwhile.
//!
//! All of it is given by the caller: the runner looks nothing up in a backlog or
//! a configuration, and so can be tested, and run at once for several items,
//! without either.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Attempt;
use super::process::Pool;
use crate::config::Agent;
use crate::model::{BacklogItem, PhaseSpec};

/// One phase of one item, about to be run.
#[derive(Debug, Clone, Copy)]
pub struct PhaseJob<'a> {
    /// The folder it runs in, which also says the item's ID and the phase's name.
    pub attempt: &'a Attempt,
    /// The item.
    pub item: &'a BacklogItem,
    /// The phase; for a new item one named `triage`.
    pub phase: &'a PhaseSpec,
    /// Who does it.
    pub agent: &'a Agent,
    /// The project's root, the agent's working folder.
    pub root: &'a Path,
    /// The backlog, which the agent may read.
    pub backlog: &'a Path,
    /// The names of the pipelines a triage may choose from.
    pub pipelines: &'a [String],
    /// What earlier phases of this item reported, oldest first.
    pub history: &'a [Summary],
    /// What a person said when unblocking the item.
    pub notes: Option<&'a str>,
    /// Why the previous attempt failed, on a retry.
    pub previous_failure: Option<&'a str>,
    /// The longest the phase may take.
    pub timeout: Duration,
    /// How to start the process that watches over the agent's.
    pub supervisor: &'a Supervisor,
}

/// What an earlier phase reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The phase.
    pub phase: String,
    /// Its result's summary, with what it left for those that follow.
    pub summary: String,
}

/// How an agent's supervisor is started: this very program, under a hidden
/// subcommand that calls [`supervise_main`](super::supervise_main). Those that have no
/// agent at the moment end when this is dropped.
#[derive(Debug)]
pub struct Supervisor {
    /// The program, as an absolute path.
    pub exe: PathBuf,
    /// The subcommand.
    pub subcommand: String,
    pub(super) pool: Pool,
}

impl Supervisor {
    /// Makes what starts `subcommand` of the program `exe`, an absolute path.
    pub fn new(exe: impl Into<PathBuf>, subcommand: impl Into<String>) -> Self {
        Self { exe: exe.into(), subcommand: subcommand.into(), pool: Pool::default() }
    }

    /// Starts a supervisor for the first agent in advance, so that what it needs for that
    /// passes beside what a run begins with. To be called in a Tokio runtime.
    pub fn start_spare(&self) {
        self.pool.start_spare(&self.exe, &self.subcommand);
    }
}

/// Whether phases are to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// They are.
    #[default]
    Run,
    /// An agent may go on for that long, then its tree gets SIGTERM, and SIGKILL
    /// 5 s later.
    After(Duration),
    /// An agent's tree gets SIGKILL at once.
    Now,
}

/// What can be seen of a phase while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The agent was started.
    Started {
        /// The number of the attempt.
        attempt: u32,
        /// Its folder.
        folder: PathBuf,
    },
    /// The agent wrote something.
    Output {
        /// The last line, made fit for a terminal and at most 200 characters.
        line: String,
    },
}

/// The names of what an agent finds in its environment.
pub(super) mod variable {
    /// Where its result is expected; also how its processes are known again.
    pub(in super::super) const RESULT_FILE: &str = "ORCHESTRATOR_RESULT_FILE";
    /// The item's ID.
    pub(in super::super) const ITEM: &str = "ORCHESTRATOR_ITEM";
    /// The phase's name.
    pub(in super::super) const PHASE: &str = "ORCHESTRATOR_PHASE";
}
