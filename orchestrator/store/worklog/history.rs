//! What the months say of one item: its phases, and how it left the backlog.
//!
//! Read from the text, headings outside fences only; a person's own entries, and
//! those that were edited until nothing can be read from them, are passed over.

use jiff::Timestamp;

use super::log::Worklog;
use crate::fs;
use crate::model::IdQuery;
use crate::store::StoreError;
use crate::store::history::{Entry, PhaseRun};

impl Worklog {
    /// Returns what is written of an item, oldest month first.
    ///
    /// # Errors
    /// Where a month cannot be read.
    pub fn history(&mut self, query: &IdQuery) -> Result<Vec<Entry>, StoreError> {
        self.refresh()?;
        let mut found = Vec::new();
        for path in self.paths() {
            let bytes = fs::read(&path)?;
            found.extend(entries(&String::from_utf8_lossy(&bytes), query));
        }
        Ok(found)
    }
}

/// Returns the entries of an item in a month.
fn entries(month: &str, query: &IdQuery) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut fence = None;
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in month.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(length) => {
                if ticks >= length && ticks == line.trim_end().len() {
                    fence = None;
                }
            }
            None if ticks >= 3 => fence = Some(ticks),
            None => match line.strip_prefix("## ") {
                Some(heading) => {
                    found.extend(open.take().and_then(|(heading, body)| read(&heading, &body)));
                    let id = heading.split([' ', '/']).next().unwrap_or_default();
                    open = query.names(id).then(|| (heading.to_owned(), Vec::new()));
                }
                None => open.iter_mut().for_each(|(_, body)| body.push(line)),
            },
        }
    }
    found.extend(open.and_then(|(heading, body)| read(&heading, &body)));
    found
}

fn read(heading: &str, body: &[&str]) -> Option<Entry> {
    let (name, rest) = heading.split_once(" — ")?;
    let mut lines = body.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let first = lines.next()?;
    let Some((_, phase)) = name.split_once(" / ") else {
        let (at, how) = first.strip_prefix("Archived ")?.split_once(", ")?;
        let mut detail = how.trim_end_matches('.').to_owned();
        if let Some(reason) = lines.next().and_then(|line| line.strip_prefix("Reason: ")) {
            detail = format!("{detail}: {reason}");
        }
        let time = at.parse::<Timestamp>().ok()?.to_string();
        let event = "archived".to_owned();
        return Some(Entry { time, event, run: None, detail: Some(detail) });
    };
    // The title may hold anything; what follows it does not.
    let (at, rest_of_line) = first.rsplit_once(", after ")?;
    let at: Timestamp = at.rsplit_once(": ")?.1.parse().ok()?;
    let (seconds, attempt) = rest_of_line.split_once(" s")?;
    let attempt = attempt.strip_prefix(", attempt ").map(|text| text.trim_end_matches('.'));
    let summary: Vec<&str> =
        lines.map(|line| line.strip_prefix("> ").unwrap_or(line).trim_start_matches('>')).collect();
    let run = PhaseRun {
        phase: phase.to_owned(),
        outcome: Some(rest.to_owned()),
        seconds: seconds.parse().ok(),
        attempt: attempt.and_then(|text| text.parse().ok()),
    };
    let event = run.event().to_owned();
    let detail = Some(summary.join("\n")).filter(|text| !text.is_empty());
    Some(Entry { time: at.to_string(), event, run: Some(run), detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ended;
    use crate::store::worklog::{ArchiveEntry, PhaseEntry};

    #[test]
    fn what_was_written_is_read_back() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let phase = PhaseEntry {
            id: "A-7".into(),
            title: "a: b, after c — d".into(),
            phase: "build / test".into(),
            attempt: 2,
            outcome: "blocked".into(),
            seconds: 90,
            summary: "Which?\n\n## A-7 — no heading\n".into(),
            at,
        };
        let archived = ArchiveEntry {
            id: "A-7".into(),
            title: "t".into(),
            ended: Ended::Dropped,
            reason: Some("no use".into()),
            phases: vec![],
            text: "- id: A-7\n  description: |\n    ## A-7 — fake\n    Archived x\n".into(),
            at,
        };
        let other = PhaseEntry { id: "A-77".into(), ..phase.clone() };
        let month = phase.to_markdown() + &other.to_markdown() + &archived.to_markdown();
        let found = entries(&month, &IdQuery::new("a-7"));
        assert_eq!(found.len(), 2, "{found:?}");
        let run = found[0].run.as_ref().unwrap();
        assert_eq!(
            (run.phase.as_str(), run.seconds, run.attempt),
            ("build / test", Some(90), Some(2))
        );
        assert_eq!(found[0].event, "phase_failed");
        assert_eq!(found[0].detail.as_deref(), Some("Which?\n\n## A-7 — no heading"));
        assert_eq!(found[1].detail.as_deref(), Some("dropped: no use"));
        assert_eq!(found[1].time, at.to_string());
    }

    #[test]
    fn what_people_wrote_themselves_makes_no_panic() {
        for text in [
            "## A-7",
            "## A-7 — x",
            "## A-7 / — x\n\n: , after  s",
            "## A-7 — x\nArchived , ",
            "```\n## A-7 — x",
        ] {
            assert_eq!(entries(text, &IdQuery::new("A-7")), []);
        }
    }
}
