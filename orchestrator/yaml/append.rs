//! Appending: a new record at the end of the list, in the style of its last one.
//!
//! It goes after the last record's last line of content and the comments directly
//! below that stand as deep as its keys; other comments and blank lines stay
//! behind it. One blank line goes before it where one separates the last two
//! records. A list that is null, empty or missing becomes a block list; one in
//! brackets stays in brackets.

use serde_yaml::{Mapping, Value};

use super::apply::{Blocked, Made, Reindex};
use super::document::Document;
use super::entry::{Entry, entry, indented, record, whole_lines};
use super::index::{List, Record};
use super::lines::{
    after_break, break_before, indent_of, is_blank_line, line_end, line_start, lines, next_line,
    skip_to_token,
};
use super::node::{Kind, Node, colon_after, column, indicators_end, key_column};
use super::plan::{Sheet, Splice};
use super::plan_flow;
use super::refused::Reason;
use super::render::{Style, flow_pairs, key_text};
use super::verify::{Model, reads_as, second_reads_as, still_reads};

/// How a new record is laid out in a block list.
#[derive(Debug, Clone, Copy)]
struct Layout {
    dash: usize,
    /// Spaces between the dash and the first key.
    gap: usize,
    style: Style,
}

/// A record to append: what it says and, where given, how.
struct New<'e> {
    mapping: Mapping,
    text: Option<&'e str>,
    anchors: bool,
}

impl Document {
    /// Appends a record made of keys and values.
    pub(super) fn append_fields(&mut self, fields: &[(String, Value)]) -> Result<Made, Blocked> {
        let mut mapping = Mapping::with_capacity(fields.len());
        for (key, value) in fields {
            if mapping.insert(Value::String(key.clone()), value.clone()).is_some() {
                let reason = Reason::KeyExists { key: key.clone() };
                return Err(Blocked::new(reason, self.text.len()));
            }
        }
        self.append(&New { mapping, text: None, anchors: false })
    }

    /// Appends a record that is written already.
    pub(super) fn append_text(&mut self, text: &str) -> Result<Made, Blocked> {
        let text = &whole_lines(text);
        let (mapping, anchors) = self.given(text)?;
        self.append(&New { mapping, text: Some(text), anchors })
    }

    /// Reads the text of a record that was given.
    pub(super) fn given(&self, text: &str) -> Result<(Mapping, bool), Blocked> {
        record(text).map_err(|findings| {
            let message =
                findings.into_iter().next().map_or_else(String::new, |finding| finding.message);
            Blocked::new(Reason::BadText { message }, self.text.len())
        })
    }

    fn append(&mut self, new: &New<'_>) -> Result<Made, Blocked> {
        match self.index.root.list {
            List::Block { dash } => self.append_block(new, dash),
            List::Flow => self.append_flow(new),
            List::Empty => self.append_first(new),
            List::Missing => self.append_list(new),
            List::Opaque => {
                let what = "a list in an unusual layout";
                Err(Blocked::new(Reason::Layout { what }, self.index.root.tail))
            }
        }
    }

    /// Tries splices of the whole text that append a record.
    fn try_append(
        &mut self,
        plans: Vec<Splice>,
        new: &New<'_>,
        at: usize,
    ) -> Result<Made, Blocked> {
        let mapping = &new.mapping;
        let made = self.try_whole(plans, at, false, |_| {
            |model: &Model| {
                let mut model = model.clone();
                model.records.push(Value::Mapping(mapping.clone()));
                Some(model)
            }
        });
        made.and_then(|made| made.ok_or_else(|| Blocked::new(Reason::Unsafe, at)))
    }

