//! The ID service: how it is started, and who may ask it.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::value;
use crate::api::{ArtifactTypes, Scope, TokenError, Tokens};
use crate::sequence::{DatabaseUrl, MAX_COUNT};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator serve\n  orchestrator serve --db postgres://orchestrator@db/ids --isolation read-committed\n  orchestrator serve token new --project shop --scope allocate --expires 90d\n  orchestrator serve --listen 0.0.0.0:8080 --tokens tokens.toml\n\nSIGTERM and Ctrl-C end it when all is answered that is under way; SIGHUP reads the\ntokens again. RUST_LOG says what is logged, RESERVATION_EXPIRATION_MINUTES how long\nreservations last."
)]
pub(crate) struct Serve {
    #[command(subcommand)]
    pub(crate) command: Option<ServeCommand>,
    /// The file of tokens [default: .orchestrator/tokens.toml, where it is there]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub(crate) tokens: Option<PathBuf>,
    /// The address to listen on; one that others can reach needs tokens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// The database: sqlite:PATH or postgres://… [default: DATABASE_URL, else .orchestrator/ids.db, made where it is missing]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<DatabaseUrl>,
    /// How PostgreSQL keeps transactions apart
    #[arg(long, value_name = "LEVEL", default_value = "serializable")]
    pub(crate) isolation: IsolationLevel,
    /// Take N numbers of a sequence in advance; a restart skips at most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COUNT)))]
    lease: Option<u32>,
    /// The types of IDs, by comma
    #[arg(long, value_name = "TYPE,…", default_value_t)]
    pub(crate) types: ArtifactTypes,
    /// How long a reservation can be confirmed [default: RESERVATION_EXPIRATION_MINUTES, else 15]
    #[arg(long, value_name = "N", value_parser = value::reservation_minutes)]
    pub(crate) reservation_minutes: Option<Duration>,
    /// How long expired reservations are kept before they are deleted, such as 90m
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = value::lifetime)]
    pub(crate) cleanup_after: Duration,
}

impl Serve {
    /// Returns how many numbers are taken in advance.
    pub(crate) fn lease(&self) -> Option<NonZeroU32> {
        self.lease.and_then(NonZeroU32::new)
    }
}

/// How transactions are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationLevel {
    Serializable,
    ReadCommitted,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Make tokens for those who may ask
    Token(Token),
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it; it is not shown again
    New(TokenNew),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator serve token new --project shop --scope allocate --expires 90d\n  orchestrator serve token new --project '*' --scope admin\n\nThe file holds its hash. To take a token back, delete its entry and send SIGHUP to\nthe service, or restart it."
)]
pub(crate) struct TokenNew {
    /// The project it is good for; '*' for all
    #[arg(long, value_name = "PROJECT", value_parser = token_project)]
    pub(crate) project: String,
    /// What it allows: read, the metrics; allocate, numbers too; admin, cleaning up too
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Scope,
    /// How long it is good [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = value::some_lifetime)]
    pub(crate) expires: Option<Duration>,
}

/// Reads a project that a token may be for.
fn token_project(text: &str) -> Result<String, TokenError> {
    Tokens::check_project(text).map(|()| text.to_owned())
}
