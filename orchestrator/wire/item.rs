//! An item as programs read it: every known field, whether it has a value or not.

use serde::Serialize;

use super::extra::Extra;
use crate::model;
use crate::model::{BacklogItem, BlockType, ItemStatus, Level, PhasePool, Size};

/// One item. Borrowed, since lists of them can be long.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Item<'a> {
    id: Option<&'a str>,
    title: &'a str,
    status: ItemStatus,
    phase: Option<&'a str>,
    phase_pool: Option<PhasePool>,
    pipeline_type: Option<&'a str>,
    size: Option<Size>,
    complexity: Option<Level>,
    risk: Option<Level>,
    impact: Option<Level>,
    requires_human_review: bool,
    description: Option<Description<'a>>,
    origin: Option<&'a str>,
    tags: &'a [String],
    dependencies: &'a [String],
    blocked_from_status: Option<ItemStatus>,
    blocked_reason: Option<&'a str>,
    blocked_type: Option<BlockType>,
    unblock_context: Option<&'a str>,
    approved: Option<&'a str>,
    created: Option<&'a str>,
    updated: Option<&'a str>,
    last_phase_commit: Option<&'a str>,
    extra: Extra<'a>,
}

impl<'a> From<&'a BacklogItem> for Item<'a> {
    fn from(item: &'a BacklogItem) -> Self {
        Self {
            id: item.id.as_deref(),
            title: &item.title,
            status: item.status,
            phase: item.phase.as_deref(),
            phase_pool: item.phase_pool,
            pipeline_type: item.pipeline_type.as_deref(),
            size: item.size,
            complexity: item.complexity,
            risk: item.risk,
            impact: item.impact,
            requires_human_review: item.requires_human_review,
            description: item.description.as_ref().map(Description::from),
            origin: item.origin.as_deref(),
            tags: &item.tags,
            dependencies: &item.dependencies,
            blocked_from_status: item.blocked_from_status,
            blocked_reason: item.blocked_reason.as_deref(),
            blocked_type: item.blocked_type,
            unblock_context: item.unblock_context.as_deref(),
            approved: item.approved.as_deref(),
            created: item.created.as_deref(),
            updated: item.updated.as_deref(),
            last_phase_commit: item.last_phase_commit.as_deref(),
            extra: Extra(&item.extra),
        }
    }
}

/// What an item is about: a text, or an object with every part, as it stands in
/// the file.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Description<'a> {
    /// One text.
    Text(&'a str),
    /// Named parts.
    Structured(Parts<'a>),
}

/// The parts of a description.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Parts<'a> {
    context: Option<&'a str>,
    problem: Option<&'a str>,
    solution: Option<&'a str>,
    impact: Option<&'a str>,
    sizing_rationale: Option<&'a str>,
    extra: Extra<'a>,
}

impl<'a> From<&'a model::Description> for Description<'a> {
    fn from(description: &'a model::Description) -> Self {
        match description {
            model::Description::Text(text) => Self::Text(text),
            model::Description::Structured(parts) => Self::Structured(Parts {
                context: parts.context.as_deref(),
                problem: parts.problem.as_deref(),
                solution: parts.solution.as_deref(),
                impact: parts.impact.as_deref(),
                sizing_rationale: parts.sizing_rationale.as_deref(),
                extra: Extra(&parts.extra),
            }),
        }
    }
}

/// An item by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemRef {
    /// The ID.
    pub id: String,
    /// The title.
    pub title: String,
}

impl From<&BacklogItem> for ItemRef {
    fn from(item: &BacklogItem) -> Self {
        Self { id: item.id_or_dash().to_owned(), title: item.title.clone() }
    }
}

/// One item that was merged into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergedPair {
    /// The ID of the item that went.
    pub source: String,
    /// The ID of the item that stayed.
    pub target: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ITEM_KEYS;

    fn json(yaml: &str) -> String {
        let item: BacklogItem = serde_yaml::from_str(yaml).unwrap();
        serde_json::to_string(&Item::from(&item)).unwrap()
    }

    #[test]
    fn a_bare_item_has_every_field() {
        assert_eq!(
            json("title: t"),
            concat!(
                r#"{"id":null,"title":"t","status":"new","phase":null,"phase_pool":null,"pipeline_type":null,"#,
                r#""size":null,"complexity":null,"risk":null,"impact":null,"requires_human_review":false,"#,
                r#""description":null,"origin":null,"tags":[],"dependencies":[],"blocked_from_status":null,"#,
                r#""blocked_reason":null,"blocked_type":null,"unblock_context":null,"approved":null,"#,
                r#""created":null,"updated":null,"last_phase_commit":null,"extra":{}}"#
            )
        );
        let bare: serde_json::Value = serde_json::from_str(&json("title: t")).unwrap();
        for key in ITEM_KEYS {
            assert!(bare.get(key).is_some(), "{key}");
        }
    }

    #[test]
    fn a_full_item_keeps_what_is_not_ours() {
        let yaml = "id: A-1\ntitle: t\nstatus: In Progress\nphase: build\nphase_pool: main\nsize: small\n\
            tags: [a]\ndependencies: [A-2]\nrequires_human_review: true\ndescription: {problem: p, note: n}\n\
            priority: 3\nowner: {name: x}\n";
        let value: serde_json::Value = serde_json::from_str(&json(yaml)).unwrap();
        assert_eq!(value["status"], "in_progress");
        assert_eq!(
            value["description"],
            serde_json::json!({"context": null, "problem": "p", "solution": null, "impact": null,
                "sizing_rationale": null, "extra": {"note": "n"}})
        );
        assert_eq!(value["extra"], serde_json::json!({"priority": 3, "owner": {"name": "x"}}));
        assert_eq!(value["tags"], serde_json::json!(["a"]));
    }
}
