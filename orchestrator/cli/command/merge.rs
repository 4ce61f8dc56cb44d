//! `merge`: one item into another, nothing of it lost.

use super::update::summary;
use crate::cli::args::Merge;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::model::Change;
use crate::wire::{Item, MergeReport};

/// Merges one item into another, and shows the one that stays.
pub(crate) fn merge(args: &Merge, context: &Context<'_>) -> Result<Exit, CliError> {
    let change = Change::Merge { source: args.source.clone(), target: args.target.clone() };
    let changed = context.open()?.change(change)?;
    let removed = changed.applied.removed.first();
    let gone = removed.map_or("-", |removal| removal.item.id_or_dash());
    // By the ID it was found by: the merge may have altered other items too.
    let stays = removed.and_then(|removal| removal.reason.as_deref()).unwrap_or("-");
    let Some(item) = changed.snapshot.get(stays) else {
        return Ok(Exit::Done);
    };
    if context.output.is_json() {
        let report = MergeReport { source: gone, target: stays, item: Item::from(&**item) };
        context.output.document("merge", report)?;
    } else {
        context.output.line(&format!("{gone} → {}", summary(item)))?;
    }
    Ok(Exit::Done)
}
