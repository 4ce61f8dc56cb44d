//! Ctrl-C, SIGTERM and a closed terminal: the first lets agents end, the second ends
//! them.
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
        for next in [Stop::After(GRACE), Stop::Now] {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hangup.recv() => {}
            }
            stop.send_replace(next);
        }
    }
}
