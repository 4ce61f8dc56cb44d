//! What a run is given.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::RunEvent;
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
    /// Who watches.
    pub observer: Observer,
}

/// Is told what a person may want to see of a run, in the order in which it
/// happens to each item.
#[derive(Clone)]
pub struct Observer {
    tell: Arc<dyn Fn(RunEvent) + Send + Sync>,
    /// Whether it was said already that the backlog cannot be read at the moment.
    is_waiting: Arc<AtomicBool>,
}

impl Observer {
    /// Makes an observer of a function, which must not block.
    pub fn new(tell: impl Fn(RunEvent) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), is_waiting: Arc::default() }
    }

    /// Tells of something.
    pub(super) fn tell(&self, event: RunEvent) {
        (self.tell)(event);
    }

    /// Tells of something that a person should know.
    pub(super) fn warn(&self, text: String) {
        self.tell(RunEvent::Warning(text));
    }

    /// Tells that the backlog is waited for: once, however many wait, until it can
    /// be read again.
    pub(super) fn waits(&self, why: &dyn std::fmt::Display) {
        if !self.is_waiting.swap(true, Ordering::Relaxed) {
            self.warn(format!("waiting for the backlog to be readable again: {why}"));
        }
    }

    /// Notes that the backlog could be read.
    pub(super) fn goes_on(&self) {
        self.is_waiting.store(false, Ordering::Relaxed);
    }
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
