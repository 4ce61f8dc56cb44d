//! What keeps a phase from being run at all.
//!
//! An agent that fails is no error but an outcome in the report; an error means
//! that the phase could not be started, or that nothing is known about its end.

use std::io;
use std::path::PathBuf;

use crate::fs::FsError;

/// Why a phase could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// All attempt numbers of a phase are used up.
    #[error("no attempt number is left in {}", folder.display())]
    NoAttemptLeft {
        /// The folder of the attempts.
        folder: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The agent could not be started.
    #[error("cannot start the agent `{program}`")]
    Agent {
        /// The program that was to be started.
        program: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The agent's supervisor could not be started.
    #[error("cannot start the agent's supervisor {}", exe.display())]
    Supervisor {
        /// The program that was to be started.
        exe: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The agent's supervisor ended before it had started the agent.
    #[error("the agent's supervisor ended at once, with {status}: {stderr}")]
    SupervisorEnded {
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The supervisor was told something that it does not expect.
    #[error("a supervisor is started by a run, and by nobody else")]
    Arguments,
    /// Processes of an earlier run could not be ended.
    #[error("processes of an earlier run cannot be ended: {pids:?}")]
    StillRunning {
        /// Their numbers.
        pids: Vec<i32>,
    },
    /// A system call failed that has no reason to.
    #[error("cannot {action}")]
    System {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl RunnerError {
    /// Makes the error of a system call.
    pub(super) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action, source: source.into() }
    }
}
