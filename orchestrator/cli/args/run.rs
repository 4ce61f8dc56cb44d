//! Commands that let agents work.

use clap::Args;

use super::value;
use crate::model::IdQuery;
use crate::scheduler::{Filter, Selection};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator run\n  orchestrator run --target WRK-007 --target WRK-009\n  orchestrator run --only impact=high --only size=small,medium --cap 10\n  orchestrator run --dry-run\n\nCtrl-C once lets the agents end within 22 seconds, twice ends them at once.\nExit codes: 0 done, 1 nothing was finished and something is blocked, 130 interrupted."
)]
pub(crate) struct Run {
    /// Run this item alone; several in their order
    #[arg(long = "target", value_name = "ID", value_parser = value::item)]
    targets: Vec<IdQuery>,
    /// Start only what fits; a comma means or, several filters mean and
    #[arg(long, value_name = "KEY=VALUE[,VALUE]")]
    only: Vec<Filter>,
    /// Execute at most N phases [default: as configured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cap: Option<u32>,
    /// Go on with the next target past a blocked one
    #[arg(long, requires = "targets")]
    auto_advance: bool,
    /// Show what would start, and why not the rest
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Run {
    /// Returns what may be started.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            filters: self.only.clone(),
            targets: self.targets.clone(),
            auto_advance: self.auto_advance,
            triage_only: false,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator triage\n  orchestrator triage --only tag=web --cap 5"
)]
pub(crate) struct Triage {
    /// Look only at what fits; a comma means or, several filters mean and
    #[arg(long, value_name = "KEY=VALUE[,VALUE]")]
    only: Vec<Filter>,
    /// Look at no more than N items [default: as configured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cap: Option<u32>,
    /// Show what would be looked at
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Triage {
    /// Returns what may be started.
    pub(crate) fn selection(&self) -> Selection {
        Selection { filters: self.only.clone(), triage_only: true, ..Selection::default() }
    }
}
