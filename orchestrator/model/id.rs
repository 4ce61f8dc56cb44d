//! Item IDs: `PREFIX-NNN`, a prefix, a dash and a decimal number.
//!
//! Owns how an ID is read, written and ordered, and how a person may name one on
//! a command line. Leading zeros are decimal and carry no meaning: `WRK-7` and
//! `WRK-007` are one ID. What number comes next is `next_id`'s business.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// An ID that has a number: `WRK-027` is the prefix `WRK` and the number 27.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemId {
    /// Everything before the last dash; never empty.
    pub prefix: String,
    /// The number after it.
    pub number: u32,
}

/// Why a text is not an [`ItemId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OddId {
    /// There is no prefix, dash and decimal number: such an ID is kept, but never
    /// counted.
    #[error("it is not a prefix, a dash and a number")]
    NoNumber,
    /// The number is above `u32::MAX`.
    #[error("its number is above {}", u32::MAX)]
    Overflow,
}

impl ItemId {
    /// Reads `PREFIX-NNN`: the number is what follows the last dash, and may have
    /// any count of leading zeros.
    ///
    /// # Errors
    /// [`OddId::NoNumber`] where the text has another form, [`OddId::Overflow`]
    /// where the number does not fit `u32`.
    pub fn parse(text: &str) -> Result<Self, OddId> {
        let (prefix, number) = split(text)?;
        Ok(Self { prefix: prefix.to_owned(), number })
    }

    /// Returns the number of an ID without allocating: see [`ItemId::parse`].
    ///
    /// # Errors
    /// The same as [`ItemId::parse`].
    pub fn number_of(text: &str) -> Result<u32, OddId> {
        split(text).map(|(_, number)| number)
    }

    /// Returns whether `text` is an ID by which an agent may name its item: one with a
    /// number, and without what would make it a path.
    pub fn is_plain(text: &str) -> bool {
        split(text).is_ok() && !text.contains(['/', '\\'])
    }

    /// Returns whether `text` is an ID of the given prefix, letter case aside.
    pub fn has_prefix(text: &str, prefix: &str) -> bool {
        halves(text).is_some_and(|(own, _)| own.eq_ignore_ascii_case(prefix))
    }

    /// Returns whether both texts name the same item: equal numbers under equal
    /// prefixes, letter case and leading zeros aside; texts that are no IDs are
    /// compared as they stand.
    pub fn same(left: &str, right: &str) -> bool {
        if left == right {
            return true;
        }
        match (split(left), split(right)) {
            (Ok((a, m)), Ok((b, n))) => m == n && a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }

    /// Returns a key under which equal IDs (in the sense of [`ItemId::same`]) are
    /// equal: for look-up tables.
    pub fn key(text: &str) -> String {
        match split(text) {
            Ok((prefix, number)) => format!("{}-{number}", prefix.to_ascii_lowercase()),
            Err(_) => text.to_owned(),
        }
    }
}

/// The same as [`ItemId::key`] without allocating: equal IDs, in the sense of
/// [`ItemId::same`], are equal and hash alike.
#[derive(Debug, Clone, Copy)]
pub struct IdKey<'a> {
    /// The first bytes of the prefix, in lower case: most prefixes are no longer, and two
    /// keys of theirs are compared without a look at texts that lie anywhere in memory.
    head: u64,
    /// The rest of the prefix, or all of a text that is no ID.
    rest: &'a [u8],
    number: Option<u32>,
}

impl<'a> IdKey<'a> {
    /// Makes the key of an ID.
    pub fn new(text: &'a str) -> Self {
        match split(text) {
            Ok((prefix, number)) => {
                let prefix = prefix.as_bytes();
                let (first, rest) = prefix.split_at(prefix.len().min(size_of::<u64>()));
                // No prefix has a zero in it.
                let mut head = [0; size_of::<u64>()];
                head[..first.len()].copy_from_slice(first);
                head.make_ascii_lowercase();
                Self { head: u64::from_ne_bytes(head), rest, number: Some(number) }
            }
            Err(_) => Self { head: 0, rest: text.as_bytes(), number: None },
        }
    }
}

impl PartialEq for IdKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.number, other.number) {
            (Some(a), Some(b)) => {
                (a, self.head) == (b, other.head) && self.rest.eq_ignore_ascii_case(other.rest)
            }
            (None, None) => self.rest == other.rest,
            _ => false,
        }
    }
}

impl Eq for IdKey<'_> {}

impl Hash for IdKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.number {
            // The rest of a long prefix has any letter case.
            Some(number) => (number, self.head).hash(state),
            None => self.rest.hash(state),
        }
    }
}

fn split(text: &str) -> Result<(&str, u32), OddId> {
    let (prefix, digits) = halves(text).ok_or(OddId::NoNumber)?;
    let number = decimal(digits)?;
    if prefix.is_empty() || prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(OddId::NoNumber);
    }
    Ok((prefix, number))
}

