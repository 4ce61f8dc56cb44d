//! `log`: what happened to an item, by the story and the worklog.

use crate::cli::args::Log;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Table;
use crate::cli::session::{Context, Session};
use crate::model::{ChangeError, IdQuery};
use crate::store::history::Entry;
use crate::wire::LogEntry;

/// Shows the history of an item, oldest first.
pub(crate) fn log(args: &Log, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    session.warn(&[])?;
    let entries = history(&mut session, &args.item)?;
    let output = context.output;
    if output.is_json() {
        let entries: Vec<LogEntry<'_>> = entries.iter().map(to_wire).collect();
        output.document("log", entries)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["TIME", "EVENT", "PHASE", "SECONDS", "DETAIL"]);
    for entry in &entries {
        let run = entry.run.as_ref();
        let seconds = run.and_then(|run| run.seconds).map(|seconds| seconds.to_string());
        table.row([
            &entry.time,
            &entry.event,
            run.map_or("-", |run| &run.phase),
            seconds.as_deref().unwrap_or("-"),
            entry.detail.as_deref().unwrap_or("-"),
        ]);
    }
    if !table.is_empty() {
        output.table(&table)?;
    }
    Ok(Exit::Done)
}

/// Returns the history of an item, be it in the backlog, archived, or only told of.
fn history(session: &mut Session<'_>, query: &IdQuery) -> Result<Vec<Entry>, CliError> {
    let missing = match session.find(query) {
        Ok(index) => {
            // A number alone may be that of several prefixes.
            let id = session.store.file()?.items[index].id.clone();
            let query = id.map_or_else(|| query.clone(), |id| IdQuery::new(&id));
            return Ok(session.store.history(&query)?);
        }
        Err(
            error @ CliError::Change(ChangeError::NoSuchItem { .. } | ChangeError::Archived { .. }),
        ) => error,
        Err(error) => return Err(error),
    };
    let entries = session.store.history(query)?;
    if entries.is_empty() && !matches!(missing, CliError::Change(ChangeError::Archived { .. })) {
        return Err(missing);
    }
    Ok(entries)
}

fn to_wire(entry: &Entry) -> LogEntry<'_> {
    let run = entry.run.as_ref();
    LogEntry {
        time: &entry.time,
        event: &entry.event,
        phase: run.map(|run| run.phase.as_str()),
        attempt: run.and_then(|run| run.attempt),
        outcome: run.and_then(|run| run.outcome.as_deref()),
        seconds: run.and_then(|run| run.seconds),
        detail: entry.detail.as_deref(),
    }
}
