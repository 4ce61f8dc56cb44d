//! Ctrl-C, SIGTERM and SIGHUP, for commands that last.
//!
//! They are listened to before anything is opened, so that one that comes early means
//! what a later one would.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a command hears.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
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
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::End,
            _ = self.terminate.recv() => Heard::End,
            _ = self.hangup.recv() => Heard::Hangup,
        }
    }
}
