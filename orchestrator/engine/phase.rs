//! One phase of one item, with its retries.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Finished, Tell};
use super::environment::Environment;
use super::error::EngineError;
use super::event::RunEvent;
use super::summary::ItemRef;
use crate::fs;
use crate::model::change::PhaseCompletion;
use crate::model::{Assessments, BacklogItem, PhaseSpec, ResultCode};
use crate::runner::{self, Attempt, Outcome, PhaseJob, Progress, Report, Stop, Summary};
use crate::scheduler::Start;
use crate::store::events::{self, PHASE_DONE};

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
    let mut failure: Option<String> = None;
    let mut retries = 0;
    let mut duration = Duration::ZERO;
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
            previous_failure: failure.as_deref(),
            timeout: environment.config.limits.phase_timeout,
            supervisor: &environment.supervisor,
        };
        let progress = |progress: Progress| match progress {
            Progress::Started { attempt, .. } => {
                let (item, phase) = (reference.clone(), start.phase.clone());
                tell(RunEvent::PhaseStarted { item, phase, attempt });
            }
            Progress::Output { line } => tell(RunEvent::Output { item: reference.clone(), line }),
        };
        let report = runner::run(job, stop.clone(), progress).await?;
        duration += report.duration;
        for warning in &report.warnings {
            tell(RunEvent::Warning(format!("{} {}: {warning}", start.id, start.phase)));
        }
        let reason = match judge(&report) {
            Verdict::Use(completion) => {
                let finished = Finished { item: reference, completion: *completion, duration };
                return Ok(Ran { finished: Some(finished), attempt, failed: false });
            }
            Verdict::Interrupted => return Ok(Ran { finished: None, attempt, failed: false }),
            Verdict::Failed { reason, retry }
                if retry && retries < environment.config.limits.max_retries =>
            {
                reason
            }
            Verdict::Failed { reason, .. } => {
                let completion = failed(
                    start,
                    format!("{} failed {}: {reason}", start.phase, times(retries + 1)),
                );
                let finished = Finished { item: reference, completion, duration };
                return Ok(Ran { finished: Some(finished), attempt, failed: true });
            }
        };
        // A result that is not to be used must not be found by a later run.
        fs::remove_if_exists(&attempt.result_file())?;
        if *stop.borrow() != Stop::Run {
            return Ok(Ran { finished: None, attempt, failed: false });
        }
        retries += 1;
        tell(RunEvent::Retrying {
            item: reference.clone(),
            phase: start.phase.clone(),
            reason: reason.clone(),
        });
        failure = Some(reason);
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
    let events = events::read(&environment.paths, Some(id))?;
    let done = events.into_iter().filter(|event| event.event == PHASE_DONE);
    let summaries = done.filter_map(|event| {
        let detail = event.detail?;
        let (phase, summary) = detail.split_once(": ")?;
        Some(Summary { phase: phase.to_owned(), summary: summary.to_owned() })
    });
    Ok(summaries.collect())
}
