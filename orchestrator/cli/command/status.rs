//! `status`: how the work stands, what a run would start next, and what keeps the
//! rest waiting.

use std::collections::HashSet;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Output, Table};
use crate::cli::session::{Context, Session};
use crate::scheduler::{Selection, View, plan};
use crate::wire::{Counts, Status, Upcoming, Waiting};

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
    let plan = plan(&View {
        snapshot: &snapshot,
        running: &[],
        limits: &session.config.limits,
        rules: &session.store.options().rules,
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
    let waiting = plan.waiting.into_iter().map(|(index, waiting)| {
        let item = &snapshot.items[index];
        Waiting { id: item.id.clone(), title: item.title.clone(), reason: waiting.to_string() }
    });
    Ok(Status {
        counts: snapshot.items.iter().collect(),
        next: next.collect(),
        waiting: waiting.collect(),
    })
}

fn show(status: &Status, output: &Output) -> Result<(), CliError> {
    let Counts { new, scoping, ready, in_progress, blocked, done, total } = status.counts;
    output.line(&format!(
        "{total} items: {new} new, {scoping} scoping, {ready} ready, \
         {in_progress} in progress, {blocked} blocked, {done} done"
    ))?;
    if !status.next.is_empty() || !status.waiting.is_empty() {
        output.line("")?;
    }
    show_plan(status, output)
}

fn show_plan(status: &Status, output: &Output) -> Result<(), CliError> {
    let mut next = Table::new(&["NEXT", "PHASE", "TITLE", "WHY"]);
    for start in &status.next {
        next.row([&start.id, &start.phase, &start.title, start.reason]);
    }
    let mut waiting = Table::new(&["WAITING", "TITLE", "WHY"]);
    for item in &status.waiting {
        waiting.row([item.id.as_deref().unwrap_or("-"), &item.title, &item.reason]);
    }
    let tables = [next, waiting];
    let shown: Vec<&Table> = tables.iter().filter(|table| !table.is_empty()).collect();
    for (index, table) in shown.into_iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        output.titled_table(table)?;
    }
    Ok(())
}
