//! What a person sees of a run while it goes on: on a terminal a line that moves,
//! with the phase, the time and the agent's last words; elsewhere nothing but the
//! remarks that are printed above it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::printable;

/// The moving line.
pub(crate) struct Live {
    bar: ProgressBar,
}

impl Live {
    /// Makes the line; nothing is drawn where it is not wanted.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let target =
            if is_wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg:.dim}",
        ) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Shows a phase that was started.
    pub(crate) fn start(&self, what: &str) {
        self.bar.reset();
        self.bar.set_prefix(printable(what).into_owned());
        self.bar.set_message("");
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// Shows what the agent said last.
    pub(crate) fn say(&self, line: &str) {
        self.bar.set_message(printable(line).into_owned());
    }

    /// Takes the line away while something is printed.
    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
