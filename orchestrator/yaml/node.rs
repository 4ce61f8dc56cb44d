//! Nodes: the tree of one text with the byte range of everything in it.
//!
//! Reads the events of granit-parser, corrects the spans that it gives for the
//! parser's convenience (block scalars end at the next token, empty values lie at
//! their key), and stops at the nesting limit. Offsets are into the text that was
//! given. What a node means is `value`'s business.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::lines::{
    after_break, indent_of, is_blank, is_break, line_end, line_start, next_line, skip_to_token,
};

/// How many collections may lie in each other, the root included.
pub(super) const NESTING_LIMIT: usize = 128;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'t> {
    /// First byte of the content; of a block scalar, its `|` or `>`.
    pub(super) start: usize,
    /// End of the content, without the line break that ends it.
    pub(super) end: usize,
    /// Its anchor and tag; few nodes have any.
    pub(super) properties: Option<Box<Properties>>,
    /// What it is.
    pub(super) kind: Kind<'t>,
}

/// What stands before the content of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties {
    /// First byte of the first of them.
    start: usize,
    /// End of the last of them.
    pub(super) end: usize,
    /// The anchor's number, if there is one.
    anchor: Option<usize>,
    /// The tag as resolved, if there is one.
    pub(super) tag: Option<Box<str>>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind<'t> {
    /// A text, a number, a null.
    Scalar {
        /// How it is written.
        style: ScalarStyle,
        /// What it says, escapes resolved.
        text: Cow<'t, str>,
    },
    /// A reference to an anchor; none where no such anchor comes before it.
    Alias(Option<usize>),
    /// A sequence.
    Seq {
        /// Written in brackets.
        flow: bool,
        /// Its entries.
        entries: Vec<Node<'t>>,
    },
    /// A mapping.
    Map {
        /// Written in braces.
        flow: bool,
        /// Its pairs.
        pairs: Vec<(Node<'t>, Node<'t>)>,
    },
}

impl Node<'_> {
    /// Returns the first byte, anchor and tag included.
    pub(super) fn outer(&self) -> usize {
        self.properties.as_ref().map_or(self.start, |found| found.start)
    }

    /// Returns the anchor's number, if it has one.
    pub(super) fn anchor(&self) -> Option<usize> {
        self.properties.as_ref()?.anchor
    }

    /// Returns the tag as resolved, if it has one.
    pub(super) fn tag(&self) -> Option<&str> {
        self.properties.as_ref()?.tag.as_deref()
    }

    /// Returns whether nothing at all is written: no content, anchor or tag.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_none() && self.start == self.end
    }

    /// Returns whether this is a block scalar, `|` or `>`.
    pub(super) fn is_block_scalar(&self) -> bool {
        matches!(self.kind, Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. })
    }

    /// Returns whether this is a mapping or sequence without brackets.
    pub(super) fn is_block_collection(&self) -> bool {
        matches!(self.kind, Kind::Seq { flow: false, .. } | Kind::Map { flow: false, .. })
    }

    /// Returns whether it, or anything in it, has an anchor.
    pub(super) fn holds_anchor(&self) -> bool {
        self.anchor().is_some()
            || match &self.kind {
                Kind::Seq { entries, .. } => entries.iter().any(Node::holds_anchor),
                Kind::Map { pairs, .. } => {
                    pairs.iter().any(|(k, v)| k.holds_anchor() || v.holds_anchor())
                }
                Kind::Scalar { .. } | Kind::Alias(_) => false,
            }
    }
}

/// Why a text could not be read to its end.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is not YAML.
    Scan {
        /// The parser's error.
        error: ScanError,
        /// Where the last node before it ended.
        cursor: usize,
    },
    /// It is nested above [`NESTING_LIMIT`].
    TooDeep(usize),
}

/// A text read as one document.
#[derive(Debug)]
pub(super) struct Parsed<'t> {
    /// The root; none where there is no document at all.
    pub(super) root: Option<Node<'t>>,
    /// Where the document ends: its `...` or `---` line, or the end of the text.
    pub(super) end: usize,
    /// Where a second document begins.
    pub(super) second: Option<usize>,
    /// Whether there are anchors or aliases.
    pub(super) anchors: bool,
}

