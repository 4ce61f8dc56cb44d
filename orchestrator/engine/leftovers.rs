//! What a killed run left: its agents are ended, and results that were written are
//! used, each once.
//!
//! The record beside a result says which IDs its save takes and which date it writes:
//! by it the store knows whether the save was made. One that was made is only told;
//! one that was not is made now. A result that cannot be saved stays where it is.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, Finished, finish, log};
use super::environment::Environment;
use super::error::EngineError;
use super::summary::ItemRef;
use crate::coordinator::{Command, Reply};
use crate::model::ResultCode;
use crate::model::change::PhaseCompletion;
use crate::runner::{Attempt, Outcome, Stop, end_leftover};

/// Returns where an attempt's taken IDs are written before its result is applied.
pub(super) fn record_of(attempt: &Attempt) -> PathBuf {
    attempt.folder().join("plan.json")
}

/// A result that was left, and what came of it.
pub(super) struct TakenUp {
    /// The item's ID.
    pub id: String,
    pub effects: Effects,
}

/// Ends what is left of earlier runs, and applies results that nobody took.
pub(super) async fn take_up(
    environment: &Environment,
    stop: &mut Receiver<Stop>,
) -> Result<Vec<TakenUp>, EngineError> {
    let mut all = Vec::new();
    for attempt in Attempt::unfinished(&environment.runs())? {
        let own = attempt.clone();
        let ended = tokio::task::spawn_blocking(move || end_leftover(&own)).await;
        if let Outcome::Result(result) = ended.map_err(EngineError::Died)?? {
            let completion = PhaseCompletion::from_result(&result, None);
            if let Some(effects) = apply(environment, &attempt, completion, stop).await? {
                let is_kept = effects.is_kept;
                all.push(TakenUp { id: attempt.item().to_owned(), effects });
                if is_kept {
                    continue;
                }
            }
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
) -> Result<Option<Effects>, EngineError> {
    let snapshot = environment.coordinator.snapshot();
    let title = snapshot.get(&completion.id).map(|item| item.title.clone()).unwrap_or_default();
    let item = ItemRef { id: attempt.item().to_owned(), title };
    let ask = Command::WasMade { record: record_of(attempt), item: item.id.clone() };
    let was_made = matches!(environment.coordinator.ask(ask).await?, Reply::WasMade(true));
    let finished = Finished { item, completion, duration: Duration::ZERO };
    if was_made {
        // Saved, and killed before the worklog, or just after it.
        log(environment, &finished, attempt, true).await?;
        return Ok(None);
    }
    if finished.completion.result == ResultCode::Failed {
        // It counts for nothing: the phase is tried anew.
        return Ok(None);
    }
    let (id, phase) = (&finished.item.id, attempt.phase());
    let text = format!("{id} {phase}: using the result that an earlier run had left");
    environment.observer.warn(text);
    finish(environment, &finished, attempt, stop).await.map(Some)
}
