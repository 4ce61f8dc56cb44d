//! `restore`: an archived or lost item back into the backlog, as it stood.

use std::sync::Arc;

use super::update::summary;
use crate::cli::args::Restore;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::model::{BacklogItem, Change, ChangeError};
use crate::store::StoreError;
use crate::store::worklog::Archived;
use crate::wire::Item;
use crate::yaml;

/// Puts an item back at the end of the backlog.
pub(crate) fn restore(args: &Restore, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    match session.find(&args.item) {
        Ok(index) => {
            let id = session.store.file()?.items[index].id_or_dash().to_owned();
            return Err(ChangeError::AlreadyThere { id }.into());
        }
        Err(CliError::Change(ChangeError::NoSuchItem { .. } | ChangeError::Archived { .. })) => {}
        Err(other) => return Err(other),
    }
    let archived = session.store.find_archived(&args.item)?;
    let item = Arc::new(read(&archived)?);
    let changed = session.change(Change::Restore { item, text: archived.text })?;
    for item in &changed.applied.added {
        if context.output.is_json() {
            context.output.document("restore", Item::from(&**item))?;
        } else {
            context.output.line(&summary(item))?;
        }
    }
    Ok(Exit::Done)
}

/// Reads the item of a worklog entry.
pub(super) fn read(archived: &Archived) -> Result<BacklogItem, CliError> {
    let damaged =
        || StoreError::DamagedEntry { id: archived.id.clone(), path: archived.path.clone() };
    let mapping = yaml::parse_record(&archived.text).map_err(|_| damaged())?;
    let (item, problems) = BacklogItem::from_mapping(mapping);
    if problems.iter().any(|problem| problem.code.is_error()) {
        return Err(damaged().into());
    }
    Ok(item)
}
