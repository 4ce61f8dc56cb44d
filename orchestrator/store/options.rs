//! How a store is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Clock;
use crate::fs::Holder;
use crate::model::Rules;

/// How long a lock is waited for, where nothing else is said.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What a store needs to know.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The backlog file.
    pub path: PathBuf,
    /// The folder of the worklog, from the folder of the backlog.
    pub worklog: PathBuf,
    /// What the project has decided.
    pub rules: Rules,
    /// Whether the prefix in the rules is the project's own; else the one that most
    /// items have goes before it.
    pub prefix_is_configured: bool,
    /// How long a lock is waited for.
    pub lock_timeout: Duration,
    /// Who we are, for those who wait for us.
    pub holder: Holder,
    /// The clock.
    pub clock: Clock,
}

impl StoreOptions {
    /// Makes the options of a backlog file: default rules, the system's clock, ten
    /// seconds of patience.
    pub fn new(path: &Path) -> Self {
        let clock = Clock::system();
        Self {
            path: path.to_owned(),
            worklog: PathBuf::from("worklog"),
            rules: Rules::default(),
            prefix_is_configured: false,
            lock_timeout: LOCK_TIMEOUT,
            holder: Holder::this_process(None, "orchestrator", clock.now().to_string()),
            clock,
        }
    }
}
