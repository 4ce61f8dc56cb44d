//! SIGTERM and Ctrl-C end the service; SIGHUP has the tokens read again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a service hears.
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

    /// Waits for the end; calls `again` at each SIGHUP until then.
    pub(super) async fn end(mut self, again: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => again(),
            }
        }
    }
}
