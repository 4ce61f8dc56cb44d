//! What a run is given.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;
use crate::coordinator::{Clock, Coordinator, Paths, RunLock};
use crate::model::Rules;
use crate::runner::Supervisor;
use crate::scheduler::Selection;

/// Where a run takes place.
pub struct Environment {
    /// The single writer.
    pub coordinator: Coordinator,
    /// Where everything lies.
    pub paths: Paths,
    /// Agents and limits.
    pub config: Config,
    /// Prefix, pipelines and guardrails, as the coordinator has them.
    pub rules: Rules,
    /// How an agent's supervisor is started.
    pub supervisor: Supervisor,
    /// The inbox.
    pub inbox: PathBuf,
    /// What keeps a second run away.
    pub lock: RunLock,
    /// The clock.
    pub clock: Clock,
}

/// What is asked of a run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// What may be started.
    pub selection: Selection,
    /// How many phases may be executed, where not as many as configured.
    pub cap: Option<u32>,
}

/// How long a run waits before it looks again at a backlog that cannot be read.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Environment {
    /// Returns the folder of the attempts.
    pub(super) fn runs(&self) -> PathBuf {
        self.paths.state.join("runs")
    }
}
