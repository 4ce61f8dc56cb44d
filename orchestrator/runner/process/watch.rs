//! Watching an agent: its output, its time, and what the caller wants of it.
//!
//! The agent writes to files by itself; here one only asks how long they are, and
//! reads their end when they grew, so that an agent which prints 50 MB costs
//! nothing. Silence for too long, too long a time in all, and a [`Stop`] become
//! orders to the supervisor. A supervisor that does not obey is killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::super::error::RunnerError;
use super::super::job::Stop;
use super::super::transcript;
use super::end::{KILL_PATIENCE, TERM_GRACE};
use super::message::Order;
use super::pool::Handle;
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

    /// Returns what to give a child as its standard error.
    pub(crate) fn stderr(&self) -> Result<Stdio, FsError> {
        Ok(self.files[1].handle()?.into())
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

/// The end of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// How its supervisor ended, where it does not wait for the next agent.
    pub(crate) supervisor: Option<ExitStatus>,
    /// Why.
    pub(crate) by: EndedBy,
}

/// Watches a supervisor until its agent's tree has ended.
pub(crate) async fn watch(
    handle: &mut Handle,
    patience: Patience,
    mut stop: Receiver<Stop>,
    log: &mut OutputLog,
    on_line: &mut impl FnMut(&str),
) -> Result<Ended, RunnerError> {
    let mut reins = Reins::new(patience.total);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = true;
    let wanted = *stop.borrow_and_update();
    reins.want(wanted, handle);
    let supervisor = loop {
        tokio::select! {
            ended = handle.ended() => break ended?,
            changed = stop.changed(), if is_told => {
                is_told = changed.is_ok();
                let wanted = *stop.borrow_and_update();
                reins.want(wanted, handle);
            }
            _ = ticks.tick() => {
                if let Some(line) = log.poll()? {
                    on_line(line);
                }
                reins.check(log.changed_at.elapsed() >= patience.idle, handle);
                if reins.is_ignored() {
                    handle.kill()?;
                }
            }
        }
    };
    if let Some(line) = log.poll()? {
        on_line(line);
    }
    Ok(Ended { supervisor, by: reins.cause.unwrap_or(EndedBy::Itself) })
}

/// What was ordered, why, and until when that has to be done.
struct Reins {
    ends_at: Option<Instant>,
    stops_at: Option<Instant>,
    cause: Option<EndedBy>,
    given_up_at: Option<Instant>,
}

impl Reins {
    fn new(total: Duration) -> Self {
        Self {
            // Without an end where it lies beyond all time.
            ends_at: Instant::now().checked_add(total),
            stops_at: None,
            cause: None,
            given_up_at: None,
        }
    }

    fn want(&mut self, wanted: Stop, handle: &mut Handle) {
        match wanted {
            Stop::Run => self.stops_at = None,
            Stop::After(grace) => {
                let then = Instant::now().checked_add(grace);
                self.stops_at = self.stops_at.or(then);
            }
            Stop::Now => self.order(Order::Kill, EndedBy::Stop, handle),
        }
    }

    fn check(&mut self, is_idle: bool, handle: &mut Handle) {
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
            self.order(Order::End, cause, handle);
        }
    }

    fn order(&mut self, order: Order, cause: EndedBy, handle: &mut Handle) {
        self.cause = self.cause.or(Some(cause));
        let needed = match order {
            Order::End => TERM_GRACE + KILL_PATIENCE,
            Order::Kill => KILL_PATIENCE,
        };
        self.given_up_at = Some(Instant::now() + needed + SLACK);
        handle.order(order);
    }

    fn is_ignored(&self) -> bool {
        self.given_up_at.is_some_and(|then| Instant::now() >= then)
    }
}
