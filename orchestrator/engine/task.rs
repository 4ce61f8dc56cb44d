//! One phase from its start to its save: a task beside others.
//!
//! It runs the agent and its retries, has its changes committed, gives what came of it
//! to the coordinator, and archives what is done. It waits for nobody but git and the
//! coordinator, so that a phase whose save has to wait keeps no other from running. A
//! failure of git blocks the item and keeps its result: once a person has let the item
//! go on, the result is used, and no agent runs. What it may start, and what its end
//! means for the run, is the loop's to say.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, Finished, Said, archive, block, finish};
use super::commits::{Commits, Done, Subject, describe};
use super::environment::Environment;
use super::error::EngineError;
use super::event::RunEvent;
use super::phase::{self, Ran};
use super::summary::ItemRef;
use crate::git::GitError;
use crate::model::change::PhaseCompletion;
use crate::model::{BacklogItem, BlockType, ItemId, ResultCode, Staleness};
use crate::runner::{Attempt, Outcome, Stop, read_result};
use crate::scheduler::Start;

/// What the reason begins with for which an item is blocked when git fails.
pub(super) const GIT_FAILED: &str = "git: ";

/// What came of a task.
pub(super) enum Ended {
    /// The phase was executed.
    Executed {
        /// What its save did.
        effects: Effects,
        /// Whether all retries failed.
        has_failed: bool,
    },
    /// No agent ran: the item is blocked, or a result that was kept is used.
    NotRun(Effects),
    /// The run was ended first: it counts for nothing.
    Interrupted,
}

/// A phase that is to be executed.
pub(super) struct Job {
    pub start: Start,
    pub item: Arc<BacklogItem>,
    /// Whether this phase has ended before in this run, and its item was moved away.
    pub was_moved: bool,
}

/// Runs a phase of an item that stands there, and saves what came of it.
pub(super) async fn work(
    environment: Arc<Environment>,
    commits: Commits,
    job: Job,
    mut stop: Receiver<Stop>,
) -> Result<Ended, EngineError> {
    let Job { start, item, was_moved } = job;
    if let Begun::No(effects) = begin(&environment, &commits, &start, &item, &mut stop).await? {
        return Ok(Ended::NotRun(*effects));
    }
    let held = commits.held(&environment, &start.id, &start.phase).await?;
    let held = held.map(|attempt| take(&item, attempt)).transpose()?.flatten();
    let is_held = held.is_some();
    let ran = match held {
        Some(ran) => ran,
        None => phase::run(&environment, &start, Arc::clone(&item), &stop).await?,
    };
    let Ran::Finished { finished, attempt, has_failed } = ran else {
        commits.fails(&environment, &start.id).await?;
        return Ok(Ended::Interrupted);
    };
    let saved =
        save(&environment, &commits, *finished, &attempt, start.destructive, &mut stop).await?;
    let Some(mut effects) = saved else { return Ok(Ended::Interrupted) };
    if effects.moved_from.is_some() && was_moved {
        let blocked = block_moved(&environment, &start, &item, &mut stop).await?;
        effects.blocked.extend(blocked.blocked);
    }
    effects.completed = archive(&environment, &effects.done, &mut stop).await?;
    Ok(if is_held { Ended::NotRun(effects) } else { Ended::Executed { effects, has_failed } })
}

/// Blocks an item whose phase ends again and again for nothing: something, such as an
/// agent that resets the work tree, puts it back each time.
async fn block_moved(
    environment: &Environment,
    start: &Start,
    item: &BacklogItem,
    stop: &mut Receiver<Stop>,
) -> Result<Effects, EngineError> {
    let (id, phase) = (&start.id, &start.phase);
    let reason = format!(
        "{phase} ended twice in one run, and each time {id} had been moved meanwhile; an agent \
         must leave the backlog as it is (`git reset`, `checkout` and `stash` put it back)"
    );
    Ok(block(environment, &ItemRef::from(item), (None, reason), stop).await?.unwrap_or_default())
}

/// Whether a phase may be begun.
enum Begun {
    Yes,
    No(Box<Effects>),
}

