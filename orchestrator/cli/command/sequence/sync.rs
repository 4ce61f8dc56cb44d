//! `id sync`: sequences are raised to the IDs that exist, and never lowered.

use std::path::Path;

use jiff::Timestamp;

use super::database::{
    Access, Database, detect_layouts, make_and_raise, one_of, patience, reserved,
};
use super::sources;
use super::target::Target;
use crate::cli::args::IdSync;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Table;
use crate::cli::session::Context;
use crate::fs::Holder;
use crate::sequence::adopt::{Findings, KeyFilter};
use crate::sequence::sqlite::{self, Raised, Raises, Rebuilt};
use crate::sequence::{Counter, DatabaseUrl, SequenceError};
use crate::store::Clock;
use crate::wire::{SyncReport, SyncedSequence, UnsyncedSequence, key_parts};

/// What was done.
struct Done {
    raises: Raises,
    raised: Raised,
    was_made: bool,
    kept: Option<String>,
}

/// Raises sequences, or shows what would be raised.
pub(crate) fn sync(args: &IdSync, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let mut target = one_of(detect_layouts(target, context)?)?;
    let configured = target.configure(context)?;
    let filter = KeyFilter::new(&target.layout, &target.named())?;
    let counters = counters(&target, args, context)?;
    let known = counters.iter().flatten().map(|(key, _)| key.clone()).chain(configured);
    let findings = sources::all(&target, &args.sources, known, context)?;
    let mut raises: Raises = findings.highest.clone();
    if let Some(key) = filter.key() {
        // A sequence without any ID yet gets its row, too.
        raises.entry(key).or_default();
    }
    if args.rebuild {
        for (key, last) in reserved(&target, context)? {
            let to = raises.entry(key).or_default();
            *to = last.unwrap_or_default().max(*to);
        }
    }
    if raises.is_empty() {
        context.output.warn("the sources have no ID of these sequences");
    }
    let is_lost = counters.is_none();
    if is_lost && args.rebuild && raises.values().all(|number| *number == 0) {
        return Err(CliError::NothingFound);
    }
    let done = match args.dry_run {
        true => plan(&target, args, raises, counters, context)?,
        false => raise(&target, args, raises, context)?,
    };
    show(&target, args, &findings, &done, context)?;
    // What could be raised stays so; what could not is the command's failure.
    match done.raised.into_iter().find_map(Result::err).map(CliError::from) {
        // The document has all of them.
        Some(error) if context.output.is_json() => Ok(error.exit()),
        Some(error) => Err(error),
        None => Ok(Exit::Done),
    }
}

