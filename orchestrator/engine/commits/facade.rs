//! The committer as tasks use it: shared, off the runtime's threads, and silent where
//! there is no repository.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch::Receiver;

use super::committer::{CommitError, Committer, Done, Ended, Uncommitted};
use crate::config::GitMode;
use crate::engine::environment::{Environment, Observer};
use crate::engine::error::EngineError;
use crate::engine::event::RunEvent;
use crate::git::{GitError, Repository};
use crate::model::ItemId;
use crate::runner::{Attempt, Stop};

/// What came of a call of git; nothing where nothing is to be committed.
type Asked<T> = Result<Result<Option<T>, GitError>, EngineError>;

/// How long git may take before it is told what it waits for.
const LATE: Duration = Duration::from_secs(3);

/// Commits of a run.
#[derive(Clone, Default)]
pub(in crate::engine) struct Commits {
    shared: Option<Shared>,
    /// The paths that are not committed, as they were told of, each once.
    uncommitted: Arc<Mutex<Vec<String>>>,
}

/// What all clones use.
#[derive(Clone)]
struct Shared {
    committer: Arc<Mutex<Committer>>,
    /// What is committed in, for those who do not wait for the committer.
    repository: Repository,
    stop: Receiver<Stop>,
    observer: Observer,
    /// Whether it was told that a hook takes its time.
    has_slow_hook: Arc<AtomicBool>,
}

impl Shared {
    /// Carries out an act, and hurries it once the run is stopped: its hooks have as
    /// long as an agent.
    async fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Committer) -> Result<T, CommitError> + Send + 'static,
    ) -> Result<Result<T, CommitError>, EngineError> {
        let committer = Arc::clone(&self.committer);
        let act = move || act(&mut committer.lock().unwrap_or_else(PoisonError::into_inner));
        let mut task = tokio::task::spawn_blocking(act);
        let mut stop = self.stop.clone();
        let mut late = pin!(tokio::time::sleep(LATE));
        let mut is_late = false;
        loop {
            let now = Instant::now();
            let end = match *stop.borrow_and_update() {
                Stop::Run => None,
                // None where it lies beyond all time.
                Stop::After(time) => now.checked_add(time),
                Stop::Now => Some(now),
            };
            if let Some(end) = end {
                self.repository.hurry().by(end);
            }
            tokio::select! {
                done = &mut task => return done.map_err(EngineError::Died),
                Ok(()) = stop.changed() => {}
                () = &mut late, if !is_late => {
                    is_late = true;
                    self.tell_late();
                }
            }
        }
    }

    /// Tells what git most likely waits for.
    fn tell_late(&self) {
        if let Some(lock) = self.repository.held_lock() {
            self.observer.warn(format!(
                "git waits for another program, which has {}; where none runs any more, \
                 remove that file",
                lock.display()
            ));
        } else if !self.has_slow_hook.swap(true, Ordering::Relaxed) {
            self.observer.warn("git takes its time, as where a hook of a commit runs".to_owned());
        }
    }
}

