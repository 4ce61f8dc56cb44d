//! Giving what came of a phase to the coordinator: one command, one save.

use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::environment::{Environment, LOOK_AGAIN, Observer};
use super::error::EngineError;
use super::event::RunEvent;
use super::leftovers::record_of;
use super::summary::ItemRef;
use crate::coordinator::{
    Changed, Command, CoordinatorError, Event, PHASE_DONE, PHASE_FAILED, PhaseEntry, PhaseLog,
    Reply, Request, RequestError, Told,
};
use crate::model::change::{PhaseCompletion, Skipped};
use crate::model::{
    Applied, BlockType, Change, Ended, IdQuery, ItemStatus, PhaseResult, ResultCode,
};
use crate::runner::{Attempt, Stop};

/// A phase that ended for good, with what it brings.
pub(super) struct Finished {
    pub item: ItemRef,
    pub completion: PhaseCompletion,
    pub said: Said,
    pub duration: Duration,
}

/// What else its result says.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// What the next phase should know.
    pub context: Option<String>,
    /// What it did, in a line for a commit.
    pub commit_summary: Option<String>,
}

impl From<&PhaseResult> for Said {
    fn from(result: &PhaseResult) -> Self {
        let PhaseResult { context, commit_summary, .. } = result;
        Self { context: context.clone(), commit_summary: commit_summary.clone() }
    }
}

/// Has changes made; waits while somebody is typing in the backlog.
pub(super) async fn change(
    environment: &Environment,
    requests: &[Request],
    stop: &mut Receiver<Stop>,
) -> Result<Changed, EngineError> {
    let command = || Command::Change(requests.to_vec());
    let Reply::Changed(mut changed) = ask(environment, command, stop).await? else {
        return Err(CoordinatorError::Confused.into());
    };
    for warning in std::mem::take(&mut changed.warnings) {
        environment.observer.warn(warning);
    }
    Ok(changed)
}

