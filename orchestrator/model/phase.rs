//! Phases and what comes of one: the result an agent writes.
//!
//! Reading a result is lenient on purpose: an agent's work must not be lost over
//! a null or a capital letter. Only the four required fields can void it.

use serde_json::{Map, Value};

use super::follow_up::{one_line, text, texts, word};
use super::level::words;
use super::{FollowUp, ItemId, Level, Size};

words! {
    /// The two pools of a pipeline.
    PhasePool, "phase pool", {
        /// Phases that make a new item ready.
        Pre = "pre",
        /// Phases that make a ready item done.
        Main = "main",
    }
}

words! {
    /// How a phase ended, in the agent's own word.
    ResultCode, "result", {
        /// The phase is finished.
        PhaseComplete = "phase_complete",
        /// A part is finished: the same phase again.
        SubphaseComplete = "subphase_complete",
        /// It went wrong.
        Failed = "failed",
        /// A person must help.
        Blocked = "blocked",
    }
}

/// Assessments that a phase brings; absent ones stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assessments {
    /// How much work the item is.
    pub size: Option<Size>,
    /// How complex it is.
    pub complexity: Option<Level>,
    /// How risky it is.
    pub risk: Option<Level>,
    /// How much it brings.
    pub impact: Option<Level>,
}

/// The result of one phase of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseResult {
    /// The item it is about.
    pub item_id: String,
    /// The phase it is about.
    pub phase: String,
    /// How it ended.
    pub result: ResultCode,
    /// What was done, or why not.
    pub summary: String,
    /// What the next phase should know.
    pub context: Option<String>,
    /// New assessments.
    pub updated_assessments: Assessments,
    /// Proposed work.
    pub follow_ups: Vec<FollowUp>,
    /// The pipeline the item should go through.
    pub pipeline_type: Option<String>,
    /// The first line of a commit.
    pub commit_summary: Option<String>,
    /// IDs of items that say the same.
    pub duplicates: Vec<String>,
    /// A description for the item.
    pub description: Option<String>,
    /// Whether a person must look before the item becomes ready.
    pub requires_human_review: Option<bool>,
    /// What was left out in reading, in words.
    pub warnings: Vec<String>,
}

/// Why a text is not a phase result.
#[derive(Debug, thiserror::Error)]
pub enum PhaseResultError {
    /// It is not JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
    /// It is JSON, but no object.
    #[error("the result is not a JSON object")]
    NotAnObject,
    /// A required field is absent or unreadable.
    #[error("the result has no usable `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// `item_id` is no plain ID.
    #[error("`{id}` in the result is not an item's ID")]
    BadItemId {
        /// What stood there.
        id: String,
    },
}

impl PhaseResult {
    /// Reads a result from JSON. Nulls count as absent, levels are read in any
    /// case; an optional value that cannot be read is left out with a warning.
    ///
    /// # Errors
    /// Where it is no JSON object or a required field is absent, and where the
    /// item's ID is none, such as a path.
    pub fn from_json(json: &str) -> Result<Self, PhaseResultError> {
        let Value::Object(map) = serde_json::from_str(json)? else {
            return Err(PhaseResultError::NotAnObject);
        };
        let item_id = required(&map, "item_id")?;
        if !ItemId::is_plain(&item_id) {
            return Err(PhaseResultError::BadItemId { id: item_id });
        }
        let mut warnings = Vec::new();
        let result = required(&map, "result")?
            .parse()
            .map_err(|_| PhaseResultError::Missing { field: "result" })?;
        let found = |name: &str| map.get(name).filter(|value| !value.is_null());
        let mut optional =
            |name: &str| found(name).and_then(|value| text(value, name, &mut warnings));
        let (context, pipeline_type) = (optional("context"), optional("pipeline_type"));
        let (commit_summary, description) =
            (optional("commit_summary").map(|s| one_line(&s)), optional("description"));
        Ok(Self {
            item_id,
            phase: required(&map, "phase")?,
            result,
            summary: required(&map, "summary")?,
            context,
            updated_assessments: found("updated_assessments")
                .map(|value| assessments(value, &mut warnings))
                .unwrap_or_default(),
            follow_ups: found("follow_ups")
                .map(|value| follow_ups(value, &mut warnings))
                .unwrap_or_default(),
            pipeline_type: pipeline_type.filter(|name| !name.trim().is_empty()),
            commit_summary: commit_summary.filter(|summary| !summary.is_empty()),
            duplicates: found("duplicates")
                .map(|v| texts(v, "duplicates", &mut warnings))
                .unwrap_or_default(),
            description: description.filter(|text| !text.trim().is_empty()),
            requires_human_review: found("requires_human_review")
                .and_then(|value| flag(value, &mut warnings)),
            warnings,
        })
    }
}

