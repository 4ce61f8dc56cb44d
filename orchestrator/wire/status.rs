//! Where a backlog stands as a whole: how much of what, what comes next, and what
//! waits for what.

use std::sync::Arc;

use serde::Serialize;

use crate::model::{BacklogItem, ItemStatus};

/// How many items have which status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Not looked at yet.
    pub new: usize,
    /// In their pre-phases.
    pub scoping: usize,
    /// Can be started.
    pub ready: usize,
    /// In their main phases.
    pub in_progress: usize,
    /// Wait for a person.
    pub blocked: usize,
    /// Finished, and not archived.
    pub done: usize,
    /// All of them.
    pub total: usize,
}

impl<'a> FromIterator<&'a Arc<BacklogItem>> for Counts {
    fn from_iter<I: IntoIterator<Item = &'a Arc<BacklogItem>>>(items: I) -> Self {
        let mut counts = Self::default();
        for item in items {
            counts.total += 1;
            *match item.status {
                ItemStatus::New => &mut counts.new,
                ItemStatus::Scoping => &mut counts.scoping,
                ItemStatus::Ready => &mut counts.ready,
                ItemStatus::InProgress => &mut counts.in_progress,
                ItemStatus::Blocked => &mut counts.blocked,
                ItemStatus::Done => &mut counts.done,
            } += 1;
        }
        counts
    }
}

/// What a run would start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upcoming {
    /// The item's ID.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The phase.
    pub phase: String,
    /// Why it is this one's turn.
    pub reason: &'static str,
}

/// What a run would not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The item's ID.
    pub id: Option<String>,
    /// Its title.
    pub title: String,
    /// What it waits for.
    pub reason: String,
}

/// A phase that runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Underway {
    /// The item's ID.
    pub id: String,
    /// Its title; empty where it has left the backlog.
    pub title: String,
    /// The phase.
    pub phase: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// How long it has been running, in seconds, where that is known.
    pub seconds: Option<f64>,
    /// What the agent printed last.
    pub last_line: Option<String>,
}

/// An item that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The item's ID.
    pub id: Option<String>,
    /// Its title.
    pub title: String,
    /// `clarification` or `decision`, where it is said.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Why it is blocked.
    pub reason: Option<String>,
}

/// Who runs the backlog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunningProcess {
    /// The process.
    pub pid: u32,
    /// The machine it runs on, where known.
    pub host: Option<String>,
    /// Since when, RFC 3339.
    pub started: String,
}

/// Where the backlog stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Status {
    /// How many items have which status.
    pub counts: Counts,
    /// The run that is under way.
    pub run: Option<RunningProcess>,
    /// What runs now.
    pub running: Vec<Underway>,
    /// What waits for a person; these stand under `waiting` too.
    pub blocked: Vec<Question>,
    /// What a run would start, in order.
    pub next: Vec<Upcoming>,
    /// The other open items, and what they wait for.
    pub waiting: Vec<Waiting>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_reasons() {
        let items = [ItemStatus::New, ItemStatus::New, ItemStatus::Done]
            .map(|status| Arc::new(BacklogItem { status, ..BacklogItem::default() }));
        let status = Status {
            counts: items.iter().collect(),
            blocked: vec![Question {
                id: Some("A-2".into()),
                title: "v".into(),
                kind: Some("decision"),
                reason: Some("Which?".into()),
            }],
            next: vec![Upcoming {
                id: "A-1".into(),
                title: "t".into(),
                phase: "triage".into(),
                reason: "oldest",
            }],
            waiting: vec![Waiting { id: None, title: "u".into(), reason: "waits for A-1".into() }],
            ..Status::default()
        };
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            concat!(
                r#"{"counts":{"new":2,"scoping":0,"ready":0,"in_progress":0,"blocked":0,"done":1,"total":3},"#,
                r#""run":null,"running":[],"#,
                r#""blocked":[{"id":"A-2","title":"v","type":"decision","reason":"Which?"}],"#,
                r#""next":[{"id":"A-1","title":"t","phase":"triage","reason":"oldest"}],"#,
                r#""waiting":[{"id":null,"title":"u","reason":"waits for A-1"}]}"#
            )
        );
    }
}