/// Asks the coordinator; waits while somebody is typing in the backlog.
pub(super) async fn ask(
    environment: &Environment,
    command: impl Fn() -> Command,
    stop: &mut Receiver<Stop>,
) -> Result<Reply, EngineError> {
    loop {
        match environment.coordinator.ask(command()).await {
            Ok(reply) => {
                environment.observer.goes_on();
                return Ok(reply);
            }
            Err(error) if error.is_passing() && *stop.borrow() == Stop::Run => {
                environment.observer.waits(&error);
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    Ok(_) = stop.wait_for(|stop| *stop != Stop::Run) => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Applies a finished phase: assessments, follow-ups, transition, worklog, in one save.
/// The IDs it takes are written beside the result before.
pub(super) async fn finish(
    environment: &Environment,
    finished: &Finished,
    attempt: &Attempt,
    stop: &mut Receiver<Stop>,
) -> Result<Effects, EngineError> {
    let Finished { item, completion, .. } = finished;
    let request = Request {
        change: Change::CompletePhase(Box::new(completion.clone())),
        record: Some(record_of(attempt)),
        log: Some(Box::new(log_of(environment, finished, attempt))),
    };
    let kept = |reason: String| {
        let (item, phase) = (item.clone(), completion.phase.clone());
        environment.observer.tell(RunEvent::PhaseKept { item, phase, reason });
        Ok(Effects { is_kept: true, ..Effects::default() })
    };
    let changed = match change(environment, &[request], stop).await {
        Ok(changed) => changed,
        // The run is being ended while somebody types: the next one will save it.
        Err(EngineError::Coordinator(error)) if error.is_passing() => {
            return kept(error.to_string());
        }
        Err(error) => return Err(error),
    };
    let mut effects = Effects { saved: Some(Instant::now()), ..Effects::default() };
    for outcome in changed.outcomes {
        match outcome {
            Ok(applied) => {
                effects.take(&applied, item);
                effects.moved_from = applied.was_moved.then(|| completion.phase.clone());
            }
            // The item stays as it is, and the run goes on with the others.
            Err(error) => return kept(describe(&error)),
        }
    }
    // Else the result stays where it is, and the next run tells of it.
    let told = changed.told.map_err(CoordinatorError::Store)?;
    effects.settling = Some(settle(told, attempt.clone()));
    environment.observer.tell(RunEvent::PhaseEnded {
        item: item.clone(),
        phase: completion.phase.clone(),
        outcome: completion.result.to_string(),
        summary: completion.summary.clone(),
        duration: finished.duration,
    });
    effects.tell(&environment.observer);
    Ok(effects)
}

/// Makes what was told durable, and lets the result go by which it could be told again.
/// The next phase need not wait for it, only the end of the run.
fn settle(told: Told, attempt: Attempt) -> Settling {
    tokio::task::spawn_blocking(move || {
        told.sync()?;
        Ok(attempt.discard_result()?)
    })
}

/// What goes on behind the save of a phase.
pub(super) type Settling = JoinHandle<Result<(), EngineError>>;

/// Returns what the worklog and the story have of a finished phase.
pub(super) fn log_of(
    environment: &Environment,
    finished: &Finished,
    attempt: &Attempt,
) -> PhaseLog {
    let Finished { item, completion, said, duration } = finished;
    let now = environment.clock.now_in_millis();
    let entry = PhaseEntry {
        id: item.id.clone(),
        title: item.title.clone(),
        phase: completion.phase.clone(),
        attempt: attempt.number(),
        outcome: completion.result.to_string(),
        seconds: duration.as_secs(),
        summary: completion.summary.clone(),
        at: now,
    };
    let mut detail = format!("{}: {}", completion.phase, completion.summary);
    // What the next phase should know goes to it by the story.
    if let Some(context) = &said.context {
        detail.push_str("\n\n");
        detail.push_str(context);
    }
    let mut event = Event {
        time: now.to_string(),
        event: PHASE_DONE.to_owned(),
        item: Some(item.id.clone()),
        detail: Some(detail),
    };
    if !matches!(completion.result, ResultCode::PhaseComplete | ResultCode::SubphaseComplete) {
        event.event = PHASE_FAILED.to_owned();
    }
    PhaseLog { entry, event }
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
    /// Items that were archived.
    pub completed: Vec<ItemRef>,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
    /// The phase, where the item does not stand there any more.
    pub moved_from: Option<String>,
    /// Whether nothing was saved, and the result is kept for a later run.
    pub is_kept: bool,
    /// When it was saved; by that the backlog was read, too.
    pub saved: Option<Instant>,
    pub settling: Option<Settling>,
}

impl Effects {
    fn take(&mut self, applied: &Applied, item: &ItemRef) {
        for added in &applied.added {
            let origin = added.origin.clone().unwrap_or_else(|| item.id.clone());
            self.added.push((ItemRef::from(&**added), origin));
        }
        for changed in applied.changed.iter().filter(|changed| changed.is(&item.id)) {
            match changed.status {
                // A person has blocked it.
                ItemStatus::Blocked if applied.was_moved => {}
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
        self.skipped.extend(applied.skipped.iter().cloned());
        self.notes.extend(applied.notes.iter().cloned());
    }

    fn tell(&self, observer: &Observer) {
        let tell = |event| observer.tell(event);
        for Skipped { title, existing } in &self.skipped {
            tell(RunEvent::Skipped { title: title.clone(), existing: existing.clone() });
        }
        for note in &self.notes {
            observer.warn(note.clone());
        }
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

/// Blocks an item; nothing where it cannot be blocked, as when it is gone.
pub(super) async fn block(
    environment: &Environment,
    item: &ItemRef,
    (kind, reason): (Option<BlockType>, String),
    stop: &mut Receiver<Stop>,
) -> Result<Option<Effects>, EngineError> {
    let request = Change::Block { item: IdQuery::new(&item.id), reason, kind }.into();
    let outcomes = match change(environment, &[request], stop).await {
        Ok(changed) => changed.outcomes,
        // The run is being ended while somebody types; it is found again.
        Err(EngineError::Coordinator(error)) if error.is_passing() => {
            return Ok(Some(Effects { is_kept: true, ..Effects::default() }));
        }
        Err(error) => return Err(error),
    };
    let mut effects = Effects::default();
    for outcome in outcomes {
        let Ok(applied) = outcome else { return Ok(None) };
        effects.take(&applied, item);
    }
    effects.tell(&environment.observer);
    Ok(Some(effects))
}

/// Archives items that are done.
pub(super) async fn archive(
    environment: &Environment,
    items: &[ItemRef],
    stop: &mut Receiver<Stop>,
) -> Result<Vec<ItemRef>, EngineError> {
    let mut archived = Vec::new();
    let requests: Vec<Request> = items
        .iter()
        .map(|item| Change::Archive { items: vec![IdQuery::new(&item.id)], reason: None }.into())
        .collect();
    if requests.is_empty() {
        return Ok(archived);
    }
    let outcomes = match change(environment, &requests, stop).await {
        Ok(changed) => changed.outcomes,
        // The run is being ended; the next one archives what is done.
        Err(EngineError::Coordinator(error)) if error.is_passing() => return Ok(archived),
        Err(error) => return Err(error),
    };
    for (item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Ok(_) => {
                environment.observer.tell(RunEvent::Completed(item.clone()));
                archived.push(item.clone());
            }
            Err(error) => {
                let (id, reason) = (&item.id, describe(&error));
                let text = format!("{id} is done, and was not archived: {reason}");
                environment.observer.warn(text);
            }
        }
    }
    Ok(archived)
}
