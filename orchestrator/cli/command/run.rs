//! `run` and `triage`: agents take items through their phases.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::status;
use crate::cli::SUPERVISE;
use crate::cli::args::{Run, Triage};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Live, Output};
use crate::cli::session::{Context, Session};
use crate::coordinator;
use crate::engine::{
    self, EngineError, Environment, Halt, Observer, RunEvent, RunOptions, Summary,
};
use crate::runner::{Stop, Supervisor};
use crate::scheduler::Selection;
use crate::store::RunLock;
use crate::wire::{self, ItemRef, MergedPair, RunReport};

/// How long agents may go on after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(30);

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
    let mut session = context.open()?;
    session.warn(&[])?;
    if dry_run {
        return status::plan_only(&mut session, &selection, context.output);
    }
    let summary = execute(session, RunOptions { selection, cap }, context.output)?;
    show(&summary, context.output)?;
    Ok(match summary.halt {
        Halt::Interrupted => Exit::Interrupted,
        _ if summary.completed.is_empty() && !summary.blocked.is_empty() => Exit::Refused,
        _ => Exit::Done,
    })
}

/// Runs the loop on a thread of its own, and shows what it tells on this one.
fn execute(
    session: Session<'_>,
    options: RunOptions,
    output: &Output,
) -> Result<Summary, CliError> {
    let Session { config, store, .. } = session;
    let (paths, opened) = (store.paths().clone(), store.options().clone());
    let exe = std::env::current_exe()
        .map_err(|source| CliError::Io { action: "find this program".to_owned(), source })?;
    let inbox = paths.shown.with_file_name(super::ingest::INBOX);
    let lock = RunLock::take(&paths, &opened.holder)?;
    let (coordinator, running) = coordinator::open(store)?;
    let (sender, events) = mpsc::channel();
    let environment = Environment {
        coordinator,
        paths,
        config,
        rules: opened.rules,
        supervisor: Supervisor { exe, subcommand: SUPERVISE.to_owned() },
        inbox: absolute(inbox)?,
        lock,
        clock: opened.clock,
        // A reader that has gone away does not end the run.
        observer: Observer::new(move |event| drop(sender.send(event))),
    };
    let worker = thread::spawn(move || drive(environment, &options));
    let live = Live::new(output.is_live());
    for event in events {
        show_event(&event, output, &live)?;
    }
    live.end();
    let result = worker.join().map_err(|_| CliError::Io {
        action: "go on: the run has died".to_owned(),
        source: std::io::Error::other("it panicked"),
    })?;
    // What is queued is saved, whatever the run came to.
    let ended = running.shutdown();
    let summary = result?;
    ended?;
    Ok(summary)
}

fn absolute(path: PathBuf) -> Result<PathBuf, CliError> {
    std::path::absolute(&path)
        .map_err(|source| CliError::Io { action: format!("find {}", path.display()), source })
}

fn drive(environment: Environment, options: &RunOptions) -> Result<Summary, EngineOrIo> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (sender, stop) = watch::channel(Stop::Run);
        let signals = tokio::spawn(listen(sender));
        let result = engine::run(environment, options, stop).await;
        signals.abort();
        Ok(result?)
    })
}

/// What a run's thread can fail with.
enum EngineOrIo {
    Engine(EngineError),
    Io(std::io::Error),
}

