//! `completions`: a script that completes commands and options in a shell.

use clap::CommandFactory;

use crate::cli::args::{Cli, Completions};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;

/// Prints the script of a shell.
pub(crate) fn completions(args: &Completions, output: &Output) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "orchestrator", &mut script);
    let script = String::from_utf8_lossy(&script);
    if output.is_json() {
        output.document("completions", script.as_ref())?;
    } else {
        output.verbatim(&script)?;
    }
    Ok(Exit::Done)
}
