//! Applying edits: all of a list or none.
//!
//! Each edit is planned in its slice, tried way by way until one verifies, and
//! made as one splice in place. The index is kept by shifting the records behind
//! it. What was replaced is remembered, so that an undo restores text and index
//! exactly.

use std::ops::Range;

use serde_yaml::Value;

use super::change::{Change, Op};
use super::document::Document;
use super::edit::{Edit, Step};
use super::entry::{entry, mapping};
use super::index::{Record, Root, is_text};
use super::node::{Kind, Node, read};
use super::plan::{Sheet, Splice, plan};
use super::refused::{Reason, Refused};
use super::render::Style;
use super::skeleton::Skeleton;
use super::smaller::smaller;
use super::value::same_mapping;
use super::verify::{Model, reads_as, second_reads_as, still_reads, whole};

/// What takes edits back: see [`Document::undo`].
#[derive(Debug)]
pub struct Undo {
    steps: Vec<Made>,
    /// The record in whose excerpt they were made.
    record: Option<usize>,
}

impl Undo {
    /// Returns the record in whose excerpt the edits were made.
    pub(super) const fn record(&self) -> Option<usize> {
        self.record
    }

    /// Returns the undo of edits that were made in the excerpt of a record.
    pub(super) fn in_record(self, number: usize) -> Self {
        Self { record: Some(number), ..self }
    }

    /// Returns the undo for a text in which the edits lie `delta` bytes further on.
    pub(super) fn moved(mut self, delta: isize) -> Self {
        for made in &mut self.steps {
            made.at = made.at.saturating_add_signed(delta);
            for record in &mut made.before {
                record.start = record.start.saturating_add_signed(delta);
            }
        }
        self
    }

    /// Returns the undo for the excerpt itself.
    pub(super) fn in_excerpt(self) -> Self {
        Self { record: None, ..self }
    }
}

/// An edit that was made.
#[derive(Debug)]
pub(super) struct Made {
    at: usize,
    removed: String,
    inserted: usize,
    /// The records that took the place of others.
    records: Range<usize>,
    before: Vec<Record>,
    /// The root as it was, where it changed by more than a shift.
    root: Option<Box<Root>>,
}

/// Why an edit is not made, and the offset in the document.
pub(super) struct Blocked {
    pub(super) reason: Reason,
    pub(super) at: usize,
}

impl Reindex {
    /// Puts one record in the place of another.
    pub(super) fn one(number: usize, record: Record) -> Self {
        Self { gone: number..number + 1, new: vec![record], root: None }
    }
}

impl Made {
    /// Returns where an offset of the text after the edit was before it.
    fn before(&self, at: usize) -> usize {
        match at.checked_sub(self.at + self.inserted) {
            Some(behind) => self.at + self.removed.len() + behind,
            None => at.min(self.at),
        }
    }
}

impl Blocked {
    /// Returns a refusal at an offset of the document.
    pub(super) const fn new(reason: Reason, at: usize) -> Self {
        Self { reason, at }
    }

    /// Returns a refusal of the slice that begins at `start`, in which `at` is the
    /// place unless the reason knows a better one.
    pub(super) const fn in_slice(reason: Reason, start: usize, at: usize) -> Self {
        let at = match &reason {
            Reason::Unreadable { at, .. } => start + *at,
            _ => at,
        };
        Self { reason, at }
    }
}

/// What an edit does to the index besides shifting what lies behind it.
pub(super) struct Reindex {
    /// The records that go.
    pub(super) gone: Range<usize>,
    /// The records that take their place.
    pub(super) new: Vec<Record>,
    /// The root, where it changes by more than a shift.
    pub(super) root: Option<Root>,
}

impl Document {
    /// Makes the edits in order, all of them or none.
    ///
    /// # Errors
    /// The first edit that cannot be made without changing something else; the
    /// document is byte for byte what it was.
    pub fn apply(&mut self, edits: &[Edit]) -> Result<Undo, Refused> {
        let mut undo = Undo { steps: Vec::with_capacity(edits.len()), record: None };
        for edit in edits {
            if self.make_smaller(edit, &mut undo) {
                continue;
            }
            match self.make(edit) {
                Ok(made) => undo.steps.extend(made),
                Err(blocked) => {
                    let at = undo.steps.iter().rev().fold(blocked.at, |at, made| made.before(at));
                    self.undo(undo);
                    return Err(self.refused(edit, blocked.reason, at));
                }
            }
        }
        Ok(undo)
    }