impl Commits {
    /// Opens the repository, where there is one and commits are wanted. One that
    /// cannot be used is told, and the run goes on without commits.
    pub(in crate::engine) async fn open(
        environment: &Environment,
        stop: &Receiver<Stop>,
    ) -> Result<Self, EngineError> {
        if environment.config.git == GitMode::Off {
            return Ok(Self::default());
        }
        let (paths, inbox) = (environment.paths.clone(), environment.inbox.clone());
        let open = move || Committer::open(&paths, &inbox);
        match tokio::task::spawn_blocking(open).await.map_err(EngineError::Died)? {
            Ok(committer) => {
                let shared = committer.map(|own| Shared {
                    repository: own.repository().clone(),
                    observer: environment.observer.clone(),
                    has_slow_hook: Arc::default(),
                    committer: Arc::new(Mutex::new(own)),
                    stop: stop.clone(),
                });
                Ok(Self { shared, ..Self::default() })
            }
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::Git(error)) => {
                let error = describe(&error);
                environment.observer.warn(format!("nothing is committed in this run: {error}"));
                Ok(Self::default())
            }
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Committer) -> Result<T, CommitError> + Send + 'static,
    ) -> Asked<T> {
        let Some(shared) = &self.shared else { return Ok(Ok(None)) };
        match shared.ask(act).await? {
            Ok(value) => Ok(Ok(Some(value))),
            Err(CommitError::Git(error)) => Ok(Err(error)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    fn committed(&self, environment: &Environment, ended: &Ended) {
        if let Some(commit) = &ended.commit {
            environment.observer.tell(RunEvent::Committed { commit: commit.clone() });
        }
        if let Some(branches) = &ended.switched {
            let name = |branch: &Option<String>| match branch {
                Some(branch) => branch.trim_start_matches("refs/heads/").to_owned(),
                None => "no branch".to_owned(),
            };
            let [was, is] = branches.each_ref().map(name);
            let text = format!(
                "{was} was checked out when the run began, and {is} is now: what was committed \
                 since then lies there"
            );
            environment.observer.warn(text);
        }
        let mut told = self.uncommitted.lock().unwrap_or_else(PoisonError::into_inner);
        for Uncommitted { path, why } in &ended.uncommitted {
            if !told.contains(path) {
                let text = format!("{path} is not committed: {why}");
                environment.observer.warn(text);
                told.push(path.clone());
            }
        }
    }

    /// Returns the paths that phases changed and that are not committed.
    pub(in crate::engine) fn uncommitted(&self) -> Vec<String> {
        self.uncommitted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a phase begins; before a destructive one, commits what the others
    /// have changed.
    pub(in crate::engine) async fn starts(
        &self,
        environment: &Environment,
        id: &str,
        destructive: bool,
    ) -> Result<Result<(), GitError>, EngineError> {
        if destructive {
            match self.ask(|own| own.flush(false)).await? {
                Ok(flushed) => self.committed(environment, &flushed.unwrap_or_default()),
                // They are still there the next time.
                Err(error) => {
                    let error = describe(&error);
                    let text = format!("changes of earlier phases are not committed yet: {error}");
                    environment.observer.warn(text);
                }
            }
        }
        let key = ItemId::key(id);
        Ok(self.ask(move |own| own.starts(&key, destructive)).await?.map(drop))
    }

    /// Notes that a phase ended without a result that is used.
    pub(in crate::engine) async fn fails(
        &self,
        environment: &Environment,
        id: &str,
    ) -> Result<(), EngineError> {
        let key = ItemId::key(id);
        if let Err(error) = self.ask(move |own| own.fails(&key)).await? {
            let error = describe(&error);
            environment.observer.warn(format!("{id}: what it left is not known: {error}"));
        }
        Ok(())
    }

    /// Commits what a phase changed.
    pub(in crate::engine) async fn ends(
        &self,
        environment: &Environment,
        done: Done,
    ) -> Result<Result<Ended, GitError>, EngineError> {
        let ended = self.ask(move |own| own.ends(&done)).await?.map(Option::unwrap_or_default);
        if let Ok(ended) = &ended {
            self.committed(environment, ended);
        }
        Ok(ended)
    }

    /// Notes when the phases had ended that a killed run has left.
    pub(in crate::engine) async fn were_killed(
        &self,
        ended_ns: Option<i128>,
    ) -> Result<(), EngineError> {
        // It asks nothing of git.
        let note = move |own: &mut Committer| {
            own.were_killed(ended_ns);
            Ok(())
        };
        drop(self.ask(note).await?);
        Ok(())
    }

    /// Settles what killed phases left.
    pub(in crate::engine) async fn settle(
        &self,
        environment: &Environment,
    ) -> Result<(), EngineError> {
        if let Err(error) = self.ask(Committer::settle).await? {
            let error = describe(&error);
            let text = format!("what killed phases left is not known: {error}");
            environment.observer.warn(text);
        }
        Ok(())
    }

    /// Commits what is left at the end of a run.
    pub(in crate::engine) async fn end(
        &self,
        environment: &Environment,
    ) -> Result<(), EngineError> {
        match self.ask(Committer::end).await? {
            Ok(ended) => self.committed(environment, &ended.unwrap_or_default()),
            Err(error) => {
                let error = describe(&error);
                environment.observer.warn(format!("the last changes are not committed: {error}"));
            }
        }
        Ok(())
    }

    /// Returns the attempt of a phase whose result waits for its commit.
    pub(in crate::engine) async fn held(
        &self,
        environment: &Environment,
        id: &str,
        phase: &str,
    ) -> Result<Option<Attempt>, EngineError> {
        let key = ItemId::key(id);
        let held = self.ask(move |own| Ok(own.held(&key).cloned())).await?;
        let Ok(Some(Some(held))) = held else { return Ok(None) };
        let left = Attempt::unfinished(&environment.runs())?.into_iter().find(|attempt| {
            ItemId::same(attempt.item(), id)
                && (attempt.phase(), attempt.number()) == (phase, held.number)
        });
        if left.is_none() {
            self.let_go(id).await?;
        }
        Ok(left)
    }

    /// Tells whether an attempt's result waits for its commit.
    pub(in crate::engine) async fn holds(&self, attempt: &Attempt) -> Result<bool, EngineError> {
        let key = ItemId::key(attempt.item());
        let held = self.ask(move |own| Ok(own.held(&key).cloned())).await?;
        let is_own = |phase: &str, number| (phase, number) == (attempt.phase(), attempt.number());
        Ok(matches!(held, Ok(Some(Some(held))) if is_own(&held.phase, held.number)))
    }

    /// Forgets that an item's result waits.
    pub(in crate::engine) async fn let_go(&self, id: &str) -> Result<(), EngineError> {
        let key = ItemId::key(id);
        // It asks nothing of git.
        drop(self.ask(move |own| own.let_go(&key)).await?);
        Ok(())
    }

    /// Tells whether the last commit of an item is gone from HEAD's history.
    pub(in crate::engine) async fn is_stale(
        &self,
        commit: &str,
    ) -> Result<Result<bool, GitError>, EngineError> {
        let commit = commit.to_owned();
        let stale = self.ask(move |own| own.is_stale(&commit)).await?;
        Ok(stale.map(|stale| stale == Some(true)))
    }

    /// Tells whether a person was asked about that, and let the item go on.
    pub(in crate::engine) async fn was_asked(
        &self,
        id: &str,
        commit: &str,
    ) -> Result<bool, EngineError> {
        let (key, commit) = (ItemId::key(id), commit.to_owned());
        let asked = self.ask(move |own| Ok(own.was_asked(&key, &commit))).await?;
        Ok(matches!(asked, Ok(Some(true))))
    }

    /// Notes that a person is asked about it.
    pub(in crate::engine) async fn asks(&self, id: &str, commit: &str) -> Result<(), EngineError> {
        let (key, commit) = (ItemId::key(id), commit.to_owned());
        // It asks nothing of git.
        drop(self.ask(move |own| own.asks(&key, &commit)).await?);
        Ok(())
    }
}

/// Returns an error of git with its cause.
pub(in crate::engine) fn describe(error: &GitError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
