//! Commands on the backlog as a whole: init, ingest, check, migrate; and the one
//! on the program itself, completions.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

use super::value;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator init\n  orchestrator init --prefix OPS\n\nNothing that exists is overwritten; an empty BACKLOG.yaml is completed."
)]
pub(crate) struct Init {
    /// What IDs begin with [default: the one in use, or WRK]
    #[arg(long, value_name = "PREFIX", value_parser = value::prefix)]
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator ingest\n  orchestrator ingest --inbox ideas.yaml\n  orchestrator ingest --follow-ups result.json"
)]
pub(crate) struct Ingest {
    /// The inbox [default: BACKLOG_INBOX.yaml beside the backlog]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) inbox: Option<PathBuf>,
    /// Take in the follow-ups of this phase result instead
    #[arg(long, value_name = "RESULT.json", conflicts_with = "inbox", value_hint = ValueHint::FilePath)]
    pub(crate) follow_ups: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator check\n  orchestrator check --strict      for CI: exit 1 on warnings\n  orchestrator check --dry-run     what --fix would do\n  orchestrator check --fix"
)]
pub(crate) struct Check {
    /// Mend what can be mended, and say what
    #[arg(long)]
    pub(crate) fix: bool,
    /// Show what --fix would do, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Exit 1 on warnings
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator migrate --dry-run\n  orchestrator migrate\n\nThe original bytes are kept in .orchestrator/backup/."
)]
pub(crate) struct Migrate {
    /// Show the difference, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator completions bash > ~/.local/share/bash-completion/completions/orchestrator\n  orchestrator completions fish > ~/.config/fish/completions/orchestrator.fish"
)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}
