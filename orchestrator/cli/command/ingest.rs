//! `ingest`: proposals into the backlog, from the inbox or from a phase's result.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::Ingest;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::{Context, LEFT_TO_THE_SAVE, with_writer};
use crate::fs;
use crate::model::change::{NewItem, Skipped};
use crate::model::{BacklogItem, Change, PhaseResult};
use crate::wire::{IngestReport, Item};

/// The name of the inbox, beside the backlog.
pub(super) const INBOX: &str = "BACKLOG_INBOX.yaml";

/// What was taken in.
struct Taken {
    added: Vec<Arc<BacklogItem>>,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

/// Takes in the inbox, or the follow-ups of a result.
pub(crate) fn ingest(args: &Ingest, context: &Context<'_>) -> Result<Exit, CliError> {
    let taken = match &args.follow_ups {
        Some(result) => from_result(result, context)?,
        None => from_inbox(args.inbox.as_deref(), context)?,
    };
    if context.output.is_json() {
        let report = IngestReport {
            added: taken.added.iter().map(|item| Item::from(&**item)).collect(),
            skipped: taken.skipped.iter().map(Into::into).collect(),
            notes: taken.notes,
        };
        context.output.document("ingest", report)?;
        return Ok(Exit::Done);
    }
    for item in &taken.added {
        context.output.line(&format!("{} {}", item.id_or_dash(), item.title))?;
    }
    for skipped in &taken.skipped {
        context.output.note(&format!("\"{}\" is {} already", skipped.title, skipped.existing));
    }
    for note in &taken.notes {
        context.output.note(note);
    }
    if taken.added.is_empty() && taken.skipped.is_empty() {
        context.output.note("nothing to take in");
    }
    Ok(Exit::Done)
}

fn from_inbox(named: Option<&Path>, context: &Context<'_>) -> Result<Taken, CliError> {
    let mut session = context.open()?;
    session.warn(LEFT_TO_THE_SAVE)?;
    let inbox: PathBuf = match named {
        Some(path) => {
            // Without one, there may be nothing to take in; one that was named must exist.
            fs::read(path)?;
            path.to_owned()
        }
        None => session.store.paths().shown.with_file_name(INBOX),
    };
    let ingested =
        with_writer(session.store, |coordinator| Ok(coordinator.ingest_blocking(inbox)?))?;
    Ok(Taken { added: ingested.added, skipped: Vec::new(), notes: ingested.notes })
}

fn from_result(path: &Path, context: &Context<'_>) -> Result<Taken, CliError> {
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    let result = PhaseResult::from_json(&text)
        .map_err(|source| CliError::PhaseResult { path: path.to_owned(), source })?;
    let origin = format!("{}/{}", result.item_id, result.phase);
    let items = result.follow_ups.iter().map(|f| NewItem::from_follow_up(f, &origin)).collect();
    let change = Change::Ingest { items, skip_known_titles: true };
    let applied = context.open()?.change(change)?.applied;
    Ok(Taken { added: applied.added, skipped: applied.skipped, notes: result.warnings })
}
