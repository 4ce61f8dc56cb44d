//! What signals mean to the service: SIGTERM and Ctrl-C end it, a second one at once;
//! SIGHUP has the tokens read again.

use tokio::sync::oneshot;

use crate::cli::signals::{Heard, Signals};

/// Returns what waits for the end, and calls `again` at each SIGHUP, and what waits for
/// somebody who wants it at once. Both have to be polled.
pub(super) fn end(
    mut signals: Signals,
    again: impl Fn(),
) -> (impl Future<Output = ()>, impl Future<Output = ()>) {
    let (first, told) = oneshot::channel();
    let listen = async move {
        let mut first = Some(first);
        loop {
            match (signals.next().await, first.take()) {
                (Heard::Hangup, untold) => {
                    again();
                    first = untold;
                }
                // Where the service has ended already, nobody listens.
                (Heard::End, Some(first)) => drop(first.send(())),
                (Heard::End, None) => return,
            }
        }
    };
    (async { drop(told.await) }, listen)
}
