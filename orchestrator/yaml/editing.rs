//! Several edits in a row, of which each costs what its record costs.
//!
//! A splice in the middle of a long text moves half of it. So each record that is
//! edited is taken out as an excerpt, a document of its own with one record, in
//! which edits are planned and verified as they are anywhere; all excerpts are put
//! back together, in one pass. What is not about one record, and any edit that an
//! excerpt refuses, is made in the document itself, once the excerpts are back.

use std::collections::BTreeMap;
use std::ops::Range;

use super::apply::Undo;
use super::document::Document;
use super::edit::Edit;
use super::index::{Index, List, Record, Root};
use super::lines::break_before;
use super::refused::Refused;

/// A document while edits are made to it. Ended or dropped, all of them are in its
/// text.
#[derive(Debug)]
pub struct Editing<'d> {
    document: &'d mut Document,
    /// The excerpts that are out, by the number of their record.
    excerpts: BTreeMap<usize, Document>,
}

impl Document {
    /// Begins a row of edits.
    pub fn editing(&mut self) -> Editing<'_> {
        Editing { document: self, excerpts: BTreeMap::new() }
    }

    /// Returns a document that holds one record, where that reads the same there.
    /// `above` is the excerpt of the record before it, where that is out.
    fn excerpt(&self, number: usize, above: Option<&Self>) -> Option<Self> {
        let List::Block { dash } = self.index.root.list else {
            return None;
        };
        let record = self.record_at(number).filter(|_| self.stands_alone())?;
        let slice = self.slice(number);
        // New lines get the break that stands before the record.
        let above = above.map_or(&self.text[..slice.start], |above| &above.text);
        let nl = last_break(above);
        if nl.is_empty() {
            return None;
        }
        let text = format!("{nl}{}", &self.text[slice]);
        let root = Root {
            list: List::Block { dash },
            keys: Vec::new(),
            values: serde_yaml::Mapping::new(),
            tail: text.len(),
            braces: false,
            anchors: false,
        };
        let index = Index { records: vec![Record { start: nl.len(), ..record }], root };
        Some(Self { text, list: self.list.clone(), index, lines: Default::default() })
    }

    /// Puts excerpts back: their texts in one pass, and what lies behind moves once.
    pub(super) fn put_back(&mut self, excerpts: &BTreeMap<usize, Self>) {
        let parts: Vec<Part<'_>> = excerpts
            .iter()
            .filter_map(|(&number, excerpt)| {
                let record = excerpt.record_at(0)?;
                let text = &excerpt.text[record.start..];
                let slice = self.slice(number);
                let is_changed = self.text[slice.clone()] != *text;
                is_changed.then_some(Part { number, slice, text, len: record.len })
            })
            .collect();
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return;
        };
        let region = first.slice.start..last.slice.end;
        if parts.len() == 1 {
            self.text.replace_range(region.clone(), first.text);
        } else {
            let mut joined = String::with_capacity(region.len() + region.len() / 8);
            let mut at = region.start;
            for part in &parts {
                joined.push_str(&self.text[at..part.slice.start]);
                joined.push_str(part.text);
                at = part.slice.end;
            }
            self.text.replace_range(region.clone(), &joined);
        }
        self.lines.clear();
        let mut delta = 0;
        let mut rest = parts.iter().peekable();
        for (number, record) in self.index.records.iter_mut().enumerate().skip(first.number) {
            record.start = record.start.saturating_add_signed(delta);
            if let Some(part) = rest.next_if(|part| part.number == number) {
                record.len = part.len;
                delta += part.text.len().cast_signed() - part.slice.len().cast_signed();
            }
        }
        self.index.shift(self.index.records.len(), region.end, delta);
    }
}

/// A record that changed in its excerpt.
struct Part<'e> {
    number: usize,
    /// What the document has of it.
    slice: Range<usize>,
    /// What stands there from now on.
    text: &'e str,
    /// The record's length then.
    len: usize,
}

