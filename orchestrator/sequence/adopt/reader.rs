//! Which texts are IDs of a layout, and of which sequence.
//!
//! Where the whole key is known, an ID is its format with any number. Where a part
//! of the key is left open, it is read from the ID, if the format shows it.

use std::collections::BTreeSet;

use crate::sequence::{IdTemplate, Key, Layout, SequenceError};

/// The sequences of a layout whose key has some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFilter(Vec<Option<String>>);

impl KeyFilter {
    /// Makes a filter of values by the names of columns or their short ones.
    ///
    /// # Errors
    /// [`SequenceError::Key`] for a name that is not known or comes twice, and a value
    /// that cannot be used.
    pub fn new(layout: &Layout, named: &[(&str, &str)]) -> Result<Self, SequenceError> {
        let columns = layout.key_columns();
        let mut values = vec![None; columns.len()];
        for (name, value) in named {
            let place = columns.iter().position(|key| key.column == *name || key.name == *name);
            let problem = match place.and_then(|place| values.get_mut(place)) {
                None => format!("the table {} has no key {name}", layout.table()),
                Some(Some(_)) => format!("the key {name} is given twice"),
                Some(slot) => {
                    // The same check that the whole key would get.
                    Key::new([*value])?;
                    *slot = Some((*value).to_owned());
                    continue;
                }
            };
            return Err(SequenceError::Key { problem });
        }
        Ok(Self(values))
    }

    /// Tells whether a sequence is one of those that were asked for.
    pub fn covers(&self, key: &Key) -> bool {
        let fits =
            |(named, own): (&Option<String>, &String)| named.as_ref().is_none_or(|n| n == own);
        self.0.len() == key.values().len() && self.0.iter().zip(key.values()).all(fits)
    }

    /// Returns the key, where all of it is given.
    pub fn key(&self) -> Option<Key> {
        let values: Option<Vec<String>> = self.0.iter().cloned().collect();
        values.and_then(|values| Key::new(values).ok())
    }
}

/// Reads IDs of one sequence, or of all of a layout whose key has some values.
#[derive(Debug, Clone)]
pub struct IdReader<'a> {
    layout: &'a Layout,
    template: IdTemplate,
    filter: KeyFilter,
    /// The key, where all of it is known.
    key: Option<Key>,
    /// Whether the format shows a part of the key, so that IDs of other sequences
    /// are known as such.
    shows_parts: bool,
    /// Whether an ID ends with its number.
    ends_with_number: bool,
}

impl<'a> IdReader<'a> {
    /// Makes a reader for the sequences whose key has these values, by the names of
    /// columns or their short ones.
    ///
    /// # Errors
    /// [`SequenceError::Key`] for a name that is not known or comes twice, a value
    /// that cannot be used, and where a part is left open that the IDs do not show.
    pub fn new(layout: &'a Layout, named: &[(&str, &str)]) -> Result<Self, SequenceError> {
        let columns = layout.key_columns();
        let filter = KeyFilter::new(layout, named)?;
        let key = filter.key();
        // The format of a sequence may be its own; that of the layout is the one that a
        // key without a name has.
        let some_key = Key::new(vec!["X"; columns.len()])?;
        let template = layout.format(key.as_ref().unwrap_or(&some_key)).clone();
        let parts = vec!["X".to_owned(); columns.len()];
        let shown = template.parse(&template.render(&parts, 1), columns.len());
        let shown = shown.map(|(shown, _)| shown).unwrap_or_default();
        let shows = |place: usize| matches!(shown.get(place), Some(Some(_)));
        for (place, column) in columns.iter().enumerate() {
            if filter.0[place].is_none() && !shows(place) {
                let problem = format!(
                    "the IDs of {} look like `{template}`, which does not show the {name}: name the {name}",
                    layout.table(),
                    name = column.name
                );
                return Err(SequenceError::Key { problem });
            }
        }
        let (seven, eight) = (template.render(&parts, 7), template.render(&parts, 8));
        let ends_with_number = seven.bytes().next_back() != eight.bytes().next_back();
        let shows_parts = (0..columns.len()).any(shows);
        Ok(Self { layout, template, filter, key, shows_parts, ends_with_number })
    }

    /// Returns the key, where all of it was given.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Tells whether a sequence is one of those that were asked for.
    pub fn covers(&self, key: &Key) -> bool {
        self.filter.covers(key)
    }

