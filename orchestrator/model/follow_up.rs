//! Follow-ups: work that a phase proposes in its result.

use serde_json::Value;

use super::{Level, Size};

/// A proposal for a new item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowUp {
    /// What is to be done; not blank.
    pub title: String,
    /// Why; becomes the item's description.
    pub context: Option<String>,
    /// How much work it seems to be.
    pub suggested_size: Option<Size>,
    /// How risky it seems to be.
    pub suggested_risk: Option<Level>,
    /// Labels.
    pub tags: Vec<String>,
}

impl FollowUp {
    /// Reads a follow-up: a text (the title), or a map. What is wrong with an
    /// optional value is added to `warnings`, and the value left out.
    ///
    /// Returns nothing where there is no title.
    pub fn from_json(value: &Value, warnings: &mut Vec<String>) -> Option<Self> {
        let title = match value {
            Value::String(title) => title.clone(),
            Value::Object(map) => {
                map.get("title").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        };
        let title = one_line(&title);
        if title.is_empty() {
            warnings.push(format!("a follow-up without a title was left out: {value}"));
            return None;
        }
        let field = |name: &str| value.get(name).filter(|found| !found.is_null());
        Some(Self {
            context: field("context")
                .or_else(|| field("description"))
                .and_then(|v| text(v, "context", warnings)),
            suggested_size: field("suggested_size")
                .or_else(|| field("size"))
                .and_then(|v| word(v, "suggested_size", warnings)),
            suggested_risk: field("suggested_risk")
                .or_else(|| field("risk"))
                .and_then(|v| word(v, "suggested_risk", warnings)),
            tags: field("tags").map(|v| texts(v, "tags", warnings)).unwrap_or_default(),
            title,
        })
    }
}

/// Returns a text in one line: white space of any kind folded to single spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a word of a closed set; any other is a warning.
pub(crate) fn word<T>(value: &Value, name: &str, warnings: &mut Vec<String>) -> Option<T>
where
    T: std::str::FromStr<Err = super::UnknownValue>,
{
    let Some(text) = value.as_str() else {
        warnings.push(format!("`{name}` must be a word, not {value}"));
        return None;
    };
    match text.parse() {
        Ok(word) => Some(word),
        Err(error) => {
            warnings.push(error.to_string());
            None
        }
    }
}

/// Reads a text; anything else is a warning.
pub(crate) fn text(value: &Value, name: &str, warnings: &mut Vec<String>) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => {
            warnings.push(format!("`{name}` must be text, not {other}"));
            None
        }
    }
}

/// Reads a list of texts, or one text; what is no text is a warning.
pub(crate) fn texts(value: &Value, name: &str, warnings: &mut Vec<String>) -> Vec<String> {
    match value {
        Value::Array(entries) => {
            entries.iter().filter_map(|entry| text(entry, name, warnings)).collect()
        }
        Value::Null => Vec::new(),
        other => text(other, name, warnings).into_iter().collect(),
    }
}