    fn append_block(&mut self, new: &New<'_>, dash: usize) -> Result<Made, Blocked> {
        let number = self.len() - 1;
        let slice = self.slice(number);
        let text = &self.text[slice.clone()];
        let blocked = |reason| Blocked::new(reason, slice.start + dash);
        let entry = entry(text).map_err(|_| self.unreadable(number))?;
        let layout = self.layout_after(&entry.node, text, dash);
        let braces = matches!(entry.node.kind, Kind::Map { flow: true, .. });
        let lines = layout.lines(new, braces).map_err(blocked)?;
        let plans = self.below_last(&entry, text, layout, &lines);
        if new.anchors || !self.stands_alone() {
            let plans = plans.into_iter().map(|splice| splice.moved(slice.start)).collect();
            return self.try_append(plans, new, slice.start + dash);
        }
        let mut reason = Reason::Unsafe;
        for splice in plans {
            let changed = splice.applied(text);
            let start =
                record_start(&changed, splice.range.start + splice.text.len(), &lines, layout);
            let (before, added) = changed.split_at(start);
            let Some(kept_end) = still_reads(before, text) else {
                continue;
            };
            let Some(entry) = reads_as(added, dash, &new.mapping) else {
                continue;
            };
            if let Err(error) = second_reads_as(added, &new.mapping, added, |_| None) {
                reason = error;
                continue;
            }
            let kept = Record { start: slice.start, len: kept_end, dash };
            let added = Record { start: slice.start + start, len: entry.end, dash };
            let splice = splice.moved(slice.start);
            let reindex = Reindex { gone: number..number + 1, new: vec![kept, added], root: None };
            return Ok(self.commit(splice.range, &splice.text, reindex));
        }
        Err(blocked(reason))
    }

    /// Plans the lines of a record below those of the last one.
    fn below_last(&self, last: &Entry<'_>, text: &str, layout: Layout, lines: &str) -> Vec<Splice> {
        let nl = layout.style.nl;
        let at = belongings_end(text, last.end, layout.dash + 1 + layout.gap);
        let blank = if self.is_spaced() { nl } else { "" };
        let mut plans = vec![layout.splice(text, at..at, "", blank, lines)];
        if break_before(text, at) == 0 {
            // A block scalar as the last value needs the line break.
            plans.push(Splice::new(at..at, format!("{nl}{blank}{lines}{nl}")));
        }
        let below = after_blanks(text, at);
        if below > at {
            // A block scalar that keeps its line breaks would take those blank lines in.
            plans.push(layout.splice(text, below..below, "", "", lines));
        }
        if let Some(scalar) = unterminated(&last.node, text) {
            // A line break after it would become part of it, unless it says not.
            let end = indicators_end(text, scalar);
            let indicators = text[scalar..end].replace('+', "");
            let head = format!("{indicators}-{}", &text[end..at]);
            plans.push(layout.splice(text, scalar..at, &head, blank, lines));
        }
        plans
    }

    fn layout_after(&self, last: &Node<'_>, text: &str, dash: usize) -> Layout {
        let nl = self.break_at(self.index.records.last().map_or(0, |last| last.end()));
        let style = Style::of(last, text, nl);
        let gap = match &last.kind {
            Kind::Map { flow: false, pairs } => pairs.first().map_or(1, |(key, _)| {
                let col = column(text, key.outer());
                col.saturating_sub(dash + 1).clamp(1, 16)
            }),
            _ => 1,
        };
        Layout { dash, gap, style }
    }

    /// Returns whether one blank line stands between the last two records.
    fn is_spaced(&self) -> bool {
        let [.., before, last] = self.index.records.as_slice() else {
            return false;
        };
        let between = &self.text[before.end()..last.start];
        is_blank_line(between.trim_end_matches(['\r', '\n'])) && lines(between).count() == 1
    }

    fn append_flow(&mut self, new: &New<'_>) -> Result<Made, Blocked> {
        let Some(last) = self.index.records.last().copied() else {
            return Err(Blocked::new(Reason::Unsafe, self.text.len()));
        };
        let blocked = |reason| Blocked::new(reason, last.start);
        let member = format!("{{{}}}", flow_pairs(&new.mapping).map_err(blocked)?);
        let text = &self.text;
        let inline = Splice::new(last.end()..last.end(), format!(", {member}"));
        let line = line_start(text, last.start);
        let indent = &text[line..last.start];
        if line == 0 || !is_blank_line(indent) {
            return self.try_append(vec![inline], new, last.start);
        }
        // One record per line: a comma and the comments after it stay on theirs.
        let nl = self.break_at(last.start);
        let comma = skip_to_token(text, last.end());
        let follows = text.as_bytes().get(comma) == Some(&b',');
        let stop = if follows { line_end(text, comma) } else { line_end(text, last.end()) };
        let rest = &text[last.end()..stop];
        let (before, after) = if follows { ("", ",") } else { (",", "") };
        let own_line = format!("{before}{rest}{nl}{indent}{member}{after}");
        let plans = vec![Splice::new(last.end()..stop, own_line), inline];
        self.try_append(plans, new, last.start)
    }