/// Reads a whole text. Further documents are told of, not read.
pub(super) fn read(text: &str) -> Result<Parsed<'_>, ReadError> {
    let mut reader = Reader::new(text);
    let root = match reader.begin()? {
        Some((event, span)) => Some(reader.node(event, &span)?),
        None => None,
    };
    let (end, second) = reader.finish(root.is_some())?;
    Ok(Parsed { root, end, second, anchors: reader.anchors })
}

/// Reads nodes off the event stream of one text.
pub(super) struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// End of the last node, anchor or tag that was read.
    pub(super) cursor: usize,
    /// Whether there are anchors or aliases so far.
    pub(super) anchors: bool,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// Starts at the beginning of a text that has no byte order mark.
    pub(super) fn new(text: &'t str) -> Self {
        let options = granit_parser::options! {
            emit_comments: false,
            emit_anchor_events: true,
            emit_unresolved_aliases: true,
            flow_nesting_limit: NESTING_LIMIT,
            block_nesting_limit: NESTING_LIMIT,
        };
        Self {
            text,
            parser: Parser::new_from_str_with_options(text, options),
            cursor: 0,
            anchors: false,
            depth: 0,
        }
    }

    /// Returns the next event.
    pub(super) fn next(&mut self) -> Result<(Event<'t>, Span), ReadError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(ReadError::Scan { error, cursor: self.cursor }),
            // The stream is over: callers see the same as at its end.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Reads up to the root node's first event; none where there is no document.
    pub(super) fn begin(&mut self) -> Result<Option<(Event<'t>, Span)>, ReadError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::StreamStart => {}
                Event::DocumentStart(..) => self.cursor = range(&span).end.max(self.cursor),
                _ => return Ok(Some((event, span))),
            }
        }
    }

    /// Reads on after the root node: where the document ends, and where a second
    /// one begins.
    pub(super) fn finish(&mut self, open: bool) -> Result<(usize, Option<usize>), ReadError> {
        let mut end = self.text.len();
        let mut open = open;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentEnd if open => {
                    let at = range(&span).start;
                    let marker =
                        |mark| self.text[at..].starts_with(mark) && column(self.text, at) == 0;
                    if marker("...") || marker("---") {
                        end = at;
                    }
                    open = false;
                }
                Event::StreamEnd => return Ok((end, None)),
                Event::DocumentStart(..) => return Ok((end, Some(range(&span).start))),
                _ => {}
            }
        }
    }

    /// Reads the anchor and the tag of a node whose first event was just read.
    pub(super) fn properties(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Option<Box<Properties>>, ReadError> {
        if anchor == 0 && tag.is_none() {
            return Ok(None);
        }
        let tag_range = span.tag_span().as_ref().map(range);
        let mut anchor_range = None;
        let mut found = Properties::default();
        if anchor != 0 {
            self.anchors = true;
            found.anchor = Some(anchor);
            // The parser names the anchor right after its node.
            if let (Event::Anchor(..), span) = self.next()? {
                anchor_range = Some(range(&span));
            }
        }
        found.start = range(span).start;
        for range in tag_range.into_iter().chain(anchor_range) {
            found.start = found.start.min(range.start);
            found.end = found.end.max(range.end);
            self.cursor = self.cursor.max(range.end);
        }
        found.tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()).into());
        Ok(Some(Box::new(found)))
    }

    /// Enters a collection, unless that is one too deep.
    pub(super) fn enter(&mut self, at: usize) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > NESTING_LIMIT {
            return Err(ReadError::TooDeep(at));
        }
        Ok(())
    }

    /// Leaves a collection.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Reads the node that begins with `event`.
    pub(super) fn node(&mut self, event: Event<'t>, span: &Span) -> Result<Node<'t>, ReadError> {
        let node = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let properties = self.properties(anchor, tag.as_deref(), span)?;
                let mut node = self.scalar(text, style, span, properties.is_some());
                node.properties = properties;
                node
            }
            Event::SequenceStart(style, anchor, tag) => {
                let properties = self.properties(anchor, tag.as_deref(), span)?;
                let flow = style == StructureStyle::Flow;
                let mut node = self.sequence(range(span).start, flow)?;
                node.properties = properties;
                node
            }
            Event::MappingStart(style, anchor, tag) => {
                let properties = self.properties(anchor, tag.as_deref(), span)?;
                let flow = style == StructureStyle::Flow;
                let mut node = self.mapping(range(span).start, flow)?;
                node.properties = properties;
                node
            }
            Event::Alias(id) => self.alias(Some(id), span),
            // Only an unresolved alias can stand where a node is expected.
            _ => self.alias(None, span),
        };
        self.cursor = self.cursor.max(node.end);
        Ok(node)
    }

    fn alias(&mut self, id: Option<usize>, span: &Span) -> Node<'t> {
        self.anchors = true;
        let Range { start, end } = range(span);
        Node { start, end, properties: None, kind: Kind::Alias(id) }
    }

    fn scalar(
        &self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        span: &Span,
        has_properties: bool,
    ) -> Node<'t> {
        let Range { mut start, mut end } = range(span);
        let mut text = text;
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            start = block_header(self.text, self.cursor).unwrap_or(start);
            let indent = span.indent.unwrap_or(usize::MAX);
            let extent = block_scalar_end(self.text, start, indent);
            end = extent.end;
            if extent.unterminated && text.ends_with('\n') {
                // A last line without a line break has none to keep, as the
                // second parser reads it too.
                let mut owned = text.into_owned();
                owned.pop();
                text = Cow::Owned(owned);
            }
        } else if start == end && has_properties {
            // An empty value lies after its anchor or tag.
            (start, end) = (self.cursor, self.cursor);
        }
        Node { start, end, properties: None, kind: Kind::Scalar { style, text } }
    }

    fn sequence(&mut self, start: usize, flow: bool) -> Result<Node<'t>, ReadError> {
        self.enter(start)?;
        let from = self.cursor;
        let mut entries: Vec<Node<'t>> = Vec::new();
        let end = loop {
            let (event, span) = self.next()?;
            match event {
                Event::SequenceEnd | Event::StreamEnd => break range(&span).end,
                event => entries.push(self.node(event, &span)?),
            }
        };
        self.leave();
        let mut node =
            Node { start, end, properties: None, kind: Kind::Seq { flow, entries: Vec::new() } };
        if !flow {
            node.end = entries.last().map_or(start, |last| last.end);
            // Where its dashes are no deeper than its key, the parser has it begin
            // at its first entry.
            if entries.first().is_some_and(|first| first.outer() <= start) {
                let colon = colon_after(self.text, from).unwrap_or(from);
                node.start = dash_after(self.text, colon).unwrap_or(start);
            }
        }
        node.kind = Kind::Seq { flow, entries };
        Ok(node)
    }

    fn mapping(&mut self, start: usize, flow: bool) -> Result<Node<'t>, ReadError> {
        self.enter(start)?;
        self.cursor = self.cursor.max(start);
        let mut pairs = Vec::new();
        let end = loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd | Event::StreamEnd => break range(&span).end,
                event => pairs.push(self.pair(event, &span)?),
            }
        };
        self.leave();
        let braced = flow && self.text.as_bytes().get(start) == Some(&b'{');
        let end = if braced { end } else { pairs.last().map_or(start, |(_, v)| v.end.max(start)) };
        let kind = Kind::Map { flow, pairs };
        Ok(Node { start, end, properties: None, kind })
    }

    /// Reads a key, whose first event was just read, and its value.
    fn pair(&mut self, event: Event<'t>, span: &Span) -> Result<(Node<'t>, Node<'t>), ReadError> {
        let key = self.key(event, span)?;
        let (event, span) = self.next()?;
        let value = self.node(event, &span)?;
        let value = self.after_colon(key.end, value);
        Ok((key, value))
    }

    /// Reads a key, whose first event was just read. An empty one lies behind its
    /// `?`, not at the next token, where the parser has it.
    pub(super) fn key(&mut self, event: Event<'t>, span: &Span) -> Result<Node<'t>, ReadError> {
        let mut at = self.cursor;
        if let Event::Scalar(_, ScalarStyle::Plain, 0, None) = &event
            && range(span).is_empty()
        {
            loop {
                at = skip_to_token(self.text, at);
                match self.text.as_bytes().get(at) {
                    Some(b'{' | b'[' | b',') => at += 1,
                    Some(b'?') => break at += 1,
                    _ => break,
                }
            }
            let before = self.cursor;
            let mut key = self.node(event, span)?;
            let at = at.min(key.start);
            (key.start, key.end) = (at, at);
            self.cursor = before.max(at);
            return Ok(key);
        }
        self.node(event, span)
    }

    /// Moves an empty value behind its key's colon, where the parser leaves it
    /// before.
    pub(super) fn after_colon(&mut self, key_end: usize, mut value: Node<'t>) -> Node<'t> {
        if value.is_empty() {
            let at = colon_after(self.text, key_end).unwrap_or(key_end);
            value.start = at;
            value.end = at;
            self.cursor = self.cursor.max(at);
        }
        value
    }
}

/// Returns whether there is a tag that is not one of YAML's own.
pub(super) fn is_local(properties: Option<&Properties>) -> bool {
    properties.and_then(|found| found.tag.as_deref()).is_some_and(|tag| tag.starts_with('!'))
}

/// Returns the byte range of a span.
pub(super) fn range(span: &Span) -> Range<usize> {
    // Parsers over `&str` give byte offsets with every span.
    span.byte_range().unwrap_or_default()
}

/// Returns the offset after the colon that follows a key's end, if there is one.
pub(super) fn colon_after(text: &str, key_end: usize) -> Option<usize> {
    let at = skip_to_token(text, key_end);
    (text.as_bytes().get(at) == Some(&b':')).then_some(at + 1)
}

/// Returns the offset of the next dash of a block sequence, when all up to `from`
/// is read.
pub(super) fn dash_after(text: &str, from: usize) -> Option<usize> {
    let at = skip_to_token(text, from);
    (text.as_bytes().get(at) == Some(&b'-')).then_some(at)
}

/// Finds the header of a block scalar behind indicators and comments.
fn block_header(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at = skip_to_token(text, at);
        match text.as_bytes().get(at)? {
            b':' | b'-' | b'?' => at += 1,
            b'|' | b'>' => return Some(at),
            _ => return None,
        }
    }
}

