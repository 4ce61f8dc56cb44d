//! `check`: everything that is wrong with a backlog; with `--fix`, what can be
//! mended without a person is mended.
//!
//! Mended are: items without an ID, later items of a duplicate ID, a mark that is
//! behind, a damaged copy of it, an old schema. The rest needs a decision.

use crate::cli::args::Check;
use crate::cli::error::{CliError, Problems, chain, of_request};
use crate::cli::exit::Exit;
use crate::cli::session::{Context, Session, with_writer};
use crate::coordinator::Command;
use crate::model::{Change, Code, Diagnostic, Severity};
use crate::store::StoreError;
use crate::wire::{CheckReport, Problem};

/// How often the file is mended and looked at again: a damaged mark hides the rest.
const ROUNDS: usize = 2;

/// What a look at everything brought.
#[derive(Default)]
struct Found<'a> {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// What they speak of.
    text: Option<String>,
    /// What can be mended, and with what.
    mendable: Option<(Session<'a>, Remedy)>,
    /// What that would do, in words.
    plan: Vec<String>,
}

/// What mends a backlog.
enum Remedy {
    /// Any write: it names items, raises the mark and persists a migration; this one
    /// also renumbers.
    Write,
    /// The copies of the mark made anew.
    RebuildMark,
}

/// Checks, and mends where that is asked for.
pub(crate) fn check(args: &Check, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut found = look(context)?;
    let mut plan = found.plan.clone();
    if args.fix && !args.dry_run {
        for _ in 0..ROUNDS {
            let Some((session, remedy)) = found.mendable.take() else {
                break;
            };
            mend(session, &remedy)?;
            found = look(context)?;
            plan.extend(
                found.plan.iter().filter(|step| !plan.contains(step)).cloned().collect::<Vec<_>>(),
            );
        }
    }
    let plan = (args.fix || args.dry_run).then_some(plan);
    show(&found, plan, context)?;
    Ok(match (found.errors.len(), found.warnings.len()) {
        (1.., _) => Exit::Invalid,
        (0, 1..) if args.strict => Exit::Refused,
        _ => Exit::Done,
    })
}

impl Found<'_> {
    fn of(diagnostics: Vec<Diagnostic>, text: String) -> Self {
        let (errors, warnings) = diagnostics.into_iter().partition(Diagnostic::is_error);
        Self { errors, warnings, text: Some(text), ..Self::default() }
    }
}

fn look<'a>(context: &Context<'a>) -> Result<Found<'a>, CliError> {
    let mut session = match context.open() {
        Ok(session) => session,
        Err(CliError::Config(error)) => {
            let Some(problems) = Problems::of_config(&error) else {
                return Err(error.into());
            };
            let text = Some(problems.text.to_owned());
            return Ok(Found { errors: problems.found, text, ..Found::default() });
        }
        Err(other) => return Err(other),
    };
    match session.store.diagnostics() {
        Ok(diagnostics) => {
            let found = Found::of(diagnostics, session.store.text()?.to_owned());
            let plan = steps(&found, &mut session)?;
            let mendable = (!plan.is_empty()).then_some((session, Remedy::Write));
            Ok(Found { mendable, plan, ..found })
        }
        Err(StoreError::Invalid { diagnostics, text }) => Ok(Found::of(diagnostics, text)),
        Err(error @ StoreError::DamagedMark { .. }) => Ok(damaged_mark(&error, session)),
        Err(other) => Err(other.into()),
    }
}

/// Returns what mending would do: nothing while there are errors, since nothing can
/// be written then.
fn steps(found: &Found<'_>, session: &mut Session<'_>) -> Result<Vec<String>, CliError> {
    if !found.errors.is_empty() {
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    if session.store.migrated_text()?.is_some() {
        let version = session.store.file()?.schema_version;
        steps.push(format!("migrate the file to version {version}"));
    }
    for found in &found.warnings {
        let item = found.item.as_deref().unwrap_or("-");
        match found.code {
            Code::MissingId => steps.push(format!("give \"{item}\" an ID")),
            Code::DuplicateId => {
                steps.push(format!("give the later {item}, in line {}, a new ID", found.line));
            }
            Code::MarkBehind => steps.push(format!("raise the mark: {}", found.message)),
            _ => {}
        }
    }
    Ok(steps)
}

fn damaged_mark<'a>(error: &StoreError, session: Session<'a>) -> Found<'a> {
    let path = match error {
        StoreError::DamagedMark { path } => path.clone(),
        _ => session.store.paths().shown.clone(),
    };
    let step = format!("rebuild the high-water mark in {} from what is known", path.display());
    let diagnostic = Diagnostic {
        code: Code::Syntax,
        message: chain(error),
        file: path,
        line: 0,
        column: 0,
        span: None,
        item: None,
        hint: Some("`orchestrator check --fix` rebuilds it from what is known".to_owned()),
    };
    Found {
        errors: vec![diagnostic],
        mendable: Some((session, Remedy::RebuildMark)),
        plan: vec![step],
        ..Found::default()
    }
}

fn mend(session: Session<'_>, remedy: &Remedy) -> Result<(), CliError> {
    let file = session.store.paths().shown.clone();
    with_writer(session.store, |coordinator| {
        match remedy {
            Remedy::RebuildMark => {
                coordinator.ask_blocking(Command::RebuildMark)?;
            }
            Remedy::Write => {
                for outcome in coordinator.change_blocking(vec![Change::Renumber])?.outcomes {
                    outcome.map_err(|error| of_request(error, file.clone()))?;
                }
            }
        }
        Ok(())
    })
}

fn show(
    found: &Found<'_>,
    plan: Option<Vec<String>>,
    context: &Context<'_>,
) -> Result<(), CliError> {
    let output = context.output;
    if output.is_json() {
        let problems = |found: &[Diagnostic]| found.iter().map(Problem::from).collect();
        let (errors, warnings) = (problems(&found.errors), problems(&found.warnings));
        return output.document("check", CheckReport { errors, warnings, plan });
    }
    match plan {
        Some(plan) if plan.is_empty() => output.note("nothing can be mended by itself"),
        Some(plan) => {
            for step in plan {
                output.line(&format!("fix: {step}"))?;
            }
        }
        None => {}
    }
    let text = found.text.as_deref();
    for error in &found.errors {
        output.problem(error, Severity::Error, text)?;
    }
    for warning in &found.warnings {
        output.problem(warning, Severity::Warning, text)?;
    }
    output.line(&match (found.errors.len(), found.warnings.len()) {
        (0, 0) => "no problems".to_owned(),
        (errors, warnings) => {
            format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
        }
    })
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
