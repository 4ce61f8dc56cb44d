//! Typed reading of TOML tables that collects problems instead of stopping.
//!
//! A [`Section`] remembers which keys it was asked for; whatever else stands in
//! it is reported as unknown when it is finished, with the nearest known key. A
//! value of the wrong type is reported once and then counts as absent, so that
//! reading goes on and all problems come out together.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigProblem;
use crate::model::{Code, UnknownValue, did_you_mean};

/// Longer ones are typing errors, and would overflow a deadline.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A value and the bytes it stands at.
pub(super) type Value<'t> = &'t Spanned<DeValue<'t>>;

/// Where problems go.
pub(super) struct Reader<'t> {
    text: &'t str,
    path: &'t Path,
    problems: Vec<ConfigProblem>,
}

impl<'t> Reader<'t> {
    /// Makes a reader of a text.
    pub(super) fn new(text: &'t str, path: &'t Path) -> Self {
        Self { text, path, problems: Vec::new() }
    }

    /// Notes a problem.
    pub(super) fn problem(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: String,
        hint: Option<String>,
    ) {
        let problem = ConfigProblem::new(code, self.path, self.text, span, message);
        self.problems.push(ConfigProblem { hint, ..problem });
    }

    /// Returns the problems in the order of the file.
    pub(super) fn finish(mut self) -> Vec<ConfigProblem> {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self.problems
    }

    fn wrong_type(&mut self, name: &str, value: Value<'_>, expected: &str) {
        let found = match value.get_ref().type_str() {
            found @ ("integer" | "array") => format!("an {found}"),
            found => format!("a {found}"),
        };
        let message = format!("`{name}` must be {expected}, not {found}");
        self.problem(Code::WrongType, value.span(), message, None);
    }

    /// Returns a string, which may be empty.
    pub(super) fn text(&mut self, name: &str, value: Value<'t>) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        match text {
            None => self.wrong_type(name, value, "a string"),
            // No path, argument or variable of any system can hold one.
            Some(text) if text.contains('\0') => {
                let message = format!("`{name}` must not hold a NUL");
                self.problem(Code::UnknownValue, value.span(), message, None);
            }
            Some(_) => {}
        }
        text.filter(|text| !text.contains('\0'))
    }

    /// Returns a string; a blank one is a problem.
    pub(super) fn string(&mut self, name: &str, value: Value<'t>) -> Option<&'t str> {
        let text = self.text(name, value)?;
        if text.trim().is_empty() {
            let message = format!("`{name}` must not be empty");
            self.problem(Code::UnknownValue, value.span(), message, None);
            return None;
        }
        Some(text)
    }

    /// Returns the elements of an array.
    pub(super) fn array(
        &mut self,
        name: &str,
        value: Value<'t>,
        of: &str,
    ) -> Option<Vec<Value<'t>>> {
        let array = value.get_ref().as_array();
        if array.is_none() {
            self.wrong_type(name, value, of);
        }
        array.map(|array| array.iter().collect())
    }

    /// Opens a table.
    pub(super) fn section(&mut self, name: &str, value: Value<'t>) -> Option<Section<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(name, value, "a table");
        }
        table.map(|table| Section {
            name: name.to_owned(),
            span: value.span(),
            table,
            known: Vec::new(),
        })
    }
}

/// One table, and the keys it was asked for.
pub(super) struct Section<'t> {
    /// As in its header.
    pub(super) name: String,
    /// The header, or the braces of an inline table.
    pub(super) span: Range<usize>,
    table: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// Makes the section of a whole document.
    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Self { name: String::new(), span: 0..0, table, known: Vec::new() }
    }

    /// Returns a key's value; absent ones are remembered as known all the same.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Value<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.get(key)
    }

    /// Returns every key, its place and its value: for tables whose keys are names.
    pub(super) fn entries(&self) -> Vec<(&'t str, Range<usize>, Value<'t>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect()
    }

    /// Opens a table inside this one.
    pub(super) fn section(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<Section<'t>> {
        self.get(key).and_then(|value| reader.section(key, value))
    }

    /// Returns a string that is not empty.
    pub(super) fn string(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Option<&'t str> {
        self.get(key).and_then(|value| reader.string(key, value))
    }

    /// Returns the elements of an array.
    pub(super) fn array(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        of: &str,
    ) -> Option<Vec<Value<'t>>> {
        self.get(key).and_then(|value| reader.array(key, value, of))
    }

    /// Returns true or false.
    pub(super) fn flag(&mut self, reader: &mut Reader<'t>, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            reader.wrong_type(key, value, "true or false");
        }
        flag
    }

    /// Returns a number of at least `least`.
    pub(super) fn number(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        least: u32,
    ) -> Option<u32> {
        let value = self.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            reader.wrong_type(key, value, "a number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| *number >= least);
        if number.is_none() {
            let message = format!("`{key}` must be a whole number from {least} to {}", u32::MAX);
            reader.problem(Code::UnknownValue, value.span(), message, None);
        }
        number
    }

    /// Returns a duration above zero.
    pub(super) fn duration(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<Duration> {
        let hint = "write it like \"30m\", \"90s\" or \"1h30m\"";
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            let message = format!("`{key}` must be a duration in quotes");
            reader.problem(Code::WrongType, value.span(), message, Some(hint.to_owned()));
            return None;
        };
        let parsed = SpanParser::new().parse_unsigned_duration(text.trim()).ok();
        let fitting = parsed.filter(|time| !time.is_zero() && *time <= LONGEST);
        if fitting.is_none() {
            let why = match parsed {
                None => "is no duration",
                Some(time) if time.is_zero() => "must be longer than zero",
                Some(_) => "must be at most a year",
            };
            let message = format!("`{key}` {why}: `{text}`");
            reader.problem(Code::UnknownValue, value.span(), message, Some(hint.to_owned()));
        }
        fitting
    }

    /// Returns a word of one of the model's closed sets.
    pub(super) fn word<T: std::str::FromStr<Err = UnknownValue>>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
    ) -> Option<T> {
        let value = self.get(key)?;
        let unknown = match reader.string(key, value)?.parse() {
            Ok(word) => return Some(word),
            Err(unknown) => unknown,
        };
        let near = did_you_mean(&unknown.value, unknown.expected.iter().copied());
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        reader.problem(Code::UnknownValue, value.span(), unknown.to_string(), hint);
        None
    }

    /// Returns the value of one of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = self.get(key)?;
        let text = reader.string(key, value)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words = || choices.iter().map(|(word, _)| *word);
            let all = words().collect::<Vec<_>>().join(", ");
            let hint = did_you_mean(text, words()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{key}` must be one of {all}, not `{text}`");
            reader.problem(Code::UnknownValue, value.span(), message, hint);
        }
        found.map(|(_, choice)| *choice)
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, reader: &mut Reader<'t>) {
        for (key, span, _) in self.entries() {
            if self.known.contains(&key) {
                continue;
            }
            let hint = match did_you_mean(key, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", self.known.join(", ")),
            };
            let message = match self.name.as_str() {
                "" => format!("unknown key `{key}`"),
                name => format!("unknown key `{key}` in [{name}]"),
            };
            reader.problem(Code::UnknownKey, span, message, Some(hint));
        }
    }
}
