//! What starts an agent, under its supervisor.
//!
//! Turns the configured agent into an argument vector, an environment and a
//! working folder. No shell sees any of it, and whatever a title or a prompt
//! holds stays one argument.

use std::ffi::OsString;
use std::path::Path;

use super::job::{PhaseJob, variable};
use super::process::Plan;
use crate::config::{Placeholder, PromptDelivery};

/// Returns what the supervisor is to start.
///
/// `root` is the job's, as an absolute path.
pub(super) fn plan(job: &PhaseJob<'_>, root: &Path, prompt: &str) -> Plan {
    let attempt = job.attempt;
    let mut env: Vec<(OsString, OsString)> =
        job.agent.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    env.push((variable::RESULT_FILE.into(), attempt.result_file().into()));
    env.push((variable::ITEM.into(), attempt.item().into()));
    env.push((variable::PHASE.into(), attempt.phase().into()));
    Plan {
        folder: attempt.folder().to_owned(),
        reads_prompt: job.agent.prompt == PromptDelivery::Stdin,
        root: root.to_owned(),
        argv: argv(job, root, prompt),
        env,
    }
}

fn argv(job: &PhaseJob<'_>, root: &Path, prompt: &str) -> Vec<OsString> {
    let attempt = job.attempt;
    job.agent.argv(|placeholder| match placeholder {
        Placeholder::Prompt => prompt.into(),
        Placeholder::PromptFile => attempt.prompt_file().into(),
        Placeholder::ResultFile => attempt.result_file().into(),
        Placeholder::ItemId => attempt.item().into(),
        Placeholder::Phase => attempt.phase().into(),
        Placeholder::Root => root.into(),
        Placeholder::Model => job.agent.model.clone().unwrap_or_default().into(),
    })
}
