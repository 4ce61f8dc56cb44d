//! What `/metrics` tells: how much is asked for, how large the batches are, how
//! long a commit takes, how many wait.
//!
//! The recorder is the service's own and not the process's, so that several
//! services, such as in tests, do not count each other's requests. No label holds
//! what a client sent, but for the types that are served: their number is bounded,
//! and no project's name is told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::kinds::ArtifactTypes;
use super::pending::Pending;
use crate::sequence::{self, Backend, Layout, Reply, Request, SequenceError};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

const ALLOCATED: &str = "orchestrator_ids_allocated_total";
const REPEATED: &str = "orchestrator_ids_repeated_total";
const BATCH: &str = "orchestrator_batch_requests";
const COMMIT: &str = "orchestrator_commit_duration_seconds";
const REQUEST: &str = "orchestrator_http_request_duration_seconds";
const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The service's measurements.
#[derive(Debug)]
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    told: HashMap<(Endpoint, String), Told>,
    batch: Histogram,
    commit: Histogram,
    failed_commits: Counter,
    waiting: Gauge,
    requests: [Histogram; 4],
    confirmed: Counter,
    deleted: Counter,
    open: Gauge,
    expired: Counter,
    lost_log_lines: Counter,
    pub(super) pending: Pending,
}

/// How many IDs of a type were told.
#[derive(Debug)]
struct Told {
    allocated: Counter,
    repeated: Counter,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Next,
    Reserve,
    Confirm,
    Expire,
}

impl Endpoint {
    const ALL: [Self; 4] = [Self::Next, Self::Reserve, Self::Confirm, Self::Expire];

    /// Returns the path, which is also what it is called in labels.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Next => "/ids/next",
            Self::Reserve => "/ids/reserve",
            Self::Confirm => "/ids/confirm",
            Self::Expire => "/ids/reservations/expired",
        }
    }
}

impl Metrics {
    /// Makes the measurements of a service of these types, all 0.
    pub fn new(types: &ArtifactTypes) -> Self {
        let recorder = builder().build_recorder();
        describe(&recorder);
        let counter =
            |name: &'static str| recorder.register_counter(&Key::from_static_name(name), &METADATA);
        let gauge =
            |name: &'static str| recorder.register_gauge(&Key::from_static_name(name), &METADATA);
        let histogram = |key: Key| recorder.register_histogram(&key, &METADATA);
        let mut told = HashMap::new();
        for endpoint in [Endpoint::Next, Endpoint::Reserve] {
            for kind in types.names() {
                let labels = [
                    Label::new("endpoint", endpoint.path()),
                    Label::new("artifact_type", kind.to_owned()),
                ];
                let counter = |name: &'static str| {
                    let key = Key::from_parts(name, labels.to_vec());
                    recorder.register_counter(&key, &METADATA)
                };
                let (allocated, repeated) = (counter(ALLOCATED), counter(REPEATED));
                told.insert((endpoint, kind.to_owned()), Told { allocated, repeated });
            }
        }
        let requests = Endpoint::ALL.map(|endpoint| {
            histogram(Key::from_parts(REQUEST, vec![Label::new("endpoint", endpoint.path())]))
        });
        Self {
            handle: recorder.handle(),
            told,
            batch: histogram(Key::from_static_name(BATCH)),
            commit: histogram(Key::from_static_name(COMMIT)),
            failed_commits: counter("orchestrator_commits_failed_total"),
            waiting: gauge("orchestrator_queue_depth"),
            requests,
            confirmed: counter("orchestrator_reservations_confirmed_total"),
            deleted: counter("orchestrator_reservations_deleted_total"),
            open: gauge("orchestrator_reservations_open"),
            expired: counter("orchestrator_reservations_expired_total"),
            lost_log_lines: counter("orchestrator_log_lines_lost_total"),
            pending: Pending::default(),
            recorder,
        }
    }

    /// Counts lines of the log that were lost.
    pub fn lost_log_lines(&self, lines: u64) {
        self.lost_log_lines.increment(lines);
    }

    /// Returns all measurements in the text format of Prometheus.
    pub(super) fn render(&self) -> String {
        let (open, expired) = self.pending.count(super::clock::now());
        self.open.set(u32::try_from(open).unwrap_or(u32::MAX));
        self.expired.absolute(expired);
        self.handle.render()
    }

    /// Moves what was recorded into the buckets; to be called now and then, since
    /// it waits in memory until then.
    pub(super) fn settle(&self) {
        self.handle.run_upkeep();
    }

    pub(super) fn told(&self, endpoint: Endpoint, kind: &str, count: u32, is_repeated: bool) {
        if let Some(told) = self.told.get(&(endpoint, kind.to_owned())) {
            let counter = if is_repeated { &told.repeated } else { &told.allocated };
            counter.increment(count.into());
        }
    }

    pub(super) fn confirmed(&self) {
        self.confirmed.increment(1);
    }

    pub(super) fn deleted(&self, count: u64) {
        self.deleted.increment(count);
    }

    /// Counts an answer, and how long it took.
    pub(super) fn answered(&self, endpoint: Option<Endpoint>, status: u16, took: Duration) {
        let path = endpoint.map_or("other", Endpoint::path);
        let labels = vec![
            Label::new("endpoint", path),
            Label::new("status", SharedString::from(status.to_string())),
        ];
        let key = Key::from_parts("orchestrator_http_requests_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
        if let Some(endpoint) = endpoint {
            self.requests[endpoint as usize].record(took);
        }
    }

    /// Counts a caller as waiting for the database, until what is returned is
    /// dropped.
    pub(super) fn waits(&self) -> impl Drop + use<> {
        self.waiting.increment(1);
        Waits(self.waiting.clone())
    }
}

