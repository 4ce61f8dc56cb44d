//! The index: where each record of a document begins and ends.
//!
//! One pass of events over the whole text makes the index, hands each record's
//! value to the caller, and finds all problems on the way. It is small: two
//! offsets and two columns per record; what lies inside a record is read again
//! from its slice when it is asked for.

use std::ops::Range;

use granit_parser::{Event, ScalarStyle, Span, StructureStyle};
use serde::{Deserialize, Serialize};
use serde_yaml::{Mapping, Value};

use super::lines::{line_start, next_line};
use super::node::{Kind, Node, ReadError, Reader, colon_after, dash_after, is_local, range};
use super::problem::{Finding, ProblemKind, TOO_DEEP, from_scan};
use super::value::{Values, duplicate, plain};

/// Where a record lies. In a block list it is whole lines, from that of its dash
/// to that of its last content; in a flow list the bytes of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub(super) struct Record {
    /// First byte.
    pub(super) start: usize,
    /// Length in bytes; of a block record with the last line's break.
    pub(super) len: usize,
    /// Bytes from `start` to the dash; 0 in a flow list.
    pub(super) dash: usize,
}

/// Packed without names: there are many.
impl From<Record> for [usize; 3] {
    fn from(record: Record) -> Self {
        [record.start, record.len, record.dash]
    }
}

impl From<[usize; 3]> for Record {
    fn from([start, len, dash]: [usize; 3]) -> Self {
        Self { start, len, dash }
    }
}

impl Record {
    /// Returns the end of the record.
    pub(super) const fn end(&self) -> usize {
        self.start + self.len
    }
}

/// How the list of records is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum List {
    /// The root does not have the key.
    Missing,
    /// The key is there, without any record.
    Empty,
    /// One line or more per record, all dashes in this column, counted from 0.
    Block {
        /// The column of the dashes.
        dash: usize,
    },
    /// In brackets.
    Flow,
    /// In a way that is read but not changed.
    Opaque,
}

/// A key of the root mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RootKey {
    /// The key as it reads.
    pub(super) name: String,
    /// Where it begins.
    pub(super) offset: usize,
}

/// Everything that is known of a text without reading it again. Offsets are into
/// the document's text, byte order mark counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    /// The records in file order.
    pub(super) records: Vec<Record>,
    /// All but the records.
    pub(super) root: Root,
}

/// What is known of the root mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Root {
    /// How the list is written.
    pub(super) list: List,
    /// All root keys, the list's too, in file order.
    pub(super) keys: Vec<RootKey>,
    /// The root's other keys and values.
    pub(super) values: Mapping,
    /// Where the last record's slice ends: at the line of the next root key or of
    /// the document's end.
    pub(super) tail: usize,
    /// Whether the root is written in braces.
    pub(super) braces: bool,
    /// Whether there are anchors or aliases, so that no slice stands for itself.
    pub(super) anchors: bool,
}

impl Index {
    /// Moves what lies behind a change of the text by `delta` bytes: the records
    /// from number `from` on, and of the root what begins at `at` or later.
    pub(super) fn shift(&mut self, from: usize, at: usize, delta: isize) {
        for record in self.records.iter_mut().skip(from) {
            record.start = record.start.saturating_add_signed(delta);
        }
        let root = &mut self.root;
        let offsets = root.keys.iter_mut().map(|key| &mut key.offset);
        for offset in offsets.chain([&mut root.tail]) {
            if *offset >= at {
                *offset = offset.saturating_add_signed(delta);
            }
        }
    }
}

/// Reads a text without byte order mark, which lies at `base` of the document.
pub(super) fn index(
    text: &str,
    base: usize,
    list_key: &str,
    visit: &mut dyn FnMut(usize, Mapping),
) -> Result<Index, Vec<Finding>> {
    if let Some(finding) = forbidden_character(text) {
        return Err(vec![finding]);
    }
    match survey(text, base, list_key, visit) {
        (index, findings) if findings.is_empty() => Ok(index),
        (_, findings) => Err(findings),
    }
}