    /// Tells whether nothing but digits is an ID, so that any number would be one.
    pub fn takes_any_number(&self) -> bool {
        self.exact("7").is_some()
    }

    /// Writes an ID as this layout does.
    pub fn id(&self, key: &Key, number: u32) -> String {
        self.layout.id(key, number)
    }

    /// Reads a text that is an ID of these sequences, whatever its width.
    pub fn exact(&self, text: &str) -> Option<(Key, u64)> {
        if let Some(key) = &self.key {
            return Some((key.clone(), self.template.number(key.values(), text)?));
        }
        let (parts, number) = self.template.parse(text, self.filter.0.len())?;
        let mut values = Vec::with_capacity(parts.len());
        for (named, part) in self.filter.0.iter().zip(parts) {
            match (named, part) {
                (Some(named), Some(part)) if *named != part => return None,
                (Some(value), _) => values.push(value.clone()),
                (None, part) => values.push(part?),
            }
        }
        Some((Key::new(values).ok()?, number))
    }

    /// Tells whether a text is an ID of no sequence at all, as far as that can be told.
    pub fn is_odd(&self, text: &str) -> bool {
        self.shows_parts && self.template.parse(text, self.filter.0.len()).is_none()
    }

    /// Returns all IDs in a text, each as short as it can be, with the place where it
    /// begins. An ID begins where no letter, digit or dash stands before it. One of a
    /// sequence that is not known counts only where all letters of its key are capital
    /// ones, since other texts look like IDs too easily.
    pub fn all_in(&self, text: &str, known: &BTreeSet<Key>) -> Vec<(usize, Key, u64)> {
        let mut found = Vec::new();
        let mut before = None;
        let mut from = 0;
        for (start, c) in text.char_indices() {
            let is_border = before.is_none_or(|b: char| !b.is_alphanumeric() && b != '-');
            before = Some(c);
            if !is_border || start < from {
                continue;
            }
            if let Some((end, key, number)) = self.at(text, start, known) {
                from = end;
                found.push((start, key, number));
            }
        }
        found
    }

    /// Returns the ID that begins at a place, and where it ends.
    fn at(&self, text: &str, start: usize, known: &BTreeSet<Key>) -> Option<(usize, Key, u64)> {
        let bytes = text.as_bytes();
        let is_digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
        for end in start + 1..=text.len() {
            let is_end = if self.ends_with_number {
                is_digit(end - 1) && !is_digit(end)
            } else {
                text.is_char_boundary(end)
            };
            if !is_end {
                continue;
            }
            if let Some((key, number)) = self.exact(&text[start..end])
                && (self.key.is_some() || known.contains(&key) || self.is_plain(&key))
            {
                return Some((end, key, number));
            }
        }
        None
    }

