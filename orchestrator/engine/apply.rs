//! Giving what came of a phase to the coordinator: one command, one save.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::environment::{Environment, LOOK_AGAIN};
use super::error::EngineError;
use super::event::RunEvent;
use super::summary::ItemRef;
use crate::coordinator::{
    Changed, Command, CoordinatorError, Event, PHASE_DONE, PhaseEntry, Reply, Request,
    RequestError, StoreError,
};
use crate::model::change::PhaseCompletion;
use crate::model::{Applied, Change, Ended, IdQuery, ItemStatus, ResultCode};
use crate::runner::Stop;

/// A phase that ended for good, with what it brings.
pub(super) struct Finished {
    pub item: ItemRef,
    pub completion: PhaseCompletion,
    pub duration: Duration,
}

/// Tells what happened; may be called from anywhere in the loop.
pub(super) type Tell<'a> = &'a mut (dyn FnMut(RunEvent) + Send);

/// Asks the coordinator; waits while somebody is typing in the backlog.
pub(super) async fn change(
    environment: &Environment,
    requests: &[Request],
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Changed, EngineError> {
    let mut has_told = false;
    loop {
        match environment.coordinator.ask(Command::Change(requests.to_vec())).await {
            Ok(Reply::Changed(mut changed)) => {
                for warning in std::mem::take(&mut changed.warnings) {
                    tell(RunEvent::Warning(warning));
                }
                return Ok(changed);
            }
            Ok(_) => return Err(CoordinatorError::Confused.into()),
            Err(CoordinatorError::Store(error))
                if is_passing(&error) && *stop.borrow() == Stop::Run =>
            {
                if !has_told {
                    has_told = true;
                    tell(RunEvent::Warning(format!(
                        "waiting for the backlog to be readable again: {error}"
                    )));
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    _ = stop.changed() => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns whether an error is one that a person's next save may mend.
fn is_passing(error: &Arc<StoreError>) -> bool {
    matches!(
        **error,
        StoreError::Invalid { .. }
            | StoreError::Unsettled { .. }
            | StoreError::NotInitialised { .. }
    )
}

/// Applies a finished phase: assessments, follow-ups, transition, in one save; then
/// the worklog. `record` is where the IDs it takes are written before.
pub(super) async fn finish(
    environment: &Environment,
    finished: Finished,
    record: &Path,
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Effects, EngineError> {
    let Finished { item, completion, duration } = finished;
    let request = Request {
        change: Change::CompletePhase(Box::new(completion.clone())),
        record: Some(record.to_owned()),
    };
    let changed = change(environment, &[request], stop, tell).await?;
    let mut effects = Effects::default();
    for outcome in changed.outcomes {
        match outcome {
            Ok(applied) => effects.take(&applied, &item, tell),
            Err(error) => {
                // The item stays as it is, its result stays beside it, and the run
                // goes on with the others.
                let reason = describe(&error);
                tell(RunEvent::Warning(format!(
                    "{}: the result of {} could not be saved: {reason}",
                    item.id, completion.phase
                )));
                effects.is_refused = true;
            }
        }
    }
    if !effects.is_refused {
        log(environment, &item, &completion, duration).await?;
        tell(RunEvent::PhaseEnded {
            item,
            phase: completion.phase,
            outcome: completion.result.to_string(),
            summary: completion.summary,
            duration,
        });
        effects.tell(tell);
    }
    Ok(effects)
}

/// Writes a phase that was applied into the worklog and the story.
pub(super) async fn log(
    environment: &Environment,
    item: &ItemRef,
    completion: &PhaseCompletion,
    duration: Duration,
) -> Result<(), EngineError> {
    let now = environment.clock.now();
    let entry = PhaseEntry {
        id: item.id.clone(),
        title: item.title.clone(),
        phase: completion.phase.clone(),
        outcome: completion.result.to_string(),
        seconds: duration.as_secs(),
        summary: completion.summary.clone(),
        at: now,
    };
    environment.coordinator.ask(Command::LogPhase(Box::new(entry))).await?;
    if matches!(completion.result, ResultCode::PhaseComplete | ResultCode::SubphaseComplete) {
        let event = Event {
            time: now.to_string(),
            event: PHASE_DONE.to_owned(),
            item: Some(item.id.clone()),
            detail: Some(format!("{}: {}", completion.phase, completion.summary)),
        };
        environment.coordinator.ask(Command::Tell(vec![event])).await?;
    }
    Ok(())
}

/// Returns an error of one change with its cause.
pub(super) fn describe(error: &RequestError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What a save did to the items, as a person wants to know it.
#[derive(Default)]
pub(super) struct Effects {
    pub added: Vec<(ItemRef, String)>,
    pub blocked: Vec<(ItemRef, String)>,
    pub merged: Vec<(String, String)>,
    /// Items that are done and can be archived.
    pub done: Vec<ItemRef>,
    /// Whether the change was refused.
    pub is_refused: bool,
}

impl Effects {
    fn take(&mut self, applied: &Applied, item: &ItemRef, tell: Tell<'_>) {
        for added in &applied.added {
            let origin = added.origin.clone().unwrap_or_else(|| item.id.clone());
            self.added.push((ItemRef::from(&**added), origin));
        }
        for changed in applied.changed.iter().filter(|changed| changed.is(&item.id)) {
            match changed.status {
                ItemStatus::Blocked => {
                    let reason = changed.blocked_reason.clone().unwrap_or_default();
                    self.blocked.push((ItemRef::from(&**changed), reason));
                }
                ItemStatus::Done => self.done.push(ItemRef::from(&**changed)),
                _ => {}
            }
        }
        for removal in applied.removed.iter().filter(|removal| removal.ended == Ended::Merged) {
            let target = removal.reason.clone().unwrap_or_default();
            self.merged.push((removal.item.id_or_dash().to_owned(), target));
        }
        for skipped in &applied.skipped {
            tell(RunEvent::Skipped {
                title: skipped.title.clone(),
                existing: skipped.existing.clone(),
            });
        }
        for note in &applied.notes {
            tell(RunEvent::Warning(note.clone()));
        }
    }

    fn tell(&self, tell: Tell<'_>) {
        for (item, origin) in &self.added {
            tell(RunEvent::Added { item: item.clone(), origin: origin.clone() });
        }
        for (source, target) in &self.merged {
            tell(RunEvent::Merged { source: source.clone(), target: target.clone() });
        }
        for (item, reason) in &self.blocked {
            tell(RunEvent::Blocked { item: item.clone(), reason: reason.clone() });
        }
    }
}

/// Archives items that are done.
pub(super) async fn archive(
    environment: &Environment,
    items: &[ItemRef],
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<Vec<ItemRef>, EngineError> {
    let mut archived = Vec::new();
    let requests: Vec<Request> = items
        .iter()
        .map(|item| Change::Archive { items: vec![IdQuery::new(&item.id)], reason: None }.into())
        .collect();
    if requests.is_empty() {
        return Ok(archived);
    }
    let changed = change(environment, &requests, stop, tell).await?;
    for (item, outcome) in items.iter().zip(changed.outcomes) {
        match outcome {
            Ok(_) => {
                tell(RunEvent::Completed(item.clone()));
                archived.push(item.clone());
            }
            Err(error) => {
                tell(RunEvent::Warning(format!(
                    "{} is done, and was not archived: {}",
                    item.id,
                    describe(&error)
                )));
            }
        }
    }
    Ok(archived)
}