    /// Appends to a list that is null or `[]`.
    fn append_first(&mut self, new: &New<'_>) -> Result<Made, Blocked> {
        let base = self.base();
        let blocked = |reason| Blocked::new(reason, base);
        let text = &self.text[base..];
        let root = self.root_node()?;
        let (key, value) = self.list_pair(&root)?;
        let flow = matches!(root.kind, Kind::Map { flow: true, .. });
        if value.holds_anchor() {
            return Err(Blocked::new(Reason::Anchor, value.outer() + base));
        }
        if !flow && colon_after(text, key.end).is_none() {
            let what = "a key without a colon";
            return Err(Blocked::new(Reason::Layout { what }, key.start + base));
        }
        let style = Style::of(&root, text, self.break_at(key.start + base));
        let mut plans = Vec::new();
        let brackets = !matches!(value.kind, Kind::Scalar { .. });
        let holds_comment = text[value.start..value.end].contains('#');
        if !flow && !holds_comment && value.tag().is_none() {
            let layout = Layout { dash: key_column(text, key) + 2, gap: 1, style };
            let lines = layout.lines(new, false).map_err(blocked)?;
            plans.push(layout.under_key(text, key, value, &lines));
        }
        let member = format!("{{{}}}", flow_pairs(&new.mapping).map_err(blocked)?);
        let list = format!("[{member}]");
        plans.push(if brackets {
            plan_flow::insertion(text, value, &[], &member)
        } else if value.is_empty() {
            let colon = text.as_bytes().get(value.start.wrapping_sub(1)) == Some(&b':');
            let before = if colon { " " } else { ": " };
            Splice::new(value.start..value.start, format!("{before}{list}"))
        } else {
            Splice::new(value.start..value.end, list)
        });
        let at = key.start + base;
        let plans = plans.into_iter().map(|splice| splice.moved(base)).collect();
        self.try_append(plans, new, at)
    }

    /// Appends to a root that does not have the list's key.
    fn append_list(&mut self, new: &New<'_>) -> Result<Made, Blocked> {
        let base = self.base();
        let blocked = |reason| Blocked::new(reason, base);
        let odd = || blocked(Reason::Layout { what: "this root" });
        let text = &self.text[base..];
        let root = self.root_node()?;
        let Kind::Map { flow, pairs } = &root.kind else {
            return Err(odd());
        };
        let style = Style::of(&root, text, self.break_at(root.end + base));
        let name = Value::String(self.list.clone());
        let list = Value::Sequence(vec![Value::Mapping(new.mapping.clone())]);
        let sheet = Sheet { text, style, before: None };
        let obstacle =
            |obstacle: super::plan::Obstacle| Blocked::new(obstacle.reason, obstacle.at + base);
        let plans = if *flow {
            plan_flow::add_pair(sheet, &root, &name, &list, false).map_err(obstacle)?
        } else {
            let (Some((first, _)), Some((last, _))) = (pairs.first(), pairs.last()) else {
                return Err(odd());
            };
            let col = key_column(text, first);
            let layout = Layout { dash: col + 2, gap: 1, style };
            let lines = layout.lines(new, false).map_err(blocked)?;
            let key = key_text(&name, false).map_err(blocked)?;
            let lines = format!("{}{key}:{}{lines}", " ".repeat(col), style.nl);
            let end = next_line(text, root.end);
            let mut plans = vec![layout.splice(text, end..end, "", "", &lines)];
            if break_before(text, end) == 0 {
                plans.push(Splice::new(end..end, format!("{}{lines}{}", style.nl, style.nl)));
                // What ends without a line break may not bear one.
                let line = line_start(text, last.outer());
                plans.push(Splice::new(line..line, format!("{lines}{}", style.nl)));
            }
            plans
        };
        let plans = plans.into_iter().map(|splice| splice.moved(base)).collect();
        self.try_append(plans, new, base)
    }
}

