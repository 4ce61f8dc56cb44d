//! `update`: fields of one item. What the other commands on one item answer with
//! is here too.

use super::add::{STDIN, from_stdin};
use crate::cli::args::Update;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::{Changed, Context};
use crate::model::change::Assign;
use crate::model::{BacklogItem, Change, IdQuery};
use crate::wire::Item;

/// Alters fields.
pub(crate) fn update(args: Update, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut patch = args.fields.into_patch(args.force);
    if matches!(&patch.description, Assign::To(text) if text == STDIN) {
        let text = from_stdin()?;
        patch.description = if text.trim().is_empty() { Assign::Clear } else { Assign::To(text) };
    }
    let item = args.item;
    let changed = context.open()?.change(Change::Update { item: item.clone(), patch })?;
    answer(&changed, &item, context)
}

/// Shows the item that a change was about, as it is now.
pub(super) fn answer(
    changed: &Changed,
    query: &IdQuery,
    context: &Context<'_>,
) -> Result<Exit, CliError> {
    let item = changed.item(query)?;
    if context.output.is_json() {
        context.output.document("item", Item::from(&*item))?;
    } else {
        context.output.line(&summary(&item))?;
    }
    if changed.applied.deltas.is_empty() {
        context.output.note("nothing changed: the item was so already");
    }
    Ok(Exit::Done)
}

/// Returns an item in one line: ID, where it stands, title.
pub(super) fn summary(item: &BacklogItem) -> String {
    let phase = item.phase.as_deref().map(|phase| format!("/{phase}")).unwrap_or_default();
    format!("{} {}{phase} {}", item.id_or_dash(), item.status, item.title.replace('\n', " "))
}
