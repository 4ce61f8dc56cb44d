//! The authority's thread: what becomes of a batch.

use std::convert::Infallible;
use std::fmt;
use std::time::Instant;

use super::handle::Cleanup;
use super::lease::{Held, Leases};
use crate::batch::Commit;
use crate::sequence::{Action, Backend, Reply, Request, SequenceError};

type Outcome = Result<Reply, SequenceError>;

/// The state of the thread.
pub(super) struct Actor {
    backend: Box<dyn Backend>,
    leases: Option<Leases>,
    cleanup: Option<Cleanup>,
    cleaned: Instant,
    /// How many reservations a cleanup that has not come to its end has deleted.
    deleted: Option<u64>,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("leases", &self.leases).finish_non_exhaustive()
    }
}

impl Actor {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        held: Option<Held>,
        cleanup: Option<Cleanup>,
    ) -> Self {
        let (leases, cleaned) = (held.map(Leases::new), Instant::now());
        Self { backend, leases, cleanup, cleaned, deleted: None }
    }

    /// Carries a batch out; where it fails as a whole, each request has the error.
    fn carry_out(&mut self, requests: &[Request]) -> Vec<Outcome> {
        if requests.is_empty() {
            return Vec::new();
        }
        match self.backend.commit(requests) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(error = cause, requests = requests.len(), "a batch failed");
                vec![Err(error); requests.len()]
            }
        }
    }

    /// Near the end of all numbers a block may not fit where a request would.
    fn without_blocks(&mut self, batch: &[Request], answers: &mut [Outcome]) {
        let is_full = |answer: &Outcome| matches!(answer, Err(SequenceError::Exhausted { .. }));
        let late: Vec<usize> = (0..batch.len()).filter(|&i| is_full(&answers[i])).collect();
        let requests: Vec<Request> = late.iter().map(|&i| batch[i].clone()).collect();
        let outcomes = self.carry_out(&requests);
        for (i, outcome) in late.into_iter().zip(outcomes) {
            answers[i] = outcome;
        }
    }

    /// Deletes some of what is old; the rest after the next batch, which should not wait
    /// for all of it.
    fn clean_up(&mut self) {
        let Some(Cleanup { every, grace }) = self.cleanup else {
            return;
        };
        if self.deleted.is_none() && self.cleaned.elapsed() < every {
            return;
        }
        self.cleaned = Instant::now();
        // On its own, so that it can fail without costing anyone a number.
        match self.backend.commit(&[Action::Expire { grace }.into()]).as_deref() {
            Ok([Ok(Reply::Expired { deleted, is_all })]) => {
                let all = self.deleted.take().unwrap_or(0) + deleted;
                self.deleted = (!is_all).then_some(all);
                if *is_all && all > 0 {
                    tracing::info!(
                        deleted = all,
                        "reservations that nobody confirmed were deleted"
                    );
                }
            }
            other => {
                self.deleted = None;
                tracing::warn!(?other, "old reservations were not deleted");
            }
        }
    }
}

impl Commit for Actor {
    type Command = Request;
    type Reply = Outcome;
    type Error = Infallible;

    fn commit(&mut self, batch: Vec<Request>) -> Result<Vec<Outcome>, Infallible> {
        let Some(mut leases) = self.leases.take() else {
            return Ok(self.carry_out(&batch));
        };
        let shared = leases.share(&batch);
        let outcomes = self.carry_out(&shared.requests);
        let mut answers = leases.answer(shared, &outcomes);
        self.leases = Some(leases);
        self.without_blocks(&batch, &mut answers);
        Ok(answers)
    }

    fn after(&mut self) {
        self.clean_up();
    }

    fn idle(&mut self) {
        self.clean_up();
    }
}