    /// Sets a collection by smaller edits, if that is to be had; makes none of them
    /// otherwise.
    fn make_smaller(&mut self, edit: &Edit, undo: &mut Undo) -> bool {
        let Some(edits) = self.smaller_edits(edit) else {
            return false;
        };
        let mut steps = Vec::with_capacity(edits.len());
        for edit in &edits {
            match self.make(edit) {
                Ok(made) => steps.extend(made),
                Err(_) => {
                    self.undo(Undo { steps, record: None });
                    return false;
                }
            }
        }
        undo.steps.append(&mut steps);
        true
    }

    fn smaller_edits(&self, edit: &Edit) -> Option<Vec<Edit>> {
        let Edit::Set { record, path, value } = edit else {
            return None;
        };
        if !matches!(value, Value::Sequence(_) | Value::Mapping(_)) || !self.stands_alone() {
            return None;
        }
        let top = match record {
            Some(record) => &self.record_value(*record).ok()?,
            None => &self.index.root.values,
        };
        let (Step::Key(first), rest) = path.split_first()? else {
            return None;
        };
        let old = rest.iter().try_fold(top.get(first.as_str())?, |value, step| match step {
            Step::Key(key) => value.as_mapping()?.get(key.as_str()),
            Step::Index(index) => value.as_sequence()?.get(*index),
        })?;
        smaller(*record, path, old, value)
    }

    /// Takes edits back. Undos of one document are to be given in reverse order of
    /// the edits; then text and index are exactly what they were.
    pub fn undo(&mut self, undo: Undo) {
        if undo.record.is_some() {
            return self.editing().undo(undo);
        }
        for made in undo.steps.into_iter().rev() {
            let inserted = made.at..made.at + made.inserted;
            let delta = made.removed.len().cast_signed() - made.inserted.cast_signed();
            self.text.replace_range(inserted.clone(), &made.removed);
            self.lines.clear();
            self.index.shift(made.records.end, inserted.end, delta);
            self.index.records.splice(made.records, made.before);
            if let Some(root) = made.root {
                self.index.root = *root;
            }
        }
    }

    fn refused(&self, edit: &Edit, reason: Reason, at: usize) -> Refused {
        let (line, column) = self.line_column(at);
        let record = match edit {
            Edit::Set { record, .. } | Edit::Push { record, .. } | Edit::Remove { record, .. } => {
                *record
            }
            Edit::SetFirst { record, .. }
            | Edit::ReplaceText { record, .. }
            | Edit::RemoveRecord { record } => Some(*record),
            Edit::Append { .. } | Edit::AppendText { .. } => None,
        };
        Refused { reason, line, column, record }
    }

    fn make(&mut self, edit: &Edit) -> Result<Option<Made>, Blocked> {
        match edit {
            Edit::Set { record, path, value } => {
                self.change(*record, Change { path, op: Op::Set(value) })
            }
            Edit::Push { record, path, value } => {
                self.change(*record, Change { path, op: Op::Push(value) })
            }
            Edit::Remove { record, path } => self.change(*record, Change { path, op: Op::Remove }),
            Edit::SetFirst { record, key, value } => {
                let path = [Step::Key(key.clone())];
                self.change(Some(*record), Change { path: &path, op: Op::First(value) })
            }
            Edit::Append { fields } => self.append_fields(fields).map(Some),
            Edit::AppendText { text } => self.append_text(text).map(Some),
            Edit::ReplaceText { record, text } => self.replace_text(*record, text),
            Edit::RemoveRecord { record } => self.remove_record(*record).map(Some),
        }
    }

    fn change(
        &mut self,
        record: Option<usize>,
        change: Change<'_>,
    ) -> Result<Option<Made>, Blocked> {
        match record {
            None => self.change_root(change),
            Some(number) => {
                if self.record_at(number).is_none() {
                    return Err(Blocked::new(
                        Reason::NoSuchRecord { record: number },
                        self.text.len(),
                    ));
                }
                self.change_record(number, change)
            }
        }
    }

