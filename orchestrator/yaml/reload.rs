//! Reloading: taking over a text that somebody else changed.
//!
//! What the old and the new text share at their beginning and end is not read
//! again; the rest is widened to whole records and read by itself. Wherever that
//! might not be the same as reading all of it (the root was touched, anchors,
//! brackets, anything odd), all of it is read.

use std::ops::Range;

use serde_yaml::Mapping;

use super::document::{Document, base_of};
use super::entry::mapping;
use super::index::{List, Record, forbidden_character};
use super::lines::{break_before, next_line};
use super::node::{Kind, Node, dash_after, read};
use super::problem::Problem;
use super::verify::has_document_marker;

/// Which records a reload read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The records of the old document that were replaced.
    pub old: Range<usize>,
    /// The records of the new document that took their place.
    pub new: Range<usize>,
}

impl Document {
    /// Takes over a changed text. Calls `visit` with the number and value of each
    /// record that was read again, in order; the others have the values they had.
    ///
    /// # Errors
    /// All problems of the text; the document is what it was.
    pub fn reload(
        &mut self,
        text: String,
        visit: &mut dyn FnMut(usize, Mapping),
    ) -> Result<Reloaded, Vec<Problem>> {
        let text = match self.reload_part(text, visit) {
            Ok(reloaded) => return Ok(reloaded),
            Err(text) => text,
        };
        let old = 0..self.len();
        *self = Self::parse(text, &self.list, visit)?;
        Ok(Reloaded { old, new: 0..self.len() })
    }

    /// Takes over a changed text as [`Document::reload`] does, where that needs
    /// only a part of it to be read. Then the root is what it was.
    ///
    /// # Errors
    /// The text, where all of it would have to be read; the document is what it
    /// was, and `visit` was not called.
    pub fn reload_part(
        &mut self,
        text: String,
        visit: &mut dyn FnMut(usize, Mapping),
    ) -> Result<Reloaded, String> {
        let Some(part) = self.read_part(&text) else {
            return Err(text);
        };
        let Part { old, records, delta, slice_end } = part;
        let new = old.start..old.start + records.len();
        self.index.shift(old.end, slice_end, delta);
        let mut index = Vec::with_capacity(records.len());
        for (number, (record, mapping)) in new.clone().zip(records) {
            index.push(record);
            visit(number, mapping);
        }
        self.index.records.splice(old.clone(), index);
        self.text = text;
        self.lines.clear();
        Ok(Reloaded { old, new })
    }

    /// Reads the records that differ, if that is as good as reading all.
    fn read_part(&self, new: &str) -> Option<Part> {
        let old = self.text.as_str();
        let List::Block { dash } = self.index.root.list else {
            return None;
        };
        if !self.stands_alone() || base_of(new) != self.base() {
            return None;
        }
        let records = &self.index.records;
        let delta = new.len().cast_signed() - old.len().cast_signed();
        let prefix = common_prefix(old.as_bytes(), new.as_bytes());
        if prefix == old.len() && prefix == new.len() {
            return Some(Part { old: 0..0, records: Vec::new(), delta: 0, slice_end: 0 });
        }
        let room = old.len().min(new.len()) - prefix;
        let suffix = common_suffix(old.as_bytes(), new.as_bytes(), room);
        // A record that ends where the change begins may go on in it.
        let first = records.partition_point(|record| record.start < prefix).checked_sub(1)?;
        let changed_to = old.len() - suffix;
        let mut last = records.partition_point(|record| record.start < changed_to);
        // The record after the change must still begin a line.
        let begins_line = |record: &Record| {
            let at = record.start.checked_add_signed(delta);
            record.start > changed_to || at.is_some_and(|at| break_before(new, at) > 0)
        };
        if records.get(last).is_some_and(|record| !begins_line(record)) {
            last += 1;
        }
        let end = match records.get(last) {
            Some(record) => record.start,
            None if self.index.root.tail > changed_to
                || suffix == 0 && self.index.root.tail == old.len() =>
            {
                self.index.root.tail
            }
            None => return None,
        };
        let start = records.get(first)?.start;
        let slice = new.get(start..end.checked_add_signed(delta)?)?;
        let records = read_records(slice, start, dash)?;
        Some(Part { old: first..last, records, delta, slice_end: end })
    }
}

struct Part {
    old: Range<usize>,
    records: Vec<(Record, Mapping)>,
    delta: isize,
    /// Where the slice ended in the old text.
    slice_end: usize,
}

/// Reads a slice of whole records; none where there is anything unusual.
fn read_records(slice: &str, base: usize, dash: usize) -> Option<Vec<(Record, Mapping)>> {
    if has_document_marker(slice)
        || forbidden_character(slice).is_some()
        || slice.contains('\u{feff}')
    {
        return None;
    }
    let parsed = read(slice).ok()?;
    if parsed.anchors || parsed.second.is_some() || parsed.end < slice.len() {
        return None;
    }
    let Node { kind: Kind::Seq { flow: false, entries }, properties: None, .. } = parsed.root?
    else {
        return None;
    };
    let mut records = Vec::with_capacity(entries.len());
    let mut from = 0;
    for node in &entries {
        let at = dash_after(slice, from)?;
        let line = super::lines::line_start(slice, at);
        let indented = slice[line..at].bytes().all(|b| b == b' ');
        if !indented || at - line != dash || (line > 0 && break_before(slice, line) == 0) {
            return None;
        }
        let end = next_line(slice, node.end.max(at + 1));
        records.push((Record { start: line + base, len: end - line, dash }, mapping(node).ok()?));
        from = node.end.max(at + 1);
    }
    // The slice began with the line of a dash, and must still.
    (records.first()?.0.start == base).then_some(records)
}

/// Returns how many bytes two texts share at their beginning.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let same = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// Returns how many bytes two texts share at their end, `room` at most.
fn common_suffix(a: &[u8], b: &[u8], room: usize) -> usize {
    const BLOCK: usize = 4096;
    let (a, b) = (&a[a.len() - room..], &b[b.len() - room..]);
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let same = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (&a[..room - same], &b[..room - same]);
    same + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}
