//! Changes that were made in memory, and what is told of them once they are saved.

use jiff::Timestamp;

use super::error::RequestError;
use super::events::{self, Event};
use super::journal::Save;
use super::request::{Request, Saved};
use super::told::{PhaseLog, Told};
use super::touched::Touched;
use crate::model::{Applied, FieldProblem};

/// Changes that were made in memory.
pub(super) struct Made {
    pub outcome: Saved,
    pub touched: Touched,
    /// What gave hand-written items their IDs.
    pub naming: Option<Applied>,
    /// Whether there was a mark before, and which.
    pub had: (bool, u32),
    /// The problems of the fields before.
    pub problems: Vec<Box<[FieldProblem]>>,
    /// The mark after them.
    pub mark: u32,
    /// When.
    pub now: Timestamp,
    /// Whether there is anything to save.
    pub is_needed: bool,
}

impl Made {
    /// Returns what is left where every request was refused.
    pub(super) fn nothing(
        outcomes: Vec<Result<Applied, RequestError>>,
        had: (bool, u32),
        problems: Vec<Box<[FieldProblem]>>,
        now: Timestamp,
    ) -> Self {
        let outcome =
            Saved { outcomes, named: Vec::new(), is_written: false, told: Ok(Told::default()) };
        let (touched, naming) = (Touched::default(), None);
        Self { outcome, touched, naming, had, problems, mark: had.1, now, is_needed: false }
    }

    /// Returns what the journal has of the save.
    pub(super) fn line(&self, touched: Touched, ours: String) -> Save {
        let removed = touched.removed.iter().filter_map(|(removal, _)| removal.item.id.clone());
        Save {
            at: self.now.to_string(),
            ours,
            mark: self.mark,
            removed: removed.collect(),
            added: touched.added,
            named: touched.named,
            changed: touched.changed,
        }
    }

    /// Returns the story of what was changed.
    pub(super) fn story(&self) -> Vec<Event> {
        let time = self.now.to_string();
        let applied = self.naming.iter().chain(self.outcome.outcomes.iter().flatten());
        applied.flat_map(|applied| events::of(applied, &time)).collect()
    }

    /// Returns the phases that were ended: those whose change was not refused.
    pub(super) fn phases<'r>(&self, requests: &'r [Request]) -> Vec<&'r PhaseLog> {
        let made = requests.iter().zip(&self.outcome.outcomes);
        let made = made.filter(|(_, outcome)| outcome.is_ok());
        made.filter_map(|(request, _)| request.log.as_deref()).collect()
    }
}
