//! `advance`, `block`, `unblock`, `done`: one item through the table of transitions.

use super::update::answer;
use crate::cli::args::{Advance, Block, Done, Unblock};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::coordinator::Command;
use crate::model::{Change, IdQuery};
use crate::store::events::Event;

/// Moves an item on.
pub(crate) fn advance(args: Advance, context: &Context<'_>) -> Result<Exit, CliError> {
    let Advance { item, to } = args;
    move_item(&item, Change::Advance { item: item.clone(), to }, context)
}

/// Blocks an item.
pub(crate) fn block(args: Block, context: &Context<'_>) -> Result<Exit, CliError> {
    let Block { item, reason, kind } = args;
    move_item(&item, Change::Block { item: item.clone(), reason, kind }, context)
}

/// Lets a blocked item go on.
pub(crate) fn unblock(args: Unblock, context: &Context<'_>) -> Result<Exit, CliError> {
    let Unblock { item, notes } = args;
    let notes = notes.filter(|notes| !notes.trim().is_empty());
    move_item(&item, Change::Unblock { item: item.clone(), notes }, context)
}

/// Calls an item done. The reason goes into the log of events: an item has no
/// field for it.
pub(crate) fn done(args: Done, context: &Context<'_>) -> Result<Exit, CliError> {
    let Done { item, reason } = args;
    let mut session = context.open()?;
    let index = session.find(&item)?;
    let id = session.store.file()?.items[index].id.clone();
    let time = session.store.options().clock.now().to_string();
    let changed = session.change_and(Change::Done { item: item.clone() }, |coordinator| {
        if let Some(reason) = reason {
            let event = Event { time, event: "done".to_owned(), item: id, detail: Some(reason) };
            coordinator.ask_blocking(Command::Tell(vec![event]))?;
        }
        Ok(())
    })?;
    answer(&changed, &item, context)
}

fn move_item(item: &IdQuery, change: Change, context: &Context<'_>) -> Result<Exit, CliError> {
    let changed = context.open()?.change(change)?;
    answer(&changed, item, context)
}