    /// Tells whether what was read of a key looks like nothing but a part of an ID.
    fn is_plain(&self, key: &Key) -> bool {
        let is_plain = |value: &String| {
            value.starts_with(|c: char| c.is_ascii_uppercase())
                && value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-')
        };
        let parts = self.filter.0.iter().zip(key.values());
        parts.into_iter().all(|(named, value)| named.is_some() || is_plain(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> Key {
        Key::new(values.iter().copied()).unwrap()
    }

    fn ids(reader: &IdReader<'_>, text: &str) -> Vec<String> {
        let known = BTreeSet::from([key(&["my_app", "task"])]);
        let found = reader.all_in(text, &known).into_iter();
        found.map(|(start, key, number)| format!("{start}:{key}={number}")).collect()
    }

    #[test]
    fn an_id_is_known_by_its_key() {
        let layout = Layout::prefix_type();
        let task = IdReader::new(&layout, &[("prefix", "KABSD"), ("type", "TSK")]).unwrap();
        assert_eq!(task.exact("KABSD-TSK-7"), Some((key(&["KABSD", "TSK"]), 7)));
        assert_eq!(task.exact("KABSD-FTR-7"), None);
        for (text, found) in [
            ("KABSD-TSK-0309_get-next-id.md", "0:KABSD/TSK=309"),
            ("KABSD-TSK-0309-part-2.md", "0:KABSD/TSK=309"),
            ("DELETED_KABSD-TSK-00012v2.md", "8:KABSD/TSK=12"),
            ("Copy of KABSD-TSK-0309b.md", "8:KABSD/TSK=309"),
            ("(KABSD-TSK-1)", "1:KABSD/TSK=1"),
        ] {
            assert_eq!(ids(&task, text), [found], "{text}");
        }
        for text in ["", "X-KABSD-TSK-0309", "XKABSD-TSK-1", "KABSD-TSK-", "KABSD-TSKS-1", "309"] {
            assert_eq!(ids(&task, text), [""; 0], "{text}");
        }
        let twice = "Merge feat/KABSD-TSK-1 and KABSD-TSK-22: öü KABSD-TSK-3";
        assert_eq!(ids(&task, twice), ["11:KABSD/TSK=1", "27:KABSD/TSK=22", "46:KABSD/TSK=3"]);
        assert!(task.is_odd("KABSD0309") && !task.is_odd("OTHER-FTR-3"));
    }

    #[test]
    fn open_parts_of_a_key_are_read_from_the_id() {
        let layout = Layout::prefix_type();
        let all = IdReader::new(&layout, &[]).unwrap();
        assert_eq!(ids(&all, "P2-TSK-0007_x.md"), ["0:P2/TSK=7"]);
        assert_eq!(ids(&all, "my_app-task-7.md"), ["0:my_app/task=7"]);
        // What looks like an ID by chance makes no sequence.
        assert_eq!(ids(&all, "part-of-2.md"), [""; 0]);
        assert_eq!(ids(&all, "2026-01-26.md"), [""; 0]);
        assert!(all.covers(&key(&["a", "b"])) && !all.covers(&key(&["a"])));

        let one = IdReader::new(&layout, &[("type_code", "TSK")]).unwrap();
        assert_eq!(one.exact("A-TSK-1"), Some((key(&["A", "TSK"]), 1)));
        assert_eq!(one.exact("A-FTR-1"), None);
        assert!(!one.covers(&key(&["A", "FTR"])));

        let registry = Layout::registry();
        let project = IdReader::new(&registry, &[("project", "p")]).unwrap();
        assert_eq!(project.exact("US-028"), Some((key(&["US", "p"]), 28)));
        assert_eq!(ids(&project, "US-028_x.md"), ["0:US/p=28"]);
        assert!(IdReader::new(&registry, &[("type", "US")]).is_err());
        for named in [&[("kind", "US")] as &[_], &[("type", "")], &[("type", "a"), ("type", "b")]] {
            assert!(matches!(IdReader::new(&registry, named), Err(SequenceError::Key { .. })));
        }
    }

    #[test]
    fn formats_without_borders() {
        let layout = Layout::name();
        let credit = IdReader::new(&layout, &[("name", "credit_lines")]).unwrap();
        assert_eq!(credit.exact("CL0012"), Some((key(&["credit_lines"]), 12)));
        assert_eq!(
            ids(&credit, "CL009, CL1000 and FV0001, XCL5"),
            ["0:credit_lines=9", "7:credit_lines=1000"]
        );
        assert!(!credit.is_odd("FV0001"));
        let tail = Layout::name().with_format("{n:03}/26").unwrap();
        let tail = IdReader::new(&tail, &[("name", "x")]).unwrap();
        assert_eq!(ids(&tail, "on 007/26 and 8/26"), ["3:x=7", "14:x=8"]);
        let bare = Layout::name().with_format("{n}").unwrap();
        assert!(IdReader::new(&bare, &[("name", "x")]).unwrap().takes_any_number());
        assert!(!credit.takes_any_number());
        // Under the IDs of one name there is no telling whose they are.
        assert!(IdReader::new(&Layout::name().with_format("CL{n}").unwrap(), &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([A-C]{0,2}[-_ .ü0-9/]{0,3}){0,8}") {
            let layout = Layout::prefix_type();
            let tail = Layout::name().with_format("{n}ü").unwrap();
            let readers = [
                IdReader::new(&layout, &[]).unwrap(),
                IdReader::new(&layout, &[("prefix", "A"), ("type", "B")]).unwrap(),
                IdReader::new(&tail, &[("name", "x")]).unwrap(),
            ];
            for reader in readers {
                for (start, key, number) in reader.all_in(&text, &BTreeSet::new()) {
                    proptest::prop_assert!(text.is_char_boundary(start) && reader.covers(&key));
                    proptest::prop_assert!(text.contains(&number.to_string()));
                }
            }
        }
    }
}
