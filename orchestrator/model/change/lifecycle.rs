//! Where an item goes next: the meaning of a status for phase, pool and reasons.
//!
//! The table itself is `status`'s. Here stands what else changes with a row of it,
//! once, for people and for the run loop alike.

use std::collections::BTreeMap;

use super::apply::ChangeError;
use super::draft::Draft;
use crate::model::{
    BacklogItem, BlockType, Guardrails, IdQuery, IllegalTransition, ItemStatus, PhasePool,
    Pipeline, did_you_mean,
};

/// What a project has decided: the prefix of its IDs, its pipelines, its guardrails.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The prefix of new IDs.
    pub prefix: String,
    /// The pipelines by name.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// The pipeline of items that name none.
    pub default_pipeline: String,
    /// What an item may be without a person's consent.
    pub guardrails: Guardrails,
}

impl Default for Rules {
    fn default() -> Self {
        let feature = Pipeline::feature();
        Self {
            prefix: "WRK".to_owned(),
            default_pipeline: feature.name.clone(),
            pipelines: BTreeMap::from([(feature.name.clone(), feature)]),
            guardrails: Guardrails::default(),
        }
    }
}

impl Rules {
    /// Returns the pipeline of an item.
    ///
    /// # Errors
    /// [`ChangeError::UnknownPipeline`] where it names one that is not configured.
    pub fn pipeline_of(&self, item: &BacklogItem) -> Result<&Pipeline, ChangeError> {
        self.check_pipeline(item.pipeline_type.as_deref().unwrap_or(&self.default_pipeline))
    }

    pub(super) fn check_pipeline(&self, name: &str) -> Result<&Pipeline, ChangeError> {
        self.pipelines.get(name).ok_or_else(|| ChangeError::UnknownPipeline {
            name: name.to_owned(),
            near: did_you_mean(name, self.pipelines.keys().map(String::as_str)).map(str::to_owned),
        })
    }

    pub(super) fn check_phase(
        &self,
        pipeline: Option<&str>,
        phase: &str,
    ) -> Result<PhasePool, ChangeError> {
        let pipeline = self.check_pipeline(pipeline.unwrap_or(&self.default_pipeline))?;
        pipeline.position(phase).map(|(pool, _)| pool).ok_or_else(|| {
            let names =
                pipeline.pre_phases.iter().chain(&pipeline.phases).map(|spec| spec.name.as_str());
            ChangeError::UnknownPhase {
                phase: phase.to_owned(),
                pipeline: pipeline.name.clone(),
                near: did_you_mean(phase, names).map(str::to_owned),
            }
        })
    }
}

/// Sets a status as a person asked for it: by the table, or by force.
pub(super) fn set_status(
    draft: &mut Draft<'_>,
    index: usize,
    to: ItemStatus,
    force: bool,
) -> Result<(), ChangeError> {
    let item = draft.file.items[index].clone();
    if item.status == to {
        return Ok(());
    }
    if !force {
        item.status
            .check_transition(to, item.blocked_from_status)
            .map_err(ChangeError::of_transition(&item))?;
        if to == ItemStatus::Ready && item.status == ItemStatus::Scoping {
            check_guardrails(draft, &item)?;
        }
    }
    let place = Place::entering(draft, &item, to);
    let place = if force { place.unwrap_or(Place { status: to, phase: None }) } else { place? };
    draft.edit(index, |item| place.enter(item));
    Ok(())
}

/// Moves an item one step along, or to a phase that its status allows.
pub(super) fn advance(
    draft: &mut Draft<'_>,
    item: &IdQuery,
    to: Option<&str>,
) -> Result<(), ChangeError> {
    let index = draft.find(item)?;
    let item = draft.file.items[index].clone();
    let place = match to {
        Some(phase) => Place::at_phase(draft, &item, phase)?,
        None => Place::after(draft, &item)?,
    };
    if place.status == ItemStatus::Ready {
        check_guardrails(draft, &item)?;
    }
    draft.edit(index, |item| place.enter(item));
    Ok(())
}

pub(super) fn block(
    draft: &mut Draft<'_>,
    item: &IdQuery,
    reason: &str,
    kind: Option<BlockType>,
) -> Result<(), ChangeError> {
    let index = draft.find(item)?;
    let item = &draft.file.items[index];
    item.status
        .check_transition(ItemStatus::Blocked, None)
        .map_err(ChangeError::of_transition(item))?;
    draft.edit(index, |item| set_blocked(item, item.status, reason, kind));
    Ok(())
}

/// Blocks an item that stands, or was about to stand, at `from`.
pub(super) fn set_blocked(
    item: &mut BacklogItem,
    from: ItemStatus,
    reason: &str,
    kind: Option<BlockType>,
) {
    item.blocked_from_status = Some(from);
    item.blocked_reason = Some(reason.to_owned());
    item.blocked_type = kind;
    item.status = ItemStatus::Blocked;
}

pub(super) fn unblock(
    draft: &mut Draft<'_>,
    item: &IdQuery,
    notes: Option<&str>,
) -> Result<(), ChangeError> {
    let index = draft.find(item)?;
    let item = draft.file.items[index].clone();
    if item.status != ItemStatus::Blocked {
        return Err(ChangeError::NotBlocked {
            id: item.id_or_dash().to_owned(),
            status: item.status,
        });
    }
    let back = item.blocked_from_status.unwrap_or_else(|| {
        let note = format!("{} was blocked by hand, and goes back to new", item.id_or_dash());
        draft.applied.notes.push(note);
        ItemStatus::New
    });
    // Who answers a question, or mends a failure, has not consented to anything.
    let is_decision = item.blocked_type == Some(BlockType::Decision);
    let consents = is_decision && !draft.context.rules.guardrails.reasons(&item).is_empty();
    let now = draft.now().to_owned();
    let phase = match back {
        ItemStatus::New | ItemStatus::Ready => None,
        _ => item.phase.clone().zip(item.phase_pool),
    };
    let place = Place { status: back, phase };
    draft.edit(index, |item| {
        place.enter(item);
        if let Some(notes) = notes {
            item.unblock_context = Some(notes.to_owned());
        }
        if consents {
            item.approved = Some(now);
        }
    });
    Ok(())
}

