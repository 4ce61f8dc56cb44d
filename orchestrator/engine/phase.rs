//! One phase of one item, with its retries.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Finished, Said};
use super::environment::Environment;
use super::error::EngineError;
use super::event::RunEvent;
use super::leftovers::record_of;
use super::summary::ItemRef;
use crate::coordinator::{
    Command, Event, PHASE_INTERRUPTED, PHASE_RETRIED, PHASE_STARTED, StoreError, make_place,
};
use crate::model::change::PhaseCompletion;
use crate::model::{Assessments, BacklogItem, PhaseSpec, ResultCode};
use crate::runner::{
    self, Attempt, Outcome, PhaseJob, Progress, Report, RunnerError, Stop, Summary,
};
use crate::scheduler::Start;

/// What came of a phase and its retries.
pub(super) enum Ran {
    /// Something that is to be applied.
    Finished {
        finished: Box<Finished>,
        /// The attempt whose result it is.
        attempt: Attempt,
        /// Whether all retries failed.
        has_failed: bool,
    },
    /// The run was ended first.
    Interrupted,
}

/// Runs a phase, and again where it fails, up to the configured number of times.
///
/// A person's edit of the item takes effect with the next attempt; one that takes
/// the item away, or moves it, makes the failed attempt the last one.
pub(super) async fn run(
    environment: &Environment,
    start: &Start,
    mut item: Arc<BacklogItem>,
    stop: &Receiver<Stop>,
) -> Result<Ran, EngineError> {
    let mut tries = Tries::default();
    let phase = &start.phase;
    loop {
        let attempt = Attempt::create(&environment.runs(), &start.id, phase)?;
        let next = match try_once(environment, &attempt, &item, &tries, stop).await {
            Err(EngineError::Runner(error)) if concerns_the_item(&error) => {
                Next::GiveUp(Box::new(failed(start, describe(&error))))
            }
            report => tries.judge(start, &report?, environment.config.limits.max_retries),
        };
        let reason = match next {
            Next::Use(completion) => return Ok(tries.ran(&item, *completion, attempt, false)),
            Next::GiveUp(completion) => return Ok(tries.ran(&item, *completion, attempt, true)),
            Next::Stop => return interrupted(environment, &item, phase).await,
            Next::Retry(reason) => reason,
        };
        // A result that is not to be used must not be found by a later run.
        attempt.discard_result()?;
        if *stop.borrow() != Stop::Run {
            return interrupted(environment, &item, phase).await;
        }
        let Some(now) = as_it_is_now(environment, start, &item).await? else {
            let completion = failed(start, format!("{phase} failed: {reason}"));
            return Ok(tries.ran(&item, completion, attempt, false));
        };
        tell(environment, PHASE_RETRIED, &start.id, phase, &reason).await;
        let (item_then, phase) = (ItemRef::from(&*item), phase.clone());
        environment.observer.tell(RunEvent::Retrying { item: item_then, phase, reason });
        item = now;
    }
}

async fn interrupted(
    environment: &Environment,
    item: &BacklogItem,
    phase: &str,
) -> Result<Ran, EngineError> {
    let item = ItemRef::from(item);
    tell(environment, PHASE_INTERRUPTED, &item.id, phase, "").await;
    environment.observer.tell(RunEvent::PhaseInterrupted { item, phase: phase.to_owned() });
    Ok(Ran::Interrupted)
}

/// Adds to the story. Where that cannot be written, what the phase brings cannot be
/// either, and is told of then.
fn tell(
    environment: &Environment,
    event: &str,
    id: &str,
    phase: &str,
    what: &str,
) -> impl Future<Output = ()> + Send + use<> {
    let event = Event {
        time: environment.clock.now_in_millis().to_string(),
        event: event.to_owned(),
        item: Some(id.to_owned()),
        detail: Some(format!("{phase}: {what}")),
    };
    let coordinator = environment.coordinator.clone();
    async move {
        if let Err(error) = coordinator.ask(Command::Tell(vec![event])).await {
            tracing::debug!(%error, "an event is not told");
        }
    }
}

