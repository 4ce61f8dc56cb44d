//! From a YAML mapping to a typed item, with every problem named at its key.
//!
//! Reading goes on after a problem, so that one look finds all of them. A null is
//! the same as an absent key. Positions in the text are the caller's to add: a
//! problem names the way from the item to the value as [`Segment`]s.

use serde_yaml::{Mapping, Value};

use super::{
    BacklogItem, BlockType, Code, Description, ItemId, ItemStatus, Level, OddId,
    StructuredDescription,
};
use super::{Size, did_you_mean};

/// One step from an item down to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Under this key.
    Key(String),
    /// At this index of a list, from 0.
    Index(usize),
}

/// A problem with one value of one item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FieldProblem {
    /// The way from the item to the value; empty for the item itself.
    pub path: Vec<Segment>,
    /// What kind of problem it is.
    pub code: Code,
    /// What is wrong, in words.
    pub message: String,
    /// The way out, where there is an obvious one.
    pub hint: Option<String>,
}

/// The keys an item can have, in the order in which new ones are written.
pub const ITEM_KEYS: &[&str] = &[
    "id",
    "title",
    "status",
    "phase",
    "size",
    "complexity",
    "risk",
    "impact",
    "requires_human_review",
    "origin",
    "tags",
    "dependencies",
    "blocked_from_status",
    "blocked_reason",
    "blocked_type",
    "unblock_context",
    "approved",
    "created",
    "updated",
    "pipeline_type",
    "description",
    "phase_pool",
    "last_phase_commit",
];

const DESCRIPTION_KEYS: &[&str] = &["context", "problem", "solution", "impact", "sizing_rationale"];

impl BacklogItem {
    /// Reads an item from its mapping. What has a problem is left at its default.
    pub fn from_mapping(mapping: Mapping) -> (Self, Vec<FieldProblem>) {
        let mut reader = Reader { problems: Vec::new() };
        let mut item = Self::default();
        for (key, value) in mapping {
            let Value::String(key) = key else {
                item.extra.insert(key, value);
                continue;
            };
            if let Some((key, value)) = reader.field(&mut item, key, value) {
                reader.unknown(&key, ITEM_KEYS);
                item.extra.insert(Value::String(key), value);
            }
        }
        if item.title.is_empty()
            && !reader.problems.iter().any(|p| p.path == [Segment::Key("title".into())])
        {
            reader.push(
                Vec::new(),
                Code::MissingTitle,
                "the item has no title".into(),
                Some("add `title: …`".into()),
            );
        }
        (item, reader.problems)
    }
}

struct Reader {
    problems: Vec<FieldProblem>,
}

impl Reader {
    /// Takes the value of a known key into the item; gives back an unknown one.
    fn field(
        &mut self,
        item: &mut BacklogItem,
        key: String,
        value: Value,
    ) -> Option<(String, Value)> {
        match key.as_str() {
            "id" => item.id = self.id(value),
            "title" => self.title(item, value),
            "status" => item.status = self.word(&key, value).unwrap_or_default(),
            "phase" => item.phase = self.text(&key, value),
            "phase_pool" => item.phase_pool = self.word(&key, value),
            "pipeline_type" => item.pipeline_type = self.text(&key, value),
            "last_phase_commit" => item.last_phase_commit = self.text(&key, value),
            "size" => item.size = self.word::<Size>(&key, value),
            "complexity" => item.complexity = self.word::<Level>(&key, value),
            "risk" => item.risk = self.word::<Level>(&key, value),
            "impact" => item.impact = self.word::<Level>(&key, value),
            "requires_human_review" => item.requires_human_review = self.boolean(&key, value),
            "description" => item.description = self.description(value),
            "origin" => item.origin = self.text(&key, value),
            "tags" => item.tags = self.list(&key, value),
            "dependencies" => item.dependencies = self.list(&key, value),
            "blocked_from_status" => {
                item.blocked_from_status = self.word::<ItemStatus>(&key, value)
            }
            "blocked_reason" => item.blocked_reason = self.text(&key, value),
            "blocked_type" => item.blocked_type = self.word::<BlockType>(&key, value),
            "unblock_context" => item.unblock_context = self.text(&key, value),
            "approved" => item.approved = self.date(&key, value),
            "created" => item.created = self.date(&key, value),
            "updated" => item.updated = self.date(&key, value),
            _ => return Some((key, value)),
        }
        None
    }

    fn push(&mut self, path: Vec<Segment>, code: Code, message: String, hint: Option<String>) {
        self.problems.push(FieldProblem { path, code, message, hint });
    }