    fn change_record(
        &mut self,
        number: usize,
        change: Change<'_>,
    ) -> Result<Option<Made>, Blocked> {
        let slice = self.slice(number);
        let text = &self.text[slice.clone()];
        let (node, dash) = self.record_node(number)?;
        let style = Style::of(&node, text, self.break_at(slice.start));
        let plans = plan(Sheet { text, style, before: None }, &node, &change)
            .map_err(|obstacle| Blocked::new(obstacle.reason, obstacle.at + slice.start))?;
        if !self.stands_alone() {
            let plans = plans.into_iter().map(|splice| splice.moved(slice.start)).collect();
            return self.try_whole(plans, slice.start + dash, true, |at| {
                move |model: &Model| {
                    let mut model = model.clone();
                    let record = model.records.get_mut(number)?;
                    *record = Value::Mapping(change.applied(record.as_mapping()?, at)?);
                    Some(model)
                }
            });
        }
        let old = mapping(&node).map_err(|_| self.unreadable(number))?;
        let mut reason = Reason::Unsafe;
        for splice in plans {
            let Some(intended) = change.applied(&old, splice.at) else {
                continue;
            };
            if same_mapping(&intended, &old) {
                return Ok(None);
            }
            let new = splice.applied(text);
            let Some(entry) = reads_as(&new, dash, &intended) else {
                continue;
            };
            let second =
                second_reads_as(&new, &intended, text, |old| change.applied(old, splice.at));
            if let Err(error) = second {
                reason = error;
                continue;
            }
            let record = Record { start: slice.start, len: entry.end, dash };
            let splice = splice.moved(slice.start);
            let made = self.commit(splice.range, &splice.text, Reindex::one(number, record));
            return Ok(Some(made));
        }
        Err(Blocked::in_slice(reason, slice.start, slice.start + dash))
    }

    /// Reads a record's slice: its node, and where its dash is in it.
    fn record_node(&self, number: usize) -> Result<(Node<'_>, usize), Blocked> {
        let slice = self.slice(number);
        let text = &self.text[slice.clone()];
        if self.is_block() {
            let entry = entry(text).map_err(|_| self.unreadable(number))?;
            return Ok((entry.node, entry.dash));
        }
        if !text.starts_with('{') {
            let what = "a record without braces";
            return Err(Blocked::new(Reason::Layout { what }, slice.start));
        }
        let root = read(text).ok().and_then(|parsed| parsed.root);
        Ok((root.ok_or_else(|| self.unreadable(number))?, 0))
    }

