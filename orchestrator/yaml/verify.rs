//! Verification: a changed text means what was meant, and nothing else.
//!
//! Two parsers read it, granit-parser and libyaml behind `serde_yaml`. The first
//! must find exactly the intended value, keys in order, unknown ones too. The
//! second must find the same, or, where it read the old text differently from the
//! start (it takes U+2028 for a line break), its own old value with the same
//! change. Nothing is written that only one of them understands.

use serde_yaml::{Mapping, Value};

use super::entry::{Entry, entry, mapping};
use super::index::{Index, index, untagged};
use super::refused::Reason;
use super::value::{same, same_mapping};

/// Reads a changed slice of one record; none where it is not the intended one.
pub(super) fn reads_as<'t>(text: &'t str, dash: usize, intended: &Mapping) -> Option<Entry<'t>> {
    // At its beginning, a slice would have it as a byte order mark.
    if has_document_marker(text) || text.starts_with('\u{feff}') {
        return None;
    }
    let entry = entry(text).ok()?;
    let read = mapping(&entry.node).ok()?;
    (entry.dash == dash && !entry.anchors && same_mapping(&read, intended)).then_some(entry)
}

/// Checks what the second parser makes of a changed slice of one record. `change`
/// makes the change to its own reading of the old text, where it comes to that.
pub(super) fn second_reads_as(
    new: &str,
    intended: &Mapping,
    old: &str,
    change: impl FnOnce(&Mapping) -> Option<Mapping>,
) -> Result<(), Reason> {
    let read = |text: &str| -> Result<Option<Mapping>, serde_yaml::Error> {
        Ok(match serde_yaml::from_str::<Value>(text)? {
            Value::Sequence(entries) if entries.len() == 1 => {
                entries.into_iter().next().map(untagged).and_then(|value| match value {
                    Value::Mapping(mapping) => Some(mapping),
                    _ => None,
                })
            }
            _ => None,
        })
    };
    let new = read(new);
    if let Ok(Some(new)) = &new
        && same_mapping(new, intended)
    {
        return Ok(());
    }
    let old = read(old).map_err(|error| Reason::unreadable(&error))?;
    let expected = old.as_ref().and_then(change).ok_or(Reason::Unsafe)?;
    match new {
        Ok(Some(new)) if same_mapping(&new, &expected) => Ok(()),
        _ => Err(Reason::Unsafe),
    }
}

/// Checks that the record of a slice says the same when other lines follow it,
/// and returns where it ends then.
pub(super) fn still_reads(new: &str, old: &str) -> Option<usize> {
    let was = entry(old).ok()?;
    let meant = mapping(&was.node).ok()?;
    let end = reads_as(new, was.dash, &meant)?.end;
    match second_reads_as(new, &meant, old, |old| Some(old.clone())) {
        // What the second parser cannot read now, it never could.
        Ok(()) | Err(Reason::Unreadable { .. }) => Some(end),
        Err(_) => None,
    }
}

/// What a whole document means.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// The root's keys and values but the list's.
    pub(super) root: Mapping,
    /// The records.
    pub(super) records: Vec<Value>,
}

impl Model {
    /// Reads a text with the first parser; none where it has problems.
    pub(super) fn first(text: &str, base: usize, list: &str) -> Option<(Self, Index)> {
        let mut records = Vec::new();
        let read = index(text, base, list, &mut |_, mapping| records.push(Value::Mapping(mapping)));
        let index = read.ok()?;
        let root = index.root.values.clone();
        Some((Self { root, records }, index))
    }

    /// Reads a text with the second parser.
    pub(super) fn second(text: &str, list: &str) -> Result<Self, serde_yaml::Error> {
        let mut root = match untagged(serde_yaml::from_str::<Value>(text)?) {
            Value::Mapping(mapping) => mapping,
            _ => Mapping::new(),
        };
        let records = match root.shift_remove(list).map(untagged) {
            Some(Value::Sequence(entries)) => entries.into_iter().map(untagged).collect(),
            _ => Vec::new(),
        };
        Ok(Self { root, records })
    }

    /// Returns whether two documents mean the same, keys in the same order.
    pub(super) fn same(&self, other: &Self) -> bool {
        same_mapping(&self.root, &other.root)
            && self.records.len() == other.records.len()
            && self.records.iter().zip(&other.records).all(|(a, b)| same(a, b))
    }
}

/// Checks a whole changed text, and returns its index, and whether it means what
/// it meant before. Both texts are without byte order mark, which takes `base`
/// bytes before them.
pub(super) fn whole(
    old: &str,
    new: &str,
    base: usize,
    list: &str,
    change: impl Fn(&Model) -> Option<Model>,
) -> Result<(Index, bool), Reason> {
    let (was, _) = Model::first(old, 0, list).ok_or(Reason::Unsafe)?;
    let intended = change(&was).ok_or(Reason::Unsafe)?;
    let unchanged = intended.same(&was);
    let (read, index) = Model::first(new, base, list).ok_or(Reason::Unsafe)?;
    if !read.same(&intended) {
        return Err(Reason::Unsafe);
    }
    let second = Model::second(new, list);
    if second.as_ref().is_ok_and(|second| second.same(&intended)) {
        return Ok((index, unchanged));
    }
    let was = Model::second(old, list).map_err(|error| Reason::unreadable(&error))?;
    let expected = change(&was).ok_or(Reason::Unsafe)?;
    match second {
        Ok(second) if second.same(&expected) => Ok((index, unchanged)),
        _ => Err(Reason::Unsafe),
    }
}

/// Returns whether a line begins with what could start or end a document.
pub(super) fn has_document_marker(text: &str) -> bool {
    super::lines::lines(text)
        .any(|line| line.starts_with('%') || line.starts_with("---") || line.starts_with("..."))
}
