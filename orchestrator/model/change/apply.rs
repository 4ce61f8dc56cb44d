//! Carrying out a change: all of it or nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::draft::{Applied, Draft, Skipped, revert};
use super::lifecycle::{self, Rules};
use super::new_item::{NewItem, title_key};
use super::request::Change;
use super::{merge, patch, phase};
use crate::model::follow_up::one_line;
use crate::model::{
    BacklogFile, BacklogItem, Ended, IdError, IdQuery, IllegalTransition, ItemId, ItemStatus,
    PhasePool,
};

/// What a change needs to know beside the file.
pub struct Context<'a> {
    /// What the project has decided.
    pub rules: &'a Rules,
    /// The moment at which the change is made.
    pub now: Timestamp,
    /// How an item ended that is archived, by its ID.
    pub archived: &'a dyn Fn(&str) -> Option<Ended>,
}

/// Why a change was refused. The file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No item is called so.
    #[error("there is no item {id}")]
    NoSuchItem {
        /// What was asked for.
        id: String,
    },
    /// The item was archived.
    #[error("{id} is archived ({})", match .ended {
        Ended::Done => "done", Ended::Dropped => "dropped", Ended::Merged => "merged" })]
    Archived {
        /// What was asked for.
        id: String,
        /// How it ended.
        ended: Ended,
    },
    /// Several items are called so.
    #[error("several items are called {id}")]
    DuplicateId {
        /// What was asked for.
        id: String,
        /// Where they stand.
        indexes: Vec<usize>,
    },
    /// A title with nothing in it.
    #[error("the title is blank")]
    BlankTitle,
    /// The table of transitions has no such row.
    #[error("{id} is {}, and cannot become {}", .illegal.from, .illegal.to)]
    IllegalTransition {
        /// The item.
        id: String,
        /// From where to where.
        illegal: IllegalTransition,
    },
    /// A blocked or done item has no next phase.
    #[error("{id} is {status}, and cannot be advanced")]
    CannotAdvance {
        /// The item.
        id: String,
        /// Where it stands.
        status: ItemStatus,
    },
    /// Only a blocked item can be unblocked.
    #[error("{id} is not blocked but {status}")]
    NotBlocked {
        /// The item.
        id: String,
        /// Where it stands.
        status: ItemStatus,
    },
    /// Only a done item is archived without a reason.
    #[error("{id} is not done but {status}")]
    NotDone {
        /// The item.
        id: String,
        /// Where it stands.
        status: ItemStatus,
    },
    /// A person's consent is needed.
    #[error("{id} needs a person's consent: {}", .reasons.join("; "))]
    Guardrail {
        /// The item.
        id: String,
        /// The limits it passes.
        reasons: Vec<String>,
    },
    /// The item would wait for itself.
    #[error("{id} would wait for itself: {id} → {}", .way.join(" → "))]
    Cycle {
        /// The item.
        id: String,
        /// The way back to it.
        way: Vec<String>,
    },
    /// A pipeline that is not configured.
    #[error("there is no pipeline `{name}`")]
    UnknownPipeline {
        /// The name.
        name: String,
        /// A configured one that is close.
        near: Option<String>,
    },
    /// A phase that the pipeline does not have.
    #[error("pipeline `{pipeline}` has no phase `{phase}`")]
    UnknownPhase {
        /// The phase.
        phase: String,
        /// The pipeline.
        pipeline: String,
        /// One of its phases that is close.
        near: Option<String>,
    },
    /// A pipeline without phases of that pool.
    #[error("pipeline `{pipeline}` has no {pool} phases")]
    NoPhases {
        /// The pipeline.
        pipeline: String,
        /// The pool.
        pool: PhasePool,
    },
    /// An item cannot be merged into itself.
    #[error("{id} cannot be merged with itself or with what is done")]
    SameItem {
        /// The item.
        id: String,
    },
    /// An item of this ID is there already.
    #[error("{id} is in the backlog already")]
    AlreadyThere {
        /// The item.
        id: String,
    },
    /// The item is another than the one the change was made for.
    #[error("{id} was changed meanwhile")]
    ChangedMeanwhile {
        /// The item.
        id: String,
    },
    /// An edit took away or altered the ID.
    #[error("the ID of {id} cannot be edited")]
    IdEdited {
        /// The item.
        id: String,
    },
    /// No number is left.
    #[error(transparent)]
    IdSpace(#[from] IdError),
}

