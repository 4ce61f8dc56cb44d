//! Ctrl-C, SIGTERM and SIGHUP, for commands that last.
//!
//! They are listened to before anything is opened, so that one that comes early means
//! what a later one would.

use std::future::pending;
use std::io;
use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fs;

/// The signals that a command hears.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where whoever started us, such as `nohup`, wants us to outlive the terminal.
    hangup: Option<Signal>,
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Ctrl-C or SIGTERM: somebody wants an end.
    End,
    /// SIGHUP: the terminal is gone, or a service is to read its files again.
    Hangup,
}

impl Signals {
    /// Begins to listen; within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Some(signal(SignalKind::hangup())?),
        })
    }

    /// Begins to listen, save for SIGHUP where it was ignored when we were started.
    pub(super) fn of_a_job() -> io::Result<Self> {
        let is_ignored = is_hangup_ignored();
        let all = Self::new()?;
        Ok(Self { hangup: all.hangup.filter(|_| !is_ignored), ..all })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Heard {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Heard::End,
            _ = self.terminate.recv() => Heard::End,
            _ = hangup => Heard::Hangup,
        }
    }
}

/// Tells whether SIGHUP, the first of all signals, is ignored; where the system does not
/// tell, it is not.
fn is_hangup_ignored() -> bool {
    let status = fs::read(Path::new("/proc/self/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
