//! The authority's thread: what becomes of a batch.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Instant;

use super::handle::Cleanup;
use super::lease::Leases;
use crate::batch::Commit;
use crate::sequence::{Action, Backend, Reply, Request, SequenceError};

type Outcome = Result<Reply, SequenceError>;

/// The state of the thread.
pub(super) struct Actor {
    backend: Box<dyn Backend>,
    leases: Option<Leases>,
    cleanup: Option<Cleanup>,
    cleaned: Instant,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("leases", &self.leases).finish_non_exhaustive()
    }
}

impl Actor {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        lease: Option<NonZeroU32>,
        cleanup: Option<Cleanup>,
    ) -> Self {
        Self { backend, leases: lease.map(Leases::new), cleanup, cleaned: Instant::now() }
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

    fn clean_up(&mut self) {
        let Some(Cleanup { every, grace }) = self.cleanup else {
            return;
        };
        if self.cleaned.elapsed() < every {
            return;
        }
        self.cleaned = Instant::now();
        // On its own, so that it can fail without costing anyone a number.
        match self.backend.commit(&[Action::Expire { grace }.into()]).as_deref() {
            Ok([Ok(Reply::Expired(0))]) => {}
            Ok([Ok(Reply::Expired(deleted))]) => {
                tracing::info!(deleted, "reservations that nobody confirmed were deleted");
            }
            other => tracing::warn!(?other, "old reservations were not deleted"),
        }
    }
}

impl Commit for Actor {
    type Command = Request;
    type Reply = Outcome;
    type Error = Infallible;

    fn commit(&mut self, batch: Vec<Request>) -> Result<Vec<Outcome>, Infallible> {
        let Some(mut leases) = self.leases.take() else {
            let outcomes = self.carry_out(&batch);
            self.clean_up();
            return Ok(outcomes);
        };
        let shared = leases.share(&batch);
        let outcomes = self.carry_out(&shared.requests);
        let mut answers = leases.answer(shared, &outcomes);
        self.leases = Some(leases);
        self.without_blocks(&batch, &mut answers);
        self.clean_up();
        Ok(answers)
    }

    fn idle(&mut self) {
        self.clean_up();
    }
}
