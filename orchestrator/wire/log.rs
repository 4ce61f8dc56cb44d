//! The history of an item, an entry an event.

use serde::Serialize;

/// Something that happened to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry<'a> {
    /// When, RFC 3339.
    pub time: &'a str,
    /// What, as a stable word.
    pub event: &'a str,
    /// The phase that ended, where one did.
    pub phase: Option<&'a str>,
    /// The number of its attempt.
    pub attempt: Option<u32>,
    /// How it ended, in the agent's word.
    pub outcome: Option<&'a str>,
    /// How long it took.
    pub seconds: Option<u64>,
    /// What else there is to say: a summary, a reason, a title.
    pub detail: Option<&'a str>,
}
