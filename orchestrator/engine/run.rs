//! The loop: what is started when, and why it ends.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::apply::{Effects, Settling, archive, change, describe};
use super::commits::Commits;
use super::environment::{Environment, LOOK_AGAIN, RunOptions};
use super::error::EngineError;
use super::event::{Outlook, RunEvent};
use super::leftovers::take_up;
use super::summary::{Halt, ItemRef, Summary};
use super::task::{Ended, Job, work};
use crate::coordinator::{Command, CoordinatorError, Reply, Request, StoreError, has_inbox};
use crate::model::{BacklogItem, BacklogSnapshot, Change, IdQuery, ItemId, ItemStatus};
use crate::runner::Stop;
use crate::scheduler::{Plan, Running, Selection, Start, View, Waiting, plan};

/// How many phases in a row may fail all their retries.
const BREAKER: u32 = 2;

/// How long after the save of a phase the backlog is not read once more: the save did, and
/// an edit that is younger could as well have come behind the decision.
const JUST_READ: Duration = Duration::from_millis(2);

/// How many items that wait are told by name.
const NAMED: usize = 3;

/// Runs until nothing is left to start, or something halts it.
///
/// `stop` may change at any time: what runs is then let end as it says, its result
/// is used, and the run ends. Whatever ends a run, what runs is waited for first.
///
/// Returns what it did, and what broke it, if anything did: a target that does not
/// exist, an agent that cannot be started, a backlog that cannot be saved. What was
/// saved before stands, and is in the summary.
pub async fn run(
    environment: Environment,
    options: &RunOptions,
    stop: Receiver<Stop>,
) -> (Summary, Result<(), EngineError>) {
    // A task, as its phases are: on the caller's own thread each end of a phase would wake
    // that first, and it the runtime's. Where this is dropped, so is the task.
    let mut task = JoinSet::new();
    task.spawn(run_here(environment, options.clone(), stop));
    let ended = task.join_next().await.expect("it was just started");
    ended.unwrap_or_else(|error| (Summary::default(), Err(EngineError::Died(error))))
}

async fn run_here(
    environment: Environment,
    options: RunOptions,
    stop: Receiver<Stop>,
) -> (Summary, Result<(), EngineError>) {
    let checked = check_targets(&environment.coordinator.snapshot(), &options.selection);
    let commits = match checked {
        Ok(()) => {
            environment.supervisor.start_spare();
            Commits::open(&environment, &stop).await
        }
        Err(error) => Err(error),
    };
    match commits {
        Ok(commits) => Run::new(environment, commits, options, stop).execute().await,
        Err(error) => (Summary::default(), Err(error)),
    }
}

/// Checks that each target is in the backlog, or was.
///
/// # Errors
/// [`EngineError::NoSuchTarget`] for the first that exists nowhere.
pub fn check_targets(snapshot: &BacklogSnapshot, selection: &Selection) -> Result<(), EngineError> {
    for target in &selection.targets {
        let is_there =
            snapshot.items.iter().any(|item| item.id.as_deref().is_some_and(|id| target.names(id)));
        let is_archived = || snapshot.archived.keys().any(|id| target.names(id));
        if !is_there && !is_archived() {
            return Err(EngineError::NoSuchTarget { id: target.text().to_owned() });
        }
    }
    Ok(())
}

/// The state of a run.
struct Run {
    environment: Arc<Environment>,
    commits: Commits,
    options: RunOptions,
    stop: Receiver<Stop>,
    /// Whether anybody is left who could stop us.
    can_be_stopped: bool,
    summary: Summary,
    tasks: JoinSet<Result<Ended, EngineError>>,
    /// What the tasks work on.
    running: Vec<(Id, Running)>,
    /// Phases in a row that failed for good.
    failures: u32,
    /// Items that the run has moved: they stay in its view, whatever its filters say.
    moved: HashSet<String>,
    /// Phases that ended for an item that had been moved: its key, and the phase.
    displaced: HashSet<(String, String)>,
    /// Items that cannot be worked on in this run: a save of theirs was refused.
    set_aside: HashSet<String>,
    /// Whether the backlog could not be read when it was last looked at.
    is_waiting: bool,
    /// When the phase that ended last was saved.
    saved: Option<Instant>,
    /// What goes on behind saves.
    settling: VecDeque<Settling>,
    /// What was wrong with the inbox, so that it is told once.
    bad_inbox: Option<String>,
    /// What was told last of how the run stands.
    outlook: Outlook,
    /// What ends the run once nothing runs any more.
    fatal: Option<EngineError>,
}

