//! The program itself: the list of its commands, and the options that all of them
//! take.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::value;
use super::{
    Add, Advance, Archive, Block, Check, Completions, Done, Edit, Id, Ingest, Init, List, Log,
    Merge, Migrate, Restore, Run, Serve, Show, Triage, Unblock, Update,
};

const EXAMPLES: &str = "\
Examples:
  orchestrator init --prefix WRK
  orchestrator add \"Fix the login\" -s small
  orchestrator list --only tag=web
  orchestrator check

Exit codes: 0 done, 1 refused, 2 usage, 3 not initialised, 4 no such item,
5 conflict or duplicate, 6 busy, 7 invalid file, 8 I/O failure, 130 interrupted.";

/// Keeps a backlog in a YAML file that people and programs write at the same time,
/// with IDs that are never issued twice.
#[derive(Debug, Parser)]
#[command(
    name = "orchestrator",
    version,
    after_help = EXAMPLES,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Work as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// The backlog file [default: the configured one, from here upwards]
    #[arg(long, value_name = "PATH", global = true, env = "ORCHESTRATOR_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The configuration file [default: orchestrator.toml, from the backlog upwards]
    #[arg(long, value_name = "PATH", global = true, env = "ORCHESTRATOR_CONFIG", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// How long to wait for a lock that somebody else holds, such as 500ms or 1m
    #[arg(long, value_name = "TIME", global = true, env = "ORCHESTRATOR_LOCK_TIMEOUT", hide_env_values = true, value_parser = value::duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// Print JSON, for programs
    #[arg(long, global = true, env = "ORCHESTRATOR_JSON", hide_env_values = true, action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: ColorWhen,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorWhen {
    // On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a backlog in this folder
    Init(Init),
    /// Add items, one for each title
    Add(Add),
    /// List items
    List(List),
    /// Show items as they stand in the file
    #[command(visible_alias = "view")]
    Show(Show),
    /// Show what happened to an item
    Log(Log),
    /// Change fields of an item
    #[command(visible_alias = "set")]
    Update(Update),
    /// Edit the text of an item in $EDITOR
    Edit(Edit),
    /// Move an item one step on, or to a phase
    Advance(Advance),
    /// Block an item until a person has helped
    Block(Block),
    /// Let a blocked item go on
    Unblock(Unblock),
    /// Call an item done
    Done(Done),
    /// Move items from the backlog into the worklog
    Archive(Archive),
    /// Put an archived item back
    Restore(Restore),
    /// Merge one item into another
    Merge(Merge),
    /// Take in the inbox, or the follow-ups of a result
    Ingest(Ingest),
    /// Show how the work stands and what comes next
    Status,
    /// Let agents take items through their phases
    Run(Run),
    /// Let agents look at new items only
    Triage(Triage),
    /// Report all that is wrong with the backlog
    #[command(visible_alias = "doctor")]
    Check(Check),
    /// Write an old backlog in the current schema
    Migrate(Migrate),
    /// Issue and account for numbers without items
    Id(Id),
    /// Serve IDs over HTTP
    Serve(Serve),
    /// Print the JSON Schema of BACKLOG.yaml, for editors
    #[command(
        after_help = "Examples:\n  orchestrator schema > backlog.schema.json\n\nThen, as the first line of BACKLOG.yaml:\n  # yaml-language-server: $schema=backlog.schema.json"
    )]
    Schema,
    /// Print a completion script for a shell
    Completions(Completions),
}

impl Command {
    /// Returns the command as it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Add(_) => "add",
            Self::List(_) => "list",
            Self::Show(_) => "show",
            Self::Log(_) => "log",
            Self::Update(_) => "update",
            Self::Edit(_) => "edit",
            Self::Advance(_) => "advance",
            Self::Block(_) => "block",
            Self::Unblock(_) => "unblock",
            Self::Done(_) => "done",
            Self::Archive(_) => "archive",
            Self::Restore(_) => "restore",
            Self::Merge(_) => "merge",
            Self::Ingest(_) => "ingest",
            Self::Status => "status",
            Self::Run(_) => "run",
            Self::Triage(_) => "triage",
            Self::Check(_) => "check",
            Self::Migrate(_) => "migrate",
            Self::Id(_) => "id",
            Self::Serve(_) => "serve",
            Self::Schema => "schema",
            Self::Completions(_) => "completions",
        }
    }
}