/// Returns the end of a block scalar's indicators: `|`, `>`, and what follows up
/// to a blank or the line's end.
pub(super) fn indicators_end(text: &str, header: usize) -> usize {
    let rest = text.as_bytes().get(header..).unwrap_or_default();
    header + rest.iter().take_while(|b| !is_blank(**b) && !is_break(**b)).count()
}

/// Where a block scalar ends.
struct Extent {
    end: usize,
    unterminated: bool,
}

/// Finds the end of a block scalar: of its last line of content, or, where it
/// keeps them (`+`), of the last blank line after it.
fn block_scalar_end(text: &str, header: usize, indent: usize) -> Extent {
    let indicators = indicators_end(text, header);
    let keeps = text[header..indicators].contains('+');
    let mut extent = Extent { end: indicators, unterminated: false };
    let mut at = next_line(text, header);
    while at < text.len() {
        let end = line_end(text, at);
        let line = &text[at..end];
        let spaces = indent_of(line);
        let blank = spaces == line.len();
        if spaces >= indent && line.len() > indent {
            extent = Extent { end, unterminated: end == text.len() };
        } else if !blank {
            break;
        } else if keeps {
            extent = Extent {
                end,
                // Of blanks alone, without a line break, none is kept.
                unterminated: extent.end == indicators && end == text.len(),
            };
        }
        at = after_break(text, end);
    }
    extent
}

