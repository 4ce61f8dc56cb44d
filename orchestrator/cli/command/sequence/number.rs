//! `id next` on a database, or without it, from a look at files.

use super::database::Database;
use super::sources;
use super::target::Target;
use crate::cli::args::IdNext;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::sequence::{Action, Issued, Layout, Reply, SequenceError};
use crate::wire::IssuedId;

/// Issues IDs, and prints each.
pub(crate) fn next(args: &IdNext, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let key = target.key()?;
    let count = args.count.unwrap_or(1);
    let opened = match args.fallback {
        Some(_) if !target.has_url() => None,
        _ => match Database::open_for(&target, &key, args.create, context) {
            // Without a table the database has not issued anything, either.
            Err(CliError::Sequence(
                SequenceError::Missing { .. } | SequenceError::NoTable { .. },
            )) if args.fallback.is_some() => None,
            opened => Some(opened?),
        },
    };
    let issued = match opened {
        Some(mut database) => match database.ask(Action::Next { key, count })? {
            Reply::Issued(issued) => issued,
            _ => return Err(SequenceError::Closed.into()),
        },
        None => {
            let findings = sources::files(&target, &args.from_files, [], context)?;
            let last = findings.highest.get(&key).copied().unwrap_or(0);
            if last.checked_add(count).is_none() {
                let last = i64::from(last);
                return Err(SequenceError::Exhausted { key, last }.into());
            }
            context.output.alarm(
                "the database is not there: this is the highest ID of the files, plus one, and \
                 nothing keeps others from getting the same; `id sync --rebuild` makes the database",
            );
            Issued { key, first: last + 1, count }
        }
    };
    show(&issued, args.count.is_some(), &target.layout, context)
}

fn show(
    issued: &Issued,
    is_list: bool,
    layout: &Layout,
    context: &Context<'_>,
) -> Result<Exit, CliError> {
    let id = |number: u32| IssuedId {
        id: layout.id(&issued.key, number),
        number: number.into(),
        previous: (number > 1).then(|| layout.id(&issued.key, number - 1)),
    };
    let all: Vec<IssuedId> = issued.numbers().map(id).collect();
    let output = context.output;
    match all.as_slice() {
        _ if !output.is_json() => {
            for issued in &all {
                output.line(&issued.id)?;
            }
        }
        [only] if !is_list => output.document("id", only)?,
        all => output.document("ids", all)?,
    }
    Ok(Exit::Done)
}