    /// Reads the root of the whole text; offsets are behind the byte order mark.
    pub(super) fn root_node(&self) -> Result<Node<'_>, Blocked> {
        let base = self.base();
        let root = read(&self.text[base..]).ok().and_then(|parsed| parsed.root);
        root.ok_or_else(|| Blocked::new(Reason::Layout { what: "this root" }, base))
    }

    /// Returns the list's key and value in the root.
    pub(super) fn list_pair<'n, 't>(
        &self,
        root: &'n Node<'t>,
    ) -> Result<&'n (Node<'t>, Node<'t>), Blocked> {
        let pair = match &root.kind {
            Kind::Map { pairs, .. } => pairs.iter().find(|(key, _)| is_text(key, &self.list)),
            _ => None,
        };
        pair.ok_or_else(|| Blocked::new(Reason::Layout { what: "this root" }, self.base()))
    }

    /// Refuses a record that reads well only where it stands.
    pub(super) fn unreadable(&self, number: usize) -> Blocked {
        let what = "a record that cannot be read by itself";
        Blocked::new(Reason::Layout { what }, self.record_offset(number))
    }

    fn change_root(&mut self, change: Change<'_>) -> Result<Option<Made>, Blocked> {
        let skeleton = Skeleton::of(self);
        if let Some(Step::Key(key)) = change.path.first()
            && *key == self.list
        {
            let key = key.clone();
            let at = self.index.root.keys.iter().find(|found| found.name == key);
            let at = at.map_or(self.base(), |found| found.offset);
            return Err(Blocked::new(Reason::ListKey { key }, at));
        }
        let text = &skeleton.text;
        let odd = || Blocked::new(Reason::Layout { what: "this root" }, self.base());
        let root = read(text).ok().and_then(|parsed| parsed.root).ok_or_else(odd)?;
        let style = Style::of(&root, text, self.break_at(0));
        let before = self.has_list().then_some(self.list.as_str());
        let plans = plan(Sheet { text, style, before }, &root, &change).map_err(|obstacle| {
            let at = skeleton.to_document(obstacle.at).unwrap_or(self.base());
            Blocked::new(obstacle.reason, at)
        })?;
        // The list's key counts among the keys, but not among the values.
        let list = self.index.root.keys.iter().position(|key| key.name == self.list);
        let meant = |at: Option<usize>| {
            let at = match (at, list) {
                (Some(at), Some(list)) if at > list => Some(at - 1),
                (at, _) => at,
            };
            move |model: &Model| {
                let root = change.applied(&model.root, at)?;
                Some(Model { root, records: model.records.clone() })
            }
        };
        if !skeleton.is_cut() || self.index.root.anchors {
            let plans = plans.into_iter().filter_map(|splice| {
                let range = skeleton.range_in_document(&splice.range)?;
                Some(Splice { range, ..splice })
            });
            return self.try_whole(plans.collect(), self.base(), true, meant);
        }
        self.try_skeleton(&skeleton, plans, meant)
    }

    /// Makes the first of the splices after which the whole text means what was
    /// meant; `change` gets the position of a new key. With `skip` nothing is made
    /// that does not change what the text means.
    pub(super) fn try_whole<F: Fn(&Model) -> Option<Model>>(
        &mut self,
        plans: Vec<Splice>,
        at: usize,
        skip: bool,
        change: impl Fn(Option<usize>) -> F,
    ) -> Result<Option<Made>, Blocked> {
        let base = self.base();
        let mut reason = Reason::Unsafe;
        for splice in plans {
            let new = splice.applied(&self.text);
            let (old, new) = (&self.text[base..], new.get(base..).unwrap_or_default());
            match whole(old, new, base, &self.list, change(splice.at)) {
                Ok((_, true)) if skip => return Ok(None),
                Ok((index, _)) => {
                    let gone = 0..self.index.records.len();
                    let reindex = Reindex { gone, new: index.records, root: Some(index.root) };
                    return Ok(Some(self.commit(splice.range, &splice.text, reindex)));
                }
                Err(error) => reason = error,
            }
        }
        Err(Blocked::in_slice(reason, base, at))
    }

    /// Makes the first of the splices after which the root means what was meant.
    fn try_skeleton<F: Fn(&Model) -> Option<Model>>(
        &mut self,
        skeleton: &Skeleton,
        plans: Vec<Splice>,
        change: impl Fn(Option<usize>) -> F,
    ) -> Result<Option<Made>, Blocked> {
        let mut reason = Reason::Unsafe;
        for splice in plans {
            let Some(range) = skeleton.range_in_document(&splice.range) else {
                continue;
            };
            let new = splice.applied(&skeleton.text);
            match whole(&skeleton.text, &new, 0, &self.list, change(splice.at)) {
                Ok((_, true)) => return Ok(None),
                Ok((index, _)) if index.root.list == self.index.root.list => {
                    let behind = skeleton.is_behind(splice.range.start);
                    let below = new.get(skeleton.resumes_at()..index.root.tail);
                    if behind && !self.last_record_stays(below.unwrap_or_default()) {
                        continue;
                    }
                    let delta = new.len().cast_signed() - skeleton.text.len().cast_signed();
                    let from = if behind { self.len() } else { 0 };
                    let root = skeleton.moved_root(index.root, if behind { 0 } else { delta });
                    let reindex = Reindex { gone: from..from, new: Vec::new(), root: Some(root) };
                    return Ok(Some(self.commit(range, &splice.text, reindex)));
                }
                Ok(_) => {}
                Err(error) => reason = error,
            }
        }
        Err(Blocked::new(reason, self.base()))
    }

    /// Returns whether the last record says the same with further lines below it.
    fn last_record_stays(&self, below: &str) -> bool {
        let Some(last) = self.len().checked_sub(1) else {
            return true;
        };
        let old = &self.text[self.slice(last)];
        below.is_empty() || still_reads(&format!("{old}{below}"), old).is_some()
    }

    /// Makes a splice that is known to be right.
    pub(super) fn commit(&mut self, range: Range<usize>, text: &str, reindex: Reindex) -> Made {
        let delta = text.len().cast_signed() - range.len().cast_signed();
        let removed = self.text[range.clone()].to_owned();
        self.text.replace_range(range.clone(), text);
        self.lines.clear();
        let Reindex { gone, new, root } = reindex;
        // The root is kept before it shifts: an undo puts it back as it was.
        let root_before = root.is_some().then(|| Box::new(self.index.root.clone()));
        self.index.shift(gone.end, range.end, delta);
        let records = gone.start..gone.start + new.len();
        let before = self.index.records.splice(gone, new).collect();
        if let Some(root) = root {
            self.index.root = root;
        }
        Made { at: range.start, removed, inserted: text.len(), records, before, root: root_before }
    }
}
