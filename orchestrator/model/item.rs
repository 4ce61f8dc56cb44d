//! One piece of work, as typed fields. Unknown keys are carried along in
//! `extra`; how the fields are written is the file's own affair, so an item holds
//! values and never layout.

use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::{Mapping, Value};

use super::{BlockType, ItemStatus, Level, PhasePool, Size};

/// One item of a backlog.
///
/// Dates are kept as they are written (RFC 3339). A missing ID means that a
/// person wrote the item and the next writer assigns one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(default)]
pub struct BacklogItem {
    /// `PREFIX-NNN`, or a text without a number, which is kept and never counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is to be done, in one line.
    pub title: String,
    /// Where it stands.
    pub status: ItemStatus,
    /// The phase it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Which of its pipeline's pools holds that phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_pool: Option<PhasePool>,
    /// The pipeline it goes through; the default one where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_type: Option<String>,
    /// The commit that ended its last phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_phase_commit: Option<String>,
    /// How much work it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How complex it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Level>,
    /// How risky it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Level>,
    /// How much it brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<Level>,
    /// Whether a person must look before it becomes ready.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_human_review: bool,
    /// What it is about, at length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Where it came from: `ITEM/phase`, `inbox`, or free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// IDs of the items that must be done before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
    /// Where a blocked item goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_from_status: Option<ItemStatus>,
    /// Why it is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_type: Option<BlockType>,
    /// What a person answered; told to the next phase once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unblock_context: Option<String>,
    /// When a person consented past the guardrails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// When it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When a program last changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
    /// Keys that are not ours, as they stand.
    #[serde(flatten)]
    pub extra: Mapping,
}

impl BacklogItem {
    /// Returns the ID, or a dash for an item that has none yet.
    pub fn id_or_dash(&self) -> &str {
        self.id.as_deref().unwrap_or("-")
    }

    /// Returns whether the item is called `id`, letter case and zeros aside.
    pub fn is(&self, id: &str) -> bool {
        self.id.as_deref().is_some_and(|own| super::ItemId::same(own, id))
    }
}

impl<'de> Deserialize<'de> for BacklogItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (item, problems) = Self::from_mapping(Mapping::deserialize(deserializer)?);
        match problems.into_iter().find(|problem| problem.code.is_error()) {
            Some(problem) => Err(serde::de::Error::custom(problem)),
            None => Ok(item),
        }
    }
}

/// What an item is about: free text, or the five fields. Both forms stay as
/// written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Description {
    /// One text.
    Text(String),
    /// Named parts.
    Structured(Box<StructuredDescription>),
}

/// A description in parts. Each part is a text of any length.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StructuredDescription {
    /// What surrounds the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is to be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// What that brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// Why it has the size that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing_rationale: Option<String>,
    /// Parts that are not ours, as they stand.
    #[serde(flatten)]
    pub extra: Mapping,
}

impl StructuredDescription {
    /// Returns the named parts that are there, in their order.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("context", &self.context),
            ("problem", &self.problem),
            ("solution", &self.solution),
            ("impact", &self.impact),
            ("sizing_rationale", &self.sizing_rationale),
        ]
        .into_iter()
        .filter_map(|(name, part)| part.as_deref().map(|text| (name, text)))
    }
}

impl Description {
    /// Returns the whole description as one text, parts under their names.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Structured(parts) => {
                let mut lines: Vec<String> =
                    parts.parts().map(|(name, text)| format!("{name}: {text}")).collect();
                for (key, value) in &parts.extra {
                    if let (Value::String(key), Value::String(text)) = (key, value) {
                        lines.push(format!("{key}: {text}"));
                    }
                }
                lines.join("\n")
            }
        }
    }
}
