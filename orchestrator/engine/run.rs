//! The loop.

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, Tell, archive, change, describe, finish};
use super::environment::{Environment, RunOptions};
use super::error::EngineError;
use super::event::RunEvent;
use super::leftovers::{record_of, take_up};
use super::phase;
use super::summary::{Halt, ItemRef, Summary};
use crate::coordinator::{Command, CoordinatorError, Reply, StoreError};
use crate::model::{BacklogItem, BacklogSnapshot, Change, IdQuery, ItemId, ItemStatus, Limits};
use crate::runner::Stop;
use crate::scheduler::{Plan, Start, View, plan};

/// How many phases in a row may fail all their retries.
const BREAKER: u32 = 2;

/// Runs until nothing is left to start, or something halts it.
///
/// `stop` may change at any time: what runs is then let end as it says, its result
/// is used, and the run ends. `tell` is called for everything a person may want to
/// see, and must not block.
///
/// # Errors
/// Another run under way, a target that does not exist, a backlog that cannot be
/// saved. What was saved before stands.
pub async fn run(
    environment: &Environment,
    options: &RunOptions,
    mut stop: Receiver<Stop>,
    tell: &mut (dyn FnMut(RunEvent) + Send),
) -> Result<Summary, EngineError> {
    check_targets(environment, options)?;
    let mut run = Run::new(options);
    for effects in take_up(environment, &mut stop, tell).await? {
        run.take(environment, effects, &mut stop, tell).await?;
    }
    // Done by hand, or by a run that was killed before it could archive.
    let done = done_items(&environment.coordinator.snapshot());
    run.completed(archive(environment, &done, &mut stop, tell).await?);
    let halt = run.rounds(environment, &mut stop, tell).await?;
    Ok(run.summary(halt))
}

fn check_targets(environment: &Environment, options: &RunOptions) -> Result<(), EngineError> {
    let snapshot = environment.coordinator.snapshot();
    for target in &options.selection.targets {
        let is_there =
            snapshot.items.iter().any(|item| item.id.as_deref().is_some_and(|id| target.names(id)));
        if !is_there && !snapshot.archived.contains_key(&ItemId::key(target.text())) {
            return Err(EngineError::NoSuchTarget { id: target.text().to_owned() });
        }
    }
    Ok(())
}

fn done_items(snapshot: &BacklogSnapshot) -> Vec<ItemRef> {
    let done =
        snapshot.items.iter().filter(|item| item.status == ItemStatus::Done && item.id.is_some());
    done.map(|item| ItemRef::from(&**item)).collect()
}

async fn name_items(
    environment: &Environment,
    stop: &mut Receiver<Stop>,
    tell: Tell<'_>,
) -> Result<(), EngineError> {
    let changed = change(environment, &[], stop, tell).await?;
    for item in &changed.named {
        let item = ItemRef::from(&**item);
        tell(RunEvent::Added { item, origin: "the file".to_owned() });
    }
    Ok(())
}

/// The state of a run.
struct Run<'a> {
    options: &'a RunOptions,
    summary: Summary,
    /// Phases in a row that failed for good.
    failures: u32,
    /// Items that cannot be worked on in this run: a save of theirs was refused.
    set_aside: Vec<String>,
    /// What was wrong with the inbox, so that it is told once.
    bad_inbox: Option<String>,
}

impl<'a> Run<'a> {
    fn new(options: &'a RunOptions) -> Self {
        let summary = Summary {
            halt: Halt::NothingToDo,
            phases_executed: 0,
            completed: Vec::new(),
            blocked: Vec::new(),
            follow_ups: Vec::new(),
            merged: Vec::new(),
        };
        Self { options, summary, failures: 0, set_aside: Vec::new(), bad_inbox: None }
    }

    async fn rounds(
        &mut self,
        environment: &Environment,
        stop: &mut Receiver<Stop>,
        tell: Tell<'_>,
    ) -> Result<Halt, EngineError> {
        loop {
            if *stop.borrow() != Stop::Run {
                return Ok(Halt::Interrupted);
            }
            if self.failures >= BREAKER {
                return Ok(Halt::CircuitBreaker);
            }
            if self.summary.phases_executed
                >= self.options.cap.unwrap_or(environment.config.limits.phase_cap)
            {
                return Ok(Halt::Cap);
            }
            self.ingest(environment, tell).await?;
            if environment.coordinator.snapshot().items.iter().any(|item| item.id.is_none()) {
                // Hand-written items get their IDs with any save.
                name_items(environment, stop, tell).await?;
            }
            let snapshot = environment.coordinator.snapshot();
            let plan = self.plan(environment, &snapshot);
            let next = plan.starts.iter().find(|start| !self.set_aside.contains(&start.id));
            match next {
                Some(start) => self.execute(environment, &snapshot, start, stop, tell).await?,
                None => return Ok(self.halt(&plan)),
            }
        }
    }

