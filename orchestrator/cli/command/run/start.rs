//! The two commands: the loop on a thread of its own, its events on this one.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::signals::tell;
use super::{events, report};
use crate::cli::SUPERVISE;
use crate::cli::args::{Run, Triage};
use crate::cli::command::status;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Live, Output};
use crate::cli::session::{Context, Session};
use crate::cli::signals::Signals;
use crate::coordinator;
use crate::engine::{self, EngineError, Environment, Halt, Observer, RunOptions, Summary};
use crate::runner::{Stop, Supervisor};
use crate::scheduler::Selection;
use crate::store::RunLock;

/// Runs items through their phases.
pub(crate) fn run(args: &Run, context: &Context<'_>) -> Result<Exit, CliError> {
    start(context, args.selection(), args.cap, args.dry_run)
}

/// Looks at new items only.
pub(crate) fn triage(args: &Triage, context: &Context<'_>) -> Result<Exit, CliError> {
    start(context, args.selection(), args.cap, args.dry_run)
}

fn start(
    context: &Context<'_>,
    selection: Selection,
    cap: Option<u32>,
    dry_run: bool,
) -> Result<Exit, CliError> {
    if dry_run {
        let mut session = context.open()?;
        session.warn(&[])?;
        let snapshot = session.store.snapshot()?;
        engine::check_targets(&snapshot, &selection)
            .map_err(|error| CliError::Engine(Box::new(error)))?;
        return status::plan_only(&mut session, &selection, context.output);
    }
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(not_started)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::of_a_job().map_err(not_started)?
    };
    let mut session = context.open()?;
    session.warn(&[])?;
    let options = RunOptions { selection, cap };
    let (summary, result) = execute(session, options, context.output, (runtime, signals))?;
    // What was done before something broke is told all the same.
    if result.is_ok() || summary.halt == Halt::Failed {
        report::show(&summary, context.output)?;
    }
    result?;
    Ok(match summary.halt {
        Halt::Interrupted => Exit::Interrupted,
        Halt::TargetBlocked if !summary.has_finished() => Exit::Refused,
        _ if !summary.has_finished() && !summary.blocked.is_empty() => Exit::Refused,
        _ => Exit::Done,
    })
}

fn not_started(source: std::io::Error) -> CliError {
    CliError::Io { action: "start a run".to_owned(), source }
}

/// Runs the loop on a thread of its own, and shows what it tells on this one.
fn execute(
    session: Session<'_>,
    options: RunOptions,
    output: &Output,
    (runtime, signals): (Runtime, Signals),
) -> Result<(Summary, Result<(), CliError>), CliError> {
    let Session { config, store, .. } = session;
    let (paths, opened) = (store.paths().clone(), store.options().clone());
    let exe = std::env::current_exe()
        .map_err(|source| CliError::Io { action: "find this program".to_owned(), source })?;
    let inbox = paths.shown.with_file_name(crate::cli::command::ingest::INBOX);
    let lock = RunLock::take(&paths, &opened.holder)?;
    let (coordinator, running) = coordinator::open(store)?;
    let (sender, events) = mpsc::channel();
    let environment = Environment {
        coordinator,
        paths,
        config,
        rules: opened.rules,
        supervisor: Supervisor::new(exe, SUPERVISE),
        inbox: absolute(inbox)?,
        lock,
        clock: opened.clock,
        observer: Observer::new(move |event| drop(sender.send(event))),
    };
    let worker = thread::spawn(move || drive(&runtime, signals, environment, &options));
    let live = Live::new(output.is_live());
    let mut shown = Ok(());
    for event in events {
        // What cannot be shown does not end the run.
        shown = shown.and(events::show(&event, output, &live));
    }
    live.end();
    let (summary, result) = worker.join().map_err(|_| CliError::Io {
        action: "go on: the run has died".to_owned(),
        source: std::io::Error::other("it panicked"),
    })?;
    // What is queued is saved, whatever the run came to.
    let ended = running.shutdown();
    let result = result.map_err(|error| CliError::Engine(Box::new(error)));
    Ok((summary, result.and(ended.map_err(CliError::from)).and(shown)))
}

fn absolute(path: PathBuf) -> Result<PathBuf, CliError> {
    std::path::absolute(&path)
        .map_err(|source| CliError::Io { action: format!("find {}", path.display()), source })
}

fn drive(
    runtime: &Runtime,
    signals: Signals,
    environment: Environment,
    options: &RunOptions,
) -> (Summary, Result<(), EngineError>) {
    let (sender, stop) = watch::channel(Stop::Run);
    runtime.block_on(async {
        let signals = tokio::spawn(tell(signals, sender));
        let result = engine::run(environment, options, stop).await;
        signals.abort();
        result
    })
}
