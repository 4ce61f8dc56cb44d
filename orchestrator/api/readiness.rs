//! Whether the database can commit, as `/readyz` tells it.
//!
//! Anybody may ask, so that asking must not cost the others their places: there is one
//! probe at a time, and what became of it is told to all for a second. Where a request
//! meets a failure meanwhile, the database is looked at again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::error::ApiError;
use super::service::Service;
use crate::sequence::{Action, Reply};

/// How long what a probe has shown is told.
const TOLD_FOR: Duration = Duration::from_secs(1);

/// What the last probe has shown.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    /// Held while one is under way.
    last: Arc<Mutex<Option<Shown>>>,
    is_doubted: AtomicBool,
}

#[derive(Debug)]
struct Shown {
    at: Instant,
    outcome: Result<(), ApiError>,
}

impl Readiness {
    /// Notes that a request has failed of the database.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Tells whether a write was committed, now or a moment ago.
    pub(super) async fn tell(&self, service: &Service) -> Result<(), ApiError> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(shown) = &*last
            && shown.at.elapsed() < TOLD_FOR
            && (shown.outcome.is_err() || !self.is_doubted.load(Ordering::Relaxed))
        {
            return shown.outcome.clone();
        }
        let service = service.clone();
        // A task of its own, since whoever asked may go away: the probe would go on all
        // the same, and the next caller begin another one.
        let probe = tokio::spawn(async move {
            service.inner.readiness.is_doubted.store(false, Ordering::Relaxed);
            let outcome = match service.ask(Action::Probe.into()).await {
                Ok(Reply::Probed) => Ok(()),
                Ok(other) => Err(ApiError::unexpected(&other)),
                Err(error) => Err(error),
            };
            *last = Some(Shown { at: Instant::now(), outcome: outcome.clone() });
            outcome
        });
        probe.await.unwrap_or_else(|error| Err(ApiError::died(&error)))
    }
}
