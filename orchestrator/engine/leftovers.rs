//! What a killed run left: its agents are ended, and results that were written are
//! used, each once.
//!
//! The record beside a result says which text its save writes: by it the store knows
//! whether the save was made. One that was made is only told;
//! one that was not is made now. A result that cannot be saved stays where it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, Finished, Said, ask, log_of};
use super::commits::Commits;
use super::environment::Environment;
use super::error::EngineError;
use super::phase;
use super::summary::ItemRef;
use super::task::{GIT_FAILED, save};
use crate::coordinator::{Command, CoordinatorError, Reply, remove_place};
use crate::model::change::PhaseCompletion;
use crate::model::{ItemStatus, ResultCode};
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

/// What came of a result that was left.
enum Applied {
    Saved(Box<Effects>),
    /// This run is being ended, too.
    NotYet,
    /// It was saved before, or counts for nothing.
    Nothing,
}

/// Ends what is left of earlier runs, and applies results that nobody took.
pub(super) async fn take_up(
    environment: &Environment,
    commits: &Commits,
    stop: &mut Receiver<Stop>,
) -> Result<Vec<TakenUp>, EngineError> {
    let mut all = Vec::new();
    let unfinished = Attempt::unfinished(&environment.runs())?;
    // What was changed after the last agent's end is a person's.
    let ended: Result<Vec<Option<i128>>, _> = unfinished.iter().map(Attempt::ended_ns).collect();
    let ended: Option<Vec<i128>> = ended?.into_iter().collect();
    commits.were_killed(ended.and_then(|ended| ended.into_iter().max())).await?;
    for attempt in unfinished {
        if waits_for_git(environment, commits, &attempt).await? {
            continue;
        }
        remove_place(&record_of(&attempt)).map_err(CoordinatorError::from)?;
        let own = attempt.clone();
        let ended = tokio::task::spawn_blocking(move || end_leftover(&own)).await;
        let outcome = ended.map_err(EngineError::Died)??;
        if let Outcome::Result(result) = outcome {
            let mut completion = PhaseCompletion::from_result(&result, None);
            completion.seen = attempt.item_seen()?.map(Arc::new);
            let said = Said::from(&*result);
            match apply(environment, commits, &attempt, (completion, said), stop).await? {
                Applied::Saved(effects) => {
                    all.push(TakenUp { id: attempt.item().to_owned(), effects: *effects });
                    continue;
                }
                Applied::NotYet => continue,
                Applied::Nothing => {}
            }
        }
        attempt.discard_result()?;
    }
    commits.settle(environment).await?;
    Ok(all)
}

/// Returns whether a result is kept until a person lets its item go on.
async fn waits_for_git(
    environment: &Environment,
    commits: &Commits,
    attempt: &Attempt,
) -> Result<bool, EngineError> {
    let snapshot = environment.coordinator.snapshot();
    let Some(item) = snapshot.get(attempt.item()) else {
        commits.let_go(attempt.item()).await?;
        return Ok(false);
    };
    let reason = item.blocked_reason.as_deref().unwrap_or_default();
    let is_blocked = item.status == ItemStatus::Blocked && reason.starts_with(GIT_FAILED);
    Ok(is_blocked || commits.holds(attempt).await?)
}

/// Applies a result that was left, unless its save was made before we were killed.
async fn apply(
    environment: &Environment,
    commits: &Commits,
    attempt: &Attempt,
    (completion, said): (PhaseCompletion, Said),
    stop: &mut Receiver<Stop>,
) -> Result<Applied, EngineError> {
    let snapshot = environment.coordinator.snapshot();
    // One that is archived by now had its title when the phase began.
    let seen = snapshot.get(&completion.id).or(completion.seen.as_ref());
    let title = seen.map(|item| item.title.clone()).unwrap_or_default();
    let item = ItemRef { id: attempt.item().to_owned(), title };
    let record = record_of(attempt);
    let was_made = match ask(environment, || Command::WasMade(record.clone()), stop).await {
        // This run is being ended, too, while somebody types.
        Err(EngineError::Coordinator(error)) if error.is_passing() => return Ok(Applied::NotYet),
        answer => matches!(answer?, Reply::WasMade(true)),
    };
    let finished = Finished { item, completion, said, duration: Duration::ZERO };
    if was_made {
        // Saved, and killed before the worklog, or just after it.
        let log = log_of(environment, &finished, attempt);
        environment.coordinator.ask(Command::LogAgain(Box::new(log))).await?;
        return Ok(Applied::Nothing);
    }
    if finished.completion.result == ResultCode::Failed || attempt.is_superseded()? {
        // It counts for nothing: the phase is tried anew.
        return Ok(Applied::Nothing);
    }
    let (id, phase) = (&finished.item.id, attempt.phase());
    let text = format!("{id} {phase}: using the result that an earlier run had left");
    environment.observer.warn(text);
    let item = snapshot.get(&finished.item.id);
    let spec = item.map(|item| phase::spec(environment, attempt.phase(), item));
    let destructive = spec.is_some_and(|spec| spec.destructive);
    let saved = save(environment, commits, finished, attempt, destructive, stop).await?;
    Ok(saved.map_or(Applied::NotYet, |effects| Applied::Saved(Box::new(effects))))
}
