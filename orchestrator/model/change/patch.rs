//! Altering fields of an item: what a person says on the command line.

use serde_yaml::Value;

use super::apply::ChangeError;
use super::dependencies::would_close_cycle;
use super::draft::Draft;
use crate::model::follow_up::one_line;
use crate::model::{Description, IdQuery, ItemStatus, Level, Size};

/// What happens to one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Assign<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    To(T),
}

impl<T> Assign<T> {
    fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::To(value) => *field = Some(value),
        }
    }
}

/// One entry more or less in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEdit {
    /// Adds the entry, where it is not there yet.
    Add(String),
    /// Takes the entry out, wherever it stands.
    Remove(String),
}

/// Alterations of one item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemPatch {
    /// A new title, not blank.
    pub title: Option<String>,
    /// A new status.
    pub status: Option<ItemStatus>,
    /// Sets the status whatever the table says, as a hand edit could.
    pub force: bool,
    /// How much work it is.
    pub size: Assign<Size>,
    /// How complex it is.
    pub complexity: Assign<Level>,
    /// How risky it is.
    pub risk: Assign<Level>,
    /// How much it brings.
    pub impact: Assign<Level>,
    /// What it is about.
    pub description: Assign<String>,
    /// The phase it is in.
    pub phase: Assign<String>,
    /// The pipeline it goes through.
    pub pipeline: Assign<String>,
    /// Labels.
    pub tags: Vec<ListEdit>,
    /// What must be done before.
    pub dependencies: Vec<ListEdit>,
    /// Keys that are not ours.
    pub set: Vec<(String, Value)>,
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    item: &IdQuery,
    patch: ItemPatch,
) -> Result<(), ChangeError> {
    let index = draft.find(item)?;
    if let Some(title) = &patch.title
        && one_line(title).is_empty()
    {
        return Err(ChangeError::BlankTitle);
    }
    let dependencies = edited_dependencies(draft, index, &patch.dependencies)?;
    check_pipeline_and_phase(draft, index, &patch)?;
    let status = patch.status;
    let force = patch.force;
    draft.edit(index, |item| {
        if let Some(title) = patch.title {
            item.title = one_line(&title);
        }
        patch.size.apply(&mut item.size);
        patch.complexity.apply(&mut item.complexity);
        patch.risk.apply(&mut item.risk);
        patch.impact.apply(&mut item.impact);
        patch.phase.apply(&mut item.phase);
        patch.pipeline.apply(&mut item.pipeline_type);
        match patch.description {
            Assign::Keep => {}
            Assign::Clear => item.description = None,
            Assign::To(text) => item.description = Some(Description::Text(text)),
        }
        edit_list(&mut item.tags, patch.tags);
        item.dependencies = dependencies;
        for (key, value) in patch.set {
            item.extra.insert(Value::String(key), value);
        }
    });
    match status {
        Some(status) => super::lifecycle::set_status(draft, index, status, force),
        None => Ok(()),
    }
}

fn edit_list(list: &mut Vec<String>, edits: Vec<ListEdit>) {
    for edit in edits {
        match edit {
            ListEdit::Add(entry) if !list.contains(&entry) => list.push(entry),
            ListEdit::Add(_) => {}
            ListEdit::Remove(entry) => list.retain(|own| *own != entry),
        }
    }
}

fn edited_dependencies(
    draft: &Draft<'_>,
    index: usize,
    edits: &[ListEdit],
) -> Result<Vec<String>, ChangeError> {
    let own = &draft.file.items[index];
    let mut list = own.dependencies.clone();
    for edit in edits {
        match edit {
            ListEdit::Remove(typed) => {
                let query = IdQuery::new(typed);
                list.retain(|id| !query.names(id));
            }
            ListEdit::Add(typed) => {
                let id = resolve_dependency(draft, typed)?;
                if list.iter().any(|known| crate::model::ItemId::same(known, &id)) {
                    continue;
                }
                if let Some(way) = would_close_cycle(&draft.file.items, own.id_or_dash(), &id) {
                    return Err(ChangeError::Cycle { id: own.id_or_dash().to_owned(), way });
                }
                list.push(id);
            }
        }
    }
    Ok(list)
}

/// Returns the ID that a person meant by a dependency: an item's, or an archived
/// one's.
pub(super) fn resolve_dependency(draft: &Draft<'_>, typed: &str) -> Result<String, ChangeError> {
    match draft.find(&IdQuery::new(typed)) {
        Ok(index) => Ok(draft.file.items[index].id_or_dash().to_owned()),
        Err(ChangeError::NoSuchItem { id }) if (draft.context.archived)(&id).is_some() => Ok(id),
        Err(error) => Err(error),
    }
}

fn check_pipeline_and_phase(
    draft: &Draft<'_>,
    index: usize,
    patch: &ItemPatch,
) -> Result<(), ChangeError> {
    let rules = draft.context.rules;
    if let Assign::To(name) = &patch.pipeline {
        rules.check_pipeline(name)?;
    }
    if let Assign::To(phase) = &patch.phase {
        let name = match &patch.pipeline {
            Assign::To(name) => Some(name.as_str()),
            Assign::Clear => None,
            Assign::Keep => draft.file.items[index].pipeline_type.as_deref(),
        };
        rules.check_phase(name, phase)?;
    }
    Ok(())
}
