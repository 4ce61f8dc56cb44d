//! The summary of a run: a document, or lines with IDs and titles.

use crate::cli::error::CliError;
use crate::cli::output::{Output, one_line};
use crate::engine::{self, Halt, Summary};
use crate::wire::{self, ItemRef, MergedPair, RunReport, Waiting};

/// How many items that wait are named.
const NAMED: usize = 5;

/// Shows what a run came to.
pub(super) fn show(summary: &Summary, output: &Output) -> Result<(), CliError> {
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
        waiting: summary
            .waiting
            .iter()
            .map(|(item, reason)| Waiting {
                id: Some(item.id.clone()),
                title: item.title.clone(),
                reason: reason.clone(),
            })
            .collect(),
        uncommitted: summary.uncommitted.clone(),
    };
    if output.is_json() {
        return output.document("run", report);
    }
    // A title must not look like a line of ours.
    let line = |text: String| output.line(&one_line(&text));
    for (label, items) in
        [("done", &report.completed), ("blocked", &report.blocked), ("new", &report.follow_ups)]
    {
        for item in items {
            line(format!("{label:<8} {}  {}", item.id, item.title))?;
        }
    }
    for pair in &report.merged {
        line(format!("merged   {} into {}", pair.source, pair.target))?;
    }
    for (item, reason) in summary.waiting.iter().take(NAMED) {
        line(format!("waiting  {}  {}: {reason}", item.id, item.title))?;
    }
    if summary.waiting.len() > NAMED {
        let more = summary.waiting.len() - NAMED;
        line(format!("and {more} more that wait: see `orchestrator status`"))?;
    }
    for path in &report.uncommitted {
        line(format!("not committed: {path}"))?;
    }
    let phases = if report.phases_executed == 1 { "phase" } else { "phases" };
    line(format!("{} {phases} executed; {}", report.phases_executed, reason(summary)))
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
        Halt::Failed => wire::Halt::Failed,
    }
}

fn reason(summary: &Summary) -> &'static str {
    let waits = !summary.waiting.is_empty();
    match summary.halt {
        Halt::AllDoneOrBlocked if waits => "nothing more can be started",
        Halt::NothingToDo if waits => "nothing can be started",
        Halt::AllDoneOrBlocked => "everything is done, or waits for a person",
        Halt::NothingToDo => "there was nothing to do",
        Halt::Cap => "as many as one run may execute",
        Halt::CircuitBreaker => "stopped, since phases in a row failed for good",
        Halt::TargetsDone => "all targets are done",
        Halt::TargetBlocked => "stopped at a target that is blocked, or gone",
        Halt::NoMatch => "nothing fits",
        Halt::Interrupted => "interrupted",
        Halt::Failed => "stopped by an error",
    }
}
