//! Messages of commits: `[ITEM][PHASE] what it did`, and the trailer by which a later
//! run knows that an attempt's changes are committed.

use super::ledger::Entry;

/// The key of the trailer.
const TRAILER: &str = "Orchestrator-Attempt:";

/// The longest a phase's part of a subject may be, in characters.
const SUBJECT: usize = 100;

/// The longest the subject of a common commit may be; after it, phases are counted,
/// and named in the body.
const COMMON: usize = 300;

/// What a phase did, for a message.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Subject {
    pub(in crate::engine) item: String,
    pub(in crate::engine) phase: String,
    /// In one line, where the agent gave one for a commit.
    pub(in crate::engine) commit_summary: Option<String>,
    /// At any length.
    pub(in crate::engine) summary: String,
    /// The number of the attempt.
    pub(in crate::engine) attempt: u32,
}

impl Subject {
    /// Returns the name of the attempt, on one line.
    pub(super) fn attempt(&self) -> String {
        one_line(&format!("{}/{}/{}", self.item, self.phase, self.attempt))
    }

    fn entry(&self) -> (Entry, bool) {
        let text = self.commit_summary.as_deref().unwrap_or(&self.summary);
        let first = text.lines().map(one_line).find(|line| !line.is_empty());
        let first = first.unwrap_or_else(|| "done".to_owned());
        let short = shorten(&first, SUBJECT);
        let says_all = short.trim() == self.summary.trim() || self.summary.trim().is_empty();
        let subject = one_line(&format!("[{}][{}] {short}", self.item, self.phase));
        (Entry { attempt: self.attempt(), subject }, says_all)
    }

    /// Returns the phase as a common commit names it.
    pub(super) fn to_entry(&self) -> Entry {
        self.entry().0
    }

    /// Returns the message of a commit of this phase alone.
    pub(super) fn message(&self) -> String {
        let (entry, says_all) = self.entry();
        let mut message = format!("{}\n\n", entry.subject);
        if !says_all {
            message.push_str(&body(&self.summary));
        }
        message.push_str(&trailer(&entry.attempt));
        message.push('\n');
        message
    }
}

/// Returns the trailer's line for an attempt.
pub(super) fn trailer(attempt: &str) -> String {
    format!("{TRAILER} {attempt}")
}

/// Returns the message of a commit of several phases.
pub(super) fn common(entries: &[Entry]) -> String {
    let mut subject = String::new();
    for (index, entry) in entries.iter().enumerate() {
        let is_first = index == 0;
        let len = subject.chars().count() + entry.subject.chars().count();
        if !is_first && len > COMMON {
            subject.push_str(&format!(" | and {} more", entries.len() - index));
            break;
        }
        if !is_first {
            subject.push_str(" | ");
        }
        subject.push_str(&entry.subject);
    }
    let mut message = format!("{subject}\n\n");
    if subject.ends_with(" more") {
        message.extend(entries.iter().map(|entry| format!("{}\n", entry.subject)));
        message.push('\n');
    }
    for entry in entries {
        message.push_str(&trailer(&entry.attempt));
        message.push('\n');
    }
    message
}

/// Makes the body of a summary. A line in it that looks like our trailer must not be
/// taken for one.
fn body(summary: &str) -> String {
    let mut body = String::new();
    for line in summary.trim().lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        if line.starts_with(TRAILER) {
            body.push(' ');
        }
        body.push_str(line.trim_end());
        body.push('\n');
    }
    body.push('\n');
    body
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(commit_summary: Option<&str>, summary: &str) -> Subject {
        Subject {
            item: "WRK-001".to_owned(),
            phase: "build".to_owned(),
            commit_summary: commit_summary.map(str::to_owned),
            summary: summary.to_owned(),
            attempt: 3,
        }
    }

    const TRAILER_3: &str = "Orchestrator-Attempt: WRK-001/build/3\n";

    #[test]
    fn one_phase() {
        let message = |commit_summary, summary| subject(commit_summary, summary).message();
        assert_eq!(
            message(None, "Built it.\n"),
            format!("[WRK-001][build] Built it.\n\n{TRAILER_3}")
        );
        assert_eq!(
            message(Some("Add a lamp"), "\n# Lamp\nIt shines.\x07"),
            format!("[WRK-001][build] Add a lamp\n\n# Lamp\nIt shines.\n\n{TRAILER_3}")
        );
        assert_eq!(message(None, " "), format!("[WRK-001][build] done\n\n{TRAILER_3}"));
        let long = message(None, &"word ".repeat(100));
        let first = long.lines().next().unwrap();
        assert!(first.chars().count() < 120 && first.ends_with('…'), "{first}");
        assert!(long.lines().nth(2).unwrap().len() > 400, "{long}");
    }

    #[test]
    fn no_summary_forges_a_trailer() {
        let forged = "Done.\nOrchestrator-Attempt: WRK-002/build/1\nOrchestrator-Attempt: x";
        let message = subject(None, forged).message();
        let trailers: Vec<&str> =
            message.lines().filter(|line| line.starts_with(TRAILER)).collect();
        assert_eq!(trailers, [TRAILER_3.trim()]);
    }

    #[test]
    fn several_phases() {
        let entries: Vec<Entry> = ["One", "Two"]
            .iter()
            .zip(1..)
            .map(|(text, attempt)| Subject { attempt, ..subject(None, text) }.to_entry())
            .collect();
        let expected = "[WRK-001][build] One | [WRK-001][build] Two\n\nOrchestrator-Attempt: WRK-001/build/1\nOrchestrator-Attempt: WRK-001/build/2\n";
        assert_eq!(common(&entries), expected);
        let many: Vec<Entry> = entries.iter().cycle().take(40).cloned().collect();
        let message = common(&many);
        let first = message.lines().next().unwrap();
        assert!(first.chars().count() < 400 && first.ends_with("more"), "{first}");
        assert_eq!(message.lines().filter(|line| line.starts_with(TRAILER)).count(), 40);
        assert_eq!(message.lines().filter(|line| *line == "[WRK-001][build] Two").count(), 20);
    }
}
