//! Reading a proposal as an item.

use serde_yaml::{Mapping, Value};

use crate::model::change::NewItem;
use crate::model::{BacklogItem, FieldProblem};

/// Keys of an item that a proposal cannot set.
const NOT_PROPOSED: &[&str] = &[
    "id",
    "status",
    "phase",
    "phase_pool",
    "last_phase_commit",
    "blocked_from_status",
    "blocked_reason",
    "blocked_type",
    "unblock_context",
    "approved",
    "created",
    "updated",
];

/// Reads one entry of an inbox. Returns the item, the problems of its fields, and
/// notes about what was left out.
pub fn inbox_entry(mut entry: Mapping) -> (NewItem, Vec<FieldProblem>, Vec<String>) {
    let mut notes = Vec::new();
    let title = entry.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    for key in NOT_PROPOSED {
        if entry.shift_remove(*key).is_some() {
            notes.push(format!("`{key}` of the inbox entry \"{title}\" is not taken over"));
        }
    }
    let (item, problems) = BacklogItem::from_mapping(entry);
    let mut extra = item.extra;
    if item.requires_human_review {
        extra.insert("requires_human_review".into(), true.into());
    }
    let new = NewItem {
        title: item.title,
        size: item.size,
        complexity: item.complexity,
        risk: item.risk,
        impact: item.impact,
        pipeline_type: item.pipeline_type,
        dependencies: item.dependencies,
        tags: item.tags,
        description: item.description,
        origin: item.origin.or_else(|| Some("inbox".to_owned())),
        extra,
    };
    (new, problems, notes)
}
