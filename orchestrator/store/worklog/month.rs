//! Reading one month: headings outside fences, and the blocks under them.

use serde::{Deserialize, Serialize};

use super::entry::TORN;
use crate::model::{Ended, ItemId};

/// One archived item in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    /// The ID in the heading.
    pub id: String,
    /// How it ended: `done`, `dropped` or `merged`.
    pub ended: EndedWord,
    /// Where the item's text begins, in bytes.
    pub start: usize,
    /// How long it is, in bytes.
    pub len: usize,
}

/// [`Ended`], as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndedWord {
    Done,
    Dropped,
    Merged,
}

impl From<EndedWord> for Ended {
    fn from(word: EndedWord) -> Self {
        match word {
            EndedWord::Done => Self::Done,
            EndedWord::Dropped => Self::Dropped,
            EndedWord::Merged => Self::Merged,
        }
    }
}

/// What a month holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Month {
    /// The archived items, in order.
    pub blocks: Vec<Block>,
    /// The highest number in any heading.
    pub highest: u32,
    /// What must be written before the next entry: a crash cut the last one short.
    pub closing: String,
    /// How long its text is, in bytes: other than the file where that is not UTF-8.
    #[serde(default)]
    pub len: u64,
}

impl Month {
    /// Takes up what was appended to a month whose last entry was whole:
    /// the same as to read it all again.
    pub(super) fn extend(&mut self, appended: &str) {
        let before = usize::try_from(self.len).unwrap_or(usize::MAX);
        let Self { blocks, highest, closing, len } = parse(appended);
        self.len += len;
        let moved = |block: Block| Block { start: block.start + before, ..block };
        self.blocks.extend(blocks.into_iter().map(moved));
        self.highest = self.highest.max(highest);
        self.closing = closing;
    }
}

#[derive(Default)]
struct Open {
    heading: Option<(String, Option<EndedWord>)>,
    fence: Option<(usize, usize)>,
    last: Option<Block>,
}

/// Reads a month's text.
pub(super) fn parse(text: &str) -> Month {
    let mut month = Month { len: text.len() as u64, ..Month::default() };
    let mut open = Open::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        read_line(line, at, &mut open, &mut month);
        at += line.len();
    }
    month.blocks.extend(open.last.take());
    if let Some((length, _)) = open.fence {
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        month.closing = format!("{newline}{}\n\n{TORN}\n\n", "`".repeat(length));
    } else if !text.is_empty() && !text.ends_with('\n') {
        month.closing = format!("\n\n{TORN}\n\n");
    } else if !text.is_empty() && !text.ends_with("\n\n") {
        month.closing = "\n".to_owned();
    }
    month
}