/// Returns how many bytes lie between the start of the line and `at`.
pub(super) fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

/// Returns the column of a key of a block mapping: that of its `?`, if it has one.
pub(super) fn key_column(text: &str, key: &Node<'_>) -> usize {
    let before = text[..key.outer()].trim_end_matches([' ', '\t']);
    if before.ends_with('?') {
        return column(text, before.len() - 1);
    }
    column(text, key.outer())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_spans(text: &str) -> Vec<&str> {
        let parsed = read(text).unwrap();
        let Kind::Map { pairs, .. } = parsed.root.unwrap().kind else { panic!("no mapping") };
        pairs.iter().map(|(_, v)| &text[v.start..v.end]).collect()
    }

    #[test]
    fn block_scalars_end_with_their_content() {
        let text = "a: | # c\n  x\n   y\n\n\nb: |+\n  x\n\n \nc: >-\n\n  x\n  \n# d\nd: |\ne: |2\n   x\nf: |\n  z";
        let spans = entry_spans(text);
        assert_eq!(spans[0], "| # c\n  x\n   y");
        assert_eq!(spans[1], "|+\n  x\n\n ");
        assert_eq!(spans[2], ">-\n\n  x");
        assert_eq!(spans[3], "|");
        assert_eq!(spans[4], "|2\n   x");
        assert_eq!(spans[5], "|\n  z");
    }

    #[test]
    fn empty_values_lie_behind_their_colon() {
        let text = "a:\nb :  # c\nc: &x\n? d\n? e\n:\nf: {g, h:, i: }\n";
        let parsed = read(text).unwrap();
        assert!(parsed.anchors);
        let Kind::Map { pairs, .. } = parsed.root.unwrap().kind else { panic!("no mapping") };
        let before = |at: usize| &text[at - 1..at];
        for pair in [0, 1, 4] {
            assert!(pairs[pair].1.is_empty());
            assert_eq!(before(pairs[pair].1.start), ":", "pair {pair}");
        }
        assert_eq!(&text[pairs[2].1.outer()..pairs[2].1.end], "&x");
        assert_eq!(before(pairs[3].1.start), "d");
        let Kind::Map { pairs, .. } = &pairs[5].1.kind else { panic!("no mapping") };
        assert_eq!(before(pairs[0].1.start), "g");
        assert_eq!(before(pairs[1].1.start), ":");
        assert_eq!(before(pairs[2].1.start), ":");
    }

    #[test]
    fn a_block_sequence_begins_at_its_dash() {
        let text = "a:\n- b\nc: # d\n# e\n- - f\n  - g\nh:\n  -\n  - i\nj: &k\n-\n";
        for span in entry_spans(text) {
            assert!(span.starts_with('-'), "{span:?}");
        }
        assert_eq!(entry_spans(text)[1], "- - f\n  - g");
    }

    #[test]
    fn properties_belong_to_the_outer_range() {
        let text = "a: &x !t\n  - &y b\n  - *x\n";
        let parsed = read(text).unwrap();
        let Kind::Map { pairs, .. } = parsed.root.unwrap().kind else { panic!("no mapping") };
        let value = &pairs[0].1;
        assert_eq!(&text[value.outer()..value.end], "&x !t\n  - &y b\n  - *x");
        assert_eq!(value.tag(), Some("!t"));
        assert!(value.holds_anchor());
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            let ok = format!("{}1{}", open.repeat(NESTING_LIMIT), close.repeat(NESTING_LIMIT));
            assert!(read(&ok).is_ok());
            assert!(read(&open.repeat(NESTING_LIMIT + 1)).is_err());
        }
        let dashes = "- ".repeat(2000);
        assert!(read(&dashes).is_err());
    }

    #[test]
    fn the_end_of_the_document_is_known() {
        assert_eq!(read("a: 1\n...\n# c\n").unwrap().end, 5);
        assert_eq!(read("a: 1\n# c\n").unwrap().end, 9);
        assert_eq!(read("a: 1\n---\nb: 1\n").unwrap().second, Some(5));
        assert!(read("# c\n").unwrap().root.is_none());
    }
}