/// Returns an item as it is now, where its phase is still the one that runs.
async fn as_it_is_now(
    environment: &Environment,
    start: &Start,
    item: &BacklogItem,
) -> Result<Option<Arc<BacklogItem>>, EngineError> {
    match environment.coordinator.ask(Command::Refresh).await {
        // What was read last must do.
        Err(error) if error.is_passing() => {}
        answer => drop(answer?),
    }
    let snapshot = environment.coordinator.snapshot();
    let now = snapshot.get(&start.id);
    Ok(now.filter(|now| now.status == item.status && now.phase == item.phase).cloned())
}

/// Runs one attempt, and tells what is seen of it.
async fn try_once(
    environment: &Environment,
    attempt: &Attempt,
    item: &BacklogItem,
    tries: &Tries,
    stop: &Receiver<Stop>,
) -> Result<Report, EngineError> {
    let spec = spec(environment, attempt.phase(), item);
    let agent = environment.config.agent(&spec.agent).ok_or_else(|| EngineError::NoSuchAgent {
        phase: spec.name.clone(),
        agent: spec.agent.clone(),
    })?;
    let history = history(environment, attempt.item())?;
    let pipelines: Vec<String> = environment.rules.pipelines.keys().cloned().collect();
    let job = PhaseJob {
        attempt,
        item,
        phase: &spec,
        agent,
        root: &environment.paths.root,
        backlog: &environment.paths.file,
        pipelines: &pipelines,
        history: &history,
        notes: item.unblock_context.as_deref(),
        previous_failure: tries.last.as_deref(),
        timeout: environment.config.limits.phase_timeout,
        supervisor: &environment.supervisor,
    };
    let observer = &environment.observer;
    let named = || (ItemRef::from(item), spec.name.clone());
    let record = record_of(attempt);
    // Whoever writes the record tells of what is wrong with the disk.
    let untold = |error: StoreError| tracing::debug!(%error, "no place was made for a plan");
    let (mut place, mut told) = (None, None);
    let progress = |progress: Progress| {
        let (item, phase) = named();
        observer.tell(match progress {
            Progress::Started { attempt: number, .. } => {
                let record = record.clone();
                place = Some(tokio::task::spawn_blocking(move || make_place(&record)));
                let what = format!("attempt {number}");
                let tell = tell(environment, PHASE_STARTED, &item.id, &phase, &what);
                told = Some(tokio::spawn(tell));
                RunEvent::PhaseStarted { item, phase, attempt: number }
            }
            Progress::Output { line } => RunEvent::Output { item, phase, line },
        });
    };
    let report = runner::run(job, stop.clone(), progress).await;
    if let Some(told) = told {
        told.await.map_err(EngineError::Died)?;
    }
    if let Some(place) = place {
        place.await.map_err(EngineError::Died)?.unwrap_or_else(untold);
    }
    let report = report?;
    for warning in &report.warnings {
        observer.warn(format!("{} {}: {warning}", attempt.item(), spec.name));
    }
    Ok(report)
}

/// Returns whether an agent was not started for what its item holds: a text that is
/// too long for an argument, or cannot be one. Other items may go on.
fn concerns_the_item(error: &RunnerError) -> bool {
    let RunnerError::Agent { source, .. } = error else { return false };
    matches!(source.kind(), ErrorKind::ArgumentListTooLong | ErrorKind::InvalidInput)
}