/// Reads where sequences stand; `None` where there is nothing to read, and the command
/// was told to make it.
fn counters(
    target: &Target,
    args: &IdSync,
    context: &Context<'_>,
) -> Result<Option<Vec<Counter>>, CliError> {
    let read = Database::open(target, Access::Read, context).and_then(|mut database| {
        let counters = database.backend().counters();
        counters.map_err(CliError::from)
    });
    match read {
        Ok(counters) => Ok(Some(counters)),
        Err(CliError::Sequence(SequenceError::Missing { .. } | SequenceError::NoTable { .. }))
            if args.create || args.rebuild =>
        {
            Ok(None)
        }
        Err(CliError::Sequence(SequenceError::NotADatabase { .. })) if args.rebuild => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says what would be done.
fn plan(
    target: &Target,
    args: &IdSync,
    mut raises: Raises,
    counters: Option<Vec<Counter>>,
    context: &Context<'_>,
) -> Result<Done, CliError> {
    let makes = args.rebuild || args.create && counters.is_none();
    let mut counters = counters.unwrap_or_default();
    if let (true, DatabaseUrl::Sqlite(path)) = (makes, target.url()?)
        && let Some(plan) = sqlite::plan_rebuild(path, &target.layout, &raises, patience(context))?
    {
        // It would be made anew, and what can still be read of it counts as a source.
        (raises, counters) = (plan.raises, Vec::new());
        if plan.is_damaged {
            let path = path.display();
            context.output.warn(&format!("{path} is damaged: a copy would be kept beside it"));
        }
    }
    let of = |key| counters.iter().find(|(other, _)| other == key);
    let before = |key| of(key).map(|(_, last)| last.clone()).transpose();
    let raised = raises.keys().map(before).collect();
    Ok(Done { raises, raised, was_made: false, kept: None })
}

fn raise(
    target: &Target,
    args: &IdSync,
    raises: Raises,
    context: &Context<'_>,
) -> Result<Done, CliError> {
    if !(args.rebuild || args.create) {
        let raised = Database::open(target, Access::Write, context)?.raise(&raises)?;
        return Ok(Done { raises, raised, was_made: false, kept: None });
    }
    if let (true, DatabaseUrl::Sqlite(path)) = (args.rebuild, target.url()?) {
        return rebuild(path, target, &raises, context);
    }
    let holder = holder("orchestrator id sync --create", Clock::system().now());
    let made = make_and_raise(target, &raises, args.rebuild, &holder, context)?;
    tell_of(&made, context);
    Ok(Done { raises: made.raises, raised: made.raised, was_made: false, kept: None })
}

/// This process, as those who wait for what it makes are told.
fn holder(command: &str, now: Timestamp) -> Holder {
    Holder::this_process(None, command, now.to_string())
}

fn rebuild(
    path: &Path,
    target: &Target,
    raises: &Raises,
    context: &Context<'_>,
) -> Result<Done, CliError> {
    let now = Clock::system().now();
    let holder = holder("orchestrator id sync --rebuild", now);
    let patience = patience(context);
    let done = sqlite::rebuild(path, &target.layout, raises, now, &holder, patience)?;
    let output = context.output;
    if let Some(kept) = &done.kept {
        output.warn(&format!(
            "a copy of the damaged database, with all that was in it, is {}; only sequences were taken over",
            kept.display()
        ));
    }
    tell_of(&done, context);
    match done.was_made {
        true => output.note(&format!("{} was made anew", path.display())),
        false => output.note("the database is sound; it was raised, not made anew"),
    }
    let kept = done.kept.map(|path| path.display().to_string());
    Ok(Done { raises: done.raises, raised: done.raised, was_made: done.was_made, kept })
}

/// Tells what became of what was there before.
fn tell_of(done: &Rebuilt, context: &Context<'_>) {
    for path in &done.unread {
        context.output.warn(&format!(
            "not all numbers could be read from {}: name all sources that have IDs",
            path.display()
        ));
    }
    for layout in &done.lost {
        context.output.warn(&format!(
            "not all sequences of layout {layout} could be read: none is issued from before \
             `id sync --rebuild --layout {layout}` with their sources"
        ));
    }
    for layout in &done.others {
        let what = format!("sequences of layout {layout} were taken over too, as they stood");
        context.output.note(&what);
    }
}

fn show(
    target: &Target,
    args: &IdSync,
    findings: &Findings,
    done: &Done,
    context: &Context<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new(&["SEQUENCE", "BEFORE", "NOW", "DONE"]);
    let mut sequences = Vec::new();
    let mut failed = Vec::new();
    let mut changed = Vec::new();
    for ((key, to), before) in done.raises.iter().zip(&done.raised) {
        let before = match before {
            Ok(before) => before,
            Err(error) => {
                let error = CliError::from(error.clone()).report();
                failed.push(UnsyncedSequence { key: key_parts(&target.layout, key), error });
                continue;
            }
        };
        let now = before.unwrap_or(0).max(*to);
        let what = match before {
            None => "new",
            Some(before) if *before < now => "raised",
            Some(_) => "unchanged",
        };
        if what != "unchanged" && !args.dry_run {
            changed.push((key, now));
        }
        let shown = before.map_or("-".to_owned(), |before| before.to_string());
        table.row([&key.to_string(), &shown, &now.to_string(), what]);
        sequences.push(SyncedSequence {
            key: key_parts(&target.layout, key),
            found: findings.highest.get(key).copied(),
            before: *before,
            now,
        });
    }
    let output = context.output;
    if output.is_json() {
        let report = SyncReport {
            dry_run: args.dry_run,
            rebuilt: done.was_made,
            kept: done.kept.clone(),
            sequences,
            failed,
            files: findings.into(),
        };
        return output.document("id_sync", report);
    }
    if args.dry_run {
        output.note("a dry run: nothing was changed");
    }
    if !failed.is_empty() {
        // What follows is the error; what was done all the same is told before it.
        for (key, now) in changed {
            output.note(&format!("{key} was raised to {now}"));
        }
        return Ok(());
    }
    if table.is_empty() { Ok(()) } else { output.table(&table) }
}
