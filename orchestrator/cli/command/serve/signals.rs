//! SIGTERM and Ctrl-C end the service, a second one at once; SIGHUP has the tokens read
//! again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

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

    /// Returns what waits for the end, and calls `again` at each SIGHUP, and what waits
    /// for somebody who wants it at once. Both have to be polled.
    pub(super) fn end(
        mut self,
        again: impl Fn(),
    ) -> (impl Future<Output = ()>, impl Future<Output = ()>) {
        let (first, told) = oneshot::channel();
        let listen = async move {
            let mut first = Some(first);
            loop {
                tokio::select! {
                    _ = self.interrupt.recv() => {}
                    _ = self.terminate.recv() => {}
                    _ = self.hangup.recv() => {
                        again();
                        continue;
                    }
                }
                match first.take() {
                    // Where the service has ended already, nobody listens.
                    Some(first) => drop(first.send(())),
                    None => return,
                }
            }
        };
        (async { drop(told.await) }, listen)
    }
}
