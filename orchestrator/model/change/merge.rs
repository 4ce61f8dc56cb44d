//! Merging one item into another without losing anything of it.
//!
//! The source leaves the file, whole, into the worklog. The target takes over its
//! text and what itself lacks, and whoever waited for the source waits for the
//! target. A merge that would make items wait in a circle is refused.

use super::apply::ChangeError;
use super::dependencies::would_close_cycle;
use super::draft::Draft;
use crate::model::{BacklogItem, Description, Ended, IdQuery, ItemId};

pub(super) fn merge(
    draft: &mut Draft<'_>,
    source: &IdQuery,
    target: &IdQuery,
) -> Result<(), ChangeError> {
    let (from, into) = (draft.find(source)?, draft.find(target)?);
    if from == into {
        return Err(ChangeError::SameItem { id: target.text().to_owned() });
    }
    let gone = draft.file.items[from].clone();
    let stays = draft.file.items[into].id_or_dash().to_owned();
    let gone_id = gone.id_or_dash().to_owned();
    if gone.status.is_open() && !draft.file.items[into].status.is_open() {
        let note = format!("{stays} is done: {gone_id} counts as done, too, for what waits for it");
        draft.applied.notes.push(note);
    }
    for index in 0..draft.file.items.len() {
        let item = &draft.file.items[index];
        if index != from
            && index != into
            && item.dependencies.iter().any(|id| ItemId::same(id, &gone_id))
        {
            draft.edit(index, |item| repoint(&mut item.dependencies, &gone_id, &stays));
        }
    }
    draft.edit(into, |item| take_over(item, &gone));
    draft.remove(from, Ended::Merged, Some(stays.clone()));
    let into = if from < into { into - 1 } else { into };
    let target = draft.file.items[into].clone();
    for dependency in &target.dependencies {
        if let Some(way) = would_close_cycle(&draft.file.items, &stays, dependency) {
            return Err(ChangeError::Cycle { id: stays, way });
        }
    }
    Ok(())
}

fn repoint(dependencies: &mut Vec<String>, gone: &str, stays: &str) {
    let known = dependencies.iter().any(|id| ItemId::same(id, stays));
    if known {
        dependencies.retain(|id| !ItemId::same(id, gone));
        return;
    }
    for id in dependencies {
        if ItemId::same(id, gone) {
            stays.clone_into(id);
        }
    }
}

fn take_over(target: &mut BacklogItem, source: &BacklogItem) {
    target.size = target.size.or(source.size);
    target.complexity = target.complexity.or(source.complexity);
    target.risk = target.risk.or(source.risk);
    target.impact = target.impact.or(source.impact);
    target.requires_human_review |= source.requires_human_review;
    if target.pipeline_type.is_none() {
        target.pipeline_type.clone_from(&source.pipeline_type);
    }
    for tag in &source.tags {
        if !target.tags.contains(tag) {
            target.tags.push(tag.clone());
        }
    }
    let (own, gone) = (target.id_or_dash().to_owned(), source.id_or_dash());
    target.dependencies.retain(|id| !ItemId::same(id, gone));
    for id in &source.dependencies {
        if !ItemId::same(id, &own)
            && !target.dependencies.iter().any(|known| ItemId::same(known, id))
        {
            target.dependencies.push(id.clone());
        }
    }
    let mut text = format!("Merged from {gone}: {}", source.title);
    if let Some(description) = &source.description {
        text.push_str("\n\n");
        text.push_str(description.to_text().trim_end());
    }
    match &mut target.description {
        None => target.description = Some(Description::Text(text)),
        Some(Description::Text(own)) => append(own, &text),
        Some(Description::Structured(parts)) => match &mut parts.context {
            None => parts.context = Some(text),
            Some(own) => append(own, &text),
        },
    }
}

/// Appends a paragraph; a text that ended in a newline ends in one again.
fn append(own: &mut String, text: &str) {
    let newline = own.ends_with('\n');
    own.truncate(own.trim_end().len());
    own.push_str("\n\n");
    own.push_str(text);
    if newline {
        own.push('\n');
    }
}