impl Layout {
    /// Returns the lines of a record, without the last line break.
    fn lines(self, new: &New<'_>, braces: bool) -> Result<String, Reason> {
        if let Some(text) = new.text {
            return Ok(indented(text, self.dash, self.style.nl));
        }
        let dash = " ".repeat(self.dash);
        let gap = " ".repeat(self.gap);
        if braces || new.mapping.is_empty() {
            return Ok(format!("{dash}-{gap}{{{}}}", flow_pairs(&new.mapping)?));
        }
        let fields = self.style.fields(new.mapping.iter(), self.gap, self.dash + 1 + self.gap)?;
        Ok(format!("{dash}-{fields}"))
    }

    /// Puts lines after those of a range, which `head` replaces.
    fn splice(
        self,
        text: &str,
        range: std::ops::Range<usize>,
        head: &str,
        blank: &str,
        lines: &str,
    ) -> Splice {
        let nl = self.style.nl;
        let open = range.end > 0 && break_before(text, range.end) == 0;
        let added = if open {
            format!("{head}{nl}{blank}{lines}")
        } else {
            format!("{head}{blank}{lines}{nl}")
        };
        Splice::new(range, added)
    }

    /// Puts lines under the key of an empty list, and takes away its `[]` or `~`.
    fn under_key(self, text: &str, key: &Node<'_>, value: &Node<'_>, lines: &str) -> Splice {
        let colon = colon_after(text, key.end).unwrap_or(key.end);
        let mut kept = String::new();
        let end = line_end(text, value.end);
        for part in [&text[colon..value.start], &text[value.end..end]] {
            for line in part.split_inclusive(['\n', '\r']) {
                let comment = line.contains('#');
                if comment {
                    kept.push_str(line);
                }
            }
        }
        let kept = kept.trim_end_matches(['\n', '\r']);
        let below = belongings_end(text, after_break(text, end), column(text, key.outer()) + 1);
        if below > after_break(text, end) {
            // Comments under the key, further in than it, stay above its records.
            let comments = &text[end..below];
            let open = break_before(text, below) == 0;
            let (nl, last) = if open { (self.style.nl, "") } else { ("", self.style.nl) };
            return Splice::new(colon..below, format!("{kept}{comments}{nl}{lines}{last}"));
        }
        Splice::new(colon..end, format!("{kept}{}{lines}", self.style.nl))
    }
}

/// Returns where the comment lines end that follow `at` directly and stand in
/// column `col` or deeper.
fn belongings_end(text: &str, at: usize, col: usize) -> usize {
    let mut at = at;
    while at < text.len() {
        let line = &text[at..line_end(text, at)];
        let indent = indent_of(line);
        if indent < col || !line[indent..].starts_with('#') {
            break;
        }
        at = next_line(text, at);
    }
    at
}

/// Returns where the blank lines end that follow `at` directly.
fn after_blanks(text: &str, at: usize) -> usize {
    let mut at = at;
    while at < text.len() && is_blank_line(&text[at..line_end(text, at)]) {
        at = next_line(text, at);
    }
    at
}

/// Returns the header of the block scalar that ends with the text, without a line
/// break, if the record ends in one.
fn unterminated(node: &Node<'_>, text: &str) -> Option<usize> {
    match &node.kind {
        Kind::Map { pairs, .. } => unterminated(&pairs.last()?.1, text),
        Kind::Seq { entries, .. } => unterminated(entries.last()?, text),
        _ => (node.is_block_scalar() && node.end == text.len()).then_some(node.start),
    }
}

/// Returns where the new record's first line begins in a changed slice, of which
/// `end` is the end of what was put in.
fn record_start(text: &str, end: usize, lines: &str, layout: Layout) -> usize {
    let end = if text[..end].ends_with(lines) { end } else { end - layout.style.nl.len() };
    end - lines.len()
}