impl Editing<'_> {
    /// Makes the edits in order, all of them or none, as [`Document::apply`] does.
    ///
    /// # Errors
    /// The same as [`Document::apply`].
    pub fn apply(&mut self, edits: &[Edit]) -> Result<Undo, Refused> {
        if let Some((number, own)) = of_one_record(edits)
            && let Some(excerpt) = self.excerpt(number)
            && let Ok(undo) = excerpt.apply(&own)
        {
            self.mind_the_break(number);
            return Ok(undo.in_record(number));
        }
        // A new record goes behind the last one, and touches no other.
        let appends = edits.iter().all(|edit| matches!(edit, Edit::Append { .. }));
        let is_near = |number: &usize| number + 2 >= self.document.len();
        if appends
            && !self.excerpts.keys().any(is_near)
            && let Ok(undo) = self.document.apply(edits)
        {
            // When it is taken back, the excerpts that are out now lie before it.
            return Ok(undo.moved(self.growth()));
        }
        // Also to tell of the place where an edit is refused, as it is in the whole.
        self.put_back();
        self.document.apply(edits)
    }

    /// Returns by how much the text grows when the excerpts are put back.
    fn growth(&self) -> isize {
        let own = |(&number, excerpt): (&usize, &Document)| {
            let new = excerpt.record_at(0).map_or(0, |record| excerpt.text.len() - record.start);
            new.cast_signed() - self.document.slice(number).len().cast_signed()
        };
        self.excerpts.iter().map(own).sum()
    }

    /// Takes edits back, latest first, as [`Document::undo`] does.
    pub fn undo(&mut self, undo: Undo) {
        match undo.record() {
            Some(number) => {
                // The record is what it was after the edit, and could be taken out then.
                let excerpt = self.excerpt(number);
                excerpt.expect("edits are taken back in reverse order").undo(undo.in_excerpt());
                self.mind_the_break(number);
            }
            None => {
                self.put_back();
                self.document.undo(undo);
            }
        }
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.document.len()
    }

    /// Returns whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.document.is_empty()
    }

    /// Returns a record as it is written: see [`Document::record_text`].
    #[must_use]
    pub fn record_text(&self, record: usize) -> String {
        match self.excerpts.get(&record) {
            Some(excerpt) => excerpt.record_text(0),
            None => self.document.record_text(record),
        }
    }

    /// Returns whether a record has a key.
    #[must_use]
    pub fn has_key(&self, record: usize, key: &str) -> bool {
        let place = match self.excerpts.get(&record) {
            Some(excerpt) => excerpt.locate_key(Some(0), key),
            None => self.document.locate_key(Some(record), key),
        };
        place.is_some()
    }

    /// Returns the excerpt of a record, taking it out where it is not.
    fn excerpt(&mut self, number: usize) -> Option<&mut Document> {
        if !self.excerpts.contains_key(&number) {
            let above = number.checked_sub(1).and_then(|above| self.excerpts.get(&above));
            let excerpt = self.document.excerpt(number, above)?;
            self.excerpts.insert(number, excerpt);
        }
        self.excerpts.get_mut(&number)
    }

    /// Puts the excerpts back where an edit changed the line break before a record
    /// that is out too: it begins with the break that stood there.
    fn mind_the_break(&mut self, number: usize) {
        if let (Some(above), Some(below)) =
            (self.excerpts.get(&number), self.excerpts.get(&(number + 1)))
            && below.record_at(0).map(|record| &below.text[..record.start])
                != Some(last_break(&above.text))
        {
            self.put_back();
        }
    }

    fn put_back(&mut self) {
        let excerpts = std::mem::take(&mut self.excerpts);
        self.document.put_back(&excerpts);
    }
}

impl Drop for Editing<'_> {
    fn drop(&mut self) {
        self.put_back();
    }
}

/// Returns the line break that a text ends with; nothing where it does not.
fn last_break(text: &str) -> &str {
    &text[text.len() - break_before(text, text.len())..]
}

/// Returns the edits as those of a document's only record, where all are about one
/// record and none takes it away.
fn of_one_record(edits: &[Edit]) -> Option<(usize, Vec<Edit>)> {
    let mut only = None;
    let mut own = edits.to_vec();
    for edit in &mut own {
        let record = match edit {
            Edit::Set { record, .. } | Edit::Push { record, .. } | Edit::Remove { record, .. } => {
                record.as_mut()?
            }
            Edit::SetFirst { record, .. } => record,
            Edit::Append { .. }
            | Edit::AppendText { .. }
            | Edit::ReplaceText { .. }
            | Edit::RemoveRecord { .. } => return None,
        };
        if *only.get_or_insert(*record) != *record {
            return None;
        }
        *record = 0;
    }
    Some((only?, own))
}
