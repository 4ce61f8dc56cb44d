//! The story of a backlog: `events.jsonl`, a line an event, append-only.

use serde::{Deserialize, Serialize};

use super::{Paths, StoreError};
use crate::fs::{self, Durability};
use crate::model::{Applied, Delta, Ended};

/// The event of a finished phase; its detail is the phase, a colon and
/// what was done.
pub const PHASE_DONE: &str = "phase_done";

/// The event of a phase that failed for good, or waits for a person; its detail is
/// the phase, a colon and why.
pub const PHASE_FAILED: &str = "phase_failed";

/// The event of an attempt at a phase that begins; its detail is the phase, a colon and
/// which attempt it is.
pub const PHASE_STARTED: &str = "phase_started";

/// The event of an attempt that failed and is followed by another one; its detail is the
/// phase, a colon and why.
pub const PHASE_RETRIED: &str = "phase_retried";

/// The event of an attempt that was ended with its run, and counts for nothing; its
/// detail is the phase and a colon.
pub const PHASE_INTERRUPTED: &str = "phase_interrupted";

/// The event of an ID that was issued without an item.
pub const NUMBERED: &str = "numbered";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, RFC 3339.
    pub time: String,
    /// What happened: `added`, `updated`, `moved`, `archived` …
    pub event: String,
    /// The item's ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Appends events. A crash of the machine may lose the last ones.
///
/// # Errors
/// Where the file cannot be written.
pub fn append(paths: &Paths, events: &[Event]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    // A line that a full disk or a kill cut short must not swallow the first of these.
    if !matches!(*fs::tail(&paths.events(), 1)?, [] | [b'\n']) {
        text.push(b'\n');
    }
    for event in events {
        text.extend(serde_json::to_vec(event)?);
        text.push(b'\n');
    }
    fs::append(&paths.events(), &text, Durability::Buffered)?;
    Ok(())
}

/// Reads the events of one item, or all, oldest first. Lines that cannot be read
/// are passed over.
///
/// # Errors
/// Where the file cannot be read.
pub fn read(paths: &Paths, item: Option<&str>) -> Result<Vec<Event>, StoreError> {
    let mut events = select(paths, |line| item.is_none_or(|id| may_name(line, id)))?;
    events.retain(|event| item.is_none_or(|id| event.item.as_deref() == Some(id)));
    Ok(events)
}

/// Reads the events whose lines may be wanted: a long story is mostly of others, and to
/// look is much cheaper than to read.
fn select(paths: &Paths, may_be: impl Fn(&str) -> bool) -> Result<Vec<Event>, StoreError> {
    let bytes = fs::read_if_exists(&paths.events())?.unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let lines = lines.filter(|line| !line.is_empty() && may_be(line));
    Ok(lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Tells whether a line may be about an item: whether the ID is in it, where JSON
/// writes the ID as it is.
fn may_name(line: &str, id: &str) -> bool {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !is_plain || line.contains(id)
}

/// Tells what a change did, as events.
pub(super) fn of(applied: &Applied, time: &str) -> Vec<Event> {
    let event = |event: &str, item: Option<&str>, detail: Option<String>| Event {
        time: time.to_owned(),
        event: event.to_owned(),
        item: item.map(str::to_owned),
        detail,
    };
    let mut events = Vec::new();
    for delta in &applied.deltas {
        match delta {
            Delta::Added { item, text } => {
                let what = if text.is_some() { "restored" } else { "added" };
                events.push(event(what, item.id.as_deref(), Some(item.title.clone())));
            }
            Delta::Replaced { before, after, .. } if before.status != after.status => {
                let mut detail = format!("{} → {}", before.status, after.status);
                if let Some(reason) =
                    after.blocked_reason.as_ref().filter(|_| before.blocked_reason.is_none())
                {
                    detail = format!("{detail}: {reason}");
                }
                events.push(event("moved", after.id.as_deref(), Some(detail)));
            }
            Delta::Replaced { before, after, .. } => {
                let detail = (before.phase != after.phase).then(|| after.phase.clone()).flatten();
                let what = if before.id == after.id { "updated" } else { "named" };
                events.push(event(
                    what,
                    after.id.as_deref(),
                    detail.map(|phase| format!("phase {phase}")),
                ));
            }
            Delta::Removed { .. } | Delta::Mark { .. } => {}
        }
    }
    for removal in &applied.removed {
        let (what, detail) = match (removal.ended, &removal.reason) {
            (Ended::Merged, into) => ("merged", into.as_ref().map(|into| format!("into {into}"))),
            (Ended::Done, reason) => {
                ("archived", Some(reason.clone().unwrap_or_else(|| "done".to_owned())))
            }
            (Ended::Dropped, reason) => ("dropped", reason.clone()),
        };
        events.push(event(what, removal.item.id.as_deref(), detail));
    }
    for id in &applied.numbers {
        events.push(event(NUMBERED, Some(id), None));
    }
    events
}
