//! `add`: new items, one for each title, in one save.

use std::io::Read;

use crate::cli::args::Add;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::model::change::NewItem;
use crate::model::{Change, Description};
use crate::wire::Item;

/// The text that stands for what comes from stdin.
pub(super) const STDIN: &str = "-";

/// Adds items, and prints the ID of each.
pub(crate) fn add(args: Add, context: &Context<'_>) -> Result<Exit, CliError> {
    let description = match args.description {
        Some(text) if text == STDIN => Some(from_stdin()?),
        other => other,
    };
    let description = description.filter(|text| !text.trim().is_empty()).map(Description::Text);
    let new = |title: String| NewItem {
        title,
        size: args.size,
        complexity: args.complexity,
        risk: args.risk,
        impact: args.impact,
        pipeline_type: args.pipeline.clone(),
        dependencies: args.depends_on.clone(),
        tags: args.tags.clone(),
        description: description.clone(),
        ..NewItem::default()
    };
    let items = args.titles.into_iter().map(new).collect();
    let changed = context.open()?.change(Change::Add(items))?;
    let added = &changed.applied.added;
    if context.output.is_json() {
        let items: Vec<Item<'_>> = added.iter().map(|item| Item::from(&**item)).collect();
        context.output.document("items", items)?;
    } else {
        for item in added {
            context.output.line(item.id_or_dash())?;
        }
    }
    Ok(Exit::Done)
}

/// Reads a text from stdin; the new line at its end is the shell's, not the text's.
pub(super) fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| CliError::Io { action: "read stdin".to_owned(), source })?;
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}
