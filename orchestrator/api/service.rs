//! What all routes share: the authority, what is served, who may ask, what is
//! measured.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::error::ApiError;
use super::kinds::ArtifactTypes;
use super::metrics::Metrics;
use super::readiness::Readiness;
use super::server::Limits;
use super::tokens::Tokens;
use crate::sequence::{Authority, Layout, Reply, Request, SequenceError};

/// What a [`Source`] answers, when it does.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, SequenceError>> + Send + 'a>>;

/// What the service asks for numbers: an authority, or a design that is measured
/// against it behind the same routes.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// Returns where the sequences lie.
    fn layout(&self) -> &Layout;

    /// Asks, and waits for the answer; within a bounded time.
    fn ask(&self, request: Request) -> Answer<'_>;
}

impl Source for Authority {
    fn layout(&self) -> &Layout {
        self.layout()
    }

    fn ask(&self, request: Request) -> Answer<'_> {
        Box::pin(self.ask(request))
    }
}

/// What is served, and to whom.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The types of artifacts.
    pub types: ArtifactTypes,
    /// How long a reservation can be confirmed.
    pub reservation: Duration,
    /// Who may ask; `None` for everyone who can connect.
    pub tokens: Option<Tokens>,
    /// How much of anything.
    pub limits: Limits,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            types: ArtifactTypes::default(),
            reservation: Duration::from_secs(15 * 60),
            tokens: None,
            limits: Limits::default(),
        }
    }
}

/// The service over an authority. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    source: Box<dyn Source>,
    tokens: RwLock<Option<Arc<Tokens>>>,
    pub types: ArtifactTypes,
    pub reservation: Duration,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub permits: Arc<Semaphore>,
    pub readiness: Readiness,
}

impl Service {
    /// Makes the service of a source whose layout is `registry`. Where its
    /// store was [`Measured`](super::Measured) with the same `metrics`, they tell of
    /// the transactions too.
    pub fn new(source: impl Source, options: ServiceOptions, metrics: Arc<Metrics>) -> Self {
        let ServiceOptions { types, reservation, tokens, limits } = options;
        let permits = Arc::new(Semaphore::new(limits.requests));
        let source = Box::new(source);
        let tokens = RwLock::new(tokens.map(Arc::new));
        let readiness = Readiness::default();
        let inner =
            Inner { source, tokens, types, reservation, limits, metrics, permits, readiness };
        Self { inner: Arc::new(inner) }
    }

    /// Takes other tokens from now on, and returns whether they are asked for: where
    /// there are none and never were, everyone may still ask; where there were some,
    /// nobody may any more.
    pub fn set_tokens(&self, tokens: Option<Tokens>) -> bool {
        let mut known = self.inner.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.is_some() || known.is_some() {
            *known = Some(Arc::new(tokens.unwrap_or_default()));
        }
        known.is_some()
    }

    /// Returns the tokens that are good; `None` where everyone may ask.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.inner.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the authority.
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, ApiError> {
        let _waits = self.inner.metrics.waits();
        let answer = self.inner.source.ask(request).await.map_err(ApiError::from);
        if answer.as_ref().is_err_and(ApiError::is_of_the_database) {
            self.inner.readiness.doubt();
        }
        answer
    }

    /// Returns the IDs of numbers, and the one before.
    pub(super) fn layout(&self) -> &Layout {
        self.inner.source.layout()
    }
}