impl Run {
    fn new(
        environment: Environment,
        commits: Commits,
        options: RunOptions,
        stop: Receiver<Stop>,
    ) -> Self {
        Self {
            environment: Arc::new(environment),
            commits,
            options,
            stop,
            can_be_stopped: true,
            summary: Summary::default(),
            tasks: JoinSet::new(),
            running: Vec::new(),
            failures: 0,
            moved: HashSet::new(),
            displaced: HashSet::new(),
            set_aside: HashSet::new(),
            is_waiting: false,
            saved: None,
            settling: VecDeque::new(),
            bad_inbox: None,
            outlook: Outlook::default(),
            fatal: None,
        }
    }

    async fn execute(mut self) -> (Summary, Result<(), EngineError>) {
        let halted = match self.take_up().await {
            Ok(()) => self.rounds().await,
            Err(error) => Err(error),
        };
        // What was saved stands, and so it is committed, whatever ended the run.
        let settled = self.settle(true).await;
        let committed = self.commit_the_rest().await;
        self.summary.uncommitted = self.commits.uncommitted();
        // Somebody may have wanted an end while that was committed.
        let is_stopped = *self.stop.borrow() != Stop::Run;
        let halted = halted.map(|halt| if is_stopped { Halt::Interrupted } else { halt });
        match halted.and_then(|halt| settled.and(committed).map(|()| halt)) {
            Ok(halt) => (Summary { halt, ..self.summary }, Ok(())),
            Err(error) => (Summary { halt: Halt::Failed, ..self.summary }, Err(error)),
        }
    }

    /// Makes the last commit. Whoever ends the run meanwhile is told that it was heard.
    async fn commit_the_rest(&mut self) -> Result<(), EngineError> {
        let (commits, environment) = (self.commits.clone(), Arc::clone(&self.environment));
        let mut committing = pin!(commits.end(&environment));
        loop {
            tokio::select! {
                committed = &mut committing => return committed,
                Ok(()) = self.stop.changed() => self.tell_stopping(),
            }
        }
    }

    /// Takes in what went on behind saves: what has ended, or all of it.
    async fn settle(&mut self, all: bool) -> Result<(), EngineError> {
        let mut settled = Ok(());
        while let Some(first) = self.settling.pop_front_if(|first| all || first.is_finished()) {
            settled = settled.and(first.await.map_err(EngineError::Died).flatten());
        }
        settled
    }

    /// Takes up what earlier runs and people have left.
    async fn take_up(&mut self) -> Result<(), EngineError> {
        let environment = Arc::clone(&self.environment);
        for taken in take_up(&environment, &self.commits, &mut self.stop).await? {
            self.count(&taken.id, taken.effects);
        }
        Ok(())
    }

    async fn rounds(&mut self) -> Result<Halt, EngineError> {
        let mut snapshots = self.environment.coordinator.watch();
        loop {
            match self.round(&mut snapshots).await {
                Ok(Some(halt)) => return Ok(halt),
                Ok(None) => {}
                // The run is being ended anyway.
                Err(EngineError::Coordinator(error))
                    if error.is_passing() && *self.stop.borrow() != Stop::Run => {}
                Err(error) => self.fatal = self.fatal.take().or(Some(error)),
            }
            if self.running.is_empty()
                && let Some(fatal) = self.fatal.take()
            {
                return Err(fatal);
            }
            self.wait(&mut snapshots).await;
        }
    }

    /// Starts what may be started. Returns why the run ends, once nothing runs any
    /// more.
    async fn round(
        &mut self,
        snapshots: &mut Receiver<Arc<BacklogSnapshot>>,
    ) -> Result<Option<Halt>, EngineError> {
        self.settle(false).await?;
        if let Some(halt) = self.halted() {
            return Ok(self.running.is_empty().then_some(halt));
        }
        if self.environment.lock.renew()? {
            let (state, observer) = (&self.environment.paths.state, &self.environment.observer);
            observer.warn(format!("{} was deleted, and is made anew", state.display()));
        }
        if !self.can_read().await? || self.places() == 0 {
            return Ok(None);
        }
        let mut snapshot = self.look(snapshots).await?;
        if self.archive_done(&snapshot).await? {
            snapshot = Arc::clone(&snapshots.borrow_and_update());
        }
        let mut plan = self.plan(&snapshot);
        self.tell_outlook(&snapshot, &plan);
        if plan.starts.is_empty() {
            return Ok(self.running.is_empty().then(|| self.nothing_left(&snapshot, &plan)));
        }
        plan.starts.truncate(self.places());
        let items = self.put_in_place(&snapshot, &plan.starts).await?;
        for (start, item) in plan.starts.into_iter().zip(items) {
            if let Some(item) = item.filter(|_| *self.stop.borrow() == Stop::Run) {
                self.start(start, item);
            }
        }
        Ok(None)
    }

