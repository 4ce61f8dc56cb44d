//! Block layout: splices among lines and indentation.
//!
//! New keys and entries are lines of their own in the column of their siblings;
//! what is removed goes with its lines. A comment at the end of a line stays when
//! its value changes and goes when its key goes; comments on lines of their own
//! stay, except inside a value that goes, where only those at column 0 stay.

use serde_yaml::Value;

use super::index::is_text;
use super::lines::{
    after_break, break_before, is_blank_line, line_end, line_start, lines, next_line, skip_blanks,
};
use super::node::{Kind, Node, column, indicators_end, key_column};
use super::plan::{Obstacle, Parent, Sheet, Splice, dash_of};
use super::refused::Reason;
use super::render::{Hint, on_the_line};

type Plans = Result<Vec<Splice>, Obstacle>;

/// Plans a new key of a block mapping.
pub(super) fn add_pair(
    sheet: Sheet<'_>,
    node: &Node<'_>,
    key: &Value,
    value: &Value,
    first: bool,
) -> Plans {
    let Kind::Map { pairs, .. } = &node.kind else {
        return Ok(Vec::new());
    };
    let Some((first_key, _)) = pairs.first() else {
        return Ok(Vec::new());
    };
    let col = key_column(sheet.text, first_key);
    let pair =
        sheet.style.pair(key, value, col).map_err(|reason| Obstacle::new(reason, node.start))?;
    let before = |at: usize| {
        let key = &pairs[at].0;
        let start = line_start(sheet.text, key.outer()) + key_column(sheet.text, key);
        let text = format!("{pair}{}{}", sheet.style.nl, " ".repeat(col));
        Splice { at: Some(at), ..Splice::new(start..start, text) }
    };
    if first {
        return Ok(vec![before(0)]);
    }
    let fixed = sheet.before.and_then(|name| pairs.iter().position(|(key, _)| is_text(key, name)));
    if let Some(at) = fixed {
        return Ok(vec![before(at)]);
    }
    let last = pairs.len() - 1;
    let line = format!("{}{pair}", " ".repeat(col));
    let after = new_line_after(sheet, pairs[last].1.end, &line);
    // Where the last value ends without a line break, one after it may change it.
    Ok(vec![after, before(last)])
}

/// Plans a line after the one that holds `at`.
fn new_line_after(sheet: Sheet<'_>, at: usize, line: &str) -> Splice {
    let end = line_end(sheet.text, at);
    let next = after_break(sheet.text, end);
    let text = if next == end {
        format!("{}{line}", sheet.style.nl)
    } else {
        format!("{line}{}", sheet.style.nl)
    };
    Splice::new(next..next, text)
}

/// Plans a new last entry of a block sequence.
pub(super) fn push(sheet: Sheet<'_>, place: Parent<'_, '_>, value: &Value) -> Plans {
    let node = place.node;
    let Kind::Seq { entries, .. } = &node.kind else {
        return Ok(Vec::new());
    };
    let (Some(dash), Some(last)) = (dash_of(sheet.text, place, 0), entries.last()) else {
        return Err(Obstacle::new(Reason::Layout { what: "a list without dashes" }, node.start));
    };
    let col = column(sheet.text, dash);
    let mut plans = Vec::new();
    let hint = Hint::of(last, sheet.text);
    let unwritable = |reason| Obstacle::new(reason, node.start);
    for text in [
        sheet.style.after_dash(value, col, hint).map_err(unwritable)?,
        on_the_line(value, hint).map_err(unwritable)?,
    ] {
        let line = format!("{}-{text}", " ".repeat(col));
        plans.push(new_line_after(sheet, last.end, &line));
    }
    Ok(plans)
}

/// Plans another value in the place of one that is there.
pub(super) fn replace(sheet: Sheet<'_>, place: Parent<'_, '_>, value: &Value) -> Plans {
    let col = place.owner.unwrap_or(0);
    let hint = Hint::of(place.node, sheet.text);
    let after_dash = place.gap > 0 && sheet.text.as_bytes()[place.gap - 1] == b'-';
    let unwritable = |reason| Obstacle::new(reason, place.node.start);
    let styled = if after_dash {
        sheet.style.after_dash(value, col, hint)
    } else {
        sheet.style.after_colon(value, col, hint)
    };
    let styled = styled.map_err(unwritable)?;
    let plain = on_the_line(value, hint).map_err(unwritable)?;
    let mut plans = vec![in_place(sheet, place, &styled)];
    if plain != styled {
        plans.push(in_place(sheet, place, &plain));
    }
    Ok(plans)
}