fn required(map: &Map<String, Value>, field: &'static str) -> Result<String, PhaseResultError> {
    match map.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        // An agent may have nothing to say; that is no reason to lose its work.
        Some(Value::String(text)) if field == "summary" => Ok(text.clone()),
        _ => Err(PhaseResultError::Missing { field }),
    }
}

fn assessments(value: &Value, warnings: &mut Vec<String>) -> Assessments {
    let field = |name: &str| value.get(name).filter(|found| !found.is_null());
    if !value.is_object() {
        warnings.push(format!("`updated_assessments` must be a map, not {value}"));
    }
    Assessments {
        size: field("size").and_then(|v| word(v, "size", warnings)),
        complexity: field("complexity").and_then(|v| word(v, "complexity", warnings)),
        risk: field("risk").and_then(|v| word(v, "risk", warnings)),
        impact: field("impact").and_then(|v| word(v, "impact", warnings)),
    }
}

fn follow_ups(value: &Value, warnings: &mut Vec<String>) -> Vec<FollowUp> {
    match value {
        Value::Array(entries) => {
            entries.iter().filter_map(|entry| FollowUp::from_json(entry, warnings)).collect()
        }
        other => FollowUp::from_json(other, warnings).into_iter().collect(),
    }
}

fn flag(value: &Value, warnings: &mut Vec<String>) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        other => {
            warnings.push(format!("`requires_human_review` must be true or false, not {other}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_capitals_void_nothing() {
        let result = PhaseResult::from_json(
            r#"{"item_id":"WRK-001","phase":"build","result":"Phase_Complete","summary":"ok","follow_ups":null,
                "updated_assessments":{"size":"Small","risk":null,"impact":"enormous"},"context":null}"#,
        )
        .unwrap();
        assert_eq!(result.result, ResultCode::PhaseComplete);
        assert_eq!(result.updated_assessments.size, Some(Size::Small));
        assert_eq!(result.updated_assessments.impact, None);
        assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
    }

    #[test]
    fn follow_ups_are_texts_or_maps() {
        let result = PhaseResult::from_json(
            r#"{"item_id":"WRK-001","phase":"p","result":"failed","summary":"",
                "follow_ups":["one\ntwo",{"title":"b","context":"why","suggested_size":"LARGE","tags":["x"]},{"context":"no title"},7]}"#,
        )
        .unwrap();
        assert_eq!(result.follow_ups.len(), 2);
        assert_eq!(result.follow_ups[0].title, "one two");
        assert_eq!(result.follow_ups[1].context.as_deref(), Some("why"));
        assert_eq!(result.follow_ups[1].suggested_size, Some(Size::Large));
        assert_eq!(result.warnings.len(), 2);
    }

    #[test]
    fn paths_and_gaps_are_refused() {
        for id in ["../../etc/passwd-1", "WRK-1/x", "a\\b-1", ""] {
            let json = serde_json::json!({"item_id": id, "phase": "p", "result": "failed", "summary": "s"});
            assert!(PhaseResult::from_json(&json.to_string()).is_err(), "{id}");
        }
        assert!(PhaseResult::from_json("").is_err());
        assert!(PhaseResult::from_json("[]").is_err());
        assert!(
            PhaseResult::from_json(
                r#"{"item_id":"WRK-1","phase":"p","result":"fine","summary":"s"}"#
            )
            .is_err()
        );
    }
}
