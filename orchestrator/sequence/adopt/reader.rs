//! Which texts are IDs of a layout, and of which sequence.
//!
//! Where the whole key is known, an ID is its format with any number. Where a part
//! of the key is left open, it is read from the ID, if the format shows it; sequences
//! that are known go first. However long a text is, it is read in a time that grows
//! with its length.

use std::iter;
use std::ops::Range;

use super::known::{KnownIds, Match, digits};
use crate::sequence::{IdTemplate, Key, Layout, SequenceError};

/// How far from its number the key of an ID is looked for that is not known, in
/// characters: more than a person would give to something as plain as an ID.
const REACH: usize = 128;

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
    known: KnownIds,
    /// Those whose IDs have a format of their own.
    formatted: KnownIds,
    /// The template with the parts that are known written out.
    open: IdTemplate,
    /// Whether the format shows a part of the key, so that IDs of other sequences
    /// are known as such.
    shows_parts: bool,
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
        let shows_parts = (0..columns.len()).any(shows);
        let open = template.with_parts(&filter.0);
        let (mut known, mut formatted) = (KnownIds::default(), KnownIds::default());
        for key in layout.keys_with_format().filter(|key| filter.covers(key)) {
            formatted.insert(layout, key.clone());
        }
        if let Some(key) = &key {
            known.insert(layout, key.clone());
        }
        Ok(Self { layout, template, filter, key, known, formatted, open, shows_parts })
    }

    /// Makes sequences known, where they are of those that were asked for: their IDs are
    /// found first, whatever else a text could be taken for.
    pub fn know(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if self.filter.covers(&key) {
                self.known.insert(self.layout, key);
            }
        }
    }

    /// Tells whether a sequence was made known.
    pub fn knows(&self, key: &Key) -> bool {
        self.known.contains(key)
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
        let whole = |ids: &KnownIds| {
            let mut found = digits(text).flat_map(|digits| ids.at(text, digits));
            found.find(|found| found.start == 0 && found.end == text.len())
        };
        match whole(&self.known).or_else(|| whole(&self.formatted)) {
            Some(found) => Some((found.key, found.number)),
            None => self.open(text),
        }
    }

    /// Reads a text that is an ID of a sequence that need not be known.
    fn open(&self, text: &str) -> Option<(Key, u64)> {
        if self.key.is_some() {
            return None;
        }
        let (parts, number) = self.open.parse(text, self.filter.0.len())?;
        let values = self.filter.0.iter().cloned().zip(parts).map(|(named, part)| named.or(part));
        let key = Key::new(values.collect::<Option<Vec<String>>>()?).ok()?;
        // Its IDs look otherwise.
        (!self.layout.has_own_format(&key)).then_some((key, number))
    }

    /// Tells whether a text is an ID of no sequence at all, as far as that can be told.
    pub fn is_odd(&self, text: &str) -> bool {
        let is_of_others = || self.template.parse(text, self.filter.0.len()).is_some();
        self.shows_parts && self.exact(text).is_none() && !is_of_others()
    }

    /// Returns all IDs in a text, with the place where each begins. An ID begins where no
    /// letter, digit or dash stands before it. One of a sequence that is known is as long
    /// as it can be. One of another is as short as it can be, and counts only where all
    /// letters of its key are capital ones, since other texts look like IDs too easily.
    pub fn all_in(&self, text: &str) -> Vec<(usize, Key, u64)> {
        let at = |digits: Range<usize>| {
            let known = self.known.at(text, digits.clone()).map(|found| (true, found));
            known.chain(self.open_at(text, &digits).map(|found| (false, found)))
        };
        self.apart(text, digits(text).flat_map(at))
    }

    /// Returns the IDs of known sequences in a text, likewise.
    pub fn known_in(&self, text: &str) -> Vec<(usize, Key, u64)> {
        let found = digits(text).flat_map(|digits| self.known.at(text, digits));
        self.apart(text, found.map(|found| (true, found)))
    }

    /// Chooses between IDs that have the same place in a text; with each it is said
    /// whether its sequence is known.
    fn apart(
        &self,
        text: &str,
        found: impl Iterator<Item = (bool, Match)>,
    ) -> Vec<(usize, Key, u64)> {
        let mut found: Vec<_> = found.filter(|(_, found)| is_border(text, found.start)).collect();
        found.sort_by_key(|(is_known, found)| {
            let length = found.end - found.start;
            (found.start, !is_known, if *is_known { usize::MAX - length } else { length })
        });
        let mut from = 0;
        found.retain(|(_, found)| {
            let is_apart = found.start >= from;
            from = if is_apart { found.end } else { from };
            is_apart
        });
        found.into_iter().map(|(_, found)| (found.start, found.key, found.number)).collect()
    }

    /// Returns the ID whose number has these digits, of a sequence that need not be known.
    fn open_at(&self, text: &str, digits: &Range<usize>) -> Option<Match> {
        if self.key.is_some() {
            return None;
        }
        let is_inside =
            |c: &char| is_plain(*c) || self.open.literals().any(|literal| literal.contains(*c));
        let ends: Vec<usize> = match self.open.tail() {
            Some(tail) if text[digits.end..].starts_with(tail) => vec![digits.end + tail.len()],
            Some(_) => return None,
            None => {
                let after = text[digits.end..].char_indices().take(REACH);
                let after = after.take_while(|(_, c)| is_inside(c));
                let ends = after.map(|(start, c)| digits.end + start + c.len_utf8());
                ends.filter(|end| !text[*end..].starts_with(is_plain)).collect()
            }
        };
        let before = text[..digits.start].char_indices().rev().take(REACH);
        let before = before.take_while(|(_, c)| is_inside(c)).map(|(start, _)| start);
        // An ID that begins with its number has only one place.
        let before = before.filter(|_| !self.open.begins_with_number());
        let mut starts: Vec<usize> = iter::once(digits.start).chain(before).collect();
        starts.retain(|start| is_border(text, *start));
        let starts = starts.into_iter().rev();
        let mut places = starts.flat_map(|start| ends.iter().rev().map(move |end| (start, *end)));
        places.find_map(|(start, end)| {
            let (key, number) = self.open(&text[start..end])?;
            self.is_plain(&key).then_some(Match { start, end, key, number })
        })
    }

    /// Tells whether what was read of a key looks like nothing but a part of an ID.
    fn is_plain(&self, key: &Key) -> bool {
        // A prefix may begin with a digit, and a date has no letter.
        let is_plain = |value: &String| {
            let begins = value.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
            let has_letter = value.contains(|c: char| c.is_ascii_uppercase());
            begins && has_letter && value.chars().all(is_plain)
        };
        let parts = self.filter.0.iter().zip(key.values());
        parts.into_iter().all(|(named, value)| named.is_some() || is_plain(value))
    }
}