/// Puts a rendered value where another stands, and keeps the comments around it.
fn in_place(sheet: Sheet<'_>, place: Parent<'_, '_>, rendered: &str) -> Splice {
    let Sheet { text, .. } = sheet;
    let node = place.node;
    let break_at = rendered.find(['\n', '\r']).unwrap_or(rendered.len());
    let (head, body) = rendered.split_at(break_at);
    let bare = head.trim_start_matches(' ');
    if node.is_empty() {
        if body.is_empty() {
            return Splice::new(place.gap..place.gap, head);
        }
        return with_rest(text, place.gap, place.gap, head, body);
    }
    if node.is_block_collection() {
        return over_collection(sheet, place, head, body);
    }
    if node.is_block_scalar() {
        let indicators = indicators_end(text, node.start);
        let header_rest = comment_of(&text[indicators..line_end(text, indicators)]);
        let (start, head) = if bare.is_empty() { (place.gap, head) } else { (node.start, bare) };
        return Splice::new(start..node.end, format!("{head}{header_rest}{body}"));
    }
    let same_line = line_start(text, node.start) <= place.gap;
    let inner = own_line_comments(sheet, node.start, node.end);
    if body.is_empty() && inner.is_empty() {
        return Splice::new(node.start..node.end, bare);
    }
    if same_line {
        let start = if bare.is_empty() { place.gap } else { node.start };
        let head = if bare.is_empty() { head } else { bare };
        return with_rest(text, start, node.end, head, &format!("{body}{inner}"));
    }
    // The value stands on a later line than its key.
    let first = comment_of(&text[place.gap..line_end(text, place.gap)]);
    let between = own_line_comments(sheet, place.gap, node.start);
    let rest = comment_of(&text[node.end..line_end(text, node.end)]);
    let end = line_end(text, node.end);
    Splice::new(place.gap..end, format!("{head}{first}{rest}{body}{between}{inner}"))
}

/// Replaces up to the end of the line, keeping the comment there before `body`.
fn with_rest(text: &str, start: usize, end: usize, head: &str, body: &str) -> Splice {
    let line_end = line_end(text, end);
    let rest = comment_of(&text[end..line_end]);
    Splice::new(start..line_end, format!("{head}{rest}{body}"))
}

fn over_collection(sheet: Sheet<'_>, place: Parent<'_, '_>, head: &str, body: &str) -> Splice {
    let Sheet { text, .. } = sheet;
    let node = place.node;
    let gap_end = line_end(text, place.gap);
    let first = if node.start > gap_end { comment_of(&text[place.gap..gap_end]) } else { "" };
    let kept = own_line_comments(sheet, place.gap, node.end);
    Splice::new(place.gap..line_end(text, node.end), format!("{head}{first}{body}{kept}"))
}

/// Returns the rest of a line, if it is a comment with the blanks before it.
fn comment_of(rest: &str) -> &str {
    if is_blank_line(rest) { "" } else { rest }
}

/// Returns the lines between two offsets that are nothing but a comment, each
/// after a line break.
fn own_line_comments(sheet: Sheet<'_>, start: usize, end: usize) -> String {
    let from = next_line(sheet.text, start);
    let mut kept = String::new();
    for line in lines(sheet.text.get(from..line_start(sheet.text, end)).unwrap_or_default()) {
        if line.trim_start_matches([' ', '\t']).starts_with('#') {
            kept.push_str(sheet.style.nl);
            kept.push_str(line);
        }
    }
    kept
}

/// Returns the whole lines in a range that are a comment at column 0.
fn column_0_comments(sheet: Sheet<'_>, start: usize, end: usize, within: &Node<'_>) -> String {
    let mut kept = String::new();
    if within.is_block_scalar() || !within.is_block_collection() {
        return kept;
    }
    for line in lines(&sheet.text[start..end]) {
        if line.starts_with('#') {
            kept.push_str(line);
            kept.push_str(sheet.style.nl);
        }
    }
    kept
}

