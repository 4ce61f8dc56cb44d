//! Entries as text.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::Ended;

/// An item that leaves the backlog.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveEntry {
    /// Its ID.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How it ended.
    pub ended: Ended,
    /// Why it was given up, or the ID it was merged into.
    pub reason: Option<String>,
    /// The phases it went through, in order.
    pub phases: Vec<String>,
    /// The item as it stood in the file, its dash at column 0.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// A phase that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseEntry {
    /// The item's ID.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The phase.
    pub phase: String,
    /// The number of the attempt whose result it is.
    pub attempt: u32,
    /// How it ended, in a word or two.
    pub outcome: String,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// What was done, or why not.
    pub summary: String,
    /// When it ended.
    pub at: Timestamp,
}

/// What closes an entry that a crash cut short.
pub(super) const TORN: &str = "> This entry was cut short.";

impl ArchiveEntry {
    /// Returns the entry as Markdown, with a blank line at its end.
    pub(super) fn to_markdown(&self) -> String {
        let ended = match (self.ended, &self.reason) {
            (Ended::Done, _) => "done".to_owned(),
            (Ended::Dropped, _) => "dropped".to_owned(),
            (Ended::Merged, into) => {
                format!("merged into {}", into.as_deref().unwrap_or("another item"))
            }
        };
        let mut text = format!(
            "## {} — {}\n\nArchived {:.0}, {ended}.\n",
            one_line(&self.id),
            one_line(&self.title),
            self.at
        );
        if let Some(reason) = self.reason.as_ref().filter(|_| self.ended != Ended::Merged) {
            let _ = writeln!(text, "Reason: {}", one_line(reason));
        }
        if !self.phases.is_empty() {
            let _ = writeln!(text, "Phases: {}", self.phases.join(", "));
        }
        let fence = fence_for(&self.text);
        let _ = write!(text, "\n{fence}yaml\n{}", self.text);
        if !self.text.ends_with('\n') {
            text.push('\n');
        }
        let _ = write!(text, "{fence}\n\n");
        text
    }
}

impl PhaseEntry {
    /// Returns the entry as Markdown, with a blank line at its end. The summary is
    /// quoted, so that nothing in it can pass for a heading or a fence.
    pub(super) fn to_markdown(&self) -> String {
        format!(
            "{}{}: {:.0}, after {} s{}",
            self.heading(),
            one_line(&self.title),
            self.at,
            self.seconds,
            self.rest()
        )
    }

    /// Returns whether a month has an entry of this attempt; time and title may be
    /// others.
    pub(super) fn is_in(&self, month: &str) -> bool {
        let (heading, rest) = (self.heading(), self.rest());
        month.match_indices(&heading).any(|(at, _)| {
            let is_first = at == 0 || month.as_bytes()[at - 1] == b'\n';
            let line = month[at + heading.len()..].find('\n').map(|end| at + heading.len() + end);
            // The rest begins in the line of the time.
            let head = rest.find('\n').unwrap_or(0);
            let begin = line.and_then(|end| end.checked_sub(head));
            is_first
                && begin.is_some_and(|begin| month.as_bytes()[begin..].starts_with(rest.as_bytes()))
        })
    }

    fn heading(&self) -> String {
        format!("## {} / {} — {}\n\n", self.id, self.phase, one_line(&self.outcome))
    }

    fn rest(&self) -> String {
        let mut text = format!(", attempt {}.\n\n", self.attempt);
        for line in self.summary.trim().lines() {
            let _ = writeln!(text, "> {line}");
        }
        text.push('\n');
        text
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a fence that is longer than any run of backticks in the text.
fn fence_for(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}
