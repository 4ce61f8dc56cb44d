//! `list`: the items, in the order of the file.

use crate::cli::args::List;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Table;
use crate::cli::session::Context;
use crate::model::ItemStatus;
use crate::wire::Item;

/// Lists items. Done ones only where they are asked for.
pub(crate) fn list(args: &List, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    session.warn(&[])?;
    let filter = args.filter();
    let shows_done = args.all || filter.names_status();
    let pipeline = session.config.project.default_pipeline.clone();
    let file = session.store.file()?;
    let fits = file.items.iter().filter(|item| filter.fits(item, &pipeline));
    let (shown, hidden): (Vec<_>, Vec<_>) =
        fits.partition(|item| shows_done || item.status != ItemStatus::Done);
    let output = context.output;
    if output.is_json() {
        let items: Vec<Item<'_>> = shown.iter().map(|item| Item::from(&***item)).collect();
        output.document("items", items)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["ID", "STATUS", "PHASE", "SIZE", "RISK", "IMPACT", "TITLE"]);
    for item in shown {
        table.row([
            item.id_or_dash(),
            item.status.as_str(),
            item.phase.as_deref().unwrap_or("-"),
            item.size.map_or("-", |size| size.as_str()),
            item.risk.map_or("-", |level| level.as_str()),
            item.impact.map_or("-", |level| level.as_str()),
            &item.title,
        ]);
    }
    if !table.is_empty() {
        output.table(&table)?;
    }
    if output.is_terminal() && !hidden.is_empty() {
        output.note(&format!("{} done: --all shows them", hidden.len()));
    }
    Ok(Exit::Done)
}
