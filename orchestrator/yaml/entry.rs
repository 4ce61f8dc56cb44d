//! Entries: the text of one record, by itself.
//!
//! A record of a block list reads the same alone as in its file, from the line of
//! its dash to the line of the next. That is what makes it possible to change,
//! verify and re-read one record without reading the rest.

use std::borrow::Cow;

use serde_yaml::{Mapping, Value};

use super::document::base_of;
use super::index::{forbidden_character, read_finding, untagged};
use super::lines::{lines, next_line, skip_to_token};
use super::node::{Kind, Node, dash_after, read};
use super::problem::{Finding, ProblemKind};
use super::value::Values;

/// One entry of a block list, read from its slice.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// What the entry is.
    pub(super) node: Node<'t>,
    /// Offset of its dash.
    pub(super) dash: usize,
    /// End of its last line of content, with the line break.
    pub(super) end: usize,
    /// Whether there are anchors or aliases in it.
    pub(super) anchors: bool,
}

/// Reads a slice that holds one entry and nothing else but comments and blanks.
pub(super) fn entry(text: &str) -> Result<Entry<'_>, Finding> {
    let parsed = read(text).map_err(|error| read_finding(&error, text))?;
    let shape = |at: usize, message: &str| {
        let end = next_line(text, at);
        Finding::new(ProblemKind::WrongShape, message, at..end.max(at))
            .hint("write one entry, from its '- ' on")
    };
    if let Some(second) = parsed.second {
        return Err(shape(second, "a second document"));
    }
    if parsed.end < text.len() {
        return Err(shape(parsed.end, "a document's end"));
    }
    let anchors = parsed.anchors;
    let Some(Node { kind: Kind::Seq { flow: false, entries }, properties: None, .. }) = parsed.root
    else {
        return Err(shape(skip_to_token(text, 0).min(text.len()), "this is not a list entry"));
    };
    let mut entries = entries.into_iter();
    let (Some(node), None) = (entries.next(), entries.next().map(|second| second.start)) else {
        return Err(shape(0, "more than one list entry"));
    };
    let dash = dash_after(text, 0).unwrap_or(0);
    let end = next_line(text, node.end.max(dash + 1));
    Ok(Entry { node, dash, end, anchors })
}

/// Reads a slice that holds one record: its mapping, and whether there are
/// anchors or aliases in it. Aliases must find their anchor in the slice.
pub(super) fn record(text: &str) -> Result<(Mapping, bool), Vec<Finding>> {
    if let Some(finding) = forbidden_character(text) {
        return Err(vec![finding]);
    }
    let entry = entry(text).map_err(|finding| vec![finding])?;
    let mapping = mapping(&entry.node)?;
    Ok((mapping, entry.anchors))
}

/// Returns the mapping that a record's node means.
pub(super) fn mapping(node: &Node<'_>) -> Result<Mapping, Vec<Finding>> {
    let mut values = Values::new(node.end - node.start);
    let value = untagged(values.value(node));
    match value {
        _ if !values.findings.is_empty() => Err(values.findings),
        Value::Mapping(mapping) => Ok(mapping),
        _ => Err(vec![
            Finding::new(
                ProblemKind::WrongShape,
                "an entry that is not a mapping",
                node.start..node.end,
            )
            .hint("write it as '- key: value'"),
        ]),
    }
}

/// Returns the text of an entry that somebody gave, as whole lines: without byte
/// order mark, with a line break at its end.
pub(super) fn whole_lines(text: &str) -> Cow<'_, str> {
    let text = &text[base_of(text)..];
    if text.is_empty() || text.ends_with(['\n', '\r']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{text}\n"))
}

/// Returns the text with up to `columns` spaces fewer before each line but the
/// first, which is cut at its dash; lines end with `\n`.
pub(super) fn dedented(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in lines(text) {
        let spaces = line.bytes().take(columns).take_while(|b| *b == b' ').count();
        out.push_str(&line[spaces..]);
        out.push('\n');
    }
    out
}

/// Returns the text of an entry with its dash moved to column `columns`, lines
/// ended by `nl`, the last one without.
pub(super) fn indented(text: &str, columns: usize, nl: &str) -> String {
    let dash = dash_after(text, 0).unwrap_or(0);
    let start = super::lines::line_start(text, dash);
    let text = dedented(&text[start..], dash - start);
    let mut out = String::with_capacity(text.len() + columns * 8);
    for (number, line) in lines(&text).enumerate() {
        if number > 0 {
            out.push_str(nl);
        }
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', columns));
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stands_for_itself() {
        let text = "  - id: 1 # c\n    b: |\n      x\n\n  # after\n";
        let entry = entry(text).unwrap();
        assert_eq!(entry.dash, 2);
        assert_eq!(&text[entry.end..], "\n  # after\n");
        let (mapping, anchors) = record(text).unwrap();
        assert_eq!(mapping.get("b"), Some(&Value::from("x\n")));
        assert!(!anchors);
    }

    #[test]
    fn other_texts_are_told_apart() {
        for (text, message) in [
            ("a: 1\n", "this is not a list entry"),
            ("- a: 1\n- b: 2\n", "more than one list entry"),
            ("- a: 1\n---\n", "a second document"),
            ("- a: 1\n...\n", "a document's end"),
            ("- text\n", "an entry that is not a mapping"),
            ("", "this is not a list entry"),
            ("[{a: 1}]\n", "this is not a list entry"),
        ] {
            assert_eq!(record(text).unwrap_err()[0].message, message, "{text:?}");
        }
    }

    #[test]
    fn an_entry_moves_to_another_column_and_back() {
        let text = "- id: 1\n  # c\n\n  b: |\n    x\n\n     y\n";
        let moved = indented(text, 4, "\r\n") + "\r\n";
        assert!(moved.starts_with("    - id: 1\r\n      # c\r\n\r\n      b: |\r\n"));
        assert_eq!(dedented(&moved, 4), text);
        assert_eq!(record(&moved).unwrap(), record(text).unwrap());
    }
}
