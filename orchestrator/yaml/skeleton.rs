//! The skeleton: the document without its records.
//!
//! What stands before and after a block list reads the same whatever records lie
//! between, so one small record takes the place of all, and an edit of the root
//! costs what the root costs. Other documents are their own skeleton.

use std::ops::Range;

use super::document::Document;
use super::index::{List, Root};

/// A document's text with one record in the place of all.
pub(super) struct Skeleton {
    /// The text, without byte order mark.
    pub(super) text: String,
    /// Length of the byte order mark.
    base: usize,
    cut: Option<Cut>,
}

struct Cut {
    /// Where the record in place of all begins and ends.
    start: usize,
    end: usize,
    /// Where the text goes on in the document.
    resumes: usize,
}

impl Skeleton {
    /// Takes the skeleton of a document.
    pub(super) fn of(document: &Document) -> Self {
        let base = document.base();
        let whole = document.text();
        let index = document.index();
        let (List::Block { dash }, Some(first)) = (index.root.list, index.records.first()) else {
            return Self { text: whole[base..].to_owned(), base, cut: None };
        };
        let mut text =
            String::with_capacity(first.start + whole.len() - index.root.tail + dash + 8);
        text.push_str(&whole[base..first.start]);
        let start = text.len();
        text.extend(std::iter::repeat_n(' ', dash));
        text.push_str("- {}\n");
        let cut = Cut { start, end: text.len(), resumes: index.root.tail };
        text.push_str(&whole[index.root.tail..]);
        Self { text, base, cut: Some(cut) }
    }

    /// Returns where an offset lies in the document; none inside the record in
    /// place of all.
    pub(super) fn to_document(&self, at: usize) -> Option<usize> {
        match &self.cut {
            Some(cut) if at >= cut.end => Some(at - cut.end + cut.resumes),
            Some(cut) if at > cut.start => None,
            _ => Some(at + self.base),
        }
    }

    /// Returns where a range lies in the document; none where it touches the record
    /// in place of all.
    pub(super) fn range_in_document(&self, range: &Range<usize>) -> Option<Range<usize>> {
        if let Some(cut) = &self.cut
            && range.start < cut.end
            && range.end > cut.start
        {
            return None;
        }
        // At the end of what comes before, a range is still before.
        let behind = self.is_behind(range.start);
        let start = self.to_document(range.start)?;
        let end = if behind { self.to_document(range.end)? } else { start + range.len() };
        Some(start..end)
    }

    /// Turns the root of a changed skeleton into that of the document, when the
    /// text before the records grew by `delta` bytes.
    pub(super) fn moved_root(&self, root: Root, delta: isize) -> Root {
        let mut root = root;
        let offsets = root.keys.iter_mut().map(|key| &mut key.offset);
        for offset in offsets.chain([&mut root.tail]) {
            *offset = match &self.cut {
                Some(cut) if *offset >= cut.end.saturating_add_signed(delta) => {
                    *offset + cut.resumes - cut.end
                }
                _ => *offset + self.base,
            };
        }
        root
    }

    /// Returns whether records were left out.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Returns where the text goes on behind the record in place of all.
    pub(super) fn resumes_at(&self) -> usize {
        self.cut.as_ref().map_or(self.text.len(), |cut| cut.end)
    }

    /// Returns whether an offset lies behind the records.
    pub(super) fn is_behind(&self, at: usize) -> bool {
        self.cut.as_ref().is_some_and(|cut| at >= cut.end)
    }
}
