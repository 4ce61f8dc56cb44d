//! Commands on numbers without items: those of the backlog, and those of a sequence in
//! a database.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use uuid::Uuid;

use super::value;
use crate::sequence::adopt::Column;
use crate::sequence::{DatabaseUrl, MAX_COUNT};

/// The most IDs that one command issues; more is a typing error.
const MOST: i64 = MAX_COUNT as i64;

/// How long a reservation is held where nobody says it.
const TTL: &str = "15m";

/// Where the parts of a key come from, in every help that has them.
const SEQUENCE: &str = "Sequence";

#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Without --db, next, status and audit speak of the backlog file; so they do with\nDATABASE_URL alone, as long as no option names a sequence.\n\nExamples:\n  orchestrator id next\n  orchestrator id audit --json\n  orchestrator id next --db sqlite:ids.db --project shop --type US\n  orchestrator id sync --db sqlite:ids.db --project shop --from-files 'docs/**' --dry-run"
)]
pub(crate) struct Id {
    #[command(subcommand)]
    pub(crate) command: IdCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    /// Issue the next ID without adding an item
    Next(IdNext),
    /// Take IDs and hold them until they are confirmed
    Reserve(IdReserve),
    /// Confirm a reservation
    Confirm(IdConfirm),
    /// Delete reservations whose time is up; their IDs stay taken
    Expire(IdExpire),
    /// Show the highest number issued, and what says so
    Status(IdStatus),
    /// Raise sequences to the IDs that exist; never lowers one
    Sync(IdSync),
    /// Account for every number of the backlog, from 1 to the highest issued
    Audit(IdAudit),
}

/// Which sequence, in which database.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SEQUENCE)]
pub(crate) struct SequenceArgs {
    /// The database: sqlite:PATH or postgres://…, whose password may be in PGPASSWORD [default: DATABASE_URL]
    #[arg(long, value_name = "URL", value_parser = value_parser!(DatabaseUrl))]
    pub(crate) db: Option<DatabaseUrl>,
    /// A sequence of orchestrator.toml, [sequences.NAME]; other options go before it
    #[arg(long, value_name = "NAME", value_parser = value::name)]
    pub(crate) sequence: Option<String>,
    /// The project, in layout registry
    #[arg(long, value_name = "PROJECT", value_parser = value::of_key)]
    pub(crate) project: Option<String>,
    /// The type of ID, in layouts registry and prefix-type
    #[arg(long = "type", value_name = "TYPE", value_parser = value::of_key)]
    pub(crate) kind: Option<String>,
    /// The prefix, in layout prefix-type
    #[arg(long, value_name = "PREFIX", value_parser = value::of_key)]
    pub(crate) prefix: Option<String>,
    /// The name, in layout name
    #[arg(long, value_name = "NAME", value_parser = value::of_key)]
    pub(crate) name: Option<String>,
    /// A column of the key and its value, in a table of your own; repeat it
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = value::key_part)]
    pub(crate) key: Vec<(String, String)>,
    /// How the table is laid out [default: what the key fits, or the tables that are
    /// there, else registry]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) layout: Option<LayoutName>,
    /// A table of your own, instead of a layout
    #[arg(long, value_name = "TABLE", requires = "value_column", conflicts_with = "layout", value_parser = value::name)]
    pub(crate) table: Option<String>,
    /// Its column with the last number issued
    #[arg(long, value_name = "COLUMN", requires = "table", value_parser = value::name)]
    pub(crate) value_column: Option<String>,
    /// What IDs look like, such as '{prefix}-{type}-{n:04}'
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

impl SequenceArgs {
    /// Tells whether an option names a sequence or its database.
    pub(crate) fn is_given(&self) -> bool {
        let Self { db, sequence, project, kind, prefix, name, key, layout, table, .. } = self;
        let texts = [sequence, project, kind, prefix, name, table, &self.format];
        db.is_some()
            || layout.is_some()
            || !key.is_empty()
            || texts.iter().any(|text| text.is_some())
    }
}

/// A layout that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// id_registry(artifact_type, project_id, last_assigned_id): US-028
    Registry,
    /// id_sequences(prefix, type_code, next_number): KABSD-TSK-0309
    PrefixType,
    /// id_sequences(name, last_value): CL001
    Name,
}

impl LayoutName {
    /// Returns the name that the layout has.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::PrefixType => "prefix-type",
            Self::Name => "name",
        }
    }
}

/// What to do without the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fallback {
    /// The highest ID of --from-files, plus one; two at once get the same
    Scan,
}

const NEXT: &str = "\
Examples:
  orchestrator id next --count 5
  orchestrator id next --db sqlite:ids.db --create --project shop --type US
  orchestrator id next --db sqlite:chunks.sqlite3 --prefix KABSD --type TSK
  orchestrator id next --db sqlite:app.db --name credit_lines
  orchestrator id next --db 'postgres://db/app?sslmode=verify-full' --sequence invoices