    fn wrong_type(&mut self, path: Vec<Segment>, key: &str, expected: &str, value: &Value) {
        let hint = match value {
            Value::Number(number) if expected == "text" => {
                Some(format!("quote it: `\"{number}\"`"))
            }
            Value::Bool(flag) if expected == "text" => Some(format!("quote it: `\"{flag}\"`")),
            _ => Some(format!("write {expected} here")),
        };
        self.push(
            path,
            Code::WrongType,
            format!("`{key}` must be {expected}, not {}", kind(value)),
            hint,
        );
    }

    fn text(&mut self, key: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => {
                self.wrong_type(vec![Segment::Key(key.into())], key, "text", &other);
                None
            }
        }
    }

    fn title(&mut self, item: &mut BacklogItem, value: Value) {
        let given = !matches!(value, Value::Null);
        item.title = self.text("title", value).unwrap_or_default();
        if given
            && item.title.trim().is_empty()
            && self.problems.last().is_none_or(|p| p.code != Code::WrongType)
        {
            let path = vec![Segment::Key("title".into())];
            self.push(
                path,
                Code::MissingTitle,
                "the title is blank".into(),
                Some("say what is to be done".into()),
            );
        } else if !given {
            let path = vec![Segment::Key("title".into())];
            self.push(
                path,
                Code::MissingTitle,
                "the item has no title".into(),
                Some("say what is to be done".into()),
            );
        }
    }

    fn id(&mut self, value: Value) -> Option<String> {
        let id = self.text("id", value)?;
        let path = || vec![Segment::Key("id".into())];
        match ItemId::number_of(&id) {
            Ok(_) => {}
            Err(OddId::Overflow) => self.push(
                path(),
                Code::IdOverflow,
                format!("the number of `{id}` is above {}", u32::MAX),
                Some("correct the ID; numbers go up to 4294967295".into()),
            ),
            Err(OddId::NoNumber) => self.push(
                path(),
                Code::OddId,
                format!("`{id}` has no number: it is kept, but never counted"),
                Some("IDs look like WRK-001; leave `id` out and one is assigned".into()),
            ),
        }
        Some(id)
    }

    fn word<T>(&mut self, key: &str, value: Value) -> Option<T>
    where
        T: std::str::FromStr<Err = super::UnknownValue>,
    {
        if !matches!(value, Value::String(_) | Value::Null) {
            self.wrong_type(vec![Segment::Key(key.into())], key, "text", &value);
            // Quoting it, as one would another text, leads nowhere.
            if let (Err(error), Some(problem)) = ("".parse::<T>(), self.problems.last_mut()) {
                problem.hint = Some(format!("one of {}", error.expected.join(", ")));
            }
            return None;
        }
        let text = self.text(key, value)?;
        match text.parse() {
            Ok(word) => Some(word),
            Err(error) => {
                let hint = did_you_mean(&text, error.expected.iter().copied()).map_or_else(
                    || format!("one of {}", error.expected.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                let path = vec![Segment::Key(key.into())];
                self.push(
                    path,
                    Code::UnknownValue,
                    format!("unknown value `{text}` for `{key}`"),
                    Some(hint),
                );
                None
            }
        }
    }

    fn boolean(&mut self, key: &str, value: Value) -> bool {
        match value {
            Value::Bool(flag) => flag,
            Value::Null => false,
            other => {
                self.wrong_type(vec![Segment::Key(key.into())], key, "true or false", &other);
                false
            }
        }
    }

    fn date(&mut self, key: &str, value: Value) -> Option<String> {
        let text = self.text(key, value)?;
        if text.parse::<jiff::Timestamp>().is_err() && text.parse::<jiff::civil::Date>().is_err() {
            let path = vec![Segment::Key(key.into())];
            let hint = Some("dates look like 2026-02-10T09:30:00Z".into());
            self.push(path, Code::BadDate, format!("`{key}` is not a date: `{text}`"), hint);
        }
        Some(text)
    }

    fn list(&mut self, key: &str, value: Value) -> Vec<String> {
        let entries = match value {
            Value::Sequence(entries) => entries,
            Value::Null => return Vec::new(),
            other => {
                self.wrong_type(vec![Segment::Key(key.into())], key, "a list", &other);
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            match entry {
                Value::String(text) => texts.push(text),
                other => {
                    let path = vec![Segment::Key(key.into()), Segment::Index(index)];
                    self.wrong_type(path, key, "text", &other);
                }
            }
        }
        texts
    }

    fn description(&mut self, value: Value) -> Option<Description> {
        let mapping = match value {
            Value::String(text) => return Some(Description::Text(text)),
            Value::Null => return None,
            Value::Mapping(mapping) => mapping,
            other => {
                let path = vec![Segment::Key("description".into())];
                self.wrong_type(path, "description", "text or a map", &other);
                return None;
            }
        };
        let mut parts = StructuredDescription::default();
        for (key, value) in mapping {
            let name = key.as_str().unwrap_or_default().to_owned();
            let slot = match name.as_str() {
                "context" => &mut parts.context,
                "problem" => &mut parts.problem,
                "solution" => &mut parts.solution,
                "impact" => &mut parts.impact,
                "sizing_rationale" => &mut parts.sizing_rationale,
                _ => {
                    self.unknown_in(
                        vec![Segment::Key("description".into())],
                        &name,
                        DESCRIPTION_KEYS,
                    );
                    parts.extra.insert(key, value);
                    continue;
                }
            };
            match value {
                Value::String(text) => *slot = Some(text),
                Value::Null => {}
                other => {
                    let path = vec![Segment::Key("description".into()), Segment::Key(name.clone())];
                    self.wrong_type(path, &format!("description.{name}"), "text", &other);
                }
            }
        }
        Some(Description::Structured(Box::new(parts)))
    }

    fn unknown(&mut self, key: &str, known: &[&str]) {
        self.unknown_in(Vec::new(), key, known);
    }

    fn unknown_in(&mut self, mut path: Vec<Segment>, key: &str, known: &[&str]) {
        let Some(near) = did_you_mean(key, known.iter().copied()) else {
            return;
        };
        path.push(Segment::Key(key.into()));
        let hint = Some(format!("did you mean `{near}`?"));
        self.push(
            path,
            Code::UnknownKey,
            format!("unknown key `{key}`: it is kept, and means nothing here"),
            hint,
        );
    }
}

/// Returns what a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
        Value::Tagged(_) => "a tagged value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> (BacklogItem, Vec<(Code, String)>) {
        let (item, problems) = BacklogItem::from_mapping(serde_yaml::from_str(yaml).unwrap());
        (item, problems.into_iter().map(|p| (p.code, p.message)).collect())
    }

    #[test]
    fn reads_every_key_it_writes() {
        let yaml = "id: A-1\ntitle: t\nstatus: blocked\nphase: p\nsize: small\ncomplexity: low\nrisk: high\nimpact: medium\n\
            requires_human_review: true\norigin: o\ntags: [a]\ndependencies: [A-2]\nblocked_from_status: new\n\
            blocked_reason: r\nblocked_type: decision\nunblock_context: u\napproved: 2026-01-01T00:00:00Z\n\
            created: 2026-01-01T00:00:00Z\nupdated: 2026-01-01T00:00:00Z\npipeline_type: f\ndescription: d\n\
            phase_pool: pre\nlast_phase_commit: c\nmine: {a: 1}\n";
        let (item, problems) = read(yaml);
        assert_eq!(problems, []);
        let written = serde_yaml::to_value(&item).unwrap();
        assert_eq!(written, serde_yaml::from_str::<Value>(yaml).unwrap());
        for key in ITEM_KEYS {
            assert!(written.get(key).is_some(), "{key}");
        }
    }

    #[test]
    fn finds_all_problems_in_one_look() {
        let (_, problems) = read(
            "title: 7\nstatus: redy\nsize: huge\ntags: [a, 1]\ncreated: soon\npriorty: 1\nstatsu: x\n",
        );
        let codes: Vec<Code> = problems.iter().map(|p| p.0).collect();
        use Code::{BadDate, UnknownKey, UnknownValue, WrongType};
        assert_eq!(codes, [WrongType, UnknownValue, UnknownValue, WrongType, BadDate, UnknownKey]);
        assert_eq!(problems[0].1, "`title` must be text, not a number");
    }

    #[test]
    fn a_title_is_required_and_not_blank() {
        for yaml in ["id: A-1", "title:", "title: ~", "title: ''", "title: '  '"] {
            let (_, problems) = read(yaml);
            assert_eq!(
                problems.iter().map(|p| p.0).collect::<Vec<_>>(),
                [Code::MissingTitle],
                "{yaml}"
            );
        }
    }

    #[test]
    fn nulls_are_absent() {
        let (item, problems) = read(
            "title: t\nid: ~\nstatus:\nsize: ~\ntags:\ndescription: ~\nrequires_human_review:\n",
        );
        assert_eq!(problems, []);
        assert_eq!(item, BacklogItem { title: "t".into(), ..BacklogItem::default() });
    }
}
