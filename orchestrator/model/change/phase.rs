//! What a finished phase brings to its item, in one change: assessments, text,
//! follow-ups, duplicates and the next place, together or not at all.
//!
//! A person may have moved, blocked or deleted the item while the phase ran. Then
//! its follow-ups are taken in all the same, and the item is left as it is.

use super::apply::ChangeError;
use super::draft::Draft;
use super::lifecycle::{Place, set_blocked};
use super::merge::merge;
use super::new_item::NewItem;
use crate::model::{
    Assessments, BacklogItem, BlockType, Description, IdQuery, ItemId, ItemStatus, PhaseResult,
    ResultCode,
};

/// The name under which a new item's triage goes.
const TRIAGE: &str = "triage";

/// The effects of one phase of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseCompletion {
    /// The item's ID.
    pub id: String,
    /// The phase that ended; `triage` for a new item's.
    pub phase: String,
    /// How it ended; failed means for good.
    pub result: ResultCode,
    /// Why it failed or is blocked; what it did otherwise.
    pub summary: String,
    /// New assessments.
    pub assessments: Assessments,
    /// Proposed items.
    pub follow_ups: Vec<NewItem>,
    /// Items that say the same.
    pub duplicates: Vec<String>,
    /// A description, for an item that has none.
    pub description: Option<String>,
    /// The pipeline it should go through, where it is not in progress yet.
    pub pipeline_type: Option<String>,
    /// Whether a person must look at it.
    pub requires_human_review: bool,
    /// The commit with what the phase changed.
    pub commit: Option<String>,
}

impl PhaseCompletion {
    /// The name under which a new item's triage goes.
    pub const TRIAGE: &'static str = TRIAGE;

    /// Takes the effects from an agent's result.
    pub fn from_result(result: &PhaseResult, commit: Option<String>) -> Self {
        let origin = format!("{}/{}", result.item_id, result.phase);
        Self {
            id: result.item_id.clone(),
            phase: result.phase.clone(),
            result: result.result,
            summary: result.summary.clone(),
            assessments: result.updated_assessments,
            follow_ups: result
                .follow_ups
                .iter()
                .map(|f| NewItem::from_follow_up(f, &origin))
                .collect(),
            duplicates: result.duplicates.clone(),
            description: result.description.clone(),
            pipeline_type: result.pipeline_type.clone(),
            requires_human_review: result.requires_human_review == Some(true),
            commit,
        }
    }
}

pub(super) fn complete(draft: &mut Draft<'_>, done: PhaseCompletion) -> Result<(), ChangeError> {
    super::apply::ingest(draft, done.follow_ups.clone(), true)?;
    let index = match draft.find(&IdQuery::new(&done.id)) {
        Ok(index) => index,
        Err(ChangeError::NoSuchItem { id }) => {
            draft.applied.notes.push(format!(
                "{id} is no longer in the backlog: phase {} left it alone",
                done.phase
            ));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let item = draft.file.items[index].clone();
    if !stands_at(&item, &done.phase) {
        let note = format!(
            "{} was moved while phase {} ran: it stays {}",
            done.id, done.phase, item.status
        );
        draft.applied.notes.push(note);
        return Ok(());
    }
    take_effects(draft, index, &done);
    move_on(draft, index, &done)?;
    merge_duplicates(draft, &done);
    Ok(())
}

fn stands_at(item: &BacklogItem, phase: &str) -> bool {
    match item.status {
        ItemStatus::New => phase == TRIAGE,
        ItemStatus::Scoping | ItemStatus::InProgress => item.phase.as_deref() == Some(phase),
        ItemStatus::Ready | ItemStatus::Blocked | ItemStatus::Done => false,
    }
}

fn take_effects(draft: &mut Draft<'_>, index: usize, done: &PhaseCompletion) {
    let item = &draft.file.items[index];
    let early = matches!(item.status, ItemStatus::New | ItemStatus::Scoping);
    let pipeline = done.pipeline_type.as_ref().filter(|_| early).filter(|name| {
        let known = draft.context.rules.pipelines.contains_key(*name);
        if !known {
            draft
                .applied
                .notes
                .push(format!("pipeline `{name}` is not configured: {} keeps its own", done.id));
        }
        known
    });
    draft.edit(index, |item| {
        item.size = done.assessments.size.or(item.size);
        item.complexity = done.assessments.complexity.or(item.complexity);
        item.risk = done.assessments.risk.or(item.risk);
        item.impact = done.assessments.impact.or(item.impact);
        // A result may ask for a person's look, never wave it off.
        item.requires_human_review |= done.requires_human_review;
        if item.description.is_none() {
            item.description = done.description.clone().map(Description::Text);
        }
        if let Some(name) = pipeline {
            item.pipeline_type = Some(name.clone());
        }
        if done.commit.is_some() {
            item.last_phase_commit.clone_from(&done.commit);
        }
        // Told to this phase: not to the next one again.
        item.unblock_context = None;
    });
}

fn move_on(draft: &mut Draft<'_>, index: usize, done: &PhaseCompletion) -> Result<(), ChangeError> {
    let item = draft.file.items[index].clone();
    match done.result {
        ResultCode::SubphaseComplete => {}
        ResultCode::Failed => {
            draft.edit(index, |item| set_blocked(item, item.status, &done.summary, None))
        }
        ResultCode::Blocked => {
            let kind = Some(BlockType::Clarification);
            draft.edit(index, |item| set_blocked(item, item.status, &done.summary, kind));
        }
        ResultCode::PhaseComplete => {
            let place = Place::after(draft, &item)?;
            let reasons = draft.context.rules.guardrails.reasons(&item);
            draft.edit(index, |item| {
                place.enter(item);
                if place.status == ItemStatus::Ready && !reasons.is_empty() {
                    let reason = format!("needs a person's consent: {}", reasons.join("; "));
                    set_blocked(item, ItemStatus::Ready, &reason, Some(BlockType::Decision));
                }
            });
        }
    }
    Ok(())
}

/// Merges what a phase found to say the same; of a pair the lower number stays. A
/// merge that cannot be made is told, and voids nothing else.
fn merge_duplicates(draft: &mut Draft<'_>, done: &PhaseCompletion) {
    for other in &done.duplicates {
        let (own, twin) = (IdQuery::new(&done.id), IdQuery::new(other));
        let pair = draft.find(&own).and_then(|a| draft.find(&twin).map(|b| (a, b)));
        let outcome = pair.and_then(|(a, b)| {
            let items = &draft.file.items;
            if a == b || !items[a].status.is_open() || !items[b].status.is_open() {
                return Err(ChangeError::SameItem { id: other.clone() });
            }
            let number =
                |index: usize| ItemId::number_of(items[index].id_or_dash()).unwrap_or(u32::MAX);
            let (stays, goes) = if number(a) <= number(b) { (own, twin) } else { (twin, own) };
            draft.attempt(|draft| merge(draft, &goes, &stays))
        });
        if let Err(error) = outcome {
            draft.applied.notes.push(format!(
                "{other} was named a duplicate of {}, and not merged: {error}",
                done.id
            ));
        }
    }
}
