//! What a finished phase brings to its item, in one change: assessments, text,
//! follow-ups, duplicates and the next place, together or not at all.
//!
//! A person may have moved, blocked or deleted the item while the phase ran. Then what
//! the phase found out is taken in all the same, and the item is left where it is: one
//! that is blocked goes on behind the phase once it is unblocked.

use std::sync::Arc;

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
    /// The item as the phase saw it, where that is known: what a person has judged
    /// otherwise since then stays.
    pub seen: Option<Arc<BacklogItem>>,
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
            seen: None,
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
    take_effects(draft, index, &done);
    if !stands_at(item.status, &item, &done.phase) {
        draft.applied.was_moved = true;
        let (id, phase) = (&done.id, &done.phase);
        let mut note = format!("{id} was moved while phase {phase} ran: it stays {}", item.status);
        if let Some(next) = move_on_behind(draft, index, &done) {
            note.push_str(&format!(", and goes on with {next} once it is unblocked"));
        }
        draft.applied.notes.push(note);
        draft.applied.notes.extend(
            done.duplicates.iter().map(|other| format!("{other} was named a duplicate of {id}")),
        );
        return Ok(());
    }
    move_on(draft, index, &done)?;
    merge_duplicates(draft, &done);
    Ok(())
}

/// Returns whether an item of that status stands where the phase is its next one.
fn stands_at(status: ItemStatus, item: &BacklogItem, phase: &str) -> bool {
    match status {
        ItemStatus::New => phase == TRIAGE,
        ItemStatus::Scoping | ItemStatus::InProgress => item.phase.as_deref() == Some(phase),
        ItemStatus::Ready | ItemStatus::Blocked | ItemStatus::Done => false,
    }
}

fn take_effects(draft: &mut Draft<'_>, index: usize, done: &PhaseCompletion) {
    let item = &draft.file.items[index];
    let blocked_from = item.blocked_from_status.filter(|_| item.status == ItemStatus::Blocked);
    let status = blocked_from.unwrap_or(item.status);
    let early = matches!(status, ItemStatus::New | ItemStatus::Scoping);
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
    let mut kept = Vec::new();
    let seen = done.seen.as_deref();
    draft.edit(index, |item| {
        let Assessments { size, complexity, risk, impact } = done.assessments;
        judge("size", &mut item.size, seen.map(|seen| seen.size), size, &mut kept);
        let was = seen.map(|seen| seen.complexity);
        judge("complexity", &mut item.complexity, was, complexity, &mut kept);
        judge("risk", &mut item.risk, seen.map(|seen| seen.risk), risk, &mut kept);
        judge("impact", &mut item.impact, seen.map(|seen| seen.impact), impact, &mut kept);
        // A result may ask for a person's look, never wave it off.
        item.requires_human_review |= done.requires_human_review;
        if item.description.is_none() {
            item.description = done.description.clone().map(Description::Text);
        }
        let was = seen.map(|seen| seen.pipeline_type.clone());
        judge("pipeline", &mut item.pipeline_type, was, pipeline.cloned(), &mut kept);
        if done.commit.is_some() {
            item.last_phase_commit.clone_from(&done.commit);
        }
        // Told to this phase: not to the next one again, unless that is the same one.
        let is_behind = stands_at(item.status, item, &done.phase);
        if is_behind && seen.is_none_or(|seen| seen.unblock_context == item.unblock_context) {
            item.unblock_context = None;
        }
    });
    for field in kept {
        let note = format!(
            "the {field} of {} was changed while phase {} ran: it stays",
            done.id, done.phase
        );
        draft.applied.notes.push(note);
    }
}

/// Takes what a phase says of a field, unless a person has changed it since the phase
/// saw it; then the field's name is noted.
fn judge<T: PartialEq>(
    field: &'static str,
    now: &mut Option<T>,
    seen: Option<Option<T>>,
    brings: Option<T>,
    kept: &mut Vec<&'static str>,
) {
    if brings.is_none() || *now == brings {
        return;
    }
    if seen.is_some_and(|seen| seen != *now) {
        kept.push(field);
    } else {
        *now = brings;
    }
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

/// Moves an item along that was blocked while its phase ran, behind the block. Returns
/// what it goes on with; nothing where it stays, since the phase has not ended, or a
/// person is to be asked first.
fn move_on_behind(draft: &mut Draft<'_>, index: usize, done: &PhaseCompletion) -> Option<String> {
    let item = draft.file.items[index].clone();
    let from = item.blocked_from_status.filter(|_| item.status == ItemStatus::Blocked)?;
    if done.result != ResultCode::PhaseComplete || !stands_at(from, &item, &done.phase) {
        return None;
    }
    let was = BacklogItem { status: from, ..BacklogItem::clone(&item) };
    let place = Place::after(draft, &was).ok()?;
    let asks = !draft.context.rules.guardrails.reasons(&item).is_empty();
    let is_open = match place.status {
        ItemStatus::Ready => !asks,
        status => status.is_open(),
    };
    if !is_open {
        return None;
    }
    draft.edit(index, |item| {
        item.blocked_from_status = Some(place.status);
        (item.phase, item.phase_pool) = place.phase.clone().unzip();
    });
    Some(place.phase.map_or(place.status.to_string(), |(phase, _)| phase))
}

/// Merges what a phase found to say the same; of a pair the lower number stays, and
/// goes into the next one. A merge that cannot be made is told, and voids nothing else.
fn merge_duplicates(draft: &mut Draft<'_>, done: &PhaseCompletion) {
    let mut own = IdQuery::new(&done.id);
    for other in &done.duplicates {
        let twin = IdQuery::new(other);
        let pair = draft.find(&own).and_then(|a| draft.find(&twin).map(|b| (a, b)));
        let outcome = pair.and_then(|(a, b)| {
            let items = &draft.file.items;
            if a == b || !items[a].status.is_open() || !items[b].status.is_open() {
                return Err(ChangeError::SameItem { id: other.clone() });
            }
            let number =
                |index: usize| ItemId::number_of(items[index].id_or_dash()).unwrap_or(u32::MAX);
            let is_lower = number(a) <= number(b);
            let (stays, goes) = if is_lower { (&own, &twin) } else { (&twin, &own) };
            draft.attempt(|draft| merge(draft, goes, stays))?;
            Ok(is_lower)
        });
        match outcome {
            Ok(true) => {}
            Ok(false) => own = twin,
            Err(error) => draft.applied.notes.push(format!(
                "{other} was named a duplicate of {}, and not merged: {error}",
                done.id
            )),
        }
    }
}
