//! What became of every number up to the mark: a pure count over what is known.

use std::collections::BTreeMap;

use crate::wire::Audit;

/// What a number is, in the order in which one goes before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Live,
    Archived,
    Reserved,
}

/// Accounts for the numbers from 1 to `mark`, each once: those of live items, then
/// those of archived ones, then those that were issued without an item; the rest
/// was skipped. Takes as long as there are numbers known, whatever the mark is.
pub(super) fn audit(
    mark: u32,
    live: impl Iterator<Item = u32>,
    archived: impl Iterator<Item = u32>,
    reserved: impl Iterator<Item = u32>,
) -> Audit {
    let mut known: BTreeMap<u32, Use> = BTreeMap::new();
    let uses = live
        .map(|number| (number, Use::Live))
        .chain(archived.map(|number| (number, Use::Archived)))
        .chain(reserved.map(|number| (number, Use::Reserved)));
    for (number, what) in uses.filter(|(number, _)| (1..=mark).contains(number)) {
        known.entry(number).and_modify(|first| *first = (*first).min(what)).or_insert(what);
    }
    let mut audit = Audit { mark, ..Audit::default() };
    let mut last = 0;
    for (number, what) in known {
        if number - last > 1 {
            audit.skipped.push([last + 1, number - 1]);
        }
        let ranges = match what {
            Use::Live => &mut audit.live,
            Use::Archived => &mut audit.archived,
            Use::Reserved => &mut audit.reserved,
        };
        match ranges.last_mut() {
            Some([_, end]) if *end == number - 1 => *end = number,
            _ => ranges.push([number, number]),
        }
        last = number;
    }
    if last < mark {
        audit.skipped.push([last + 1, mark]);
    }
    audit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mark: u32, live: &[u32], archived: &[u32], reserved: &[u32]) -> Audit {
        audit(mark, live.iter().copied(), archived.iter().copied(), reserved.iter().copied())
    }

    #[test]
    fn each_number_is_counted_once() {
        let found = of(12, &[1, 2, 3, 7, 7], &[3, 4, 8], &[5, 8, 99]);
        assert_eq!(found.live, [[1, 3], [7, 7]]);
        assert_eq!(found.archived, [[4, 4], [8, 8]]);
        assert_eq!(found.reserved, [[5, 5]]);
        assert_eq!(found.skipped, [[6, 6], [9, 12]]);
        let all = found.live.iter().chain(&found.archived).chain(&found.reserved);
        let sum: u32 = all.chain(&found.skipped).map(|[from, to]| to - from + 1).sum();
        assert_eq!(sum, 12);
    }

    #[test]
    fn the_ends_of_the_numbers() {
        assert_eq!(of(0, &[0], &[], &[]), Audit::default());
        let found = of(u32::MAX, &[u32::MAX], &[], &[1]);
        assert_eq!(found.live, [[u32::MAX, u32::MAX]]);
        assert_eq!(found.skipped, [[2, u32::MAX - 1]]);
    }
}
