//! Removing and replacing whole records.
//!
//! A record goes from its dash to its last line of content, comments in between
//! included; what comes after stays, except blank lines that would become part of
//! a block scalar before it. The list that loses its last record becomes `[]`.

use serde_yaml::{Mapping, Value};

use super::apply::{Blocked, Made, Reindex};
use super::document::Document;
use super::entry::{indented, whole_lines};
use super::index::{List, Record};
use super::lines::{break_before, is_blank_line, line_end, next_line};
use super::node::colon_after;
use super::plan::{Parent, Sheet, Splice};
use super::plan_flow;
use super::refused::Reason;
use super::render::{Style, flow_pairs};
use super::verify::{Model, reads_as, second_reads_as, still_reads};

impl Document {
    /// Removes a record.
    pub(super) fn remove_record(&mut self, number: usize) -> Result<Made, Blocked> {
        let Some(found) = self.record_at(number) else {
            return Err(Blocked::new(Reason::NoSuchRecord { record: number }, self.text.len()));
        };
        let plans = match self.index.root.list {
            List::Block { .. } if self.len() > 1 => self.without_lines(number, found),
            List::Block { .. } => self.without_last(found)?,
            List::Flow => self.without_member(number)?,
            _ => {
                let what = "a list in an unusual layout";
                return Err(Blocked::new(Reason::Layout { what }, found.start));
            }
        };
        let at = found.start + found.dash;
        if self.stands_alone() && self.len() > 1 {
            return self.try_removal(number, plans);
        }
        let made = self.try_whole(plans, at, false, |_| {
            |model: &Model| {
                let mut model = model.clone();
                (number < model.records.len()).then(|| model.records.remove(number))?;
                Some(model)
            }
        });
        made.and_then(|made| made.ok_or_else(|| Blocked::new(Reason::Unsafe, at)))
    }

    /// Plans the removal of a record's lines, with the blank lines below or not.
    fn without_lines(&self, number: usize, found: Record) -> Vec<Splice> {
        let text = &self.text;
        let mut start = found.start;
        let end = found.end();
        if end == text.len() && break_before(text, end) == 0 {
            // The text goes on having no line break at its end.
            start -= break_before(text, start);
        }
        let slice_end = self.slice(number).end;
        let mut blanks = end;
        while blanks < slice_end && is_blank_line(&text[blanks..line_end(text, blanks)]) {
            blanks = next_line(text, blanks);
        }
        let mut plans = vec![Splice::new(start..end, "")];
        if start < found.start {
            // Unless what is last then needs it.
            plans.push(Splice::new(found.start..end, ""));
        }
        if blanks > end {
            plans.push(Splice::new(start..blanks, ""));
        }
        plans
    }

    /// Makes the first of the splices that leaves the record before as it is.
    fn try_removal(&mut self, number: usize, plans: Vec<Splice>) -> Result<Made, Blocked> {
        let found = self.slice(number);
        for splice in plans {
            let mut reindex = Reindex { gone: number..number + 1, new: Vec::new(), root: None };
            // Above the first record only comments and blanks can be left.
            if let Some(before) = number.checked_sub(1) {
                let slice = self.slice(before);
                let text = &self.text[slice.start..found.end];
                let local = splice.range.start - slice.start..splice.range.end - slice.start;
                let changed = Splice::new(local, splice.text.clone()).applied(text);
                let Some(end) = still_reads(&changed, &self.text[slice.clone()]) else {
                    continue;
                };
                let dash = self.index.records[before].dash;
                reindex.gone = before..number + 1;
                reindex.new.push(Record { start: slice.start, len: end, dash });
            }
            return Ok(self.commit(splice.range, &splice.text, reindex));
        }
        Err(Blocked::new(Reason::Unsafe, found.start))
    }

