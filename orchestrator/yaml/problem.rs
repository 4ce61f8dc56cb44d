//! Problems: why a text is not a document, each with its place.
//!
//! All of a text's problems are reported at once as far as they can be told: an
//! error of syntax ends the pass, the rest do not. Messages are lower-case
//! fragments in plain words; a hint says what to do about it.

use granit_parser::{ErrorKind, ScanError};

use super::lines::{LineTable, line_end};

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The text is not YAML, or holds what no document may: a control character,
    /// an alias without an anchor, nesting above the limit.
    Syntax,
    /// There is nothing but comments and blank lines.
    EmptyFile,
    /// A second document begins.
    MultipleDocuments,
    /// A mapping has the same key twice.
    DuplicateKey,
    /// The root, the list or a record is not what it has to be.
    WrongShape,
    /// A merge key `<<`.
    MergeKey,
}

/// A problem of a text, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// Byte offset into the text as given, byte order mark counted.
    pub offset: usize,
    /// Length in bytes of what is wrong; 0 for a place between two bytes.
    pub len: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1; a byte order mark is not counted.
    pub column: u32,
    /// The record it lies in, counted from 0.
    pub record: Option<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A problem found in a slice, before its line is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: ProblemKind,
    pub(super) message: String,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) record: Option<usize>,
    pub(super) hint: Option<&'static str>,
}

impl Finding {
    /// Returns a finding at a byte range of the slice.
    pub(super) fn new(
        kind: ProblemKind,
        message: impl Into<String>,
        range: std::ops::Range<usize>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            start: range.start,
            end: range.end,
            record: None,
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(super) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// Turns findings into problems, in the order of the text; `base` is where the
/// slice lies in `text`, `head` where the first line begins.
pub(super) fn located(
    mut findings: Vec<Finding>,
    text: &str,
    base: usize,
    head: usize,
) -> Vec<Problem> {
    let table = LineTable::default();
    findings.sort_by_key(|finding| finding.start);
    findings
        .into_iter()
        .map(|finding| {
            let offset = text.floor_char_boundary(finding.start + base);
            let end = text.ceil_char_boundary(finding.end + base).max(offset);
            let (line, column) = table.line_column(text, head, offset);
            Problem {
                kind: finding.kind,
                message: finding.message,
                offset,
                len: end - offset,
                line,
                column,
                record: finding.record,
                hint: finding.hint.map(str::to_owned),
            }
        })
        .collect()
}

/// Turns the parser's error into a finding in plain words. `cursor` is the end of
/// what was read before it.
pub(super) fn from_scan(error: &ScanError, text: &str, cursor: usize) -> Finding {
    let mut at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let quote = || {
        let from = cursor.min(text.len());
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        rest.iter().position(|b| matches!(b, b'"' | b'\'')).map(|found| from + found)
    };
    let (message, hint): (String, Option<&'static str>) = match error.kind() {
        _ if let Some(conflict) = conflict(text) => {
            at = conflict;
            ("git left a conflict here".into(), Some("choose what stays, and take the marks out"))
        }
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => {
            at = quote().unwrap_or(at);
            (
                "a quoted text is not closed where it should be".into(),
                Some("close the quote on this line, or indent the lines that go on with it"),
            )
        }
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            at = indenting_tab(text, at).unwrap_or(at);
            ("a tab where only spaces may indent".into(), Some("indent with spaces"))
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            (format!("'{open}' is never closed"), Some("close the bracket"))
        }
        ErrorKind::MappingValueNotAllowed => (
            "a ':' that no key can have here".into(),
            Some("quote the text that holds ': ', and check the indentation of this line"),
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation => (
            "this line does not fit the lines above".into(),
            Some("indent it like the keys or the dashes it belongs to"),
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "a line that is neither 'key: value' nor a list entry".into(),
            Some("a key needs a ':' after it"),
        ),
        _ if matches!(text.as_bytes().get(at), Some(b'%' | b'@' | b'`')) => {
            (format!("a text cannot begin with '{}'", &text[at..=at]), Some("quote the text"))
        }
        ErrorKind::RecursionLimitExceeded => ("nested too deeply".into(), Some(TOO_DEEP)),
        kind => (kind.to_string(), None),
    };
    let len = text.get(at..).and_then(|rest| rest.chars().next());
    let end = (at + len.map_or(0, char::len_utf8)).min(line_end(text, at).max(at));
    let mut finding = Finding::new(ProblemKind::Syntax, message, at..end);
    finding.hint = hint;
    finding
}

/// Returns where the first mark of a merge conflict stands.
fn conflict(text: &str) -> Option<usize> {
    const MARK: &str = "<<<<<<< ";
    if text.starts_with(MARK) {
        return Some(0);
    }
    text.find("\n<<<<<<< ").map(|newline| newline + 1)
}

/// Returns the first tab that indents a line, from the line of `at` on: the parser
/// points at the scalar that the line seems to go on with.
fn indenting_tab(text: &str, at: usize) -> Option<usize> {
    let mut start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    for line in text[start..].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t').filter(|_| !line.trim().is_empty()) {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

/// What to do about nesting above the limit.
pub(super) const TOO_DEEP: &str = "at most 128 levels are read";
