//! What a person sees of a run while it goes on: on a terminal a line for each phase
//! that runs, with its item's title, the time and the agent's last words, and below
//! them how the whole stands; elsewhere nothing but the remarks that are printed
//! above it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;
use super::table::one_line;
use super::terminal::shortened;

/// How often a line moves, though nothing happened.
const TICK: Duration = Duration::from_millis(250);

/// How often the view is drawn at most, in a second.
const REDRAWS: u8 = 10;

/// A line of a phase.
const PHASE: &str = "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg}";
/// A line below those.
const BELOW: &str = "  {wide_msg:.dim}";

/// How many characters of a title stay where the agent has something to say.
const TITLE: usize = 40;

/// The moving lines.
pub(crate) struct Live {
    all: MultiProgress,
    phases: RefCell<HashMap<String, Phase>>,
    below: RefCell<Vec<ProgressBar>>,
}

/// The line of one phase.
struct Phase {
    bar: ProgressBar,
    title: String,
}

impl Live {
    /// Makes the view; nothing is drawn where it is not wanted.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let target = if is_wanted {
            ProgressDrawTarget::term_like_with_hz(Box::new(Screen::default()), REDRAWS)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            all: MultiProgress::with_draw_target(target),
            phases: RefCell::default(),
            below: RefCell::default(),
        }
    }

    fn bar(template: &str) -> ProgressBar {
        let bar = ProgressBar::no_length();
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Shows a phase that was started, under the name that its later lines have.
    pub(crate) fn start(&self, key: &str, what: &str, title: &str) {
        self.stop(key);
        // Below the other phases, and above what stands below them all.
        let bar = match self.below.borrow().first() {
            Some(first) => self.all.insert_before(first, Self::bar(PHASE)),
            None => self.all.add(Self::bar(PHASE)),
        };
        bar.set_prefix(one_line(what));
        let title = one_line(title);
        bar.set_message(title.clone());
        let title = shortened(&title, TITLE);
        bar.enable_steady_tick(TICK);
        self.phases.borrow_mut().insert(key.to_owned(), Phase { bar, title });
    }

    /// Shows what the agent of a phase said last.
    pub(crate) fn say(&self, key: &str, line: &str) {
        if let Some(phase) = self.phases.borrow().get(key) {
            phase.bar.set_message(format!("{} \u{203a} {}", phase.title, one_line(line)));
        }
    }

    /// Takes away the line of a phase that has ended.
    pub(crate) fn stop(&self, key: &str) {
        if let Some(phase) = self.phases.borrow_mut().remove(key) {
            phase.bar.finish_and_clear();
            self.all.remove(&phase.bar);
        }
    }

    /// Shows below all phases how the whole stands.
    pub(crate) fn stands(&self, lines: &[String]) {
        let mut below = self.below.borrow_mut();
        let kept = lines.len().min(below.len());
        for bar in below.drain(kept..) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        for (n, line) in lines.iter().enumerate() {
            if n == below.len() {
                below.push(self.all.add(Self::bar(BELOW)));
            }
            below[n].set_message(one_line(line));
            below[n].tick();
        }
    }

    /// Takes the view away while something is printed.
    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Takes the view away.
    pub(crate) fn end(&self) {
        let keys: Vec<String> = self.phases.borrow().keys().cloned().collect();
        keys.iter().for_each(|key| self.stop(key));
        self.stands(&[]);
    }
}