    /// Plans the removal of the only record of a block list.
    fn without_last(&self, found: Record) -> Result<Vec<Splice>, Blocked> {
        let base = self.base();
        let text = &self.text[base..];
        let root = self.root_node()?;
        let (key, value) = self.list_pair(&root)?;
        // The brackets go behind the key's colon, and the list's tag if it has one.
        let gap = match &value.properties {
            Some(properties) => properties.end,
            None => colon_after(text, key.end).unwrap_or(key.end),
        };
        let above = self.text[gap + base..found.start].trim_end_matches(['\n', '\r']);
        let end = found.end();
        // A text without a line break at its end goes on having none.
        let nl = if break_before(&self.text, end) == 0 { "" } else { self.break_at(end) };
        Ok(vec![Splice::new(gap + base..end, format!(" []{above}{nl}"))])
    }

    /// Plans the removal of a record from a list in brackets.
    fn without_member(&self, number: usize) -> Result<Vec<Splice>, Blocked> {
        let base = self.base();
        let text = &self.text[base..];
        let root = self.root_node()?;
        let (_, value) = self.list_pair(&root)?;
        let style = Style::of(&root, text, self.break_at(0));
        let sheet = Sheet { text, style, before: None };
        let parent = Parent { node: value, gap: value.start, owner: None, in_flow: true };
        let plans = plan_flow::remove(sheet, parent, number)
            .map_err(|obstacle| Blocked::new(obstacle.reason, obstacle.at + base))?;
        Ok(plans.into_iter().map(|splice| splice.moved(base)).collect())
    }

    /// Replaces a record by a text that was given.
    pub(super) fn replace_text(
        &mut self,
        number: usize,
        text: &str,
    ) -> Result<Option<Made>, Blocked> {
        let Some(found) = self.record_at(number) else {
            return Err(Blocked::new(Reason::NoSuchRecord { record: number }, self.text.len()));
        };
        let text = &whole_lines(text);
        let (new, anchors) = self.given(text)?;
        let at = found.start + found.dash;
        let plans = self.in_its_place(found, text, &new)?;
        if anchors || !self.stands_alone() {
            return self.try_replacement(number, plans, &new, at);
        }
        let slice_end = self.slice(number).end;
        let mut reason = Reason::Unsafe;
        for splice in plans {
            let mut changed = splice.text.clone();
            changed.push_str(&self.text[found.end()..slice_end]);
            let Some(entry) = reads_as(&changed, found.dash, &new) else {
                continue;
            };
            if let Err(error) = second_reads_as(&changed, &new, &changed, |_| None) {
                reason = error;
                continue;
            }
            if self.text[splice.range.clone()] == splice.text {
                return Ok(None);
            }
            let record = Record { len: entry.end, ..found };
            let made = self.commit(splice.range, &splice.text, Reindex::one(number, record));
            return Ok(Some(made));
        }
        Err(Blocked::new(reason, at))
    }

    /// Plans a given text in the place of a record.
    fn in_its_place(
        &self,
        found: Record,
        text: &str,
        new: &Mapping,
    ) -> Result<Vec<Splice>, Blocked> {
        let range = found.start..found.end();
        let at = found.start + found.dash;
        match self.index.root.list {
            List::Block { dash } => {
                let nl = self.break_at(found.start + 1);
                let lines = indented(text, dash, nl);
                let ended = Splice::new(range.clone(), format!("{lines}{nl}"));
                if break_before(&self.text, found.end()) > 0 {
                    return Ok(vec![ended]);
                }
                // A block scalar as the last value needs the line break.
                Ok(vec![Splice::new(range, lines), ended])
            }
            List::Flow => {
                let pairs = flow_pairs(new).map_err(|reason| Blocked::new(reason, at))?;
                Ok(vec![Splice::new(range, format!("{{{pairs}}}"))])
            }
            _ => {
                let what = "a list in an unusual layout";
                Err(Blocked::new(Reason::Layout { what }, at))
            }
        }
    }

    fn try_replacement(
        &mut self,
        number: usize,
        plans: Vec<Splice>,
        new: &Mapping,
        at: usize,
    ) -> Result<Option<Made>, Blocked> {
        self.try_whole(plans, at, false, |_| {
            |model: &Model| {
                let mut model = model.clone();
                *model.records.get_mut(number)? = Value::Mapping(new.clone());
                Some(model)
            }
        })
    }
}