pub(super) fn done(draft: &mut Draft<'_>, item: &IdQuery) -> Result<(), ChangeError> {
    let index = draft.find(item)?;
    let item = &draft.file.items[index];
    if item.status == ItemStatus::Done {
        let illegal = IllegalTransition { from: item.status, to: ItemStatus::Done };
        return Err(ChangeError::of_transition(item)(illegal));
    }
    set_status(draft, index, ItemStatus::Done, false)
}

fn check_guardrails(draft: &Draft<'_>, item: &BacklogItem) -> Result<(), ChangeError> {
    let reasons = draft.context.rules.guardrails.reasons(item);
    if reasons.is_empty() {
        return Ok(());
    }
    Err(ChangeError::Guardrail { id: item.id_or_dash().to_owned(), reasons })
}

/// A place in a pipeline: a status, and the phase that goes with it.
pub(super) struct Place {
    pub status: ItemStatus,
    pub phase: Option<(String, PhasePool)>,
}

impl Place {
    /// Returns the place that an item takes when it gets a status.
    pub(super) fn entering(
        draft: &Draft<'_>,
        item: &BacklogItem,
        to: ItemStatus,
    ) -> Result<Self, ChangeError> {
        let keep = || item.phase.clone().zip(item.phase_pool);
        let pool = match to {
            ItemStatus::New | ItemStatus::Ready => {
                return Ok(Self { status: to, phase: None });
            }
            ItemStatus::Blocked | ItemStatus::Done => {
                return Ok(Self { status: to, phase: keep() });
            }
            ItemStatus::Scoping => PhasePool::Pre,
            ItemStatus::InProgress => PhasePool::Main,
        };
        let pipeline = draft.context.rules.pipeline_of(item)?;
        if let Some(phase) = &item.phase
            && let Some((own, _)) = pipeline.position(phase)
            && own == pool
        {
            return Ok(Self { status: to, phase: Some((phase.clone(), pool)) });
        }
        match pipeline.pool(pool).first() {
            Some(first) => Ok(Self { status: to, phase: Some((first.name.clone(), pool)) }),
            None => Err(ChangeError::NoPhases { pipeline: pipeline.name.clone(), pool }),
        }
    }

    /// Returns the place after the one where an item stands.
    pub(super) fn after(draft: &Draft<'_>, item: &BacklogItem) -> Result<Self, ChangeError> {
        let pipeline = draft.context.rules.pipeline_of(item)?;
        let first =
            |pool: PhasePool| pipeline.pool(pool).first().map(|spec| (spec.name.clone(), pool));
        let next_in = |pool: PhasePool| {
            let place = item.phase.as_deref().and_then(|phase| pipeline.position(phase));
            match place {
                Some((own, index)) if own == pool => {
                    pipeline.pool(pool).get(index + 1).map(|spec| (spec.name.clone(), pool))
                }
                // A phase that the pool does not have: begin with its first.
                _ => first(pool),
            }
        };
        let (status, phase) = match item.status {
            ItemStatus::New => match first(PhasePool::Pre) {
                Some(phase) => (ItemStatus::Scoping, Some(phase)),
                None => (ItemStatus::Ready, None),
            },
            ItemStatus::Scoping => match next_in(PhasePool::Pre) {
                Some(phase) => (ItemStatus::Scoping, Some(phase)),
                None => (ItemStatus::Ready, None),
            },
            ItemStatus::Ready => match first(PhasePool::Main) {
                Some(phase) => (ItemStatus::InProgress, Some(phase)),
                None => (ItemStatus::Done, None),
            },
            ItemStatus::InProgress => match next_in(PhasePool::Main) {
                Some(phase) => (ItemStatus::InProgress, Some(phase)),
                None => (ItemStatus::Done, item.phase.clone().zip(item.phase_pool)),
            },
            from @ (ItemStatus::Blocked | ItemStatus::Done) => {
                return Err(ChangeError::CannotAdvance {
                    id: item.id_or_dash().to_owned(),
                    status: from,
                });
            }
        };
        Ok(Self { status, phase })
    }

    /// Returns the place at a phase, where the item's status allows it.
    fn at_phase(draft: &Draft<'_>, item: &BacklogItem, phase: &str) -> Result<Self, ChangeError> {
        let pool = draft.context.rules.check_phase(item.pipeline_type.as_deref(), phase)?;
        let status = match pool {
            PhasePool::Pre => ItemStatus::Scoping,
            PhasePool::Main => ItemStatus::InProgress,
        };
        if item.status != status {
            item.status.check_transition(status, None).map_err(ChangeError::of_transition(item))?;
        }
        if item.status == ItemStatus::Blocked {
            return Err(ChangeError::CannotAdvance {
                id: item.id_or_dash().to_owned(),
                status: item.status,
            });
        }
        Ok(Self { status, phase: Some((phase.to_owned(), pool)) })
    }

    /// Puts an item here; what belonged to a block goes.
    pub(super) fn enter(&self, item: &mut BacklogItem) {
        if self.status == ItemStatus::Blocked {
            let from = item.status;
            set_blocked(item, from, "blocked by hand", None);
            return;
        }
        item.status = self.status;
        item.blocked_from_status = None;
        item.blocked_reason = None;
        item.blocked_type = None;
        (item.phase, item.phase_pool) = self.phase.clone().unzip();
    }
}
