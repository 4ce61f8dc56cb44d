//! From changes of the model to edits of the text: no more than what differs.

use serde_yaml::{Mapping, Value};

use crate::model::{
    BacklogItem, BlockType, Delta, Description, ItemStatus, Level, PhasePool, Size,
    StructuredDescription,
};
use crate::yaml::{Edit, Step};

/// Returns the edits that make of the text before a change the text after it. The
/// indexes are those of the moment at which each edit is made.
pub(super) fn edits(deltas: &[Delta], has_id_key: impl Fn(usize) -> bool) -> Vec<Edit> {
    let mut edits = Vec::new();
    for delta in deltas {
        match delta {
            Delta::Added { text: Some(text), .. } => {
                edits.push(Edit::AppendText { text: text.clone() })
            }
            Delta::Added { item, text: None } => edits.push(Edit::Append { fields: fields(item) }),
            Delta::Replaced { index, before, after, text: None } => {
                edits.extend(item_edits(*index, before, after, || has_id_key(*index)));
            }
            Delta::Replaced { index, after, text: Some(text), .. } => {
                edits.push(Edit::ReplaceText { record: *index, text: text.clone() });
                edits.extend(after.updated.as_deref().map(|at| set(*index, "updated", at.into())));
            }
            Delta::Removed { index, .. } => edits.push(Edit::RemoveRecord { record: *index }),
            Delta::Mark { .. } => {}
        }
    }
    edits
}

/// Returns the edit that sets the mark.
pub(super) fn set_mark(mark: u32) -> Edit {
    Edit::Set { record: None, path: vec![key("next_item_id")], value: mark.into() }
}

/// Returns the keys and values of an item that is written for the first time.
fn fields(item: &BacklogItem) -> Vec<(String, Value)> {
    let mapping = match serde_yaml::to_value(item) {
        Ok(Value::Mapping(mapping)) => mapping,
        // An item is plain data: it always has a YAML form, which is a mapping.
        _ => Mapping::new(),
    };
    let text = |key: Value| key.as_str().map_or_else(String::new, str::to_owned);
    mapping.into_iter().map(|(key, value)| (text(key), value)).collect()
}

/// Returns the edits that make of one item's text another's.
pub(super) fn item_edits(
    record: usize,
    before: &BacklogItem,
    after: &BacklogItem,
    has_id_key: impl FnOnce() -> bool,
) -> Vec<Edit> {
    let mut diff = Diff { record, edits: Vec::new() };
    if before.id != after.id {
        let id = after.id.clone().map_or(Value::Null, Value::String);
        diff.edits.push(if has_id_key() {
            set(record, "id", id)
        } else {
            Edit::SetFirst { record, key: "id".to_owned(), value: id }
        });
    }
    for ((name, old), (_, new)) in texts(before).into_iter().zip(texts(after)) {
        diff.at(vec![key(name)], old, new);
    }
    if before.requires_human_review != after.requires_human_review {
        let value = after.requires_human_review.into();
        diff.edits.push(set(record, "requires_human_review", value));
    }
    diff.list("tags", &before.tags, &after.tags);
    diff.list("dependencies", &before.dependencies, &after.dependencies);
    diff.description(before.description.as_ref(), after.description.as_ref());
    diff.extra(&before.extra, &after.extra);
    diff.at(vec![key("updated")], before.updated.as_deref(), after.updated.as_deref());
    diff.edits
}

