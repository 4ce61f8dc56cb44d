//! Commands that move an item on, or out of the backlog.

use clap::{ArgGroup, Args};

use super::value;
use super::word::word;
use crate::model::{BlockType, IdQuery};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator advance WRK-007\n  orchestrator advance 7 --to design"
)]
pub(crate) struct Advance {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
    /// The phase to go to [default: the next one]
    #[arg(long, value_name = "PHASE", value_parser = value::name)]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator block WRK-007 --reason \"Which database?\" --type decision"
)]
pub(crate) struct Block {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = value::title)]
    pub(crate) reason: String,
    /// What it waits for
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<BlockType>(BlockType::WORDS))]
    pub(crate) kind: Option<BlockType>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator unblock WRK-007 --notes \"Use PostgreSQL\"\n\nFor an item that the guardrails hold back, this is a person's consent."
)]
pub(crate) struct Unblock {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
    /// What the next phase is told
    #[arg(long, value_name = "TEXT")]
    pub(crate) notes: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator done WRK-007\n  orchestrator done 7 --reason \"Fixed by hand\""
)]
pub(crate) struct Done {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
    /// How it came to be done, for the log
    #[arg(long, value_name = "TEXT", value_parser = value::title)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["items", "done"]),
    after_help = "Examples:\n  orchestrator archive WRK-007\n  orchestrator archive --done\n  orchestrator archive 7 8 --reason \"No longer wanted\""
)]
pub(crate) struct Archive {
    /// The items
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) items: Vec<IdQuery>,
    /// All items that are done
    #[arg(long)]
    pub(crate) done: bool,
    /// Why items are given up that are not done
    #[arg(long, value_name = "TEXT", conflicts_with = "done", value_parser = value::title)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orchestrator restore WRK-007")]
pub(crate) struct Restore {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator merge WRK-009 WRK-007\n\nWRK-009 goes into the worklog, WRK-007 keeps all it had, and whoever waited for\nWRK-009 waits for WRK-007."
)]
pub(crate) struct Merge {
    /// The item that goes
    #[arg(value_name = "SOURCE", value_parser = value::item)]
    pub(crate) source: IdQuery,
    /// The item that stays
    #[arg(value_name = "TARGET", value_parser = value::item)]
    pub(crate) target: IdQuery,
}
