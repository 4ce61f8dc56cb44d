//! `id`: numbers without items, of the backlog's own sequence or of one in a database.

use super::audit::audit;
use super::sequence;
use crate::cli::args::{IdAudit, IdCommand, IdNext};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::model::{Change, IdFormat, ItemId};
use crate::store::events;
use crate::wire::{IdStatus, IssuedId};

/// Does one of the commands on numbers.
pub(crate) fn id(command: IdCommand, context: &Context<'_>) -> Result<Exit, CliError> {
    match command {
        IdCommand::Next(args) if is_of_database(&args) => sequence::next(&args, context),
        IdCommand::Next(args) => next(&args, context),
        IdCommand::Reserve(args) => sequence::reserve(&args, context),
        IdCommand::Confirm(args) => sequence::confirm(&args, context),
        IdCommand::Expire(args) => sequence::expire(&args, context),
        IdCommand::Status(args) if args.sequence.is_given() || !args.from_files.is_empty() => {
            sequence::status(&args, context)
        }
        IdCommand::Status(_) => status(context),
        IdCommand::Sync(args) => sequence::sync(&args, context),
        IdCommand::Audit(IdAudit { db: Some(_) }) => Err(CliError::Options {
            message: "the audit is one of the backlog, not of a database".to_owned(),
            hint: Some("`id status --db URL` shows where sequences stand".to_owned()),
        }),
        IdCommand::Audit(IdAudit { db: None }) => account(context),
    }
}

/// Tells whether an option says that a database is meant, and not the backlog.
fn is_of_database(args: &IdNext) -> bool {
    args.sequence.is_given() || args.create || args.fallback.is_some()
}

/// Issues IDs, and prints each.
fn next(args: &IdNext, context: &Context<'_>) -> Result<Exit, CliError> {
    let change = Change::TakeNumbers { count: args.count.unwrap_or(1) };
    let changed = context.open()?.change(change)?;
    let format = IdFormat::new(changed.prefix());
    let issued: Vec<IssuedId> = changed
        .applied
        .numbers
        .iter()
        .map(|id| {
            let number = ItemId::number_of(id).unwrap_or(0);
            let previous = number.checked_sub(1).filter(|before| *before > 0);
            IssuedId {
                id: id.clone(),
                number: number.into(),
                previous: previous.map(|before| format.format(before)),
            }
        })
        .collect();
    let output = context.output;
    match issued.as_slice() {
        _ if !output.is_json() => {
            for issued in &issued {
                output.line(&issued.id)?;
            }
        }
        [only] if args.count.is_none() => output.document("id", only)?,
        all => output.document("ids", all)?,
    }
    Ok(Exit::Done)
}

/// Shows where the numbers stand.
fn status(context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    let mark = session.store.mark()?;
    let file_mark = session.store.file()?.next_item_id;
    let prefix = session.store.options().rules.prefix.clone();
    let next = mark.checked_add(1).map(|number| IdFormat::new(&prefix).format(number));
    let state = if file_mark < mark { "stale" } else { "ok" };
    let status = IdStatus { prefix, mark, file_mark, next, state };
    let output = context.output;
    if output.is_json() {
        output.document("id_status", status)?;
        return Ok(Exit::Done);
    }
    output.line(&format!("prefix  {}", status.prefix))?;
    output.line(&format!("mark    {mark}"))?;
    output.line(&format!("next    {}", status.next.as_deref().unwrap_or("none is left")))?;
    if status.state == "stale" {
        output.note(&format!("the file's own mark is {file_mark}: the next write raises it"));
    }
    Ok(Exit::Done)
}

/// Accounts for every number that was issued.
fn account(context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    let mark = session.store.mark()?;
    let story = events::read(session.store.paths(), None)?;
    let snapshot = session.store.snapshot()?;
    let number = |id: &str| ItemId::number_of(id).ok();
    let live = snapshot.items.iter().filter_map(|item| number(item.id.as_deref()?));
    let archived = snapshot.archived.keys().filter_map(|key| number(key));
    let numbered = story.iter().filter(|event| event.event == events::NUMBERED);
    let reserved = numbered.filter_map(|event| number(event.item.as_deref()?));
    let audit = audit(mark, live, archived, reserved);
    let output = context.output;
    if output.is_json() {
        output.document("audit", audit)?;
        return Ok(Exit::Done);
    }
    output.line(&format!("mark      {mark}"))?;
    let rows = [
        ("live", &audit.live),
        ("archived", &audit.archived),
        ("reserved", &audit.reserved),
        ("skipped", &audit.skipped),
    ];
    for (name, ranges) in rows {
        let shown: Vec<String> = ranges
            .iter()
            .map(|[from, to]| if from == to { from.to_string() } else { format!("{from}-{to}") })
            .collect();
        let shown = if shown.is_empty() { "-".to_owned() } else { shown.join(", ") };
        output.line(&format!("{name:<9} {shown}"))?;
    }
    Ok(Exit::Done)
}