    /// Returns why nothing is to be started any more.
    fn halted(&self) -> Option<Halt> {
        if *self.stop.borrow() != Stop::Run {
            Some(Halt::Interrupted)
        } else if self.failures >= BREAKER {
            Some(Halt::CircuitBreaker)
        } else if self.summary.phases_executed >= self.cap() {
            Some(Halt::Cap)
        } else {
            None
        }
    }

    fn cap(&self) -> u32 {
        self.options.cap.unwrap_or(self.environment.config.limits.phase_cap)
    }

    /// Returns how many more phases may be started now.
    fn places(&self) -> usize {
        if self.fatal.is_some() || self.running.iter().any(|(_, running)| running.destructive) {
            return 0;
        }
        let limits = &self.environment.config.limits;
        let left = self.cap().saturating_sub(self.summary.phases_executed);
        let most = left.min(limits.max_concurrent.max(1));
        usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(self.running.len())
    }

    /// Reads the backlog where it changed. While it cannot be read nothing is decided.
    async fn can_read(&mut self) -> Result<bool, EngineError> {
        let saved = self.saved.take().filter(|_| !self.is_waiting);
        if saved.is_some_and(|saved| saved.elapsed() < JUST_READ) {
            return Ok(true);
        }
        let answer = self.environment.coordinator.ask(Command::Refresh).await;
        let observer = &self.environment.observer;
        self.is_waiting = match answer {
            Ok(_) => {
                observer.goes_on();
                false
            }
            Err(error) if error.is_passing() => {
                observer.waits(&error);
                true
            }
            Err(error) => return Err(error.into()),
        };
        Ok(!self.is_waiting)
    }

    /// Takes in the inbox, gives IDs to what was written by hand, and returns the
    /// backlog as it is then.
    async fn look(
        &mut self,
        snapshots: &mut Receiver<Arc<BacklogSnapshot>>,
    ) -> Result<Arc<BacklogSnapshot>, EngineError> {
        self.ingest().await?;
        let snapshot = self.environment.coordinator.snapshot();
        if snapshot.items.iter().any(|item| item.id.is_none()) {
            // Hand-written items get their IDs with any save.
            let changed = change(&self.environment, &[], &mut self.stop).await?;
            for item in &changed.named {
                let item = ItemRef::from(&**item);
                let origin = "the file".to_owned();
                self.environment.observer.tell(RunEvent::Added { item, origin });
            }
        }
        // What we did ourselves is no news.
        Ok(Arc::clone(&snapshots.borrow_and_update()))
    }

    /// Archives what is done by hand, or by a run that was killed before it could.
    /// Returns whether there was any.
    async fn archive_done(&mut self, snapshot: &BacklogSnapshot) -> Result<bool, EngineError> {
        let is_left_alone = |id: &str| {
            self.set_aside.contains(&ItemId::key(id))
                || self.running.iter().any(|(_, running)| running.id == id)
        };
        let done = snapshot.items.iter().filter(|item| item.status == ItemStatus::Done);
        let done = done.filter(|item| item.id.as_deref().is_some_and(|id| !is_left_alone(id)));
        let done: Vec<ItemRef> = done.map(|item| ItemRef::from(&**item)).collect();
        let archived = archive(&self.environment, &done, &mut self.stop).await?;
        // One that could not be archived is told once.
        self.set_aside.extend(done.iter().map(|item| ItemId::key(&item.id)));
        self.summary.found_done += archived.len();
        self.summary.completed.extend(archived);
        Ok(!done.is_empty())
    }

    fn plan(&self, snapshot: &BacklogSnapshot) -> Plan {
        let running: Vec<Running> = self.running.iter().map(|(_, run)| run.clone()).collect();
        plan(&View {
            snapshot,
            running: &running,
            limits: &self.environment.config.limits,
            rules: &self.environment.rules,
            selection: &self.options.selection,
            moved: &self.moved,
            set_aside: &self.set_aside,
        })
    }