/// Plans the removal of a key of a block mapping.
pub(super) fn remove_pair(sheet: Sheet<'_>, parent: Parent<'_, '_>, at: usize) -> Plans {
    let Sheet { text, .. } = sheet;
    let Kind::Map { pairs, .. } = &parent.node.kind else {
        return Ok(Vec::new());
    };
    let (key, value) = &pairs[at];
    if pairs.len() == 1 {
        if parent.owner.is_some() {
            return Ok(vec![over_collection(sheet, parent, " {}", "")]);
        }
        // The record, or the root, itself.
        let kept = column_0_comments(sheet, key.end, value.end, value);
        let kept = kept.trim_end_matches(['\n', '\r']);
        let body =
            if kept.is_empty() { String::new() } else { format!("{}{kept}", sheet.style.nl) };
        return Ok(vec![with_rest(text, key.outer(), value.end, "{}", &body)]);
    }
    let line = line_start(text, key.outer());
    let indent = key_column(text, key);
    if text[line..line + indent].bytes().all(|b| b == b' ') {
        return Ok(remove_lines(sheet, line, value));
    }
    remove_on_dash_line(sheet, parent, at)
}

/// Plans the removal of a key that shares its line with a dash: the next key is
/// pulled up, unless comments stand between the two.
fn remove_on_dash_line(sheet: Sheet<'_>, parent: Parent<'_, '_>, at: usize) -> Plans {
    let Sheet { text, .. } = sheet;
    let Kind::Map { pairs, .. } = &parent.node.kind else {
        return Ok(Vec::new());
    };
    let (key, value) = &pairs[at];
    let Some((next, _)) = pairs.get(at + 1) else {
        return Ok(Vec::new());
    };
    let dash_end = text[..key.outer()].trim_end_matches([' ', '\t']).len();
    let kept = column_0_comments(sheet, key.end, value.end, value);
    if !kept.is_empty() {
        let comment = comment_of(&text[value.end..line_end(text, value.end)]);
        let kept = kept.trim_end_matches(['\n', '\r']);
        let lines = format!("{comment}{}{kept}", sheet.style.nl);
        return Ok(vec![Splice::new(dash_end..line_end(text, value.end), lines)]);
    }
    if !text[value.end..next.outer()].contains('#') {
        return Ok(vec![Splice::new(key.outer()..next.outer(), "")]);
    }
    let rest = skip_blanks(text, value.end);
    let comment_follows = text.as_bytes().get(rest) == Some(&b'#');
    let start = if comment_follows { key.outer() } else { dash_end };
    Ok(vec![Splice::new(start..rest, "")])
}

/// Removes whole lines, from `line` to that in which `node` ends.
fn remove_lines(sheet: Sheet<'_>, line: usize, node: &Node<'_>) -> Vec<Splice> {
    let Sheet { text, .. } = sheet;
    let end = line_end(text, node.end.max(line));
    let next = after_break(text, end);
    let kept = column_0_comments(sheet, line, end, node);
    let whole = Splice::new(line..next, kept.as_str());
    if next > end {
        return vec![whole];
    }
    // The text's last line has no break: neither has the one that is last now,
    // unless its value needs it.
    let start = line - break_before(text, line);
    let kept = kept.trim_end_matches(['\n', '\r']);
    let nl = if kept.is_empty() { "" } else { sheet.style.nl };
    vec![Splice::new(start..end, format!("{nl}{kept}")), whole]
}

/// Plans the removal of an entry of a block sequence.
pub(super) fn remove_entry(sheet: Sheet<'_>, parent: Parent<'_, '_>, at: usize) -> Plans {
    let Sheet { text, .. } = sheet;
    let Kind::Seq { entries, .. } = &parent.node.kind else {
        return Ok(Vec::new());
    };
    let entry = &entries[at];
    let Some(dash) = dash_of(text, parent, at) else {
        return Err(Obstacle::new(Reason::Layout { what: "an entry without a dash" }, entry.start));
    };
    if entries.len() == 1 {
        return Ok(vec![over_collection(sheet, parent, " []", "")]);
    }
    let line = line_start(text, dash);
    if text[line..dash].bytes().all(|b| b == b' ') {
        return Ok(remove_lines(sheet, line, entry));
    }
    // The first entry of a list that begins on the line of another dash.
    match dash_of(text, parent, at + 1) {
        Some(next) if !text[entry.end..next].contains('#') => Ok(vec![Splice::new(dash..next, "")]),
        _ => Err(Obstacle::new(
            Reason::Layout { what: "a comment between two entries" },
            entry.start,
        )),
    }
}
