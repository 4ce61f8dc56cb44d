//! `status`: how the work stands, and what keeps items waiting.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;

/// Shows how the work stands.
pub(crate) fn status(context: &Context<'_>) -> Result<Exit, CliError> {
    let _ = context;
    Ok(Exit::Done)
}