    fn tell_outlook(&mut self, snapshot: &BacklogSnapshot, plan: &Plan) {
        let is_blocked = |waiting: &&(usize, Waiting)| matches!(waiting.1, Waiting::Blocked(_));
        let is_other = |waiting: &&(usize, Waiting)| {
            !matches!(waiting.1, Waiting::Blocked(_) | Waiting::Running)
        };
        let waiting = || plan.waiting.iter().filter(is_other);
        let outlook = Outlook {
            running: self.running.len() + plan.starts.len().min(self.places()),
            completed: self.summary.completed.len(),
            blocked: plan.waiting.iter().filter(is_blocked).count(),
            waiting: waiting().count(),
            first: waiting().take(NAMED).map(|waiting| named(snapshot, waiting)).collect(),
        };
        if self.outlook != outlook {
            self.outlook = outlook.clone();
            self.environment.observer.tell(RunEvent::Decided(outlook));
        }
    }

    /// Returns why the run ends, where nothing can be started and nothing runs.
    fn nothing_left(&mut self, snapshot: &BacklogSnapshot, plan: &Plan) -> Halt {
        let is_asked_for = |waiting: &&(usize, Waiting)| {
            !matches!(
                waiting.1,
                Waiting::Blocked(_) | Waiting::NotSelected | Waiting::TargetBefore(_)
            )
        };
        let waiting = plan.waiting.iter().filter(is_asked_for);
        self.summary.waiting = waiting.map(|waiting| named(snapshot, waiting)).collect();
        let selection = &self.options.selection;
        if let Err(gone) = check_targets(snapshot, selection) {
            // It was there when the run began.
            self.environment.observer.warn(format!("{gone} any more, a target of this run"));
            Halt::TargetBlocked
        } else if plan.blocked_target.is_some() {
            Halt::TargetBlocked
        } else if !selection.targets.is_empty() && plan.targets_done {
            Halt::TargetsDone
        } else if self.summary.phases_executed > 0 || self.summary.has_finished() {
            Halt::AllDoneOrBlocked
        } else if !selection.filters.is_empty() && !plan.has_selected {
            Halt::NoMatch
        } else if !self.summary.completed.is_empty() {
            Halt::AllDoneOrBlocked
        } else {
            Halt::NothingToDo
        }
    }