    fn plan(&self, environment: &Environment, snapshot: &BacklogSnapshot) -> Plan {
        // One at a time.
        let limits = Limits { max_concurrent: 1, ..environment.config.limits };
        let view = View {
            snapshot,
            running: &[],
            limits: &limits,
            rules: &environment.rules,
            selection: &self.options.selection,
        };
        plan(&view)
    }

    /// Returns why the run ends, where nothing can be started.
    fn halt(&self, plan: &Plan) -> Halt {
        let selection = &self.options.selection;
        if plan.blocked_target.is_some() {
            Halt::TargetBlocked
        } else if !selection.targets.is_empty() && plan.targets_done {
            Halt::TargetsDone
        } else if self.summary.phases_executed > 0 || !self.summary.completed.is_empty() {
            Halt::AllDoneOrBlocked
        } else if !selection.filters.is_empty() && !plan.has_selected {
            Halt::NoMatch
        } else {
            Halt::NothingToDo
        }
    }

    /// Takes in what lies in the inbox.
    async fn ingest(
        &mut self,
        environment: &Environment,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        match environment.coordinator.ask(Command::Ingest(environment.inbox.clone())).await {
            Ok(Reply::Ingested(ingested)) => {
                for note in ingested.notes {
                    tell(RunEvent::Warning(note));
                }
                for item in &ingested.added {
                    tell(RunEvent::Added {
                        item: ItemRef::from(&**item),
                        origin: "inbox".to_owned(),
                    });
                }
                Ok(())
            }
            Ok(_) => Err(CoordinatorError::Confused.into()),
            Err(CoordinatorError::Store(error)) if matches!(*error, StoreError::Invalid { .. }) => {
                let error = error.to_string();
                if self.bad_inbox.as_ref() != Some(&error) {
                    tell(RunEvent::Warning(format!("the inbox was left where it is: {error}")));
                    self.bad_inbox = Some(error);
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a phase and applies what came of it.
    async fn execute(
        &mut self,
        environment: &Environment,
        snapshot: &BacklogSnapshot,
        start: &Start,
        stop: &mut Receiver<Stop>,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        let mut item = Arc::clone(&snapshot.items[start.index]);
        if start.moves {
            match self.move_to(environment, start, &item, stop, tell).await? {
                Some(moved) => item = moved,
                None => return Ok(()),
            }
        }
        let ran = phase::run(environment, start, &item, stop, tell).await?;
        let Some(finished) = ran.finished else { return Ok(()) };
        self.summary.phases_executed += 1;
        self.failures = if ran.failed { self.failures + 1 } else { 0 };
        let record = record_of(&ran.attempt);
        let effects = finish(environment, finished, &record, stop, tell).await?;
        if effects.is_refused {
            self.set_aside.push(start.id.clone());
            return Ok(());
        }
        ran.attempt.discard_result()?;
        self.take(environment, effects, stop, tell).await
    }

    /// Puts an item at the phase that is to be run: promotes a ready one.
    async fn move_to(
        &mut self,
        environment: &Environment,
        start: &Start,
        item: &Arc<BacklogItem>,
        stop: &mut Receiver<Stop>,
        tell: Tell<'_>,
    ) -> Result<Option<Arc<BacklogItem>>, EngineError> {
        let to = (item.status != ItemStatus::Ready).then(|| start.phase.clone());
        let request = Change::Advance { item: IdQuery::new(&start.id), to }.into();
        let changed = change(environment, &[request], stop, tell).await?;
        match changed.outcomes.into_iter().next() {
            Some(Ok(applied)) => Ok(applied.changed.into_iter().find(|item| item.is(&start.id))),
            Some(Err(error)) => {
                tell(RunEvent::Warning(format!("{} is left out: {}", start.id, describe(&error))));
                self.set_aside.push(start.id.clone());
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Takes what a save did into the summary, and archives what is done.
    async fn take(
        &mut self,
        environment: &Environment,
        effects: Effects,
        stop: &mut Receiver<Stop>,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        self.summary.follow_ups.extend(effects.added.into_iter().map(|(item, _)| item));
        self.summary.blocked.extend(effects.blocked.into_iter().map(|(item, _)| item));
        self.summary.merged.extend(effects.merged);
        let archived = archive(environment, &effects.done, stop, tell).await?;
        self.completed(archived);
        Ok(())
    }

    fn completed(&mut self, items: Vec<ItemRef>) {
        self.summary.completed.extend(items);
    }

    fn summary(mut self, halt: Halt) -> Summary {
        self.summary.halt = halt;
        self.summary
    }
}