fn read_line(line: &str, at: usize, open: &mut Open, month: &mut Month) {
    let bare = line.trim_end();
    let ticks = bare.len() - bare.trim_start_matches('`').len();
    if let Some((length, start)) = open.fence {
        if ticks >= length && ticks == bare.len() {
            open.fence = None;
            if let Some((id, Some(ended))) = open.heading.take() {
                open.last = Some(Block { id, ended, start, len: at - start });
            }
        }
        return;
    }
    if ticks >= 3 {
        open.fence = Some((ticks, at + line.len()));
        return;
    }
    if bare == TORN {
        // What stands before is no archive: the item is still in the backlog.
        open.last = None;
        open.heading = None;
    } else if let Some(heading) = bare.strip_prefix("## ") {
        month.blocks.extend(open.last.take());
        let (id, _) = heading.split_once(" — ").unwrap_or((heading, ""));
        let is_phase = id.contains(" / ");
        let id = id.split(" / ").next().unwrap_or(id).trim();
        month.highest = month.highest.max(ItemId::number_of(id).unwrap_or(0));
        open.heading = (!is_phase).then(|| (id.to_owned(), None));
    } else if let (Some((_, ended @ None)), Some(rest)) =
        (&mut open.heading, bare.strip_prefix("Archived "))
    {
        let word = rest.split_once(", ").map_or("", |(_, word)| word.trim_end_matches('.'));
        *ended = Some(match word {
            "dropped" => EndedWord::Dropped,
            word if word.starts_with("merged") => EndedWord::Merged,
            _ => EndedWord::Done,
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::worklog::{ArchiveEntry, PhaseEntry};

    fn entry(id: &str, text: &str) -> ArchiveEntry {
        ArchiveEntry {
            id: id.into(),
            title: "a title".into(),
            ended: Ended::Dropped,
            reason: Some("## not a heading".into()),
            phases: vec!["build".into()],
            text: text.into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_id_of_several_lines_opens_no_fence() {
        let text = entry("A-1\n```", "- id: \"A-1\\n```\"\n").to_markdown();
        let text = text + &entry("A-7", "- id: A-7\n").to_markdown();
        let month = parse(&text);
        let ids: Vec<&str> = month.blocks.iter().map(|block| block.id.as_str()).collect();
        assert_eq!((ids, month.highest, month.closing.as_str()), (vec!["A-1 ```", "A-7"], 7, ""));
    }

    #[test]
    fn an_item_comes_back_byte_for_byte() {
        let item = "- id: A-1\n  description: |\n    ````yaml\n    ## A-99 — fake\n    ```\n";
        let text = entry("A-1", item).to_markdown()
            + &entry("A-2", "- id: A-2\r\n  title: x\r\n").to_markdown();
        let month = parse(&text);
        let found: Vec<&str> =
            month.blocks.iter().map(|b| &text[b.start..b.start + b.len]).collect();
        assert_eq!(found, [item, "- id: A-2\r\n  title: x\r\n"]);
        assert_eq!(month.blocks[0].ended, EndedWord::Dropped);
        assert_eq!((month.highest, month.closing.as_str()), (2, ""));
    }

    #[test]
    fn phases_are_no_archives_and_their_summaries_no_headings() {
        let phase = PhaseEntry {
            id: "A-7".into(),
            title: "t".into(),
            attempt: 1,
            phase: "build".into(),
            outcome: "phase_complete".into(),
            seconds: 3,
            summary: "## A-99 — x\n```\n".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let month = parse(&(phase.to_markdown() + &entry("A-2", "- id: A-2\n").to_markdown()));
        assert_eq!((month.blocks.len(), month.highest), (1, 7));
    }

    #[test]
    fn what_is_appended_is_read_as_if_with_all_that_was_there() {
        let text = |n: usize| match n % 3 {
            0 => entry(&format!("A-{n}"), "- id: A-1\n  description: |\n    ```\n").to_markdown(),
            1 => entry(&format!("Ä-{n}"), "- title: ü\n").to_markdown(),
            _ => format!("## A-{n} / build — failed\n\nx\n\n> no\n\n"),
        };
        let (mut whole, mut month) = (String::new(), Month::default());
        for n in [2, 0, 5, 1, 3, 8, 4, 6, 7] {
            assert_eq!(month.closing, "");
            month.extend(&text(n));
            whole.push_str(&text(n));
            assert_eq!(month, parse(&whole), "{n}");
        }
    }

    #[test]
    fn an_entry_that_was_cut_short_is_closed_and_is_no_archive() {
        let whole = entry("A-1", "- id: A-1\n").to_markdown();
        let next = entry("A-2", "- id: A-2\n").to_markdown();
        for cut in 1..whole.trim_end().len() {
            if !whole.is_char_boundary(cut) {
                continue;
            }
            let torn = &whole[..cut];
            let closing = parse(torn).closing;
            let month = parse(&format!("{torn}{closing}{next}"));
            let ids: Vec<&str> = month.blocks.iter().map(|b| b.id.as_str()).collect();
            assert_eq!(ids, ["A-2"], "cut at {cut}: {torn}{closing}{next}");
        }
    }
}
