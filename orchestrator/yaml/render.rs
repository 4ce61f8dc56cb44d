//! Rendering: the text of a value that is written anew.
//!
//! Produces what comes after a key's colon or an entry's dash, from the blank on,
//! without the last line break. Follows the style of what stood there before
//! (quotes, brackets) and of the record around it (how far lists are indented).

use granit_parser::ScalarStyle;
use serde_yaml::{Mapping, Value};

use super::node::{Kind, Node, column, indicators_end};
use super::refused::Reason;
use super::scalar::{Quotes, inline, is_date, literal};

/// How a value was written before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hint {
    quotes: Quotes,
    /// A block scalar that drops its last line break.
    strip: bool,
    /// A collection in brackets.
    flow: bool,
}

impl Hint {
    /// Returns how a node of `text` is written.
    pub(super) fn of(node: &Node<'_>, text: &str) -> Self {
        let mut hint = Self::default();
        match &node.kind {
            Kind::Scalar { style, text: says } => match style {
                ScalarStyle::SingleQuoted => hint.quotes = Quotes::Single,
                ScalarStyle::DoubleQuoted => hint.quotes = Quotes::Double,
                ScalarStyle::Literal => {
                    let header = &text[node.start..indicators_end(text, node.start)];
                    hint.strip = header.contains('-');
                }
                ScalarStyle::Plain if is_date(says) => hint.quotes = Quotes::PlainDate,
                _ => {}
            },
            Kind::Seq { flow, .. } | Kind::Map { flow, .. } => hint.flow = *flow,
            Kind::Alias(_) => {}
        }
        hint
    }
}

/// What the text around a value asks of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// The line break to use.
    pub(super) nl: &'static str,
    /// How far the dashes of a list stand in from their key.
    pub(super) list_indent: usize,
}

impl Style {
    /// Returns the style of a record's (or the root's) node in `text`.
    pub(super) fn of(node: &Node<'_>, text: &str, nl: &'static str) -> Self {
        let mut list_indent = 2;
        if let Kind::Map { flow: false, pairs } = &node.kind {
            let found = pairs.iter().find_map(|(key, value)| match &value.kind {
                Kind::Seq { flow: false, .. } => {
                    column(text, value.start).checked_sub(column(text, key.outer()))
                }
                _ => None,
            });
            list_indent = found.filter(|indent| *indent <= 8).unwrap_or(list_indent);
        }
        Self { nl, list_indent }
    }

    /// Returns what comes after the colon of a key in column `col`.
    pub(super) fn after_colon(
        self,
        value: &Value,
        col: usize,
        hint: Hint,
    ) -> Result<String, Reason> {
        match value {
            Value::String(text) => {
                if let Some(block) = literal(text, col + 2, self.nl, false) {
                    return Ok(format!(" {block}"));
                }
                let stripped = hint.strip.then(|| literal(text, col + 2, self.nl, true)).flatten();
                if let Some(block) = stripped {
                    return Ok(format!(" {block}"));
                }
                Ok(format!(" {}", inline(text, hint.quotes, false)))
            }
            Value::Mapping(mapping) if !hint.flow && !mapping.is_empty() => {
                let mut out = String::new();
                for (key, value) in mapping {
                    self.new_line(&mut out, col + 2);
                    out.push_str(&self.pair(key, value, col + 2)?);
                }
                Ok(out)
            }
            Value::Sequence(entries) if !hint.flow && !entries.is_empty() => {
                let col = col + self.list_indent;
                let mut out = String::new();
                for entry in entries {
                    self.new_line(&mut out, col);
                    out.push('-');
                    out.push_str(&self.after_dash(entry, col, Hint::default())?);
                }
                Ok(out)
            }
            value => Ok(format!(" {}", flow(value, hint.quotes, false)?)),
        }
    }

    /// Returns what comes after the dash of an entry in column `col`.
    pub(super) fn after_dash(
        self,
        value: &Value,
        col: usize,
        hint: Hint,
    ) -> Result<String, Reason> {
        match value {
            Value::Mapping(mapping) if !hint.flow && !mapping.is_empty() => {
                self.fields(mapping.iter(), 1, col + 2)
            }
            Value::Sequence(_) => Ok(format!(" {}", flow(value, hint.quotes, false)?)),
            value => self.after_colon(value, col, hint),
        }
    }

    /// Returns keys and values after a dash: `gap` spaces, then keys in column
    /// `col`.
    pub(super) fn fields<'v>(
        self,
        fields: impl Iterator<Item = (&'v Value, &'v Value)>,
        gap: usize,
        col: usize,
    ) -> Result<String, Reason> {
        let mut out = " ".repeat(gap);
        for (number, (key, value)) in fields.enumerate() {
            if number > 0 {
                self.new_line(&mut out, col);
            }
            out.push_str(&self.pair(key, value, col)?);
        }
        Ok(out)
    }

    /// Returns `key: value` for a key in column `col`.
    pub(super) fn pair(self, key: &Value, value: &Value, col: usize) -> Result<String, Reason> {
        Ok(format!("{}:{}", key_text(key, false)?, self.after_colon(value, col, Hint::default())?))
    }

    fn new_line(self, out: &mut String, col: usize) {
        out.push_str(self.nl);
        out.extend(std::iter::repeat_n(' ', col));
    }
}

/// Returns a key as it is written before its colon.
pub(super) fn key_text(key: &Value, in_flow: bool) -> Result<String, Reason> {
    match key {
        Value::Mapping(_) | Value::Sequence(_) | Value::Tagged(_) => {
            Err(Reason::Unwritable { what: "a key that is not a scalar" })
        }
        key => flow(key, Quotes::Any, in_flow),
    }
}

/// Returns a value on one line; `nested` is whether it stands inside brackets.
pub(super) fn flow(value: &Value, quotes: Quotes, nested: bool) -> Result<String, Reason> {
    match value {
        Value::Null => Ok("null".to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(value) => Ok(value.to_string()),
        Value::String(text) => Ok(inline(text, quotes, nested)),
        Value::Sequence(entries) => {
            let entries: Result<Vec<_>, _> =
                entries.iter().map(|e| flow(e, Quotes::Any, true)).collect();
            Ok(format!("[{}]", entries?.join(", ")))
        }
        Value::Mapping(mapping) => Ok(format!("{{{}}}", flow_pairs(mapping)?)),
        Value::Tagged(_) => Err(Reason::Unwritable { what: "a value with a tag" }),
    }
}

/// Returns the inside of a mapping in braces.
pub(super) fn flow_pairs(mapping: &Mapping) -> Result<String, Reason> {
    let pairs: Result<Vec<_>, _> = mapping.iter().map(|(k, v)| flow_pair(k, v)).collect();
    Ok(pairs?.join(", "))
}

/// Returns `key: value` as it stands in braces.
pub(super) fn flow_pair(key: &Value, value: &Value) -> Result<String, Reason> {
    Ok(format!("{}: {}", key_text(key, true)?, flow(value, Quotes::Any, true)?))
}

/// Returns a value after a colon or dash, on the same line whatever it is.
pub(super) fn on_the_line(value: &Value, hint: Hint) -> Result<String, Reason> {
    Ok(format!(" {}", flow(value, hint.quotes, false)?))
}

/// Returns a value in place of another inside brackets.
pub(super) fn in_brackets(value: &Value, hint: Hint) -> Result<String, Reason> {
    flow(value, hint.quotes, true)
}
