//! What signals mean to a run: the first lets agents end, a second Ctrl-C or SIGTERM ends
//! them.

use std::time::Duration;

use tokio::sync::watch;

use crate::cli::signals::{Heard, Signals};
use crate::runner::Stop;

/// How long agents may go on after the first signal. SIGTERM follows, and SIGKILL 5 s
/// later: all are gone within 30 s.
const GRACE: Duration = Duration::from_secs(22);

/// Says what each signal means, for as long as it is asked to.
pub(super) async fn tell(mut signals: Signals, stop: watch::Sender<Stop>) {
    loop {
        let heard = signals.next().await;
        stop.send_if_modified(|stop| {
            let next = match *stop {
                Stop::Run => Stop::After(GRACE),
                // A terminal that is closed says so more than once: by itself, and by
                // the shell in it. That is nobody's impatience.
                Stop::After(_) if heard == Heard::Hangup => return false,
                Stop::After(_) | Stop::Now => Stop::Now,
            };
            let is_news = *stop != next;
            *stop = next;
            is_news
        });
    }
}