fn describe(error: &RunnerError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The attempts so far.
#[derive(Default)]
struct Tries {
    failures: u32,
    last: Option<String>,
    /// What the result of the last one says.
    said: Said,
    duration: Duration,
}

/// What to do after an attempt.
enum Next {
    Use(Box<PhaseCompletion>),
    GiveUp(Box<PhaseCompletion>),
    Retry(String),
    Stop,
}

impl Tries {
    fn ran(
        &self,
        item: &Arc<BacklogItem>,
        completion: PhaseCompletion,
        attempt: Attempt,
        has_failed: bool,
    ) -> Ran {
        let completion = PhaseCompletion { seen: Some(Arc::clone(item)), ..completion };
        let item = ItemRef::from(&**item);
        let finished = Box::new(Finished {
            item,
            completion,
            said: self.said.clone(),
            duration: self.duration,
        });
        Ran::Finished { finished, attempt, has_failed }
    }

    fn judge(&mut self, start: &Start, report: &Report, max_retries: u32) -> Next {
        self.duration += report.duration;
        self.said = report.outcome.result().map(Said::from).unwrap_or_default();
        let (reason, retry) = match judge(report) {
            Verdict::Use(completion) => return Next::Use(completion),
            Verdict::Interrupted => return Next::Stop,
            Verdict::Failed { reason, retry } => (reason, retry),
        };
        self.failures += 1;
        if retry && self.failures <= max_retries {
            self.last = Some(reason.clone());
            return Next::Retry(reason);
        }
        let reason = format!("{} failed {}: {reason}", start.phase, times(self.failures));
        Next::GiveUp(Box::new(failed(start, reason)))
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times, the last time") }
}

enum Verdict {
    Use(Box<PhaseCompletion>),
    Failed { reason: String, retry: bool },
    Interrupted,
}

fn judge(report: &Report) -> Verdict {
    match &report.outcome {
        Outcome::Result(result) if result.result == ResultCode::Failed => {
            Verdict::Failed { reason: result.summary.clone(), retry: true }
        }
        Outcome::Result(result)
            if result.result == ResultCode::SubphaseComplete
                && result.phase.trim() == PhaseCompletion::TRIAGE =>
        {
            let reason = "the triage has no subphases: it is complete, blocked or failed";
            Verdict::Failed { reason: reason.to_owned(), retry: true }
        }
        Outcome::Result(result) => {
            Verdict::Use(Box::new(PhaseCompletion::from_result(result, None)))
        }
        Outcome::Interrupted => Verdict::Interrupted,
        outcome @ (Outcome::WrongItem { .. } | Outcome::WrongPhase { .. }) => {
            Verdict::Failed { reason: outcome.to_string(), retry: false }
        }
        outcome @ (Outcome::NoResult { .. } | Outcome::TimedOut(_)) => {
            let mut reason = outcome.to_string();
            if let Some(line) =
                report.stderr_tail.lines().rev().find(|line| !line.trim().is_empty())
            {
                reason = format!("{reason}; it said: {}", line.trim());
            }
            Verdict::Failed { reason, retry: true }
        }
    }
}

/// Makes the effects of a phase that failed for good: the item is blocked.
fn failed(start: &Start, reason: String) -> PhaseCompletion {
    PhaseCompletion {
        id: start.id.clone(),
        phase: start.phase.clone(),
        result: ResultCode::Failed,
        summary: reason,
        assessments: Assessments::default(),
        follow_ups: Vec::new(),
        duplicates: Vec::new(),
        description: None,
        pipeline_type: None,
        requires_human_review: false,
        commit: None,
        seen: None,
    }
}

/// Returns the phase as it is configured.
pub(super) fn spec(environment: &Environment, phase: &str, item: &BacklogItem) -> PhaseSpec {
    let pipeline = environment.rules.pipeline_of(item).ok();
    let spec = pipeline.and_then(|pipeline| pipeline.phase(phase));
    spec.cloned().unwrap_or_else(|| PhaseSpec::new(phase))
}

/// Returns what earlier phases of an item reported: kept in the story, so that it
/// outlives a restart.
fn history(environment: &Environment, id: &str) -> Result<Vec<Summary>, EngineError> {
    let done = environment.coordinator.phases_done(id)?.into_iter();
    let summaries = done.filter_map(|event| {
        let detail = event.detail?;
        let (phase, summary) = detail.split_once(": ")?;
        Some(Summary { phase: phase.to_owned(), summary: summary.to_owned() })
    });
    Ok(summaries.collect())
}