/// Reads a text as far as it can be read: what is found to be wrong with it does not
/// hide the rest, up to an error of syntax.
pub(super) fn survey(
    text: &str,
    base: usize,
    list_key: &str,
    visit: &mut dyn FnMut(usize, Mapping),
) -> (Index, Vec<Finding>) {
    let mut pass = Pass {
        text,
        list_key,
        visit,
        reader: Reader::new(text),
        values: Values::new(text.len()),
        place: Place::Before,
        index: Index {
            records: Vec::new(),
            root: Root {
                list: List::Missing,
                keys: Vec::new(),
                values: Mapping::new(),
                tail: text.len(),
                braces: false,
                anchors: false,
            },
        },
    };
    if let Err(error) = pass.document() {
        let finding = read_finding(&error, text);
        pass.values.findings.push(Finding { record: pass.open_record(), ..finding });
        // What cannot be read must not be taken for the end of the last record.
        let last = pass.index.records.last();
        pass.index.root.tail = last.map_or(pass.index.root.tail, Record::end);
    }
    let findings = pass.values.findings;
    let mut index = pass.index;
    index.root.anchors = pass.reader.anchors;
    if base > 0 {
        index.shift(0, 0, base.cast_signed());
    }
    (index, findings)
}

/// Turns a read error into a finding.
pub(super) fn read_finding(error: &ReadError, text: &str) -> Finding {
    match error {
        ReadError::Scan { error, cursor } => from_scan(error, text, *cursor),
        ReadError::TooDeep(at) => {
            Finding::new(ProblemKind::Syntax, "nested too deeply", *at..*at + 1).hint(TOO_DEEP)
        }
    }
}

/// Finds the first character that YAML does not allow.
pub(super) fn forbidden_character(text: &str) -> Option<Finding> {
    // 0xc2 and 0xef begin the characters above 0x7f that may be forbidden.
    let suspicious = |b: u8| {
        (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || matches!(b, 0x7f | 0xc2 | 0xef)
    };
    // Without a way out inside a chunk, the loop is done many bytes at a time.
    let holds_any = |chunk: &[u8]| chunk.iter().fold(false, |any, &b| any | suspicious(b));
    if !text.as_bytes().chunks(4096).any(holds_any) {
        return None;
    }
    let forbidden = |c: char| {
        matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}'
            | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
    };
    let (at, found) = text.char_indices().find(|(_, c)| forbidden(*c))?;
    let message = format!("the character U+{:04X}, which YAML does not allow", u32::from(found));
    Some(
        Finding::new(ProblemKind::Syntax, message, at..at + found.len_utf8())
            .hint("remove it, or write it as an escape in double quotes"),
    )
}

struct Pass<'t, 'v> {
    text: &'t str,
    list_key: &'v str,
    visit: &'v mut dyn FnMut(usize, Mapping),
    reader: Reader<'t>,
    values: Values,
    place: Place,
    index: Index,
}

/// Where the pass is, seen from the list of records.
#[derive(PartialEq)]
enum Place {
    Before,
    Inside,
    /// Behind its last record, before the next root key.
    Behind,
    After,
}

