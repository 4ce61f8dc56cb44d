//! One phase of one item, with its retries.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Finished, Tell};
use super::environment::Environment;
use super::error::EngineError;
use super::event::RunEvent;
use super::summary::ItemRef;
use crate::coordinator::PHASE_DONE;
use crate::model::change::PhaseCompletion;
use crate::model::{Assessments, BacklogItem, PhaseSpec, ResultCode};
use crate::runner::{self, Attempt, Outcome, PhaseJob, Progress, Report, Stop, Summary};
use crate::scheduler::Start;

/// What came of a phase and its retries.
pub(super) struct Ran {
    /// What is to be applied; nothing where the phase was interrupted.
    pub finished: Option<Finished>,
    /// The attempt whose result it is.
    pub attempt: Attempt,
    /// Whether all retries failed.
    pub failed: bool,
}

/// Runs a phase, and again where it fails, up to the configured number of times.
pub(super) async fn run(
    environment: &Environment,
    start: &Start,
    item: &Arc<BacklogItem>,
    stop: &Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Ran, EngineError> {
    let reference = ItemRef::from(&**item);
    let spec = spec(environment, start, item);
    let agent = environment.config.agent(&spec.agent).ok_or_else(|| EngineError::NoSuchAgent {
        phase: spec.name.clone(),
        agent: spec.agent.clone(),
    })?;
    let history = history(environment, &start.id)?;
    let pipelines: Vec<String> = environment.rules.pipelines.keys().cloned().collect();
    let mut tries = Tries { failures: 0, last: None, duration: Duration::ZERO };
    loop {
        let attempt = Attempt::create(&environment.runs(), &start.id, &start.phase)?;
        let job = PhaseJob {
            attempt: &attempt,
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
        let report = watched(job, stop, &reference, tell).await?;
        let next = tries.judge(start, &report, environment.config.limits.max_retries);
        let finished =
            |completion| Finished { item: reference.clone(), completion, duration: tries.duration };
        match next {
            Next::Use(completion) => {
                let finished = Some(finished(*completion));
                return Ok(Ran { finished, attempt, failed: false });
            }
            Next::GiveUp(completion) => {
                let finished = Some(finished(*completion));
                return Ok(Ran { finished, attempt, failed: true });
            }
            Next::Stop => return Ok(Ran { finished: None, attempt, failed: false }),
            Next::Retry(reason) => {
                // A result that is not to be used must not be found by a later run.
                attempt.discard_result()?;
                if *stop.borrow() != Stop::Run {
                    return Ok(Ran { finished: None, attempt, failed: false });
                }
                let (item, phase) = (reference.clone(), start.phase.clone());
                tell(RunEvent::Retrying { item, phase, reason });
            }
        }
    }
}

/// Runs one attempt and tells what is seen of it.
async fn watched(
    job: PhaseJob<'_>,
    stop: &Receiver<Stop>,
    item: &ItemRef,
    tell: Tell<'_>,
) -> Result<Report, EngineError> {
    let (id, phase) = (job.attempt.item().to_owned(), job.attempt.phase().to_owned());
    let progress = |progress: Progress| match progress {
        Progress::Started { attempt, .. } => {
            let (item, phase) = (item.clone(), phase.clone());
            tell(RunEvent::PhaseStarted { item, phase, attempt });
        }
        Progress::Output { line } => tell(RunEvent::Output { item: item.clone(), line }),
    };
    let report = runner::run(job, stop.clone(), progress).await?;
    for warning in &report.warnings {
        tell(RunEvent::Warning(format!("{id} {phase}: {warning}")));
    }
    Ok(report)
}

/// The attempts so far.
struct Tries {
    failures: u32,
    last: Option<String>,
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
    fn judge(&mut self, start: &Start, report: &Report, max_retries: u32) -> Next {
        self.duration += report.duration;
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
    }
}

fn spec(environment: &Environment, start: &Start, item: &BacklogItem) -> PhaseSpec {
    let pipeline = environment.rules.pipeline_of(item).ok();
    let spec = pipeline.and_then(|pipeline| pipeline.phase(&start.phase));
    spec.cloned().unwrap_or_else(|| PhaseSpec::new(&start.phase))
}

/// Returns what earlier phases of an item reported: kept in the story, so that it
/// outlives a restart.
fn history(environment: &Environment, id: &str) -> Result<Vec<Summary>, EngineError> {
    let events = environment.coordinator.history(&environment.paths, id)?;
    let done = events.into_iter().filter(|event| event.event == PHASE_DONE);
    let summaries = done.filter_map(|event| {
        let detail = event.detail?;
        let (phase, summary) = detail.split_once(": ")?;
        Some(Summary { phase: phase.to_owned(), summary: summary.to_owned() })
    });
    Ok(summaries.collect())
}
