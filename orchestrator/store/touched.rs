//! Carrying a change out on model and text together, and what is to be remembered
//! of it.

use super::edits;
use super::error::RequestError;
use super::journal::{Altered, Entry};
use super::load::Loaded;
use crate::model::change::Removal;
use crate::model::{Applied, BacklogFile, Change, Context, Delta, FieldProblem, apply, revert};
use crate::yaml::{Editing, Undo};

/// What the changes of one save touched.
#[derive(Default)]
pub(super) struct Touched {
    pub added: Vec<Entry>,
    pub named: Vec<Entry>,
    pub changed: Vec<Altered>,
    pub removed: Vec<(Removal, String)>,
    /// How to take it all back, latest last.
    pub undo: Vec<Undo>,
}

impl Touched {
    fn append(&mut self, other: Self) {
        self.added.extend(other.added);
        self.named.extend(other.named);
        self.changed.extend(other.changed);
        self.removed.extend(other.removed);
        self.undo.extend(other.undo);
    }
}

/// A backlog while changes are made to it: its text is whole again when this is
/// dropped.
pub(super) struct Work<'a> {
    /// The text.
    pub text: Editing<'a>,
    /// What it means.
    pub file: &'a mut BacklogFile,
    problems: &'a mut Vec<Box<[FieldProblem]>>,
}

impl<'a> Work<'a> {
    /// Begins changes.
    pub(super) fn on(loaded: &'a mut Loaded) -> Self {
        let Loaded { doc, file, problems, .. } = loaded;
        Self { text: doc.editing(), file, problems }
    }
}

/// Makes one change, in the model and in the text, or none.
pub(super) fn make(
    work: &mut Work<'_>,
    change: &Change,
    context: &Context<'_>,
    touched: &mut Touched,
) -> Result<Applied, RequestError> {
    let applied = apply(work.file, change, context)?;
    let mut own = Touched::default();
    for delta in &applied.deltas {
        // Texts are taken here, where the indexes are those of this moment.
        let before = match delta {
            Delta::Replaced { index, .. } | Delta::Removed { index, .. } => {
                Some(work.text.record_text(*index))
            }
            Delta::Added { .. } | Delta::Mark { .. } => None,
        };
        let has_id_key = |index: usize| work.text.has_key(index, "id");
        let edits = edits::edits(std::slice::from_ref(delta), has_id_key);
        match work.text.apply(&edits) {
            Ok(undo) => own.undo.push(undo),
            Err(refused) => {
                for undo in own.undo.into_iter().rev() {
                    work.text.undo(undo);
                }
                revert(work.file, &applied.deltas);
                return Err(refused.into());
            }
        }
        own.remember(&work.text, delta, before, &applied.removed);
    }
    follow(work.problems, &applied.deltas);
    touched.append(own);
    Ok(applied)
}

/// Keeps the problems of the fields beside their items.
fn follow(problems: &mut Vec<Box<[FieldProblem]>>, deltas: &[Delta]) {
    for delta in deltas {
        match delta {
            Delta::Added { .. } => problems.push(Box::default()),
            Delta::Removed { index, .. } => {
                problems.remove(*index);
            }
            Delta::Replaced { .. } | Delta::Mark { .. } => {}
        }
    }
}

impl Touched {
    fn remember(
        &mut self,
        written: &Editing<'_>,
        delta: &Delta,
        before: Option<String>,
        removals: &[Removal],
    ) {
        let before = before.unwrap_or_default();
        match delta {
            Delta::Added { item, .. } => {
                let text = written.record_text(written.len() - 1);
                self.added.push(Entry { id: item.id_or_dash().to_owned(), text });
            }
            Delta::Replaced { index, before: was, after, .. } => {
                let after_text = written.record_text(*index);
                if was.id != after.id {
                    let id = after.id_or_dash().to_owned();
                    self.named.push(Entry { id, text: after_text.clone() });
                }
                self.changed.push(Altered {
                    id: after.id_or_dash().to_owned(),
                    before,
                    after: after_text,
                });
            }
            Delta::Removed { before: item, .. } => {
                let same = |removal: &&Removal| std::sync::Arc::ptr_eq(&removal.item, item);
                self.removed
                    .extend(removals.iter().find(same).map(|removal| (removal.clone(), before)));
            }
            Delta::Mark { .. } => {}
        }
    }
}
