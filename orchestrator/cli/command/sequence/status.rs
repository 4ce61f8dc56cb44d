//! `id status` on a database: where each sequence stands, and against which files.

use std::collections::BTreeMap;

use super::database::{Access, Database, detect_layouts, one_of};
use super::sources;
use super::target::Target;
use crate::cli::args::IdStatus;
use crate::cli::error::{CliError, chain};
use crate::cli::exit::Exit;
use crate::cli::output::Table;
use crate::cli::session::Context;
use crate::sequence::adopt::{Findings, KeyFilter};
use crate::sequence::{Key, Layout, MissingRow, SequenceError};
use crate::wire::{FilesReport, SequenceState, SequenceStatus, SequencesReport, key_parts};

type Counters = BTreeMap<Key, Option<Result<u32, SequenceError>>>;

/// Shows where sequences stand; where tables of several layouts are there, those of all.
pub(crate) fn status(args: &IdStatus, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let mut targets = detect_layouts(target, context)?;
    if !args.from_files.is_empty() {
        targets = vec![one_of(targets)?];
    }
    let mut sequences = Vec::new();
    let mut files = FilesReport::default();
    for target in targets {
        let (stand, found) = stands(target, args, context)?;
        sequences.extend(stand);
        files = found;
    }
    let (keys, sequences) = sequences.into_iter().unzip();
    let report = SequencesReport { sequences, files };
    let exit = exit(&report);
    show(keys, report, context)?;
    Ok(exit)
}

/// Returns where each sequence of a layout stands, by its name, and what files hold.
fn stands(
    mut target: Target,
    args: &IdStatus,
    context: &Context<'_>,
) -> Result<(Vec<(String, SequenceStatus)>, FilesReport), CliError> {
    let configured = target.configure(context)?;
    let filter = KeyFilter::new(&target.layout, &target.named())?;
    let mut database = Database::open(&target, Access::Read, context)?;
    let counters = database.backend().counters()?.into_iter();
    let mut counters: Counters = counters
        .filter(|(key, _)| filter.covers(key))
        .map(|(key, last)| (key, Some(last)))
        .collect();
    let findings = match args.from_files.as_slice() {
        [] => Findings::default(),
        globs => {
            let known = counters.keys().cloned().chain(configured);
            sources::files(&target, globs, known, context)?
        }
    };
    for key in findings.highest.keys().cloned().chain(filter.key()) {
        counters.entry(key).or_insert(None);
    }
    let one = |(key, last): (&Key, &Option<_>)| {
        (key.to_string(), stand(&target.layout, key, last.as_ref(), &findings))
    };
    Ok((counters.iter().map(one).collect(), (&findings).into()))
}

fn stand(
    layout: &Layout,
    key: &Key,
    last: Option<&Result<u32, SequenceError>>,
    findings: &Findings,
) -> SequenceStatus {
    let found = findings.highest.get(key).copied();
    let (last, problem) = match last {
        None => (None, None),
        Some(Ok(last)) => (Some(*last), None),
        Some(Err(error)) => (None, Some(chain(error))),
    };
    let starts = layout.missing_row() == MissingRow::Starts;
    let state = match last {
        _ if problem.is_some() => SequenceState::Invalid,
        None if found.is_some() || !starts => SequenceState::Missing,
        Some(last) if found.is_some_and(|found| found > last) => SequenceState::Stale,
        _ => SequenceState::Ok,
    };
    let next = match last {
        _ if problem.is_some() => None,
        None if !starts => None,
        last => last.unwrap_or(0).checked_add(1).map(|number| layout.id(key, number)),
    };
    SequenceStatus { key: key_parts(layout, key), last, found, next, state, problem }
}

fn exit(report: &SequencesReport) -> Exit {
    let has = |state| report.sequences.iter().any(|sequence| sequence.state == state);
    if has(SequenceState::Invalid) {
        Exit::Io
    } else if !report.files.duplicates.is_empty() {
        Exit::Conflict
    } else if has(SequenceState::Missing) || has(SequenceState::Stale) {
        Exit::Refused
    } else {
        Exit::Done
    }
}

fn show(keys: Vec<String>, report: SequencesReport, context: &Context<'_>) -> Result<(), CliError> {
    let output = context.output;
    if output.is_json() {
        return output.document("id_status", report);
    }
    let mut table = Table::new(&["SEQUENCE", "STATE", "LAST", "FOUND", "NEXT"]);
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    for (key, sequence) in keys.iter().zip(&report.sequences) {
        let state = match sequence.state {
            SequenceState::Ok => "OK",
            SequenceState::Missing => "MISSING",
            SequenceState::Stale => "STALE",
            SequenceState::Invalid => "INVALID",
        };
        let next = sequence.next.as_deref().unwrap_or("-");
        table.row([key, state, &number(sequence.last), &number(sequence.found), next]);
        if let Some(problem) = &sequence.problem {
            output.warn(problem);
        }
    }
    if table.is_empty() {
        output.note("there are no sequences yet");
        return Ok(());
    }
    output.table(&table)
}
