//! Watching an agent: its output, its time, and what the caller wants of it.
//!
//! The agent writes to files by itself; here one only asks how long they are, and
//! reads their end when they grew, so that an agent which prints 50 MB costs
//! nothing. Silence for too long, too long a time in all, and a [`Stop`] become
//! orders to the supervisor. A supervisor that does not obey is killed.

use std::io::{PipeWriter, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::super::error::RunnerError;
use super::super::job::Stop;
use super::super::transcript;
use super::end::{KILL_PATIENCE, TERM_GRACE};
use super::supervise::Order;
use crate::fs::{FsError, OutputFile};

/// How often output and time are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How much of the end is read to find the last line.
const LINE_WINDOW: usize = 64 * 1024;
/// How much of the end is read for what an agent says of itself.
const LAST_WORDS: usize = 1024 * 1024;
/// How long a supervisor may take for more than its tree does.
const SLACK: Duration = Duration::from_secs(2);

/// The two files that an agent's output goes to.
#[derive(Debug)]
pub(crate) struct OutputLog {
    files: [OutputFile; 2],
    lens: [u64; 2],
    last_line: Option<String>,
    changed_at: Instant,
}

impl OutputLog {
    /// Creates both files.
    pub(crate) fn create(stdout: &Path, stderr: &Path) -> Result<Self, FsError> {
        Ok(Self {
            files: [OutputFile::create(stdout)?, OutputFile::create(stderr)?],
            lens: [0, 0],
            last_line: None,
            changed_at: Instant::now(),
        })
    }

    /// Returns what to give a child as its standard output and standard error.
    pub(crate) fn handles(&self) -> Result<[Stdio; 2], FsError> {
        let [stdout, stderr] = &self.files;
        Ok([stdout.handle()?.into(), stderr.handle()?.into()])
    }

    /// Looks whether there is more; returns the last line where it is another one
    /// than before.
    pub(crate) fn poll(&mut self) -> Result<Option<&str>, FsError> {
        let mut found = None;
        for (file, len) in self.files.iter().zip(&mut self.lens) {
            let now = file.len()?;
            if now != *len {
                *len = now;
                self.changed_at = Instant::now();
                found = transcript::last_line(&file.tail(LINE_WINDOW)?).or(found);
            }
        }
        let is_new = found.is_some() && found != self.last_line;
        if is_new {
            self.last_line = found;
        }
        Ok(self.last_line.as_deref().filter(|_| is_new))
    }

    /// Returns the last line, of whichever file grew last.
    pub(crate) fn last_line(&self) -> Option<&str> {
        self.last_line.as_deref()
    }

    /// Returns the end of standard output.
    pub(crate) fn stdout_tail(&self) -> Result<Vec<u8>, FsError> {
        self.files[0].tail(LAST_WORDS)
    }

    /// Returns the end of standard error, at most `max` bytes.
    pub(crate) fn stderr_tail(&self, max: usize) -> Result<String, FsError> {
        let bytes = self.files[1].tail(max)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}

/// How long an agent may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// In all.
    pub(crate) total: Duration,
    /// Without output.
    pub(crate) idle: Duration,
}

/// Why an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// By itself, or by somebody else's hand.
    Itself,
    /// The caller wanted it to stop.
    Stop,
    /// It was silent for too long.
    Idle,
    /// It took too long.
    Total,
}

/// The end of an agent and its supervisor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// How the supervisor ended.
    pub(crate) supervisor: ExitStatus,
    /// Why.
    pub(crate) by: EndedBy,
}

/// Watches a supervisor until it has ended. `pipe` leads to its standard input.
///
/// Where this is dropped, so is the pipe, and the supervisor ends its tree.
pub(crate) async fn watch(
    child: &mut Child,
    pipe: PipeWriter,
    patience: Patience,
    mut stop: Receiver<Stop>,
    log: &mut OutputLog,
    on_line: &mut impl FnMut(&str),
) -> Result<Ended, RunnerError> {
    let mut reins = Reins::new(pipe, patience.total);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = true;
    let wanted = *stop.borrow_and_update();
    reins.want(wanted);
    let supervisor = loop {
        tokio::select! {
            status = child.wait() => break status,
            changed = stop.changed(), if is_told => {
                is_told = changed.is_ok();
                let wanted = *stop.borrow_and_update();
                reins.want(wanted);
            }
            _ = ticks.tick() => {
                if let Some(line) = log.poll()? {
                    on_line(line);
                }
                reins.check(log.changed_at.elapsed() >= patience.idle);
                if reins.is_ignored() {
                    child.start_kill().map_err(RunnerError::system("end a supervisor"))?;
                }
            }
        }
    };
    if let Some(line) = log.poll()? {
        on_line(line);
    }
    Ok(Ended {
        supervisor: supervisor.map_err(RunnerError::system("wait for a supervisor"))?,
        by: reins.cause.unwrap_or(EndedBy::Itself),
    })
}

/// What was ordered, why, and until when that has to be done.
struct Reins {
    pipe: PipeWriter,
    ends_at: Option<Instant>,
    stops_at: Option<Instant>,
    cause: Option<EndedBy>,
    given_up_at: Option<Instant>,
}

impl Reins {
    fn new(pipe: PipeWriter, total: Duration) -> Self {
        Self {
            pipe,
            // Without an end where it lies beyond all time.
            ends_at: Instant::now().checked_add(total),
            stops_at: None,
            cause: None,
            given_up_at: None,
        }
    }

    fn want(&mut self, wanted: Stop) {
        match wanted {
            Stop::Run => self.stops_at = None,
            Stop::After(grace) => {
                let then = Instant::now().checked_add(grace);
                self.stops_at = self.stops_at.or(then);
            }
            Stop::Now => self.order(Order::Kill, EndedBy::Stop),
        }
    }

    fn check(&mut self, is_idle: bool) {
        let now = Instant::now();
        let is_past = |then: Option<Instant>| then.is_some_and(|then| now >= then);
        let cause = if is_past(self.stops_at) {
            EndedBy::Stop
        } else if is_past(self.ends_at) {
            EndedBy::Total
        } else if is_idle {
            EndedBy::Idle
        } else {
            return;
        };
        if self.cause.is_none() {
            self.order(Order::End, cause);
        }
    }

    fn order(&mut self, order: Order, cause: EndedBy) {
        self.cause = self.cause.or(Some(cause));
        let needed = match order {
            Order::End => TERM_GRACE + KILL_PATIENCE,
            Order::Kill => KILL_PATIENCE,
        };
        self.given_up_at = Some(Instant::now() + needed + SLACK);
        // A byte or two always fit into a pipe: this does not block.
        if let Err(error) = self.pipe.write_all(&[order.byte()]) {
            // Nobody reads: the supervisor has ended, as we are about to see.
            tracing::debug!(%error, ?order, "an order did not arrive");
        }
    }

    fn is_ignored(&self) -> bool {
        self.given_up_at.is_some_and(|then| Instant::now() >= then)
    }
}
