//! `show`: items as they stand in the file, comments included.

use crate::cli::args::Show;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::wire::Item;

/// Shows items in the order in which they are named.
pub(crate) fn show(args: &Show, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    session.warn(&[])?;
    let mut indexes = Vec::with_capacity(args.items.len());
    for query in &args.items {
        indexes.push(session.find(query)?);
    }
    if context.output.is_json() {
        let file = session.store.file()?;
        let items: Vec<Item<'_>> =
            indexes.iter().map(|index| Item::from(&*file.items[*index])).collect();
        context.output.document("items", items)?;
    } else {
        for index in indexes {
            context.output.verbatim(&session.store.item_text(index)?)?;
        }
    }
    Ok(Exit::Done)
}
