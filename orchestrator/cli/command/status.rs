//! `status`: how the work stands: what runs, what a run would start next, what waits
//! for a person, and what keeps the rest waiting.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Output, Table};
use crate::cli::session::{Context, Session};
use crate::model::{BacklogSnapshot, BlockType, ItemStatus, Rules};
use crate::runner;
use crate::scheduler::{self, Running, Selection, View, plan};
use crate::store::RunLock;
use crate::wire::{Counts, Question, RunningProcess, Status, Underway, Upcoming, Waiting};

/// Shows how the work stands.
pub(crate) fn status(context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    session.warn(&[])?;
    let status = planned(&mut session, &Selection::default())?;
    if context.output.is_json() {
        context.output.document("status", status)?;
    } else {
        show(&status, context.output)?;
    }
    Ok(Exit::Done)
}

/// Shows what a run would start now, in order, and what the rest waits for.
pub(crate) fn plan_only(
    session: &mut Session<'_>,
    selection: &Selection,
    output: &Output,
) -> Result<Exit, CliError> {
    let status = planned(session, selection)?;
    if output.is_json() {
        output.document("plan", status)?;
    } else if status.next.is_empty() && status.waiting.is_empty() {
        output.line("nothing to do")?;
    } else {
        show_plan(&status, output)?;
    }
    Ok(Exit::Done)
}

fn planned(session: &mut Session<'_>, selection: &Selection) -> Result<Status, CliError> {
    let snapshot = session.store.snapshot()?;
    let underway = runner::underway(&session.store.paths().state.join("runs"))
        .map_err(|error| CliError::Engine(Box::new(error.into())))?;
    let rules = &session.store.options().rules;
    let running: Vec<Running> = underway
        .iter()
        .map(|phase| Running {
            id: phase.item.clone(),
            destructive: is_alone(phase, &snapshot, rules),
        })
        .collect();
    let plan = plan(&View {
        snapshot: &snapshot,
        running: &running,
        limits: &session.config.limits,
        rules,
        selection,
        moved: &HashSet::new(),
        set_aside: &HashSet::new(),
    });
    let next = plan.starts.into_iter().map(|start| Upcoming {
        title: snapshot.items[start.index].title.clone(),
        id: start.id,
        phase: start.phase,
        reason: start.reason,
    });
    let is_running = |waiting: &scheduler::Waiting| *waiting == scheduler::Waiting::Running;
    let waiting = plan.waiting.into_iter().filter(|(_, waiting)| !is_running(waiting));
    let waiting = waiting.map(|(index, waiting)| {
        let item = &snapshot.items[index];
        Waiting { id: item.id.clone(), title: item.title.clone(), reason: waiting.to_string() }
    });
    let blocked = snapshot.items.iter().filter(|item| item.status == ItemStatus::Blocked);
    let blocked = blocked.map(|item| Question {
        id: item.id.clone(),
        title: item.title.clone(),
        kind: item.blocked_type.map(BlockType::as_str),
        reason: item.blocked_reason.clone(),
    });
    let options = session.store.options();
    let now = options.clock.now();
    let run = RunLock::holder(session.store.paths(), options.holder.host.as_deref());
    Ok(Status {
        counts: snapshot.items.iter().collect(),
        run: run.map(|run| RunningProcess { pid: run.pid, host: run.host, started: run.started }),
        running: underway.into_iter().map(|phase| to_wire(phase, &snapshot, now)).collect(),
        next: next.collect(),
        blocked: blocked.collect(),
        waiting: waiting.collect(),
    })
}

/// Returns whether nothing may run beside a phase.
fn is_alone(phase: &runner::Underway, snapshot: &BacklogSnapshot, rules: &Rules) -> bool {
    let item = snapshot.get(&phase.item);
    let pipeline = item.and_then(|item| rules.pipeline_of(item).ok());
    let spec = pipeline.and_then(|pipeline| pipeline.phase(&phase.phase));
    spec.is_some_and(|spec| spec.destructive)
}

fn to_wire(phase: runner::Underway, snapshot: &BacklogSnapshot, now: Timestamp) -> Underway {
    let runner::Underway { item, phase, attempt, since, last_line } = phase;
    let title = snapshot.get(&item).map(|item| item.title.clone()).unwrap_or_default();
    let seconds = since.map(|since| now.duration_since(since).as_secs_f64().max(0.0));
    Underway { id: item, title, phase, attempt, seconds, last_line }
}

fn show(status: &Status, output: &Output) -> Result<(), CliError> {
    let Counts { new, scoping, ready, in_progress, blocked, done, total } = status.counts;
    output.line(&format!(
        "{total} items: {new} new, {scoping} scoping, {ready} ready, \
         {in_progress} in progress, {blocked} blocked, {done} done"
    ))?;
    if let Some(run) = &status.run {
        let host = run.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let (pid, started) = (run.pid, &run.started);
        output.line(&format!("a run is under way: process {pid}{host}, since {started}"))?;
    }
    if !status.running.is_empty() || !status.next.is_empty() || !status.waiting.is_empty() {
        output.line("")?;
    }
    show_plan(status, output)
}

fn show_plan(status: &Status, output: &Output) -> Result<(), CliError> {
    let mut running = Table::new(&["RUNNING", "PHASE", "FOR", "TITLE", "LAST WORDS"]);
    for phase in &status.running {
        let time = phase.seconds.map_or_else(|| "-".to_owned(), duration);
        let words = phase.last_line.as_deref().unwrap_or("");
        running.row([&phase.id, &phase.phase, &time, &phase.title, words]);
    }
    let mut next = Table::new(&["NEXT", "PHASE", "TITLE", "WHY"]);
    for start in &status.next {
        next.row([&start.id, &start.phase, &start.title, start.reason]);
    }
    let mut blocked = Table::new(&["FOR YOU", "WHAT", "TITLE", "WHY"]);
    for item in &status.blocked {
        let (id, kind) = (item.id.as_deref().unwrap_or("-"), item.kind.unwrap_or("-"));
        blocked.row([id, kind, &item.title, item.reason.as_deref().unwrap_or("blocked")]);
    }
    let mut waiting = Table::new(&["WAITING", "TITLE", "WHY"]);
    let asks: HashSet<_> = status.blocked.iter().map(|item| (&item.id, &item.title)).collect();
    for item in status.waiting.iter().filter(|item| !asks.contains(&(&item.id, &item.title))) {
        waiting.row([item.id.as_deref().unwrap_or("-"), &item.title, &item.reason]);
    }
    let tables = [running, next, blocked, waiting];
    let shown: Vec<&Table> = tables.iter().filter(|table| !table.is_empty()).collect();
    for (index, table) in shown.into_iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        output.titled_table(table)?;
    }
    Ok(())
}

/// Returns whole seconds as a person reads them.
fn duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time since a start, never below 0"
    )]
    let seconds = seconds as u64;
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}