impl ChangeError {
    /// Returns what makes the error of an item's transition.
    pub(super) fn of_transition(item: &BacklogItem) -> impl FnOnce(IllegalTransition) -> Self {
        let id = item.id_or_dash().to_owned();
        move |illegal| Self::IllegalTransition { id, illegal }
    }
}

/// Applies a change to a file, all of it or nothing.
///
/// # Errors
/// Why it was refused; the file is then as it was.
pub fn apply(
    file: &mut BacklogFile,
    change: &Change,
    context: &Context<'_>,
) -> Result<Applied, ChangeError> {
    let mut draft = Draft::new(file, context);
    match carry_out(&mut draft, change) {
        Ok(()) => Ok(draft.applied),
        Err(error) => {
            let deltas = std::mem::take(&mut draft.applied.deltas);
            revert(file, &deltas);
            Err(explain(error, context))
        }
    }
}

/// Says of an item that is not there whether it is archived.
fn explain(error: ChangeError, context: &Context<'_>) -> ChangeError {
    match error {
        ChangeError::NoSuchItem { id } => match (context.archived)(&id) {
            Some(ended) => ChangeError::Archived { id, ended },
            None => ChangeError::NoSuchItem { id },
        },
        other => other,
    }
}

fn carry_out(draft: &mut Draft<'_>, change: &Change) -> Result<(), ChangeError> {
    match change {
        Change::AssignIds => assign_ids(draft),
        Change::Add(items) => items.iter().try_for_each(|item| add(draft, item.clone())),
        Change::Ingest { items, skip_known_titles } => {
            ingest(draft, items.clone(), *skip_known_titles)
        }
        Change::TakeNumbers { count } => take_numbers(draft, *count),
        Change::Update { item, patch } => patch::update(draft, item, patch.clone()),
        Change::Replace { id, before, after, text } => {
            let index = draft.find(&IdQuery::new(id))?;
            if draft.file.items[index] != *before {
                return Err(ChangeError::ChangedMeanwhile { id: id.clone() });
            }
            if after.id != before.id {
                return Err(ChangeError::IdEdited { id: id.clone() });
            }
            let mut after = (**after).clone();
            after.updated = Some(draft.now().to_owned());
            draft.replace(index, after, Some(text.clone()));
            Ok(())
        }
        Change::Advance { item, to } => lifecycle::advance(draft, item, to.as_deref()),
        Change::Block { item, reason, kind } => lifecycle::block(draft, item, reason, *kind),
        Change::Unblock { item, notes } => lifecycle::unblock(draft, item, notes.as_deref()),
        Change::Done { item } => lifecycle::done(draft, item),
        Change::Archive { items, reason } => archive(draft, items, reason.as_deref()),
        Change::ArchiveDone => {
            for index in (0..draft.file.items.len()).rev() {
                let item = &draft.file.items[index];
                if item.status == ItemStatus::Done && item.id.is_some() {
                    draft.remove(index, Ended::Done, None);
                }
            }
            // Backwards, so that the indexes hold; told in file order.
            draft.applied.removed.reverse();
            Ok(())
        }
        Change::GiveUp { item, text, reason } => {
            restore(draft, item, text)?;
            let last = draft.file.items.len() - 1;
            draft.remove(last, Ended::Dropped, Some(reason.clone()));
            Ok(())
        }
        Change::Restore { item, text } => restore(draft, item, text),
        Change::Merge { source, target } => merge::merge(draft, source, target),
        Change::Renumber => renumber(draft),
        Change::CompletePhase(completion) => phase::complete(draft, (**completion).clone()),
    }
}

