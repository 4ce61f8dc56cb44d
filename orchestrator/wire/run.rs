//! A run as programs read it: events while it goes on, a report at its end.

use serde::Serialize;

use super::{ItemRef, MergedPair, Waiting};

/// One thing that happened in a run. Fields of a kind of event that others do not
/// have stand after the first three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event<T> {
    /// What happened, as a stable word.
    pub event: &'static str,
    /// The item concerned, by its ID.
    pub item: Option<String>,
    /// The phase concerned.
    pub phase: Option<String>,
    /// What else there is to say: an object.
    #[serde(flatten)]
    pub detail: T,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// Nothing is left that could be started.
    AllDoneOrBlocked,
    /// Nothing was started at all.
    NothingToDo,
    /// The run executed as many phases as it may.
    Cap,
    /// Phases in a row failed for good.
    CircuitBreaker,
    /// All items that were asked for are done.
    TargetsDone,
    /// An item that was asked for is blocked.
    TargetBlocked,
    /// No item fits the filter.
    NoMatch,
    /// A person ended it.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Why it ended.
    pub halt: Halt,
    /// How many phases it executed, triage included.
    pub phases_executed: u32,
    /// Items that were finished.
    pub completed: Vec<ItemRef>,
    /// Items that were blocked.
    pub blocked: Vec<ItemRef>,
    /// Items that phases proposed, with the IDs they got.
    pub follow_ups: Vec<ItemRef>,
    /// Items that were merged.
    pub merged: Vec<MergedPair>,
    /// Items that could not be started though nobody blocked them, and why; absent where
    /// there are none, or the run ended before its time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Paths that phases changed and that are not committed, since somebody else had
    /// changed them too; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncommitted: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_fields_in_any_case() {
        #[derive(Serialize)]
        struct Detail {
            attempt: u32,
        }
        let event = Event {
            event: "phase_started",
            item: None,
            phase: None,
            detail: Detail { attempt: 2 },
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"phase_started","item":null,"phase":null,"attempt":2}"#
        );
    }

    #[test]
    fn a_report() {
        let report = RunReport {
            halt: Halt::NothingToDo,
            phases_executed: 0,
            completed: vec![ItemRef { id: "A-1".into(), title: "t".into() }],
            blocked: vec![],
            follow_ups: vec![],
            merged: vec![MergedPair { source: "A-3".into(), target: "A-1".into() }],
            waiting: vec![],
            uncommitted: vec![],
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            concat!(
                r#"{"halt":"nothing_to_do","phases_executed":0,"completed":[{"id":"A-1","title":"t"}],"#,
                r#""blocked":[],"follow_ups":[],"merged":[{"source":"A-3","target":"A-1"}]}"#
            )
        );
        let words = [
            (Halt::AllDoneOrBlocked, "all_done_or_blocked"),
            (Halt::CircuitBreaker, "circuit_breaker"),
            (Halt::TargetsDone, "targets_done"),
            (Halt::TargetBlocked, "target_blocked"),
            (Halt::NoMatch, "no_match"),
            (Halt::Interrupted, "interrupted"),
            (Halt::Failed, "failed"),
            (Halt::Cap, "cap"),
        ];
        for (halt, word) in words {
            assert_eq!(serde_json::to_value(halt).unwrap(), word);
        }
    }
}