impl From<EngineError> for EngineOrIo {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<std::io::Error> for EngineOrIo {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<EngineOrIo> for CliError {
    fn from(error: EngineOrIo) -> Self {
        match error {
            EngineOrIo::Engine(error) => Self::Engine(Box::new(error)),
            EngineOrIo::Io(source) => Self::Io { action: "start a run".to_owned(), source },
        }
    }
}

/// The first signal lets agents end, the second ends them.
async fn listen(stop: watch::Sender<Stop>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    for next in [Stop::After(GRACE), Stop::Now] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        stop.send_replace(next);
    }
    Ok(())
}

/// What an event has beside its item and phase.
#[derive(Serialize, Default)]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

fn show_event(event: &RunEvent, output: &Output, live: &Live) -> Result<(), CliError> {
    if output.is_json() {
        return output.document("event", to_wire(event));
    }
    match event {
        RunEvent::PhaseStarted { item, phase, .. } => {
            live.start(&format!("{} {phase}  {}", item.id, item.title))
        }
        RunEvent::Output { line, .. } => live.say(line),
        RunEvent::PhaseEnded { .. } | RunEvent::PhaseInterrupted { .. } => live.say(""),
        _ => {}
    }
    if let Some((is_warning, text)) = to_line(event) {
        live.above(|| if is_warning { output.warn(&text) } else { output.progress(&text) });
    }
    Ok(())
}

/// Returns what is printed of an event, and whether it is a warning.
fn to_line(event: &RunEvent) -> Option<(bool, String)> {
    Some(match event {
        RunEvent::Output { .. } => return None,
        RunEvent::PhaseStarted { item, phase, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            (false, format!("{} {phase}: started{again}", item.id))
        }
        RunEvent::Retrying { item, phase, reason } => {
            (true, format!("{} {phase} failed and is tried again: {reason}", item.id))
        }
        RunEvent::PhaseInterrupted { item, phase } => {
            (false, format!("{} {phase}: ended with the run, and counts for nothing", item.id))
        }
        RunEvent::PhaseEnded { item, phase, outcome, summary, duration } => {
            let seconds = duration.as_secs_f64();
            (false, format!("{} {phase}: {outcome} after {seconds:.1} s: {summary}", item.id))
        }
        RunEvent::Completed(item) => (false, format!("{} done: {}", item.id, item.title)),
        RunEvent::Blocked { item, reason } => (true, format!("{} is blocked: {reason}", item.id)),
        RunEvent::Added { item, origin } => {
            (false, format!("{} new, from {origin}: {}", item.id, item.title))
        }
        RunEvent::Skipped { title, existing } => {
            (false, format!("not added, since {existing} says the same: {title}"))
        }
        RunEvent::Merged { source, target } => {
            (false, format!("{source} was merged into {target}"))
        }
        RunEvent::Warning(text) => (true, text.clone()),
    })
}

fn to_wire(event: &RunEvent) -> wire::Event<Detail> {
    let named =
        |event, item: Option<&engine::ItemRef>, phase: Option<&String>, detail| wire::Event {
            event,
            item: item.map(|item| item.id.clone()),
            phase: phase.cloned(),
            detail: Detail { title: item.map(|item| item.title.clone()), ..detail },
        };
    let said = |message: &String| Detail { message: Some(message.clone()), ..Detail::default() };
    match event {
        RunEvent::PhaseStarted { item, phase, attempt } => {
            let detail = Detail { attempt: Some(*attempt), ..Detail::default() };
            named("phase_started", Some(item), Some(phase), detail)
        }
        RunEvent::Output { item, phase, line } => {
            named("output", Some(item), Some(phase), said(line))
        }
        RunEvent::Retrying { item, phase, reason } => {
            named("phase_retried", Some(item), Some(phase), said(reason))
        }
        RunEvent::PhaseInterrupted { item, phase } => {
            named("phase_interrupted", Some(item), Some(phase), Detail::default())
        }
        RunEvent::PhaseEnded { item, phase, outcome, summary, duration } => {
            let (outcome, seconds) = (Some(outcome.clone()), Some(duration.as_secs_f64()));
            named(
                "phase_ended",
                Some(item),
                Some(phase),
                Detail { outcome, seconds, ..said(summary) },
            )
        }
        RunEvent::Completed(item) => named("item_completed", Some(item), None, Detail::default()),
        RunEvent::Blocked { item, reason } => named("item_blocked", Some(item), None, said(reason)),
        RunEvent::Added { item, origin } => {
            let detail = Detail { other: Some(origin.clone()), ..Detail::default() };
            named("item_added", Some(item), None, detail)
        }
        RunEvent::Skipped { title, existing } => {
            let (title, other) = (Some(title.clone()), Some(existing.clone()));
            let detail = Detail { title, other, ..Detail::default() };
            wire::Event { event: "follow_up_skipped", item: None, phase: None, detail }
        }
        RunEvent::Merged { source, target } => wire::Event {
            event: "item_merged",
            item: Some(source.clone()),
            phase: None,
            detail: Detail { other: Some(target.clone()), ..Detail::default() },
        },
        RunEvent::Warning(text) => named("warning", None, None, said(text)),
    }
}

fn show(summary: &Summary, output: &Output) -> Result<(), CliError> {
    let list = |items: &[engine::ItemRef]| -> Vec<ItemRef> {
        items
            .iter()
            .map(|item| ItemRef { id: item.id.clone(), title: item.title.clone() })
            .collect()
    };
    let report = RunReport {
        halt: halt(summary.halt),
        phases_executed: summary.phases_executed,
        completed: list(&summary.completed),
        blocked: list(&summary.blocked),
        follow_ups: list(&summary.follow_ups),
        merged: summary
            .merged
            .iter()
            .map(|(source, target)| MergedPair { source: source.clone(), target: target.clone() })
            .collect(),
    };
    if output.is_json() {
        return output.document("run", report);
    }
    for (label, items) in
        [("done", &report.completed), ("blocked", &report.blocked), ("new", &report.follow_ups)]
    {
        for item in items {
            output.line(&format!("{label:<8} {}  {}", item.id, item.title))?;
        }
    }
    for pair in &report.merged {
        output.line(&format!("merged   {} into {}", pair.source, pair.target))?;
    }
    let phases = if report.phases_executed == 1 { "phase" } else { "phases" };
    output.line(&format!("{} {phases} executed; {}", report.phases_executed, reason(summary.halt)))
}

fn halt(halt: Halt) -> wire::Halt {
    match halt {
        Halt::AllDoneOrBlocked => wire::Halt::AllDoneOrBlocked,
        Halt::NothingToDo => wire::Halt::NothingToDo,
        Halt::Cap => wire::Halt::Cap,
        Halt::CircuitBreaker => wire::Halt::CircuitBreaker,
        Halt::TargetsDone => wire::Halt::TargetsDone,
        Halt::TargetBlocked => wire::Halt::TargetBlocked,
        Halt::NoMatch => wire::Halt::NoMatch,
        Halt::Interrupted => wire::Halt::Interrupted,
    }
}

fn reason(halt: Halt) -> &'static str {
    match halt {
        Halt::AllDoneOrBlocked => "everything is done, or waits for a person",
        Halt::NothingToDo => "there was nothing to do",
        Halt::Cap => "as many as one run may execute",
        Halt::CircuitBreaker => "stopped, since phases in a row failed for good",
        Halt::TargetsDone => "all targets are done",
        Halt::TargetBlocked => "stopped at a target that is blocked",
        Halt::NoMatch => "nothing fits",
        Halt::Interrupted => "interrupted",
    }
}
