//! The command that starts an agent, under its supervisor.
//!
//! Turns the configured agent into an argument vector, an environment and a
//! working folder. No shell sees any of it, and whatever a title or a prompt
//! holds stays one argument.

use std::ffi::OsString;
use std::path::Path;

use tokio::process::Command;

use super::job::{PhaseJob, variable};
use crate::config::{Placeholder, PromptDelivery};

/// Returns the command of the supervisor, which starts the agent with the same
/// folder and environment. Standard streams are left to the caller.
///
/// `root` is the job's, as an absolute path.
pub(super) fn command(job: &PhaseJob<'_>, root: &Path, prompt: &str) -> Command {
    let attempt = job.attempt;
    let delivery = match job.agent.prompt {
        PromptDelivery::Stdin => "stdin",
        PromptDelivery::Arg | PromptDelivery::File => "null",
    };
    let mut command = Command::new(&job.supervisor.exe);
    command
        .arg(&job.supervisor.subcommand)
        .arg(attempt.folder())
        .arg(delivery)
        .args(argv(job, root, prompt))
        .current_dir(root)
        .envs(&job.agent.env)
        .env(variable::RESULT_FILE, attempt.result_file())
        .env(variable::ITEM, attempt.item())
        .env(variable::PHASE, attempt.phase());
    command
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