/// Returns the fields of an item that are one text or word each, in the order in
/// which new ones are written; `updated` comes after all others.
fn texts(item: &BacklogItem) -> [(&'static str, Option<&str>); 17] {
    [
        ("title", Some(&item.title)),
        ("status", Some(item.status.as_str())),
        ("phase", item.phase.as_deref()),
        ("size", item.size.map(Size::as_str)),
        ("complexity", item.complexity.map(Level::as_str)),
        ("risk", item.risk.map(Level::as_str)),
        ("impact", item.impact.map(Level::as_str)),
        ("origin", item.origin.as_deref()),
        ("blocked_from_status", item.blocked_from_status.map(ItemStatus::as_str)),
        ("blocked_reason", item.blocked_reason.as_deref()),
        ("blocked_type", item.blocked_type.map(BlockType::as_str)),
        ("unblock_context", item.unblock_context.as_deref()),
        ("approved", item.approved.as_deref()),
        ("created", item.created.as_deref()),
        ("pipeline_type", item.pipeline_type.as_deref()),
        ("phase_pool", item.phase_pool.map(PhasePool::as_str)),
        ("last_phase_commit", item.last_phase_commit.as_deref()),
    ]
}

fn key(key: &str) -> Step {
    Step::Key(key.to_owned())
}

fn set(record: usize, name: &str, value: Value) -> Edit {
    Edit::Set { record: Some(record), path: vec![key(name)], value }
}

struct Diff {
    record: usize,
    edits: Vec<Edit>,
}

impl Diff {
    fn at(&mut self, path: Vec<Step>, before: Option<&str>, after: Option<&str>) {
        let record = Some(self.record);
        match (before, after) {
            (before, after) if before == after => {}
            (_, Some(text)) => self.edits.push(Edit::Set { record, path, value: text.into() }),
            (_, None) => self.edits.push(Edit::Remove { record, path }),
        }
    }

    /// Entries that stay are not touched: what goes is removed, what comes is pushed,
    /// and an entry that gives way to another in its place is set.
    fn list(&mut self, name: &str, before: &[String], after: &[String]) {
        if before == after {
            return;
        }
        let record = Some(self.record);
        let mut pairs = before.iter().zip(after).filter(|(old, new)| old != new);
        // An entry that only moved up takes its comment with it.
        if before.len() == after.len()
            && pairs.all(|(old, new)| !after.contains(old) && !before.contains(new))
        {
            for (index, (_, new)) in
                before.iter().zip(after).enumerate().filter(|(_, (old, new))| old != new)
            {
                let path = vec![key(name), Step::Index(index)];
                self.edits.push(Edit::Set { record, path, value: new.clone().into() });
            }
            return;
        }
        // Which of the old entries stay, in order, greedily.
        let mut rest = after.iter();
        let mut kept = 0;
        let mut gone = Vec::new();
        let mut next = rest.next();
        for (index, entry) in before.iter().enumerate() {
            if next == Some(entry) {
                kept += 1;
                next = rest.next();
            } else {
                gone.push(index);
            }
        }
        for index in gone.into_iter().rev() {
            self.edits.push(Edit::Remove { record, path: vec![key(name), Step::Index(index)] });
        }
        for entry in &after[kept..] {
            self.edits.push(Edit::Push {
                record,
                path: vec![key(name)],
                value: entry.clone().into(),
            });
        }
    }

    fn description(&mut self, before: Option<&Description>, after: Option<&Description>) {
        let record = Some(self.record);
        let path = || vec![key("description")];
        match (before, after) {
            (before, after) if before == after => {}
            (_, None) => self.edits.push(Edit::Remove { record, path: path() }),
            (Some(Description::Structured(before)), Some(Description::Structured(after))) => {
                self.parts(before, after)
            }
            (_, Some(after)) => {
                let value = serde_yaml::to_value(after).unwrap_or_default();
                self.edits.push(Edit::Set { record, path: path(), value });
            }
        }
    }

    fn parts(&mut self, before: &StructuredDescription, after: &StructuredDescription) {
        for (name, old, new) in [
            ("context", &before.context, &after.context),
            ("problem", &before.problem, &after.problem),
            ("solution", &before.solution, &after.solution),
            ("impact", &before.impact, &after.impact),
            ("sizing_rationale", &before.sizing_rationale, &after.sizing_rationale),
        ] {
            self.at(vec![key("description"), key(name)], old.as_deref(), new.as_deref());
        }
    }

    fn extra(&mut self, before: &Mapping, after: &Mapping) {
        for (name, value) in after {
            if let Some(name) = name.as_str()
                && before.get(name) != Some(value)
            {
                self.edits.push(set(self.record, name, value.clone()));
            }
        }
        for (name, _) in before {
            if let Some(name) = name.as_str()
                && !after.contains_key(name)
            {
                self.edits.push(Edit::Remove { record: Some(self.record), path: vec![key(name)] });
            }
        }
    }
}
