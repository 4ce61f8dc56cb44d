//! Edits: random ones, with values that are hard to write.

use orchestrator::yaml::{Document, Edit, Step};
use serde_yaml::{Mapping, Value};

use super::Choice;

/// Texts that some reader takes for something else, or that some layout breaks.
const TEXTS: &[&str] = &[
    "done",
    "a b",
    "no",
    "~",
    "null",
    "true",
    "12",
    "1_000",
    "2026-01-01",
    "2026-03-01T10:00:00Z",
    "",
    " x",
    "x ",
    "a: b",
    "a #b",
    "key:",
    "- a",
    "---",
    "...",
    "&a",
    "*a",
    "!a",
    "<<",
    "line\nline\n",
    "line\n",
    "\n",
    "a\n\nb\n",
    "  x\n",
    "x\n\n",
    "a\nb",
    "# c\n",
    "---\n",
    "tab\there",
    "\t",
    "cr\r\n",
    "\u{85}",
    "\u{2028}x",
    "\u{feff}",
    "\0",
    "it's",
    "say \"x\"",
    "back\\slash",
    "{a",
    "[a",
    "a, b",
    "}",
    "]",
    "%x",
    "@x",
    "`x",
    "|",
    ">",
    "? x",
    "\u{1f600}",
    "a  b",
    "- id: 1\n  x: |\n",
    "x\n# c\n",
    "a\n   \nb\n",
    "trailing \nspace\n",
    ":",
    "::",
    "a:b",
    "=",
    "'",
    "\"",
    "\\",
];

const KEYS: &[&str] = &[
    "id",
    "title",
    "status",
    "tags",
    "description",
    "new",
    "quoted",
    "single",
    "odd key",
    "a.b",
    "12",
    "true",
    "a: b",
    "",
    "new\nline",
    "- x",
    "dependencies",
    "\u{e9}",
    "k",
    "a",
    "b",
];

/// Returns a random edit that often finds its place.
pub(crate) fn random(choice: &mut Choice<'_>, document: &Document) -> Edit {
    let record = choice
        .below(document.len() + 1)
        .min(document.len().saturating_sub(usize::from(choice.below(8) > 0)));
    let place = if choice.one_in(5) { None } else { Some(record) };
    match choice.below(16) {
        0..=5 => Edit::Set {
            record: place,
            path: path(choice, document, place),
            value: value(choice, 2),
        },
        6 => Edit::SetFirst { record, key: key(choice), value: value(choice, 1) },
        7 | 8 => Edit::Push {
            record: place,
            path: path(choice, document, place),
            value: value(choice, 1),
        },
        9 | 10 => Edit::Remove { record: place, path: path(choice, document, place) },
        11 | 12 => Edit::Append { fields: fields(choice) },
        13 => Edit::RemoveRecord { record },
        14 => Edit::AppendText { text: entry(choice, document) },
        _ => Edit::ReplaceText { record, text: entry(choice, document) },
    }
}

/// Returns a path that leads somewhere, most of the time.
fn path(choice: &mut Choice<'_>, document: &Document, record: Option<usize>) -> Vec<Step> {
    let mut at = match record {
        Some(record) => document.record_value(record).map(Value::Mapping).unwrap_or_default(),
        None => Value::Mapping(
            document
                .root_keys()
                .filter_map(|(key, _)| Some((Value::from(key), document.root(key)?)))
                .collect(),
        ),
    };
    let mut path = Vec::new();
    loop {
        let (step, next) = match &at {
            Value::Mapping(mapping) if !mapping.is_empty() && !choice.one_in(4) => {
                let (key, value) =
                    mapping.iter().nth(choice.below(mapping.len())).expect("below the length");
                match key {
                    Value::String(key) => (Step::Key(key.clone()), value.clone()),
                    _ => (Step::Key(self::key(choice)), Value::Null),
                }
            }
            Value::Sequence(entries) if !entries.is_empty() && !choice.one_in(6) => {
                let index = choice.below(entries.len());
                (Step::Index(index), entries[index].clone())
            }
            _ if choice.one_in(10) => (Step::Index(choice.below(3)), Value::Null),
            _ => (Step::Key(key(choice)), Value::Null),
        };
        path.push(step);
        let deeper = match next {
            Value::Mapping(_) | Value::Sequence(_) => choice.below(3) > 0,
            _ => choice.one_in(20),
        };
        if !deeper || path.len() > 4 {
            return path;
        }
        at = next;
    }
}

fn key(choice: &mut Choice<'_>) -> String {
    choice.of(KEYS).to_owned()
}

/// Returns a random value.
pub(crate) fn value(choice: &mut Choice<'_>, depth: usize) -> Value {
    match choice.below(if depth == 0 { 12 } else { 16 }) {
        8 => Value::Null,
        9 => Value::Bool(choice.one_in(2)),
        10 => Value::from(choice.below(1000)),
        11 => Value::from(*choice.of(&[&1.5, &f64::INFINITY, &-0.0, &1e300, &-7.0])),
        12 | 13 => {
            Value::Sequence((0..choice.below(3)).map(|_| value(choice, depth - 1)).collect())
        }
        14 | 15 => {
            let mut mapping = Mapping::new();
            for _ in 0..choice.below(3) {
                mapping.insert(Value::from(key(choice)), value(choice, depth - 1));
            }
            Value::Mapping(mapping)
        }
        _ => Value::from(choice.of(TEXTS)),
    }
}

fn fields(choice: &mut Choice<'_>) -> Vec<(String, Value)> {
    let mut fields: Vec<(String, Value)> = Vec::new();
    for _ in 0..=choice.below(4) {
        let key = key(choice);
        if fields.iter().all(|(other, _)| *other != key) {
            fields.push((key, value(choice, 2)));
        }
    }
    fields
}

/// Returns the text of an entry: one of the document's own, or another.
fn entry(choice: &mut Choice<'_>, document: &Document) -> String {
    if !document.is_empty() && choice.below(3) > 0 {
        let mut text = document.record_text(choice.below(document.len()));
        if choice.one_in(3) {
            text = text.trim_end().to_owned();
        }
        return text;
    }
    choice
        .of(&[
            "- id: x\n  title: y # c\n",
            "- {id: x, t: [a]}\n",
            "-\n  # c\n  id: x\n\n  b: |\n    text\n",
            "- id: x\n# c\n  d: |+\n    a\n\n\n",
            "  - id: x\n    y: 1",
            "id: x\n",
            "- a\n",
            "- id: 1\n- id: 2\n",
            "- a: &x 1\n  b: *x\n",
            "- a: *nowhere\n",
            "- id: \"multi\n    line\"\n  c:\n  - 1\n  - 2\n",
            "- !t\n  a: 1\n",
            "- id: x\n---\n",
            "",
            "- d: >-\n    folded\n     deep\n\n  e:\n",
            "-   id: x\n    y: |2\n       z\n",
            "- a: 1\n  a: 2\n",
            "\u{feff}- a: 1\n",
        ])
        .to_owned()
}
