//! The IDs that exist, gathered from where they were said to be.

use super::database;
use super::target::Target;
use crate::cli::args::Sources;
use crate::cli::error::CliError;
use crate::cli::session::{Context, current_folder};
use crate::git::Repository;
use crate::model::IdFormat;
use crate::sequence::Key;
use crate::sequence::adopt::{Files, Findings, IdReader, Survey};
use crate::store::events;

/// How many files of a kind are named one by one.
const SHOWN: usize = 5;

/// Looks at files alone.
pub(super) fn files(
    target: &Target,
    globs: &[String],
    existing: impl IntoIterator<Item = Key>,
    context: &Context<'_>,
) -> Result<Findings, CliError> {
    let mut reader = IdReader::new(&target.layout, &target.named())?;
    reader.know(existing);
    if !globs.is_empty() {
        check_format(&reader)?;
    }
    let mut survey = Survey::new(reader);
    read_files(&mut survey, globs, context)?;
    let findings = survey.finish();
    tell(&findings, context);
    Ok(findings)
}

/// Looks at all sources.
pub(super) fn all(
    target: &Target,
    sources: &Sources,
    existing: impl IntoIterator<Item = Key>,
    context: &Context<'_>,
) -> Result<Findings, CliError> {
    let mut reader = IdReader::new(&target.layout, &target.named())?;
    reader.know(existing);
    if !sources.from_files.is_empty() || sources.from_git {
        check_format(&reader)?;
    }
    let mut survey = Survey::new(reader);
    read_files(&mut survey, &sources.from_files, context)?;
    for column in &sources.from_column {
        let values = database::column(target, column, context)?;
        let others = values.iter().filter(|value| !survey.add_value(value)).count();
        if others > 0 {
            let message =
                format!("{others} of {} values of {column} are no such IDs", values.len());
            context.output.note(&message);
        }
    }
    if sources.from_git {
        read_git(&mut survey, context)?;
    }
    if sources.from_backlog {
        read_backlog(&mut survey, context)?;
    }
    let findings = survey.finish();
    tell(&findings, context);
    Ok(findings)
}

/// Where any number is an ID, no name can be told from one.
fn check_format(reader: &IdReader<'_>) -> Result<(), CliError> {
    if !reader.takes_any_number() {
        return Ok(());
    }
    Err(CliError::Options {
        message: "these IDs are nothing but numbers, which cannot be told from others in names"
            .to_owned(),
        hint: Some("--format says what they look like in files".to_owned()),
    })
}

fn read_files(
    survey: &mut Survey<'_>,
    globs: &[String],
    context: &Context<'_>,
) -> Result<(), CliError> {
    for glob in globs {
        if Files::new(glob)?.read_into(survey)? == 0 {
            context.output.warn(&format!("no file fits {glob}"));
        }
    }
    Ok(())
}

fn read_git(survey: &mut Survey<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let Some(repository) = Repository::open(&current_folder()?)? else {
        return Err(CliError::Options {
            message: "--from-git: this folder is in no work tree of git".to_owned(),
            hint: Some("-C names another folder".to_owned()),
        });
    };
    if repository.is_shallow()? {
        context.output.warn("this clone is shallow: IDs of older commits are not seen");
    }
    for path in repository.added_paths()? {
        survey.add_path(path.as_path());
        survey.add_folders_of(path.as_path());
    }
    for subject in repository.subjects()? {
        survey.add_subject(&subject);
    }
    Ok(())
}

fn read_backlog(survey: &mut Survey<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let mut session = context.open()?;
    let prefix = session.store.options().rules.prefix.clone();
    let mark = session.store.mark()?;
    if mark > 0 {
        survey.add_id(&IdFormat::new(&prefix).format(mark));
    }
    for item in &session.store.file()?.items {
        if let Some(id) = item.id.as_deref() {
            survey.add_id(id);
        }
    }
    for id in session.store.archived_ids()? {
        survey.add_id(&id);
    }
    // Items that a stale editor dropped, and numbers without items.
    for event in events::read(session.store.paths(), None)? {
        if let Some(id) = event.item {
            survey.add_id(&id);
        }
    }
    Ok(())
}

/// Tells of what a person should look at.
fn tell(findings: &Findings, context: &Context<'_>) {
    let output = context.output;
    for duplicate in findings.duplicates.iter().take(SHOWN) {
        let paths: Vec<String> =
            duplicate.paths.iter().map(|path| path.display().to_string()).collect();
        output.warn(&format!("{} is the ID of {}", duplicate.id, paths.join(" and ")));
    }
    for file in findings.malformed.iter().take(SHOWN) {
        let counts = if file.counts {
            "it counts by its name or a line of its head"
        } else {
            "it does not count, nor does its name"
        };
        output.warn(&format!("{}: {}; {counts}", file.path.display(), file.problem));
    }
    for (all, what) in
        [(findings.duplicates.len(), "duplicates"), (findings.malformed.len(), "damaged files")]
    {
        if all > SHOWN {
            output.warn(&format!("{} more {what}; --json has all", all - SHOWN));
        }
    }
    for id in findings.too_large.iter().take(SHOWN) {
        output.warn(&format!("{id}: no sequence goes so far; it does not count"));
    }
}