/// Tells whether a character is one of a key that looks like nothing but a part of an ID.
fn is_plain(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'
}

/// Tells whether an ID may begin at a place.
fn is_border(text: &str, start: usize) -> bool {
    let before = text[..start].chars().next_back();
    before.is_none_or(|before| !before.is_alphanumeric() && before != '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> Key {
        Key::new(values.iter().copied()).unwrap()
    }

    fn ids(reader: &IdReader<'_>, text: &str) -> Vec<String> {
        let mut reader = reader.clone();
        reader.know([key(&["my_app", "task"])]);
        let found = reader.all_in(text).into_iter();
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
        assert_eq!(ids(&all, "3M-TSK-0015_y.md"), ["0:3M/TSK=15"]);
        // What looks like an ID by chance makes no sequence.
        assert_eq!(ids(&all, "part-of-2.md"), [""; 0]);
        assert_eq!(ids(&all, "2026-01-26.md"), [""; 0]);
        assert_eq!(ids(&all, "2026-W-26.md"), [""; 0]);
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

    #[test]
    fn known_sequences_go_first_each_in_its_own_format() {
        let layout = Layout::name().with_format_for(key(&["orders"]), "O2{n}/26").unwrap();
        let mut all = IdReader::new(&layout, &[]).unwrap();
        // A format suffices for what is an ID as a whole, and not for a name.
        assert_eq!(all.exact("CL009"), Some((key(&["credit_lines"]), 9)));
        assert_eq!(all.all_in("CL009"), []);
        assert_eq!(all.exact("credit_lines-009"), None);
        all.know(["credit_lines", "orders", "a-1"].map(|name| key(&[name])));
        for (text, found) in [
            ("CL009.md", "0:credit_lines=9"),
            ("CL1000_a-1-2", "0:credit_lines=1000"),
            ("O2017/26", "0:orders=17"),
            ("see O23/26", "4:orders=3"),
            ("a-1-2_x", "0:a-1=2"),
            ("ABC-7", "0:ABC=7"),
        ] {
            assert_eq!(ids(&all, text).first().map(String::as_str), Some(found), "{text}");
        }
        assert!(!all.is_odd("FV0001") && all.is_odd("FV"));

        let layout = Layout::prefix_type();
        let mut all = IdReader::new(&layout, &[]).unwrap();
        let trashed = "ACME-SHOP-2026-TSK-0007_x.md";
        assert_eq!(ids(&all, trashed), ["0:ACME/SHOP=2026"]);
        all.know([key(&["ACME", "SHOP"]), key(&["ACME-SHOP-2026", "TSK"])]);
        assert_eq!(ids(&all, trashed), ["0:ACME-SHOP-2026/TSK=7"]);
        assert_eq!(ids(&all, "ACME-SHOP-2026-TSK-x.md"), ["0:ACME/SHOP=2026"]);
        // A part that is given may look as it likes.
        let some = IdReader::new(&layout, &[("type", "SHOP-2026-TSK")]).unwrap();
        assert_eq!(ids(&some, trashed), ["0:ACME/SHOP-2026-TSK=7"]);
    }

    #[test]
    fn a_long_text_is_read_at_once() {
        let layout = Layout::prefix_type();
        let tail = Layout::prefix_type().with_format("{n}/{prefix}-{type}").unwrap();
        for layout in [&layout, &tail] {
            let mut all = IdReader::new(layout, &[]).unwrap();
            all.know([key(&["a1", "b"])]);
            // What was tried for each pair of places in it would take hours.
            for part in ["a1 ", "A-1-", "A1", "1", "1 ", "/1/A", "A-B-", "1/A-"] {
                assert!(all.all_in(&part.repeat(5_000)).len() <= 5_000);
            }
        }
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
                for (start, key, number) in reader.all_in(&text) {
                    proptest::prop_assert!(text.is_char_boundary(start) && reader.covers(&key));
                    proptest::prop_assert!(text.contains(&number.to_string()));
                }
            }
        }
    }
}
