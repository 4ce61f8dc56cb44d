//! The history of one item: the story's events and the worklog's entries, as one.
//!
//! The story is finer and is kept beside the backlog, outside version control; the
//! worklog lasts, and knows how long a phase took. Where both tell of the same thing,
//! it is told once: when it was, by the story, and how it went, by the worklog.

use jiff::Timestamp;

use super::events::{
    self, Event, PHASE_DONE, PHASE_FAILED, PHASE_INTERRUPTED, PHASE_RETRIED, PHASE_STARTED,
};
use super::{BacklogStore, StoreError};
use crate::model::IdQuery;

/// Something that happened to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, RFC 3339.
    pub time: String,
    /// What: the word of an event of the story.
    pub event: String,
    /// The phase that began or ended, where one did.
    pub run: Option<PhaseRun>,
    /// What else there is to say.
    pub detail: Option<String>,
}

/// A phase that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseRun {
    /// The phase.
    pub phase: String,
    /// How, in the agent's word, where the worklog has it.
    pub outcome: Option<String>,
    /// How long it took, in seconds, likewise.
    pub seconds: Option<u64>,
    /// The number of the attempt, likewise.
    pub attempt: Option<u32>,
}

impl PhaseRun {
    /// Returns the event that its outcome is in the story.
    pub(super) fn event(&self) -> &'static str {
        match self.outcome.as_deref() {
            Some("phase_complete" | "subphase_complete") => PHASE_DONE,
            _ => PHASE_FAILED,
        }
    }
}

impl BacklogStore {
    /// Returns what happened to an item, oldest first; nothing of one that is not
    /// known.
    ///
    /// # Errors
    /// Where the story or the worklog cannot be read.
    pub fn history(&mut self, query: &IdQuery) -> Result<Vec<Entry>, StoreError> {
        let mut written = self.worklog.history(query)?;
        let told = events::read(self.paths(), None)?.into_iter();
        let told = told.filter(|event| event.item.as_deref().is_some_and(|id| query.names(id)));
        let mut all: Vec<Entry> = told.map(Entry::from).collect();
        for entry in &mut all {
            if let Some(index) = written.iter().position(|other| is_same_phase(entry, other)) {
                entry.run = written.remove(index).run;
            }
        }
        written.retain(|entry| !is_in_story(entry, &all));
        // The story is in order, whatever its dates are rounded to.
        for entry in written {
            let later = all.iter().position(|other| other.at() > entry.at());
            all.insert(later.unwrap_or(all.len()), entry);
        }
        Ok(all)
    }
}

fn is_same_phase(entry: &Entry, written: &Entry) -> bool {
    let phase = |entry: &Entry| entry.run.as_ref().map(|run| run.phase.clone());
    let has_ended = matches!(entry.event.as_str(), PHASE_DONE | PHASE_FAILED);
    has_ended && phase(entry) == phase(written) && are_close(entry, written)
}

/// Whether the story tells of the same departure.
fn is_in_story(entry: &Entry, told: &[Entry]) -> bool {
    let is_departure = |other: &Entry| {
        matches!(other.event.as_str(), "archived" | "dropped" | "merged") && are_close(entry, other)
    };
    entry.run.is_none() && told.iter().any(is_departure)
}

/// Whether two entries are of the same moment: the worklog has whole seconds.
fn are_close(a: &Entry, b: &Entry) -> bool {
    match (a.at(), b.at()) {
        (Some(a), Some(b)) => a.duration_since(b).unsigned_abs().as_secs() < 2,
        _ => false,
    }
}

impl Entry {
    fn at(&self) -> Option<Timestamp> {
        self.time.parse().ok()
    }
}

impl From<Event> for Entry {
    fn from(event: Event) -> Self {
        let Event { time, event, detail, .. } = event;
        let is_phase = matches!(
            event.as_str(),
            PHASE_DONE | PHASE_FAILED | PHASE_STARTED | PHASE_RETRIED | PHASE_INTERRUPTED
        );
        let split = detail.as_deref().filter(|_| is_phase).and_then(|text| text.split_once(": "));
        let Some((phase, summary)) = split else {
            return Self { time, event, run: None, detail };
        };
        let attempt = summary.strip_prefix("attempt ").filter(|_| event == PHASE_STARTED);
        let attempt = attempt.and_then(|number| number.parse().ok());
        let run = PhaseRun { phase: phase.to_owned(), outcome: None, seconds: None, attempt };
        let detail = Some(summary.to_owned()).filter(|summary| !summary.is_empty());
        Self { time, event, run: Some(run), detail }
    }
}