/// Returns what stands before and after the last dash. Asked of every item at each
/// change, so without the set-up that a general search costs on so short a text.
fn halves(text: &str) -> Option<(&str, &str)> {
    let dash = text.bytes().rposition(|byte| byte == b'-')?;
    Some((&text[..dash], &text[dash + 1..]))
}

fn decimal(digits: &str) -> Result<u32, OddId> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OddId::NoNumber);
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| OddId::Overflow)
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", IdFormat::new(&self.prefix).format(self.number))
    }
}

impl Ord for ItemId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for ItemId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How a number becomes an ID: the prefix, a dash and at least three digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdFormat<'a> {
    prefix: &'a str,
}

impl<'a> IdFormat<'a> {
    /// Makes the format of one prefix.
    pub fn new(prefix: &'a str) -> Self {
        Self { prefix }
    }

    /// Returns the ID of a number: `7` is `WRK-007`, `1000` is `WRK-1000`.
    pub fn format(&self, number: u32) -> String {
        format!("{}-{number:03}", self.prefix)
    }

    /// Returns whether a text can be a prefix: letters, digits, `_`, `.` and
    /// dashes inside, starting with a letter.
    pub fn is_valid_prefix(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    }
}

/// How a person names an item: a whole ID in any letter case and with any zeros,
/// or the number alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdQuery {
    text: String,
    number: Option<u32>,
    /// What every ID of that number ends with.
    digits: String,
    is_bare: bool,
}

impl IdQuery {
    /// Reads what was typed; anything can be asked for, if only to find nothing.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = decimal(text).ok();
        let number = bare.or_else(|| ItemId::number_of(text).ok());
        let digits = number.map_or_else(String::new, |number| number.to_string());
        Self { text: text.to_owned(), number, digits, is_bare: bare.is_some() }
    }

    /// Returns whether this names the item that has the given ID.
    pub fn names(&self, id: &str) -> bool {
        // Asked of every item at each change: most are told apart by one comparison.
        if self.number.is_some() && !id.as_bytes().ends_with(self.digits.as_bytes()) {
            return false;
        }
        if id == self.text {
            return true;
        }
        let Some(number) = self.number else { return false };
        ItemId::number_of(id) == Ok(number) && (self.is_bare || ItemId::same(&self.text, id))
    }

    /// Returns the number of the IDs that can be meant, where they have one.
    pub(super) fn number(&self) -> Option<u32> {
        self.number
    }

    /// Returns what was typed.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<&str> for IdQuery {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prefixes_with_dashes_and_digits() {
        assert_eq!(
            ItemId::parse("KABSD-TSK-0309").unwrap(),
            ItemId { prefix: "KABSD-TSK".into(), number: 309 }
        );
        assert_eq!(ItemId::parse("A1-7").unwrap().number, 7);
        assert_eq!(ItemId::parse("WRK-0000000000000000008").unwrap().number, 8);
        assert_eq!(ItemId::parse("WRK-4294967295").unwrap().number, u32::MAX);
    }

    #[test]
    fn tells_overflow_from_no_number() {
        assert_eq!(ItemId::parse("WRK-4294967296"), Err(OddId::Overflow));
        for odd in ["", "WRK", "WRK-", "WRK-1a", "-5", "WRK-٣", "a b-5"] {
            assert_eq!(ItemId::parse(odd), Err(OddId::NoNumber), "{odd}");
        }
    }

    #[test]
    fn keys_are_equal_where_ids_are_the_same() {
        let ids = ["WRK-7", "wrk-007", "WRK-8", "OPS-7", "odd", "Odd", "WRK-", "7"];
        for (a, b) in ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b))) {
            assert_eq!(IdKey::new(a) == IdKey::new(b), ItemId::same(a, b), "{a} {b}");
            assert_eq!(ItemId::key(a) == ItemId::key(b), ItemId::same(a, b), "{a} {b}");
        }
        let set: std::collections::HashSet<_> = ids.iter().map(|id| IdKey::new(id)).collect();
        assert_eq!(set.len(), ids.len() - 1);
    }

    #[test]
    fn a_person_may_leave_out_zeros_case_and_prefix() {
        for typed in ["WRK-7", "wrk-007", "7", "007", " WRK-007 "] {
            assert!(IdQuery::new(typed).names("WRK-007"), "{typed}");
            assert!(!IdQuery::new(typed).names("WRK-070"), "{typed}");
        }
        assert!(!IdQuery::new("OPS-7").names("WRK-007"));
        assert!(IdQuery::new("odd one").names("odd one"));
    }

    #[test]
    fn widths_are_minima() {
        assert_eq!(IdFormat::new("WRK").format(7), "WRK-007");
        assert_eq!(IdFormat::new("WRK").format(1000), "WRK-1000");
    }
}
