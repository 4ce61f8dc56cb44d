//! Limits of a run, and the guardrails that hold an item back for a person.

use std::time::Duration;

use super::{BacklogItem, Level, Size};

/// What an item may be without a person's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guardrails {
    /// The largest size.
    pub max_size: Size,
    /// The highest complexity.
    pub max_complexity: Level,
    /// The highest risk.
    pub max_risk: Level,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self { max_size: Size::Medium, max_complexity: Level::Medium, max_risk: Level::Low }
    }
}

impl Guardrails {
    /// Returns why an item needs a person's consent before it becomes ready: one
    /// phrase per limit passed, none where it may go on. An approved item may.
    /// What is not assessed is not held back.
    pub fn reasons(&self, item: &BacklogItem) -> Vec<String> {
        if item.approved.is_some() {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        if let Some(size) = item.size.filter(|size| *size > self.max_size) {
            reasons.push(format!("size {size} is above {}", self.max_size));
        }
        if let Some(level) = item.complexity.filter(|level| *level > self.max_complexity) {
            reasons.push(format!("complexity {level} is above {}", self.max_complexity));
        }
        if let Some(level) = item.risk.filter(|level| *level > self.max_risk) {
            reasons.push(format!("risk {level} is above {}", self.max_risk));
        }
        if item.requires_human_review {
            reasons.push("it requires a person's review".to_owned());
        }
        reasons
    }
}

/// How much a run may do, and for how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Items in progress at once; at least 1.
    pub max_wip: u32,
    /// Phases running at once; at least 1.
    pub max_concurrent: u32,
    /// Phases one run may execute.
    pub phase_cap: u32,
    /// How often a failed phase is tried again.
    pub max_retries: u32,
    /// The longest a phase may take.
    pub phase_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_wip: 1,
            max_concurrent: 1,
            phase_cap: 100,
            max_retries: 2,
            phase_timeout: Duration::from_secs(30 * 60),
        }
    }
}