    /// Takes in what lies in the inbox.
    async fn ingest(&mut self) -> Result<(), EngineError> {
        let observer = &self.environment.observer;
        let inbox = self.environment.inbox.clone();
        // Each phase comes by here, and mostly there is none. What cannot be looked at is
        // told by whoever takes it in.
        if let Ok(false) = has_inbox(&self.environment.paths, &inbox) {
            self.bad_inbox = None;
            return Ok(());
        }
        match self.environment.coordinator.ask(Command::Ingest(inbox)).await {
            Ok(Reply::Ingested(ingested)) => {
                self.bad_inbox = None;
                for note in ingested.notes {
                    observer.warn(note);
                }
                for item in &ingested.added {
                    let item = ItemRef::from(&**item);
                    observer.tell(RunEvent::Added { item, origin: "inbox".to_owned() });
                }
                Ok(())
            }
            Ok(_) => Err(CoordinatorError::Confused.into()),
            Err(CoordinatorError::Store(error)) if matches!(*error, StoreError::Invalid { .. }) => {
                let error = error.to_string();
                if self.bad_inbox.as_ref() != Some(&error) {
                    observer.warn(format!("the inbox was left where it is: {error}"));
                    self.bad_inbox = Some(error);
                }
                Ok(())
            }
            // Somebody is typing, or has the lock: it is there the next time too.
            Err(error) if error.is_passing() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts the items that are to be started at their phases, in one save: promotes
    /// ready ones. Returns each as it stands then, or nothing where it was refused.
    async fn put_in_place(
        &mut self,
        snapshot: &BacklogSnapshot,
        starts: &[Start],
    ) -> Result<Vec<Option<Arc<BacklogItem>>>, EngineError> {
        let item_of = |start: &Start| &snapshot.items[start.index];
        let requests: Vec<Request> = starts
            .iter()
            .filter(|start| start.moves)
            .map(|start| {
                let is_ready = item_of(start).status == ItemStatus::Ready;
                let to = (!is_ready).then(|| start.phase.clone());
                Change::Advance { item: IdQuery::new(&start.id), to }.into()
            })
            .collect();
        let mut outcomes = Vec::new();
        if !requests.is_empty() {
            outcomes = change(&self.environment, &requests, &mut self.stop).await?.outcomes;
        }
        let mut outcomes = outcomes.into_iter();
        let mut items = Vec::with_capacity(starts.len());
        for start in starts {
            if !start.moves {
                items.push(Some(Arc::clone(item_of(start))));
                continue;
            }
            items.push(match outcomes.next() {
                Some(Ok(applied)) => applied.changed.into_iter().find(|item| item.is(&start.id)),
                Some(Err(error)) => {
                    let (id, reason) = (&start.id, describe(&error));
                    self.environment.observer.warn(format!("{id} is left out: {reason}"));
                    self.set_aside.insert(ItemId::key(id));
                    None
                }
                None => None,
            });
        }
        Ok(items)
    }

    /// Starts a phase of an item that stands there.
    fn start(&mut self, start: Start, item: Arc<BacklogItem>) {
        let key = ItemId::key(&start.id);
        self.moved.insert(key.clone());
        let running = Running { id: start.id.clone(), destructive: start.destructive };
        let environment = Arc::clone(&self.environment);
        let commits = self.commits.clone();
        let was_moved = self.displaced.contains(&(key, start.phase.clone()));
        let job = Job { start, item, was_moved };
        let task = self.tasks.spawn(work(environment, commits, job, self.stop.clone()));
        self.running.push((task.id(), running));
    }

    /// Waits until something happens that may change what is to be done.
    async fn wait(&mut self, snapshots: &mut Receiver<Arc<BacklogSnapshot>>) {
        if self.running.is_empty() && !self.is_waiting {
            return;
        }
        let goes_on = self.halted().is_none() && self.fatal.is_none();
        let may_start = goes_on && self.places() > 0;
        tokio::select! {
            Some(joined) = self.tasks.join_next_with_id() => self.joined(joined),
            changed = self.stop.changed(), if self.can_be_stopped => {
                self.can_be_stopped = changed.is_ok();
                self.tell_stopping();
            }
            // A hand edit, or an entry in the inbox, may bring something to start.
            Ok(()) = snapshots.changed(), if may_start => {}
            () = sleep(LOOK_AGAIN), if goes_on => {}
            else => {}
        }
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            self.joined(joined);
        }
    }

    fn tell_stopping(&self) {
        let at_once = match *self.stop.borrow() {
            Stop::Run => return,
            Stop::After(_) => false,
            Stop::Now => true,
        };
        let running = self.running.len();
        self.environment.observer.tell(RunEvent::Stopping { running, at_once });
    }

    /// Takes in what came of a task.
    fn joined(&mut self, joined: Result<(Id, Result<Ended, EngineError>), JoinError>) {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, ended),
            Err(error) => (error.id(), Err(EngineError::Died(error))),
        };
        let Some(place) = self.running.iter().position(|(own, _)| *own == id) else { return };
        let (_, running) = self.running.swap_remove(place);
        match ended {
            Ok(Ended::Executed { effects, has_failed }) => {
                self.summary.phases_executed += 1;
                // Once it has tripped, a success of what still ran changes nothing.
                if has_failed {
                    self.failures += 1;
                } else if self.failures < BREAKER {
                    self.failures = 0;
                }
                self.count(&running.id, effects);
            }
            Ok(Ended::NotRun(effects)) => self.count(&running.id, effects),
            Ok(Ended::Interrupted) => {}
            Err(error) => self.fatal = self.fatal.take().or(Some(error)),
        }
    }

    /// Takes what a save did into the summary.
    fn count(&mut self, id: &str, effects: Effects) {
        self.saved = effects.saved;
        self.settling.extend(effects.settling);
        if effects.is_kept {
            self.set_aside.insert(ItemId::key(id));
        }
        self.displaced.extend(effects.moved_from.map(|phase| (ItemId::key(id), phase)));
        // Somebody who sets the backlog back has items finished again.
        for item in effects.completed {
            if !self.summary.completed.contains(&item) {
                self.summary.completed.push(item);
            }
        }
        self.summary.follow_ups.extend(effects.added.into_iter().map(|(item, _)| item));
        self.summary.blocked.extend(effects.blocked.into_iter().map(|(item, _)| item));
        self.summary.merged.extend(effects.merged);
    }
}

/// Returns an item that waits, and why.
fn named(snapshot: &BacklogSnapshot, (index, waiting): &(usize, Waiting)) -> (ItemRef, String) {
    (ItemRef::from(&*snapshot.items[*index]), waiting.to_string())
}