impl<'t> Pass<'t, '_> {
    fn document(&mut self) -> Result<(), ReadError> {
        let root = self.reader.begin()?;
        let open = root.is_some();
        match root {
            Some((Event::MappingStart(style, anchor, tag), span)) => {
                let properties = self.reader.properties(anchor, tag.as_deref(), &span)?;
                self.index.root.braces = style == StructureStyle::Flow;
                if is_local(properties.as_deref()) {
                    self.wrong_shape("the root has a tag", range(&span), "remove the tag");
                }
                self.root_mapping(range(&span).start)?;
            }
            Some((event, span)) => self.wrong_root(event, &span)?,
            None => self.empty(),
        }
        let (end, second) = self.reader.finish(open)?;
        self.close_list(end);
        if let Some(at) = second {
            let marked = self.text[at..].starts_with("---");
            let range = at..at + if marked { 3 } else { 0 };
            self.values.findings.push(
                Finding::new(
                    ProblemKind::MultipleDocuments,
                    "a second document begins here",
                    range,
                )
                .hint("keep one document per file"),
            );
        }
        Ok(())
    }

    fn empty(&mut self) {
        self.values.findings.push(Finding::new(
            ProblemKind::EmptyFile,
            "there is nothing in it but comments and blank lines",
            0..0,
        ));
    }

    fn wrong_root(&mut self, event: Event<'t>, span: &Span) -> Result<(), ReadError> {
        let node = self.reader.node(event, span)?;
        if node.is_empty() {
            self.empty();
        } else {
            let end = next_line(self.text, node.start).min(node.end);
            self.wrong_shape(
                "the root is not a mapping",
                node.start..end,
                "write 'key: value' lines",
            );
        }
        Ok(())
    }

    fn wrong_shape(&mut self, message: &str, range: Range<usize>, hint: &'static str) {
        self.values.findings.push(Finding::new(ProblemKind::WrongShape, message, range).hint(hint));
    }

    fn root_mapping(&mut self, start: usize) -> Result<(), ReadError> {
        self.reader.enter(start)?;
        loop {
            let (event, span) = self.reader.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let key = self.reader.key(event, &span)?;
            self.close_list(line_start(self.text, key.outer()));
            self.index.root.keys.push(RootKey { name: self.key_name(&key), offset: key.start });
            if is_text(&key, self.list_key) {
                self.list_value(&key)?;
            } else {
                let value = self.value_of(&key)?;
                self.root_pair(&key, &value);
            }
        }
        self.reader.leave();
        Ok(())
    }

    /// Sets the end of the last record's slice, at the first thing behind it.
    fn close_list(&mut self, at: usize) {
        if self.place == Place::Behind {
            self.place = Place::After;
            self.index.root.tail = at;
        }
    }

    fn value_of(&mut self, key: &Node<'t>) -> Result<Node<'t>, ReadError> {
        let (event, span) = self.reader.next()?;
        let value = self.reader.node(event, &span)?;
        Ok(self.reader.after_colon(key.end, value))
    }

    fn key_name(&self, key: &Node<'_>) -> String {
        match &key.kind {
            Kind::Scalar { text, .. } if key.tag().is_none() => text.clone().into_owned(),
            _ => self.text[key.outer()..key.end].to_owned(),
        }
    }

    fn root_pair(&mut self, key: &Node<'_>, value: &Node<'_>) {
        if is_plain_merge(key) {
            self.values.findings.push(
                Finding::new(ProblemKind::MergeKey, "a merge key '<<'", key.start..key.end)
                    .hint("write out the keys that it would merge in"),
            );
        }
        let name = self.values.value(key);
        let value = self.values.value(value);
        if self.index.root.values.contains_key(&name) {
            self.values.findings.push(duplicate(&name, key.start..key.end));
        } else {
            self.index.root.values.insert(name, value);
        }
    }

    fn list_value(&mut self, key: &Node<'t>) -> Result<(), ReadError> {
        let again = self.index.root.list != List::Missing;
        if again {
            let name = Value::String(self.list_key.to_owned());
            self.values.findings.push(duplicate(&name, key.start..key.end));
        }
        let (event, span) = self.reader.next()?;
        if let (Event::SequenceStart(style, ..), false) = (&event, again) {
            let flow = *style == StructureStyle::Flow;
            return self.records(event, &span, flow);
        }
        let node = self.reader.node(event, &span)?;
        let node = self.reader.after_colon(key.end, node);
        if again {
            return Ok(());
        }
        self.index.root.list = List::Empty;
        match &node.kind {
            Kind::Scalar { .. } if self.values.value(&node).is_null() => {}
            Kind::Alias(_) => {
                let message = format!("{} is an alias", self.list_key);
                self.wrong_shape(&message, node.start..node.end, "write the list here");
            }
            _ => {
                let message = format!("{} is not a list", self.list_key);
                let end = next_line(self.text, node.start).min(node.end);
                self.wrong_shape(&message, node.start..end, "begin each entry with '- '");
            }
        }
        Ok(())
    }

    fn records(&mut self, event: Event<'t>, span: &Span, flow: bool) -> Result<(), ReadError> {
        let Event::SequenceStart(_, anchor, tag) = event else {
            return Ok(());
        };
        let properties = self.reader.properties(anchor, tag.as_deref(), span)?;
        self.reader.enter(range(span).start)?;
        self.index.root.list = if flow { List::Flow } else { List::Opaque };
        self.place = Place::Inside;
        loop {
            // The first dash comes after the key's colon, or the list's tag.
            let from = self.reader.cursor;
            let (event, span) = self.reader.next()?;
            if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                break;
            }
            let node = self.reader.node(event, &span)?;
            let number = self.index.records.len();
            let record = if flow { flow_record(&node) } else { self.block_record(from, &node) };
            self.index.records.push(record);
            self.record(number, &node);
        }
        self.reader.leave();
        self.place = Place::Behind;
        if flow && self.index.records.is_empty() {
            self.index.root.list = List::Empty;
        }
        if is_local(properties.as_deref()) {
            let message = format!("{} has a tag", self.list_key);
            self.wrong_shape(&message, range(span), "remove the tag");
        }
        Ok(())
    }

    fn block_record(&mut self, from: usize, node: &Node<'_>) -> Record {
        let first = self.index.records.is_empty();
        let from = match colon_after(self.text, from) {
            Some(after) if first => after,
            _ => from,
        };
        let dash = dash_after(self.text, from);
        let at = dash.unwrap_or(node.outer());
        let start = line_start(self.text, at);
        let column = at - start;
        let indented = dash.is_some() && self.text[start..at].bytes().all(|b| b == b' ');
        self.index.root.list = match self.index.root.list {
            _ if !indented => List::Opaque,
            List::Block { dash } if dash == column => List::Block { dash },
            _ if first => List::Block { dash: column },
            _ => List::Opaque,
        };
        let end = next_line(self.text, node.end.max(at + 1));
        Record { start, len: end - start, dash: column }
    }

    fn record(&mut self, number: usize, node: &Node<'_>) {
        let before = self.values.findings.len();
        match untagged(self.values.value(node)) {
            Value::Mapping(mapping) => (self.visit)(number, mapping),
            // An alias that could not be followed is told of already.
            _ if self.values.findings.len() > before => {}
            _ => {
                let end = next_line(self.text, node.start).min(node.end);
                self.wrong_shape(
                    "an entry that is not a mapping",
                    node.start..end,
                    "write it as '- key: value'",
                );
            }
        }
        for finding in &mut self.values.findings[before..] {
            finding.record = Some(number);
        }
    }

    /// Returns the record that was being read when the text turned out wrong.
    fn open_record(&self) -> Option<usize> {
        (self.place == Place::Inside).then_some(self.index.records.len())
    }
}

fn flow_record(node: &Node<'_>) -> Record {
    Record { start: node.outer(), len: node.end - node.outer(), dash: 0 }
}

/// Returns the value without its tags.
pub(super) fn untagged(value: Value) -> Value {
    let mut value = value;
    while let Value::Tagged(tagged) = value {
        value = tagged.value;
    }
    value
}

/// Returns whether a key's node is this text (and not a number or the like).
pub(super) fn is_text(node: &Node<'_>, wanted: &str) -> bool {
    match &node.kind {
        Kind::Scalar { style, text } => {
            text == wanted
                && node.tag().is_none()
                && (*style != ScalarStyle::Plain || matches!(plain(text), Ok(Value::String(_))))
        }
        _ => false,
    }
}

fn is_plain_merge(node: &Node<'_>) -> bool {
    matches!(&node.kind, Kind::Scalar { style: ScalarStyle::Plain, text } if text == "<<")
}
