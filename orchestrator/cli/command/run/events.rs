//! What is seen of a run while it goes on: a line, a document, or the live view.

use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::output::{Live, Output, one_line, shortened};
use crate::engine::{self, Outlook, RunEvent};
use crate::wire;

/// How many characters of a summary are shown at most.
const SUMMARY: usize = 500;

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

/// Shows one event.
pub(super) fn show(event: &RunEvent, output: &Output, live: &Live) -> Result<(), CliError> {
    if output.is_json() {
        return to_wire(event).map_or(Ok(()), |event| output.document("event", event));
    }
    match event {
        RunEvent::Decided(outlook) => live.stands(&footer(outlook)),
        RunEvent::PhaseStarted { item, phase, .. } => {
            live.start(&item.id, &format!("{} {phase}", item.id), &item.title);
        }
        RunEvent::Output { item, line, .. } => live.say(&item.id, line),
        RunEvent::PhaseEnded { item, .. }
        | RunEvent::PhaseKept { item, .. }
        | RunEvent::PhaseInterrupted { item, .. } => live.stop(&item.id),
        _ => {}
    }
    if let Some((is_warning, text)) = to_line(event) {
        // What an agent or a title says must not look like a line of ours.
        let text = one_line(&text);
        live.above(|| if is_warning { output.warn(&text) } else { output.progress(&text) });
    }
    Ok(())
}

/// Returns the lines under those of the phases: how many of what, and what the first
/// of those wait for that wait.
fn footer(outlook: &Outlook) -> Vec<String> {
    let Outlook { running, completed, blocked, waiting, first } = outlook;
    let counts = [
        (running, "running"),
        (completed, "done"),
        (waiting, "waiting"),
        (blocked, "blocked, for a person"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut lines = vec![counts.join(", ")];
    lines.extend(first.iter().map(|(item, why)| format!("{} {why}: {}", item.id, item.title)));
    if let Some(more) = waiting.checked_sub(first.len()).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Returns what is printed of an event, and whether it is a warning.
fn to_line(event: &RunEvent) -> Option<(bool, String)> {
    Some(match event {
        RunEvent::Output { .. } | RunEvent::Decided(_) => return None,
        RunEvent::Stopping { running, at_once } => {
            let phases = if *running == 1 { "phase" } else { "phases" };
            let how = match (running, at_once) {
                (0, true) => "ending at once".to_owned(),
                (0, false) => "ending; once more ends a commit that is being made".to_owned(),
                (_, true) => format!("ending {running} {phases} at once"),
                (_, false) => {
                    format!("letting {running} {phases} end; once more ends them at once")
                }
            };
            (false, how)
        }
        RunEvent::PhaseStarted { item, phase, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            (false, format!("{} {phase}: started{again}: {}", item.id, item.title))
        }
        RunEvent::Retrying { item, phase, reason } => {
            (true, format!("{} {phase} failed and is tried again: {reason}", item.id))
        }
        RunEvent::PhaseKept { item, phase, reason } => {
            let text =
                format!("{}: the result of {phase} is kept, and not saved: {reason}", item.id);
            (true, text)
        }
        RunEvent::PhaseInterrupted { item, phase } => {
            (false, format!("{} {phase}: ended with the run, and counts for nothing", item.id))
        }
        RunEvent::PhaseEnded { item, phase, outcome, summary, duration } => {
            let seconds = duration.as_secs_f64();
            // The story has all of it.
            let summary = shortened(summary, SUMMARY);
            (false, format!("{} {phase}: {outcome} after {seconds:.1} s: {summary}", item.id))
        }
        RunEvent::Committed { commit } => (false, format!("committed {commit}")),
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

/// Returns an event as programs read it; nothing of what only a person looks at.
fn to_wire(event: &RunEvent) -> Option<wire::Event<Detail>> {
    let named =
        |event, item: Option<&engine::ItemRef>, phase: Option<&String>, detail| wire::Event {
            event,
            item: item.map(|item| item.id.clone()),
            phase: phase.cloned(),
            detail: Detail { title: item.map(|item| item.title.clone()), ..detail },
        };
    let said = |message: &String| Detail { message: Some(message.clone()), ..Detail::default() };
    Some(match event {
        RunEvent::Decided(_) => return None,
        RunEvent::Stopping { at_once, .. } => {
            let message = if *at_once { "at once" } else { "once what runs has ended" };
            named("stopping", None, None, said(&message.to_owned()))
        }
        RunEvent::PhaseKept { item, phase, reason } => {
            named("phase_kept", Some(item), Some(phase), said(reason))
        }
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
        RunEvent::Committed { commit } => named("committed", None, None, said(commit)),
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
    })
}
