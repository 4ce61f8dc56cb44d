//! The IDs of sequences that are known, found in a text in a time that grows with its
//! length alone, however many sequences there are.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::sequence::{Key, Layout};

/// An ID in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Where it begins.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    pub(super) key: Key,
    pub(super) number: u64,
}

/// Sequences that are known, by what their IDs look like.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownIds {
    keys: BTreeSet<Key>,
    /// By what stands before the number: what stands after it, and whose ID it is.
    by_begin: HashMap<String, Vec<(String, Key)>>,
    /// How long those beginnings are.
    lengths: BTreeSet<usize>,
}

impl KnownIds {
    /// Takes in a sequence, whose IDs look as its layout says.
    pub(super) fn insert(&mut self, layout: &Layout, key: Key) {
        if self.keys.contains(&key) {
            return;
        }
        let (begin, end) = layout.format(&key).around(key.values());
        self.lengths.insert(begin.len());
        self.by_begin.entry(begin).or_default().push((end, key.clone()));
        self.keys.insert(key);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Returns the IDs whose number ends with these digits of a text, the longest
    /// beginning first. A beginning that ends with a digit takes its part of them.
    pub(super) fn at(&self, text: &str, digits: Range<usize>) -> impl Iterator<Item = Match> {
        let beginnings = self.lengths.iter().rev().flat_map(move |&length| {
            let starts = digits.clone().filter_map(move |at| at.checked_sub(length));
            starts.map(move |start| start..start + length)
        });
        let of = move |begin: Range<usize>| {
            let ends = text.get(begin.clone()).and_then(|text| self.by_begin.get(text));
            ends.into_iter().flatten().map(move |(end, key)| (begin.clone(), end, key))
        };
        beginnings.flat_map(of).filter_map(move |(begin, after, key)| {
            let (number, end) = ending(text, begin.end, after)?;
            Some(Match { start: begin.start, end, key: key.clone(), number })
        })
    }
}

/// Reads the number that begins at a place and has `after` behind it; also says where
/// that ends.
fn ending(text: &str, start: usize, after: &str) -> Option<(u64, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    // All digits belong to the number, but for those that `after` begins with.
    let end = (start + digits(&text[start..])).checked_sub(digits(after))?;
    let number = text.get(start..end)?.parse().ok()?;
    text[end..].starts_with(after).then_some((number, end + after.len()))
}

/// Returns where a text has digits, each time as many as there are.
pub(super) fn digits(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].find(|c: char| c.is_ascii_digit())?;
        let rest = text[start..].find(|c: char| !c.is_ascii_digit());
        from = rest.map_or(text.len(), |length| start + length);
        Some(start..from)
    })
}