struct Waits(Gauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn builder() -> PrometheusBuilder {
    use metrics_exporter_prometheus::Matcher;
    let named = |name: &str| Matcher::Full(name.to_owned());
    let buckets = [(BATCH, &SIZES[..]), (COMMIT, &SECONDS), (REQUEST, &SECONDS)];
    buckets.into_iter().fold(PrometheusBuilder::new(), |builder, (name, values)| {
        builder.set_buckets_for_metric(named(name), values).expect("the lists are not empty")
    })
}

fn describe(recorder: &PrometheusRecorder) {
    let counters = [
        (ALLOCATED, "IDs that were told for the first time"),
        (REPEATED, "IDs that were told again, to whoever repeated an Idempotency-Key"),
        ("orchestrator_commits_failed_total", "Transactions that failed as a whole"),
        ("orchestrator_http_requests_total", "Answers"),
        (
            "orchestrator_log_lines_lost_total",
            "Lines of the log that nobody read, or that could not be written",
        ),
        ("orchestrator_reservations_confirmed_total", "Confirmations that were answered with yes"),
        ("orchestrator_reservations_deleted_total", "Expired reservations that a call deleted"),
        (
            "orchestrator_reservations_expired_total",
            "Reservations of this server since its start that nobody confirmed in time",
        ),
    ];
    for (name, text) in counters {
        recorder.describe_counter(name.into(), None, text.into());
    }
    let gauges = [
        ("orchestrator_queue_depth", "Requests that wait for the database, queued or in its batch"),
        (
            "orchestrator_reservations_open",
            "Reservations of this server since its start that can still be confirmed",
        ),
    ];
    for (name, text) in gauges {
        recorder.describe_gauge(name.into(), None, text.into());
    }
    let histograms = [
        (BATCH, "Requests of a transaction"),
        (COMMIT, "How long a transaction took"),
        (REQUEST, "How long a request took"),
    ];
    for (name, text) in histograms {
        recorder.describe_histogram(name.into(), None, text.into());
    }
}

/// A store of sequences whose transactions are measured.
#[derive(Debug)]
pub struct Measured<B> {
    backend: B,
    metrics: std::sync::Arc<Metrics>,
}

impl<B> Measured<B> {
    /// Measures the transactions of a store.
    pub fn new(backend: B, metrics: std::sync::Arc<Metrics>) -> Self {
        Self { backend, metrics }
    }
}

impl<B: Backend> Backend for Measured<B> {
    fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        let begin = Instant::now();
        let outcome = self.backend.commit(requests);
        self.metrics.commit.record(begin.elapsed());
        self.metrics.batch.record(u32::try_from(requests.len()).unwrap_or(u32::MAX));
        if outcome.is_err() {
            self.metrics.failed_commits.increment(1);
        }
        outcome
    }

    fn counters(&mut self) -> Result<Vec<sequence::Counter>, SequenceError> {
        self.backend.counters()
    }
}
