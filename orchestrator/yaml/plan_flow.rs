//! Flow layout: splices inside brackets and braces.
//!
//! New pairs and entries go after the last one, before a trailing comma and before
//! any comment; what is removed takes one comma along and leaves comments.

use serde_yaml::Value;

use super::lines::{skip_blanks, skip_to_token};
use super::node::{Kind, Node};
use super::plan::{Obstacle, Parent, Sheet, Splice};
use super::refused::Reason;
use super::render::{Hint, flow_pair, in_brackets};

type Plans = Result<Vec<Splice>, Obstacle>;

/// Plans a new pair of a mapping in braces.
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
    check_open(sheet.text, node, b'{')?;
    let pair = flow_pair(key, value).map_err(|reason| Obstacle::new(reason, node.start))?;
    let ends: Vec<usize> = pairs.iter().map(|(key, value)| key.end.max(value.end)).collect();
    let mut plan = if first && !pairs.is_empty() {
        Splice { at: Some(0), ..Splice::new(node.start + 1..node.start + 1, format!("{pair}, ")) }
    } else {
        insertion(sheet.text, node, &ends, &pair)
    };
    if first {
        plan.at = Some(0);
    }
    Ok(vec![plan])
}

/// Plans a new last entry of a sequence in brackets.
pub(super) fn push(sheet: Sheet<'_>, node: &Node<'_>, value: &Value) -> Plans {
    let Kind::Seq { entries, .. } = &node.kind else {
        return Ok(Vec::new());
    };
    check_open(sheet.text, node, b'[')?;
    let hint = entries.last().map_or_else(Hint::default, |last| Hint::of(last, sheet.text));
    let entry = in_brackets(value, hint).map_err(|reason| Obstacle::new(reason, node.start))?;
    let ends: Vec<usize> = entries.iter().map(|entry| entry.end).collect();
    Ok(vec![insertion(sheet.text, node, &ends, &entry)])
}

/// Adds after the last member, or as the only one.
pub(super) fn insertion(text: &str, node: &Node<'_>, ends: &[usize], member: &str) -> Splice {
    match ends.last() {
        // Right after a colon, a comma would belong to the text before it.
        Some(&end) if text[..end].ends_with(':') => Splice::new(end..end, format!(" , {member}")),
        Some(&end) => Splice::new(end..end, format!(", {member}")),
        None => Splice::new(node.start + 1..node.start + 1, member),
    }
}

fn check_open(text: &str, node: &Node<'_>, open: u8) -> Result<(), Obstacle> {
    if text.as_bytes().get(node.start) == Some(&open) {
        return Ok(());
    }
    Err(Obstacle::new(Reason::Layout { what: "a pair without braces" }, node.start))
}

/// Plans another value in the place of one that is there.
pub(super) fn replace(sheet: Sheet<'_>, place: Parent<'_, '_>, value: &Value) -> Plans {
    let Sheet { text, .. } = sheet;
    let node = place.node;
    let hint = Hint::of(node, text);
    let new = in_brackets(value, hint).map_err(|reason| Obstacle::new(reason, node.start))?;
    if !node.is_empty() {
        return Ok(vec![Splice::new(node.start..node.end, new)]);
    }
    let has_colon = node.start > 0 && text.as_bytes()[node.start - 1] == b':';
    let text = if has_colon { format!(" {new}") } else { format!(": {new}") };
    Ok(vec![Splice::new(node.start..node.start, text)])
}

/// Plans the removal of a pair or an entry.
pub(super) fn remove(sheet: Sheet<'_>, parent: Parent<'_, '_>, at: usize) -> Plans {
    let Sheet { text, .. } = sheet;
    let node = parent.node;
    let ranges: Vec<(usize, usize)> = match &node.kind {
        Kind::Map { pairs, .. } => {
            pairs.iter().map(|(k, v)| (k.outer(), k.end.max(v.end))).collect()
        }
        Kind::Seq { entries, .. } => entries.iter().map(|e| (e.outer(), e.end)).collect(),
        Kind::Scalar { .. } | Kind::Alias(_) => return Ok(Vec::new()),
    };
    let open = if matches!(node.kind, Kind::Map { .. }) { b'{' } else { b'[' };
    check_open(text, node, open)?;
    let (start, end) = ranges[at];
    let comma = skip_to_token(text, end);
    let followed = text.as_bytes().get(comma) == Some(&b',');
    if at + 1 < ranges.len() || (at == 0 && followed) {
        if !followed {
            return Ok(Vec::new());
        }
        // The comma after it goes along; a comment between the two stays.
        let kept = &text[end..comma];
        let kept = if kept.contains('#') { kept } else { "" };
        let stop = skip_blanks(text, comma + 1);
        // A comment needs a blank before it.
        let stop = if text[stop..].starts_with('#') { comma + 1 } else { stop };
        return Ok(vec![Splice::new(start..stop, kept)]);
    }
    let Some((_, before)) = at.checked_sub(1).map(|before| ranges[before]) else {
        return Ok(vec![Splice::new(start..end, "")]);
    };
    let comma = skip_to_token(text, before);
    if text.as_bytes().get(comma) != Some(&b',') {
        return Ok(Vec::new());
    }
    // Last of several: the comma before it goes along.
    let kept = format!("{}{}", &text[before..comma], &text[comma + 1..start]);
    let kept = match text.as_bytes().get(before.wrapping_sub(1)) {
        _ if kept.contains('#') => kept,
        // `{a:}` is no empty value for every reader.
        Some(b':') => " ".to_owned(),
        _ => String::new(),
    };
    Ok(vec![Splice::new(before..end, kept)])
}