/// Looks whether what a destructive phase builds on is still there, and notes what is
/// dirty now.
async fn begin(
    environment: &Environment,
    commits: &Commits,
    start: &Start,
    item: &BacklogItem,
    stop: &mut Receiver<Stop>,
) -> Result<Begun, EngineError> {
    let failed = |error: GitError| format!("{GIT_FAILED}{}", describe(&error));
    let lost = match lost_commit(environment, commits, start, item).await? {
        Ok(lost) => lost,
        Err(error) => return refuse(environment, item, (None, failed(error)), stop).await,
    };
    if let Some(commit) = lost {
        let (id, phase) = (&start.id, &start.phase);
        let text = format!("the commit {commit} of its last phase is not in HEAD's history");
        let staleness = phase::spec(environment, phase, item).staleness;
        // Who has let the item go on knows of it.
        if staleness == Staleness::Block && !commits.was_asked(id, commit).await? {
            let reason = format!("stale: {text}; unblock {id} to begin {phase} all the same");
            let reason = (Some(BlockType::Decision), reason);
            let refused = refuse(environment, item, reason, stop).await?;
            commits.asks(id, commit).await?;
            return Ok(refused);
        }
        environment.observer.warn(format!("{id} {phase}: {text}"));
    }
    match commits.starts(environment, &start.id, start.destructive).await? {
        Ok(()) => Ok(Begun::Yes),
        Err(error) => refuse(environment, item, (None, failed(error)), stop).await,
    }
}

async fn refuse(
    environment: &Environment,
    item: &BacklogItem,
    reason: (Option<BlockType>, String),
    stop: &mut Receiver<Stop>,
) -> Result<Begun, EngineError> {
    let effects = block(environment, &ItemRef::from(item), reason, stop).await?;
    Ok(Begun::No(Box::new(effects.unwrap_or_default())))
}

/// Returns the commit of an item's last phase, where a destructive phase cares for it
/// and it is gone from HEAD's history.
async fn lost_commit<'a>(
    environment: &Environment,
    commits: &Commits,
    start: &Start,
    item: &'a BacklogItem,
) -> Result<Result<Option<&'a str>, GitError>, EngineError> {
    let cares = start.destructive
        && phase::spec(environment, &start.phase, item).staleness != Staleness::Ignore;
    let Some(commit) = item.last_phase_commit.as_deref().filter(|_| cares) else {
        return Ok(Ok(None));
    };
    let stale = commits.is_stale(commit).await?;
    Ok(stale.map(|is_stale| is_stale.then_some(commit)))
}

/// Takes a result that was kept when its commit failed.
fn take(item: &BacklogItem, attempt: Attempt) -> Result<Option<Ran>, EngineError> {
    let Outcome::Result(result) = read_result(&attempt) else { return Ok(None) };
    let mut completion = PhaseCompletion::from_result(&result, None);
    completion.seen = attempt.item_seen()?.map(Arc::new);
    let (item, said, duration) = (ItemRef::from(item), Said::from(&*result), Duration::ZERO);
    let finished = Finished { item, completion, said, duration };
    Ok(Some(Ran::Finished { finished: Box::new(finished), attempt, has_failed: false }))
}

/// Commits what a phase changed, and saves what it brings; nothing where the run was
/// ended before the commit was made, and the next one makes it.
pub(super) async fn save(
    environment: &Environment,
    commits: &Commits,
    mut finished: Finished,
    attempt: &Attempt,
    destructive: bool,
    stop: &mut Receiver<Stop>,
) -> Result<Option<Effects>, EngineError> {
    let id = finished.item.id.clone();
    if finished.completion.result == ResultCode::Failed {
        commits.fails(environment, &id).await?;
    } else {
        let subject = subject(&finished, attempt);
        let done = Done { key: ItemId::key(&id), destructive, subject };
        match commits.ends(environment, done).await? {
            Ok(ended) => finished.completion.commit = ended.commit,
            Err(error @ GitError::Interrupted { .. }) => {
                let phase = attempt.phase();
                let text = format!("{id} {phase}: {error}; the next run uses its result");
                environment.observer.warn(text);
                return Ok(None);
            }
            Err(error) => {
                let phase = attempt.phase();
                let reason = format!(
                    "{GIT_FAILED}{}; the result of {phase} is kept: unblock {id} to commit it",
                    describe(&error)
                );
                // An item that is gone or moved cannot wait; what else the phase brings
                // is saved without a commit.
                let because = (None, reason.clone());
                if let Some(effects) = block(environment, &finished.item, because, stop).await? {
                    let (item, phase) = (finished.item, phase.to_owned());
                    environment.observer.tell(RunEvent::PhaseKept { item, phase, reason });
                    return Ok(Some(effects));
                }
                environment.observer.warn(format!("{id} {phase}: {}", describe(&error)));
                commits.let_go(&id).await?;
            }
        }
    }
    finish(environment, &finished, attempt, stop).await.map(Some)
}

fn subject(finished: &Finished, attempt: &Attempt) -> Subject {
    Subject {
        item: finished.item.id.clone(),
        phase: attempt.phase().to_owned(),
        commit_summary: finished.said.commit_summary.clone(),
        summary: finished.completion.summary.clone(),
        attempt: attempt.number(),
    }
}
