//! What a killed run left: its agents are ended, and results that were written are
//! used, each once.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, Finished, Tell, finish, log};
use super::environment::Environment;
use super::error::EngineError;
use super::event::RunEvent;
use super::summary::ItemRef;
use crate::coordinator::{Command, CoordinatorError, Reply};
use crate::model::ResultCode;
use crate::model::change::PhaseCompletion;
use crate::runner::{Attempt, Outcome, Stop, end_leftover};

/// Returns where an attempt's taken IDs are written before its result is applied.
pub(super) fn record_of(attempt: &Attempt) -> PathBuf {
    attempt.folder().join("plan.json")
}

/// Ends what is left of earlier runs, and applies results that nobody took.
pub(super) async fn take_up(
    environment: &Environment,
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Vec<Effects>, EngineError> {
    let mut all = Vec::new();
    for attempt in Attempt::unfinished(&environment.runs())? {
        let own = attempt.clone();
        let ended = tokio::task::spawn_blocking(move || end_leftover(&own)).await;
        let outcome = ended.map_err(|_| CoordinatorError::Closed)??;
        if let Outcome::Result(result) = outcome
            && result.result != ResultCode::Failed
        {
            let completion = PhaseCompletion::from_result(&result, None);
            all.extend(apply(environment, &attempt, completion, stop, tell).await?);
        }
        attempt.discard_result()?;
    }
    Ok(all)
}

/// Applies a result that was left, unless its save was made before we were killed.
async fn apply(
    environment: &Environment,
    attempt: &Attempt,
    completion: PhaseCompletion,
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Option<Effects>, EngineError> {
    let record = record_of(attempt);
    let snapshot = environment.coordinator.snapshot();
    let title = snapshot.get(&completion.id).map(|item| item.title.clone()).unwrap_or_default();
    let item = ItemRef { id: completion.id.clone(), title };
    tell(RunEvent::Warning(format!(
        "{} {}: using the result that an earlier run had left",
        item.id, completion.phase
    )));
    let ask = Command::WasMade { record: record.clone(), item: completion.id.clone() };
    if let Reply::WasMade(true) = environment.coordinator.ask(ask).await? {
        // Saved, and killed before the worklog.
        log(environment, &item, &completion, Duration::ZERO).await?;
        return Ok(None);
    }
    let finished = Finished { item, completion, duration: Duration::ZERO };
    finish(environment, finished, &record, stop, tell).await.map(Some)
}
