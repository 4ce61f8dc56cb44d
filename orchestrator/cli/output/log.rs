//! The log of modules below: what they warn of, on stderr.
//!
//! A command that answers in JSON logs nothing unless it is asked to, since its
//! stderr is for programs too; then each line is a JSON object.

use std::io;

use tracing::level_filters::LevelFilter;

use crate::cli::args::Global;

/// Starts the log. Environment variable `ORCHESTRATOR_LOG` takes directives such as
/// `orchestrator=debug`, which go before `-q` and `-v`.
pub(crate) fn start_log(global: &Global) {
    let level = match global.verbose {
        0 if global.json => LevelFilter::OFF,
        0 if global.quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(level.into())
        .with_env_var("ORCHESTRATOR_LOG")
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(false)
        // A message that cannot be written must not end what it is about.
        .log_internal_errors(false);
    // A second start is possible only in tests, and changes nothing.
    let started = if global.json { log.json().try_init() } else { log.try_init() };
    if let Err(error) = started {
        tracing::debug!(%error, "the log was started before");
    }
}

/// Logs that stderr did not take a message: the last resort.
pub(super) fn failed(error: &dyn std::error::Error) {
    tracing::debug!(%error, "a message was not shown");
}
