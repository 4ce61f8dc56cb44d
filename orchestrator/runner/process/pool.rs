//! The supervisors of a run, as the orchestrator has them: one for each agent that
//! runs, and those that wait for the next one.
//!
//! A supervisor whose agent's tree has ended in order takes another agent, so that a
//! phase does not pay for the start of a program. Only one that says so is used again;
//! one that ends, or is silent, is not.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::super::error::RunnerError;
use super::message::{Order, Plan};

/// Supervisors that wait for an agent. They end when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Handle>>,
}

impl Pool {
    /// Has a supervisor start an agent: one that waits, or a new one, which is started
    /// with `subcommand` and complains to `stderr` until it has its plan.
    ///
    /// # Errors
    /// Where a new one cannot be started.
    pub(crate) async fn start(
        &self,
        exe: &Path,
        subcommand: &str,
        stderr: impl FnOnce() -> io::Result<Stdio>,
        plan: &Plan,
    ) -> io::Result<Handle> {
        let message = plan.to_message();
        while let Some(mut handle) = self.take() {
            // One that was ended by somebody while it waited is no loss.
            if matches!(handle.child.try_wait(), Ok(None))
                && handle.line.write_all(&message).await.is_ok()
            {
                return Ok(handle);
            }
        }
        let mut handle = Handle::spawn(exe, subcommand, stderr()?)?;
        if let Err(error) = handle.line.write_all(&message).await {
            // It has ended, as is about to be seen, together with why.
            tracing::debug!(%error, "a plan did not arrive");
        }
        Ok(handle)
    }

    fn take(&self) -> Option<Handle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Starts a supervisor for the first agent, while nobody waits for it. Where it fails,
    /// the next one is started for its agent, and complains.
    pub(crate) fn start_spare(&self, exe: &Path, subcommand: &str) {
        match Handle::spawn(exe, subcommand, Stdio::null()) {
            Ok(handle) => self.put_back(handle),
            Err(error) => tracing::debug!(%error, "no supervisor is started in advance"),
        }
    }

    /// Keeps a supervisor for the next agent.
    pub(crate) fn put_back(&self, mut handle: Handle) {
        handle.has_waited = true;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }
}

/// A supervisor. Where this is dropped, so is the line to it, and it ends its tree.
#[derive(Debug)]
pub(crate) struct Handle {
    child: Child,
    line: UnixStream,
    /// The same line, for what is said without waiting.
    orders: Socket,
    /// Whether it may still say something.
    is_open: bool,
    /// Whether it has waited for its agent, and so may have been ended meanwhile.
    pub(crate) has_waited: bool,
}

impl Handle {
    fn spawn(exe: &Path, subcommand: &str, stderr: Stdio) -> io::Result<Self> {
        let (orders, theirs) = Socket::pair()?;
        orders.set_nonblocking(true)?;
        let line = UnixStream::from_std(orders.try_clone()?)?;
        let mut command = Command::new(exe);
        // It keeps no folder of the project from being removed.
        command.arg(subcommand).current_dir("/");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(stderr);
        Ok(Self { child: command.spawn()?, line, orders, is_open: true, has_waited: false })
    }

    /// Tells it to end its tree; a byte or two always fit into the line.
    pub(crate) fn order(&mut self, order: Order) {
        if let Err(error) = self.orders.write_all(&[order.byte()]) {
            // Nobody reads: the supervisor has ended, as we are about to see.
            tracing::debug!(%error, ?order, "an order did not arrive");
        }
    }

    /// Waits until the agent's tree has ended. Returns how the supervisor ended, or
    /// nothing where it waits for the next agent. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> Result<Option<ExitStatus>, RunnerError> {
        let mut notice = [0];
        if self.is_open {
            if matches!(self.line.read(&mut notice).await, Ok(1)) {
                return Ok(None);
            }
            self.is_open = false;
        }
        let status = self.child.wait().await;
        status.map(Some).map_err(RunnerError::system("wait for a supervisor"))
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<(), RunnerError> {
        self.child.start_kill().map_err(RunnerError::system("end a supervisor"))
    }
}
