//! The document: a text, its index, and questions about it.
//!
//! Holds the text exactly as it was given. Answers come from the index, or from
//! the one slice that they are about, read again; nothing here changes a byte.

use std::ops::Range;

use serde_yaml::{Mapping, Value};

use super::edit::Step;
use super::entry::{dedented, entry, mapping, record, whole_lines};
use super::halves::{cut, index_halves};
use super::index::{Index, List, Record, index, is_text, survey};
use super::lines::{LineTable, break_near};
use super::node::{Kind, Node, Parsed, read};
use super::problem::{Problem, located};
use super::refused::Reason;
use super::skeleton::Skeleton;

/// What some editors put before the first character.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A YAML text with a root mapping, and under one of its keys a list of records.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) text: String,
    pub(super) list: String,
    pub(super) index: Index,
    pub(super) lines: LineTable,
}

/// Where something stands in a document's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Byte offset into the text, byte order mark counted.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Document {
    /// Reads a text in one pass and hands each record's number (from 0) and value
    /// to `visit`, in order. `list` is the root key that holds the records; it may
    /// be absent or null.
    ///
    /// # Errors
    /// All problems of the text, as far as they can be told; `visit` may have been
    /// called for some records by then.
    pub fn parse(
        text: String,
        list: &str,
        visit: &mut dyn FnMut(usize, Mapping),
    ) -> Result<Self, Vec<Problem>> {
        let base = base_of(&text);
        match index(&text[base..], base, list, visit) {
            Ok(index) => Ok(Self::new(text, list, index)),
            Err(findings) => Err(located(findings, &text, base, base)),
        }
    }

    /// Reads a text that [`Document::parse`] refuses, as far as it goes: so that what
    /// is wrong with the values of its records can be told together with what is
    /// wrong with its form. Not to be edited.
    pub fn survey(text: String, list: &str, visit: &mut dyn FnMut(usize, Mapping)) -> Self {
        let base = base_of(&text);
        let (index, _) = survey(&text[base..], base, list, visit);
        Self::new(text, list, index)
    }

    /// Reads a text as [`Document::parse`] does, a long one on two threads. Returns
    /// with the document what `read` made of each record's value, in order.
    ///
    /// # Errors
    /// The text, and all problems of it.
    pub fn parse_records<T: Send>(
        text: String,
        list: &str,
        read: impl Fn(Mapping) -> T + Sync,
    ) -> Result<(Self, Vec<T>), (String, Vec<Problem>)> {
        let base = base_of(&text);
        let halves =
            cut(&text[base..], list).and_then(|at| index_halves(&text[base..], list, at, &read));
        if let Some((mut index, made)) = halves {
            index.shift(0, 0, base.cast_signed());
            return Ok((Self::new(text, list, index), made));
        }
        let mut made = Vec::new();
        match index(&text[base..], base, list, &mut |_, mapping| made.push(read(mapping))) {
            Ok(index) => Ok((Self::new(text, list, index), made)),
            Err(findings) => {
                let problems = located(findings, &text, base, base);
                Err((text, problems))
            }
        }
    }

    /// Returns the index as bytes, for [`Document::with_index`]; none where it could
    /// not be read back the same.
    #[must_use]
    pub fn packed_index(&self) -> Option<Vec<u8>> {
        let bytes = serde_json::to_vec(&self.index).ok()?;
        let again: Index = serde_json::from_slice(&bytes).ok()?;
        let in_order = again.root.values.iter().eq(&self.index.root.values);
        (again == self.index && in_order).then_some(bytes)
    }

    /// Makes a document of a text and the index that [`Document::packed_index`] gave
    /// for the same text: that they belong together is the caller's to know.
    ///
    /// # Errors
    /// The text, where the bytes are no index, or that of a longer text.
    pub fn with_index(text: String, list: &str, packed: &[u8]) -> Result<Self, String> {
        let Ok(index) = serde_json::from_slice::<Index>(packed) else {
            return Err(text);
        };
        let is_place = |at: usize| text.is_char_boundary(at);
        let is_inside = |record: &Record| {
            record.start.checked_add(record.len).is_some_and(is_place)
                && record.start.checked_add(record.dash).is_some_and(is_place)
                && is_place(record.start)
        };
        let fits = index.records.iter().all(is_inside)
            && index.records.windows(2).all(|pair| pair[0].end() <= pair[1].start)
            && index.records.last().is_none_or(|last| last.end() <= index.root.tail)
            && is_place(index.root.tail)
            && index.root.keys.iter().all(|key| is_place(key.offset));
        if fits { Ok(Self::new(text, list, index)) } else { Err(text) }
    }

    fn new(text: String, list: &str, index: Index) -> Self {
        Self { text, list: list.to_owned(), index, lines: LineTable::default() }
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text and gives up the rest.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.records.len()
    }

    /// Returns whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.records.is_empty()
    }

    /// Returns the value of a root key other than the list's.
    #[must_use]
    pub fn root(&self, key: &str) -> Option<Value> {
        self.index.root.values.get(key).cloned()
    }

    /// Returns the root's keys, the list's too, and their offsets, in file order.
    pub fn root_keys(&self) -> impl Iterator<Item = (&str, usize)> {
        self.index.root.keys.iter().map(|key| (key.name.as_str(), key.offset))
    }

    /// Returns whether the root has the list's key.
    #[must_use]
    pub fn has_list(&self) -> bool {
        self.index.root.list != List::Missing
    }

    /// Returns a record as it is written, from its dash to its last line of
    /// content, comments in between included, moved so that the dash is in column
    /// 0; of a flow record the same as `- {…}`. Lines end with `\n`, the last too.
    ///
    /// Empty where there is no such record.
    #[must_use]
    pub fn record_text(&self, record: usize) -> String {
        let Some(&found) = self.index.records.get(record) else {
            return String::new();
        };
        if self.index.root.list != List::Flow {
            let dash = found.start + found.dash;
            return dedented(&self.text[dash..found.end()], found.dash);
        }
        let text = dedented(&self.text[found.start..found.end()], 0);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let complete = first.starts_with(['{', '*', '&', '!']);
        let braces = if complete { ("", "") } else { ("{", "}") };
        let mut out = format!("- {}{first}", braces.0);
        for line in lines {
            // In a block list, what goes on stands further in than the dash.
            let indent = if line.starts_with(' ') || line.is_empty() { "" } else { "  " };
            out.push('\n');
            out.push_str(indent);
            out.push_str(line);
        }
        out.push_str(braces.1);
        out.push('\n');
        out
    }

    /// Returns a record's value, the same that `parse` hands out.
    ///
    /// # Errors
    /// Where there is no such record.
    pub fn record_value(&self, record: usize) -> Result<Mapping, Reason> {
        let missing = Reason::NoSuchRecord { record };
        let Some(found) = self.record_at(record) else {
            return Err(missing);
        };
        let read_alone = match self.index.root.list {
            _ if self.index.root.anchors => None,
            List::Block { .. } => {
                let entry = entry(&self.text[self.slice(record)]).ok();
                entry.and_then(|entry| mapping(&entry.node).ok())
            }
            List::Flow => flow_mapping(&format!("[{}]", &self.text[found.start..found.end()])),
            _ => None,
        };
        if let Some(mapping) = read_alone {
            return Ok(mapping);
        }
        // With anchors about, or in an odd layout, only the whole text tells.
        self.all_records().into_iter().nth(record).ok_or(missing)
    }

    /// Reads all records again.
    pub(super) fn all_records(&self) -> Vec<Mapping> {
        let mut records = Vec::with_capacity(self.len());
        let base = self.base();
        let read =
            index(&self.text[base..], base, &self.list, &mut |_, mapping| records.push(mapping));
        debug_assert!(read.is_ok(), "a document's text was read before");
        records
    }

    /// Returns the offset of a record's dash, or of its brace in a flow list; the
    /// text's length where there is no such record.
    #[must_use]
    pub fn record_offset(&self, record: usize) -> usize {
        let found = self.index.records.get(record);
        found.map_or(self.text.len(), |found| found.start + found.dash)
    }

    /// Returns the first and the last line of a record, from 1.
    #[must_use]
    pub fn record_lines(&self, record: usize) -> (u32, u32) {
        let Some(found) = self.index.records.get(record) else {
            return (0, 0);
        };
        let last = found.end().saturating_sub(1).max(found.start);
        (self.line_column(found.start).0, self.line_column(last).0)
    }

    /// Returns where the value at `path` stands, in a record or in the root; the
    /// place of its key where the value is empty. An empty path is the record
    /// itself. None where the path leads nowhere, or through an alias.
    #[must_use]
    pub fn locate(&self, record: Option<usize>, path: &[Step]) -> Option<Location> {
        self.with_node(record, |node| node_range(node, path))
    }

    /// Returns where a key of a record or of the root stands.
    #[must_use]
    pub fn locate_key(&self, record: Option<usize>, key: &str) -> Option<Location> {
        self.with_node(record, |node| {
            let (name, _) = pair_of(node, key)?;
            Some(name.start..name.end)
        })
    }

    /// Returns line and column of a byte offset, both from 1, columns counted in
    /// characters without the byte order mark.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (u32, u32) {
        self.lines.line_column(&self.text, self.base(), offset)
    }

    /// Reads the slice of a record or the root, and places what is found there.
    fn with_node(
        &self,
        record: Option<usize>,
        find: impl Fn(&Node<'_>) -> Option<Range<usize>>,
    ) -> Option<Location> {
        let Some(number) = record else {
            let skeleton = Skeleton::of(self);
            let Parsed { root, .. } = read(&skeleton.text).ok()?;
            let range = find(&root?)?;
            let offset = skeleton.to_document(range.start)?;
            let end = skeleton.to_document(range.end).unwrap_or(offset);
            return Some(self.location(offset..end));
        };
        let slice = self.slice(number);
        let text = self.text.get(slice.clone())?;
        let range = if self.is_block() {
            find(&entry(text).ok()?.node)?
        } else {
            find(&read(text).ok()?.root?)?
        };
        Some(self.location(range.start + slice.start..range.end + slice.start))
    }

    fn location(&self, range: Range<usize>) -> Location {
        let (line, column) = self.line_column(range.start);
        Location { offset: range.start, len: range.end.saturating_sub(range.start), line, column }
    }

    /// Returns the index.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the length of the byte order mark: 0 or 3.
    pub(super) fn base(&self) -> usize {
        base_of(&self.text)
    }

    /// Returns whether the records are lines of a block list.
    pub(super) const fn is_block(&self) -> bool {
        matches!(self.index.root.list, List::Block { .. })
    }

    /// Returns whether each record can be verified by itself.
    pub(super) const fn stands_alone(&self) -> bool {
        self.is_block() && !self.index.root.anchors
    }

    /// Returns the slice that a record is read from: in a block list up to the
    /// line of the next record, with the comments and blanks between.
    pub(super) fn slice(&self, record: usize) -> Range<usize> {
        let records = &self.index.records;
        let Some(found) = records.get(record) else {
            return 0..0;
        };
        if !self.is_block() {
            return found.start..found.end();
        }
        let end = records.get(record + 1).map_or(self.index.root.tail, |next| next.start);
        found.start..end
    }

    /// Returns the line break that new lines near an offset get.
    pub(super) fn break_at(&self, offset: usize) -> &'static str {
        break_near(&self.text, offset)
    }

    /// Returns the record at a number, as the index has it.
    pub(super) fn record_at(&self, record: usize) -> Option<Record> {
        self.index.records.get(record).copied()
    }
}