fn assign_ids(draft: &mut Draft<'_>) -> Result<(), ChangeError> {
    for index in 0..draft.file.items.len() {
        if draft.file.items[index].id.is_some() {
            continue;
        }
        let id = draft.take_id()?;
        let now = draft.now().to_owned();
        draft.edit(index, |item| {
            item.id = Some(id);
            item.created.get_or_insert(now);
        });
    }
    Ok(())
}

fn add(draft: &mut Draft<'_>, mut item: NewItem) -> Result<(), ChangeError> {
    let mut dependencies = Vec::with_capacity(item.dependencies.len());
    for typed in &item.dependencies {
        let id = patch::resolve_dependency(draft, typed)?;
        if !dependencies.contains(&id) {
            dependencies.push(id);
        }
    }
    item.dependencies = dependencies;
    if let Some(name) = &item.pipeline_type {
        draft.context.rules.check_pipeline(name)?;
    }
    push_new(draft, item)
}

fn push_new(draft: &mut Draft<'_>, item: NewItem) -> Result<(), ChangeError> {
    if one_line(&item.title).is_empty() {
        return Err(ChangeError::BlankTitle);
    }
    let id = draft.take_id()?;
    let item = item.into_item(id, draft.now());
    draft.push(Arc::new(item), None);
    Ok(())
}

/// Adds proposed items; where asked, not those whose title an open item has.
pub(super) fn ingest(
    draft: &mut Draft<'_>,
    items: Vec<NewItem>,
    skip_known: bool,
) -> Result<(), ChangeError> {
    for item in items {
        if !skip_known {
            push_new(draft, item)?;
            continue;
        }
        let key = title_key(&item.title);
        let twin = draft
            .file
            .items
            .iter()
            .find(|own| own.status.is_open() && title_key(&own.title) == key);
        match twin {
            Some(twin) => {
                let existing = twin.id_or_dash().to_owned();
                draft.applied.skipped.push(Skipped { title: item.title, existing });
            }
            None => push_new(draft, item)?,
        }
    }
    Ok(())
}

fn take_numbers(draft: &mut Draft<'_>, count: u32) -> Result<(), ChangeError> {
    for _ in 0..count {
        let id = draft.take_id()?;
        draft.applied.numbers.push(id);
    }
    Ok(())
}

fn restore(draft: &mut Draft<'_>, item: &Arc<BacklogItem>, text: &str) -> Result<(), ChangeError> {
    if item.id.as_deref().is_some_and(|id| draft.file.get(id).is_some()) {
        return Err(ChangeError::AlreadyThere { id: item.id_or_dash().to_owned() });
    }
    draft.push(Arc::clone(item), Some(text.to_owned()));
    Ok(())
}

fn archive(
    draft: &mut Draft<'_>,
    items: &[IdQuery],
    reason: Option<&str>,
) -> Result<(), ChangeError> {
    for query in items {
        let index = draft.find(query)?;
        let item = &draft.file.items[index];
        let ended = match (item.status, reason) {
            (ItemStatus::Done, _) => Ended::Done,
            (_, Some(_)) => Ended::Dropped,
            (status, None) => {
                return Err(ChangeError::NotDone { id: item.id_or_dash().to_owned(), status });
            }
        };
        draft.remove(index, ended, reason.map(str::to_owned));
    }
    Ok(())
}

fn renumber(draft: &mut Draft<'_>) -> Result<(), ChangeError> {
    let mut seen = std::collections::HashSet::new();
    for index in 0..draft.file.items.len() {
        let Some(old) = draft.file.items[index].id.clone() else {
            continue;
        };
        if seen.insert(ItemId::key(&old)) {
            continue;
        }
        let id = draft.take_id()?;
        draft
            .applied
            .notes
            .push(format!("the later {old} is {id} now; dependencies on {old} mean the first"));
        seen.insert(ItemId::key(&id));
        draft.edit(index, |item| item.id = Some(id));
    }
    Ok(())
}
