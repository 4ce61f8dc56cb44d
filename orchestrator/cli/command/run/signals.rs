//! Ctrl-C, SIGTERM and a closed terminal: the first signal lets agents end, a second
//! Ctrl-C or SIGTERM ends them.
//!
//! They are listened to before anything is opened, so that one that comes early ends
//! the run as a later one would.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::runner::Stop;

/// How long agents may go on after the first signal. SIGTERM follows, and SIGKILL 5 s
/// later: all are gone within 30 s.
const GRACE: Duration = Duration::from_secs(22);

/// The signals by which a person ends a run.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen; within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Says what each signal means, for as long as it is asked to.
    pub(super) async fn tell(mut self, stop: watch::Sender<Stop>) {
        loop {
            let is_hangup = tokio::select! {
                _ = self.interrupt.recv() => false,
                _ = self.terminate.recv() => false,
                // A terminal that is closed says so more than once: by itself, and
                // by the shell in it. That is nobody's impatience.
                _ = self.hangup.recv() => true,
            };
            stop.send_if_modified(|stop| {
                let next = match *stop {
                    Stop::Run => Stop::After(GRACE),
                    Stop::After(_) if is_hangup => return false,
                    Stop::After(_) | Stop::Now => Stop::Now,
                };
                let is_news = *stop != next;
                *stop = next;
                is_news
            });
        }
    }
}