A database that is not there is an error (exit 3): made in silence, it would issue old
IDs again.";

#[derive(Debug, Args)]
#[command(after_help = NEXT)]
pub(crate) struct IdNext {
    /// How many
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MOST))]
    pub(crate) count: Option<u32>,
    /// Make the database or its table where it is missing; its numbers start at 1
    #[arg(long)]
    pub(crate) create: bool,
    /// What to do where the database is not there; warns each time
    #[arg(long, value_name = "HOW", requires = "from_files", conflicts_with = "create")]
    pub(crate) fallback: Option<Fallback>,
    /// The files that --fallback scan looks at; repeat it
    #[arg(long, value_name = "GLOB", requires = "fallback", value_parser = value::name)]
    pub(crate) from_files: Vec<String>,
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the reservation and when its time is up, then its IDs. What is not confirmed by\nthen can no longer be; its IDs stay taken.\n\nExamples:\n  orchestrator id reserve --count 6 --db sqlite:ids.db --project shop --type US\n  orchestrator id reserve --count 6 --ttl 1h --db sqlite:ids.db --sequence stories --json"
)]
pub(crate) struct IdReserve {
    /// How many
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MOST))]
    pub(crate) count: u32,
    /// How long they can be confirmed, by the database's clock
    #[arg(long, value_name = "TIME", default_value = TTL, value_parser = value::duration)]
    pub(crate) ttl: Duration,
    /// Make the database or its tables where they are missing; numbers start at 1
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "No sequence need be named; a table of your own must be. Confirming again is no error.\n\nExamples:\n  orchestrator id confirm 67e55044-10b1-426f-9247-bb680e5fe0c8 --db sqlite:ids.db"
)]
pub(crate) struct IdConfirm {
    /// The reservation
    #[arg(value_name = "RESERVATION", value_parser = value_parser!(Uuid))]
    pub(crate) reservation: Uuid,
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "No sequence need be named; a table of your own must be.\n\nExamples:\n  orchestrator id expire --db sqlite:ids.db"
)]
pub(crate) struct IdExpire {
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

const STATUS: &str = "\
On a database each sequence is
  ok       at least as high as the files
  missing  without a row, though it has IDs
  stale    behind the files: `id sync` raises it
  invalid  with a counter that is no number of an ID
Exit codes: 0 all are ok, 1 one is missing or stale, 5 two files have the same ID,
8 one is invalid.

Examples:
  orchestrator id status
  orchestrator id status --db sqlite:ids.db
  orchestrator id status --db sqlite:ids.db --layout prefix-type --from-files 'items/**/*.md'";

#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct IdStatus {
    /// Files that have IDs: front matter `id:` and names; repeat it
    #[arg(long, value_name = "GLOB", value_parser = value::name)]
    pub(crate) from_files: Vec<String>,
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

const SYNC: &str = "\
Raises each sequence to the highest number that the sources have, and never lowers one;
to run it again changes nothing. Name as much of the key as the IDs do not show.
In a glob, `*` stays in a folder and `**` does not; name trash and archives too.

Examples:
  orchestrator id sync --db sqlite:a.db --create --layout prefix-type --from-files 'items/**'
  orchestrator id sync --db sqlite:app.db --name credit_lines --from-column credit_lines.id
  orchestrator id sync --db sqlite:ids.db --project shop --from-git --from-backlog --dry-run
  orchestrator id sync --db sqlite:ids.db --project shop --from-files 'docs/**' --rebuild";

#[derive(Debug, Args)]
#[command(after_help = SYNC)]
pub(crate) struct IdSync {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Show what would be raised, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Make a lost or damaged database anew; a copy of a damaged one is kept beside it,
    /// a sound one only raised
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Make the database or its table where it is missing
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) sequence: SequenceArgs,
}

/// Where IDs are that exist; at least one must be named.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Sources {
    /// Files: front matter `id:`, and names; repeat it
    #[arg(long, value_name = "GLOB", value_parser = value::name)]
    pub(crate) from_files: Vec<String>,
    /// A column of the database; repeat it
    #[arg(long, value_name = "TABLE.COLUMN", value_parser = value_parser!(Column))]
    pub(crate) from_column: Vec<Column>,
    /// Names of files ever added to git, on any branch, and subjects of commits
    #[arg(long)]
    pub(crate) from_git: bool,
    /// The backlog: its items, archived ones, and its high-water mark
    #[arg(long)]
    pub(crate) from_backlog: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator id audit\n  orchestrator id audit --json\n\nThe audit is one of the backlog. A sequence in a database does not say what became of its\nIDs; `id status --db URL` shows where it stands."
)]
pub(crate) struct IdAudit {
    /// Refused: the audit is one of the backlog
    #[arg(long, value_name = "URL", hide = true)]
    pub(crate) db: Option<String>,
}
