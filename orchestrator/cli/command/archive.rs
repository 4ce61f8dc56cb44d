//! `archive`: items out of the backlog, into the worklog.

use std::sync::Arc;

use super::restore::read;
use crate::cli::args::Archive;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::{Context, Session};
use crate::model::{Change, ChangeError, IdQuery};
use crate::store::StoreError;
use crate::wire::{ArchiveReport, ArchivedItem};

/// Archives the named items, or all that are done.
pub(crate) fn archive(args: Archive, context: &Context<'_>) -> Result<Exit, CliError> {
    let Archive { items, done, reason } = args;
    let mut session = context.open()?;
    let change = match (items.as_slice(), &reason) {
        _ if done => Change::ArchiveDone,
        ([item], Some(reason)) => match lost(&mut session, item, reason)? {
            Some(change) => change,
            None => Change::Archive { items, reason: Some(reason.clone()) },
        },
        _ => Change::Archive { items, reason },
    };
    let changed = session.change(change)?;
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

/// Returns the change that gives an item up that was lost, where one of that name is.
fn lost(
    session: &mut Session<'_>,
    item: &IdQuery,
    reason: &str,
) -> Result<Option<Change>, CliError> {
    match session.find(item) {
        Err(CliError::Change(ChangeError::NoSuchItem { .. })) => {}
        // What else is wrong with it, the change itself says.
        _ => return Ok(None),
    }
    match session.store.find_archived(item) {
        Ok(found) => Ok(Some(Change::GiveUp {
            item: Arc::new(read(&found)?),
            text: found.text,
            reason: reason.to_owned(),
        })),
        Err(StoreError::NotArchived { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