/// Reads the text of one record, as an editor gives it back: a block sequence
/// entry from its dash on, with comments.
///
/// # Errors
/// All problems found; offsets and lines are those of the text given.
pub fn parse_record(text: &str) -> Result<Mapping, Vec<Problem>> {
    let base = base_of(text);
    match record(&whole_lines(text)) {
        Ok((mapping, _)) => Ok(mapping),
        Err(findings) => Err(located(findings, text, base, base)),
    }
}

/// Returns the length of the byte order mark of a text.
pub(super) fn base_of(text: &str) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// Reads a bracketed list of one record.
fn flow_mapping(text: &str) -> Option<Mapping> {
    let root = read(text).ok()?.root?;
    match root.kind {
        Kind::Seq { entries, .. } => mapping(entries.first()?).ok(),
        _ => None,
    }
}

fn pair_of<'n, 't>(node: &'n Node<'t>, key: &str) -> Option<&'n (Node<'t>, Node<'t>)> {
    match &node.kind {
        Kind::Map { pairs, .. } => pairs.iter().find(|(name, _)| is_text(name, key)),
        _ => None,
    }
}

fn node_range(node: &Node<'_>, path: &[Step]) -> Option<Range<usize>> {
    let mut node = node;
    let mut name = None;
    for step in path {
        match (step, &node.kind) {
            (Step::Key(key), _) => {
                let (key, value) = pair_of(node, key)?;
                name = Some(key);
                node = value;
            }
            (Step::Index(index), Kind::Seq { entries, .. }) => node = entries.get(*index)?,
            (Step::Index(_), _) => return None,
        }
    }
    match name {
        Some(name) if node.is_empty() => Some(name.start..name.end),
        _ => Some(node.start..node.end),
    }
}
