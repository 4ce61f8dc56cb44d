//! `archive`: items out of the backlog, into the worklog.

use crate::cli::args::Archive;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::model::Change;
use crate::wire::{ArchiveReport, ArchivedItem};

/// Archives the named items, or all that are done.
pub(crate) fn archive(args: Archive, context: &Context<'_>) -> Result<Exit, CliError> {
    let Archive { items, done, reason } = args;
    let change = if done { Change::ArchiveDone } else { Change::Archive { items, reason } };
    let changed = context.open()?.change(change)?;
    let removed = &changed.applied.removed;
    if context.output.is_json() {
        let archived = removed.iter().map(ArchivedItem::from).collect();
        context.output.document("archive", ArchiveReport { archived })?;
        return Ok(Exit::Done);
    }
    for removal in removed {
        context.output.line(removal.item.id_or_dash())?;
    }
    if removed.is_empty() {
        context.output.note("no item is done");
    }
    Ok(Exit::Done)
}
