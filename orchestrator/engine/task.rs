//! One phase from its start to its save: a task beside others.
//!
//! It runs the agent and its retries, gives what came of it to the coordinator, and
//! archives what is done. It waits for nobody but the coordinator, so that a phase
//! whose save has to wait keeps no other from running. What it may start, and what
//! its end means for the run, is the loop's to say.

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::apply::{Effects, archive, finish};
use super::environment::Environment;
use super::error::EngineError;
use super::phase::{self, Ran};
use crate::model::BacklogItem;
use crate::runner::Stop;
use crate::scheduler::Start;

/// What came of a task.
pub(super) enum Ended {
    /// The phase was executed.
    Executed {
        /// What its save did.
        effects: Effects,
        /// Whether all retries failed.
        has_failed: bool,
    },
    /// The run was ended first: it counts for nothing.
    Interrupted,
}

/// Runs a phase of an item that stands there, and saves what came of it.
pub(super) async fn work(
    environment: Arc<Environment>,
    start: Start,
    item: Arc<BacklogItem>,
    mut stop: Receiver<Stop>,
) -> Result<Ended, EngineError> {
    let ran = phase::run(&environment, &start, item, &stop).await?;
    let Ran::Finished { finished, attempt, has_failed } = ran else {
        return Ok(Ended::Interrupted);
    };
    let mut effects = finish(&environment, &finished, &attempt, &mut stop).await?;
    if !effects.is_kept {
        attempt.discard_result()?;
    }
    effects.completed = archive(&environment, &effects.done, &mut stop).await?;
    Ok(Ended::Executed { effects, has_failed })
}
