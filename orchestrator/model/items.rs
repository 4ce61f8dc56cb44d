//! The items of a file, in order, and how one of them is found.
//!
//! Beside each item stands a number made of its ID, so that a look-up compares
//! numbers that lie side by side, and touches only the items that it is about.
//! Whatever shares the number is then asked for its ID: letter case, odd IDs and
//! duplicates are judged there. The numbers cannot fall behind: items are put in,
//! taken out and replaced by the methods here and in no other way, and an item that
//! lies here is never altered.

use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BacklogItem, IdQuery, ItemId};

/// A list of items that reads like a slice of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Arc<BacklogItem>>", into = "Vec<Arc<BacklogItem>>")]
pub struct Items {
    list: Vec<Arc<BacklogItem>>,
    /// What [`mark_of`] makes of each item's ID.
    marks: Vec<u64>,
}

/// The mark of an item without an ID.
const UNNAMED: u64 = 0;
/// Marks from here on are those of IDs with a number, which is added.
const NUMBERED: u64 = 1 << 32;
/// Marks from here on are those of other IDs.
const ODD: u64 = 1 << 33;

/// Returns the mark of an ID: IDs that are the same have the same one.
fn mark_of(id: Option<&str>) -> u64 {
    let Some(id) = id else {
        return UNNAMED;
    };
    match ItemId::number_of(id) {
        Ok(number) => NUMBERED + u64::from(number),
        // FNV-1a: such IDs are few, and compared as they stand.
        Err(_) => {
            let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            ODD + u64::from(id.bytes().fold(0x811c_9dc5, step))
        }
    }
}

impl Items {
    /// Returns the indexes of the items that a query names; more than one where
    /// IDs are duplicate.
    pub fn find(&self, query: &IdQuery) -> Vec<usize> {
        let of_text = mark_of(Some(query.text()));
        let of_number = query.number().map_or(of_text, |number| NUMBERED + u64::from(number));
        let names = |index: &usize| self.id_at(*index).is_some_and(|id| query.names(id));
        self.marked(|mark| mark == of_number || mark == of_text).filter(names).collect()
    }

    /// Returns the index of the first item with this ID, letter case and zeros
    /// aside.
    pub fn position(&self, id: &str) -> Option<usize> {
        let wanted = mark_of(Some(id));
        self.marked(|mark| mark == wanted).find(|&index| self.list[index].is(id))
    }

    /// Returns whether any item has no ID yet.
    pub fn has_unnamed(&self) -> bool {
        self.marked(|mark| mark == UNNAMED).next().is_some()
    }

    /// Returns the highest number of any ID; 0 where there is none.
    pub fn highest_number(&self) -> u32 {
        let numbers = self.marks.iter().filter(|mark| (NUMBERED..ODD).contains(mark));
        let highest = numbers.max().map_or(0, |mark| mark - NUMBERED);
        u32::try_from(highest).unwrap_or(u32::MAX)
    }

    /// Returns the highest number above `floor` of the IDs of a prefix; none where
    /// none is higher.
    pub fn highest_above(&self, floor: u32, prefix: &str) -> Option<u32> {
        let floor = NUMBERED + u64::from(floor);
        let above = self.marked(|mark| mark > floor && mark < ODD);
        let ids = above.filter_map(|index| self.id_at(index));
        ids.filter(|id| ItemId::has_prefix(id, prefix))
            .filter_map(|id| ItemId::number_of(id).ok())
            .max()
    }

    /// Appends an item.
    pub fn push(&mut self, item: Arc<BacklogItem>) {
        self.marks.push(mark_of(item.id.as_deref()));
        self.list.push(item);
    }

    /// Takes away the last item.
    pub fn pop(&mut self) -> Option<Arc<BacklogItem>> {
        self.marks.pop();
        self.list.pop()
    }

    /// Puts an item in the place of another, which is returned.
    ///
    /// # Panics
    /// Where there is none at `index`, as with a slice.
    pub fn replace(&mut self, index: usize, item: Arc<BacklogItem>) -> Arc<BacklogItem> {
        self.marks[index] = mark_of(item.id.as_deref());
        std::mem::replace(&mut self.list[index], item)
    }

    /// Puts an item before the one at `index`.
    ///
    /// # Panics
    /// Where `index` is above the length, as with a [`Vec`].
    pub fn insert(&mut self, index: usize, item: Arc<BacklogItem>) {
        self.marks.insert(index, mark_of(item.id.as_deref()));
        self.list.insert(index, item);
    }

    /// Takes out the item at `index`.
    ///
    /// # Panics
    /// Where there is none, as with a [`Vec`].
    pub fn remove(&mut self, index: usize) -> Arc<BacklogItem> {
        self.marks.remove(index);
        self.list.remove(index)
    }

    /// Puts items in the place of those of a range, which are returned.
    ///
    /// # Panics
    /// Where the range goes beyond the end, as with a [`Vec`].
    pub fn splice(
        &mut self,
        range: Range<usize>,
        items: Vec<Arc<BacklogItem>>,
    ) -> Vec<Arc<BacklogItem>> {
        let marks = items.iter().map(|item| mark_of(item.id.as_deref()));
        self.marks.splice(range.clone(), marks);
        self.list.splice(range, items).collect()
    }

    fn id_at(&self, index: usize) -> Option<&str> {
        self.list[index].id.as_deref()
    }

    /// Returns the indexes of the items whose mark fits, in order.
    fn marked(&self, fits: impl Fn(u64) -> bool + Copy) -> impl Iterator<Item = usize> {
        const BLOCK: usize = 64;
        let blocks = self.marks.chunks(BLOCK).enumerate();
        // Without a way out inside a block, the loop is done many marks at a time.
        let holds_any = move |block: &[u64]| block.iter().fold(false, |any, &at| any | fits(at));
        blocks.filter(move |(_, block)| holds_any(block)).flat_map(move |(number, block)| {
            let found = block.iter().enumerate().filter(move |(_, mark)| fits(**mark));
            found.map(move |(at, _)| number * BLOCK + at)
        })
    }
}

impl Deref for Items {
    type Target = [Arc<BacklogItem>];

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl From<Vec<Arc<BacklogItem>>> for Items {
    fn from(list: Vec<Arc<BacklogItem>>) -> Self {
        let marks = list.iter().map(|item| mark_of(item.id.as_deref())).collect();
        Self { list, marks }
    }
}

impl From<Items> for Vec<Arc<BacklogItem>> {
    fn from(items: Items) -> Self {
        items.list
    }
}

impl FromIterator<Arc<BacklogItem>> for Items {
    fn from_iter<I: IntoIterator<Item = Arc<BacklogItem>>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = &'a Arc<BacklogItem>;
    type IntoIter = std::slice::Iter<'a, Arc<BacklogItem>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// IDs that meet: the same in other letters and zeros, other prefixes, odd ones,
    /// one beyond the numbers, and none.
    fn id() -> impl Strategy<Value = Option<String>> {
        let numbered = ("(WRK|wrk|Wrk|OPS|A-B)", "0{0,2}", 0_u32..12)
            .prop_map(|(prefix, zeros, number)| Some(format!("{prefix}-{zeros}{number}")));
        let odd = proptest::sample::select(vec![
            "7",
            "007",
            "odd",
            "Odd",
            "WRK-",
            "-7",
            "WRK-x",
            "WRK-4294967295",
            "WRK-4294967296",
            "A B-7",
            "",
        ]);
        prop_oneof![6 => numbered, 2 => odd.prop_map(|id| Some(id.to_owned())), 1 => Just(None)]
    }

    fn item(id: Option<String>) -> Arc<BacklogItem> {
        Arc::new(BacklogItem { id, ..BacklogItem::default() })
    }

    /// What is done to the list, at a place that is brought within it.
    #[derive(Debug, Clone)]
    enum Step {
        Push(Option<String>),
        Pop,
        Replace(usize, Option<String>),
        Insert(usize, Option<String>),
        Remove(usize),
        Splice(usize, usize, Vec<Option<String>>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = any::<usize>();
        prop_oneof![
            3 => id().prop_map(Step::Push),
            1 => Just(Step::Pop),
            3 => (at, id()).prop_map(|(at, id)| Step::Replace(at, id)),
            2 => (any::<usize>(), id()).prop_map(|(at, id)| Step::Insert(at, id)),
            2 => any::<usize>().prop_map(Step::Remove),
            2 => (any::<usize>(), 0_usize..5, prop::collection::vec(id(), 0..150))
                .prop_map(|(at, len, ids)| Step::Splice(at, len, ids)),
        ]
    }

    fn take(items: &mut Items, step: Step) {
        let len = items.len();
        match step {
            Step::Push(id) => items.push(item(id)),
            Step::Pop => drop(items.pop()),
            Step::Insert(at, id) => items.insert(at % (len + 1), item(id)),
            Step::Splice(at, count, ids) => {
                let start = at % (len + 1);
                let end = (start + count).min(len);
                items.splice(start..end, ids.into_iter().map(item).collect());
            }
            Step::Replace(..) | Step::Remove(_) if len == 0 => {}
            Step::Replace(at, id) => drop(items.replace(at % len, item(id))),
            Step::Remove(at) => drop(items.remove(at % len)),
        }
    }

    /// Every answer is that of a walk over all items.
    fn check(items: &Items, asked: &[String], floor: u32) {
        let ids: Vec<Option<&str>> = items.iter().map(|item| item.id.as_deref()).collect();
        for text in asked {
            let query = IdQuery::new(text);
            let named = |index: &usize| ids[*index].is_some_and(|id| query.names(id));
            let walked: Vec<usize> = (0..ids.len()).filter(named).collect();
            assert_eq!(items.find(&query), walked, "{text} in {ids:?}");
            let first = items.iter().position(|item| item.is(text));
            assert_eq!(items.position(text), first, "{text} in {ids:?}");
        }
        assert_eq!(items.has_unnamed(), ids.contains(&None));
        let numbers = |prefix: Option<&str>| -> Option<u32> {
            let of = |id: &&str| prefix.is_none_or(|prefix| ItemId::has_prefix(id, prefix));
            let ids = ids.iter().copied().flatten().filter(of);
            ids.filter_map(|id| ItemId::number_of(id).ok()).max()
        };
        assert_eq!(items.highest_number(), numbers(None).unwrap_or(0));
        for prefix in ["WRK", "ops", "A-B", "none"] {
            let highest = numbers(Some(prefix)).filter(|number| *number > floor);
            assert_eq!(items.highest_above(floor, prefix), highest, "{prefix} in {ids:?}");
        }
        assert_eq!(*items, items.to_vec().into(), "as if made of the list");
    }

    proptest! {
        #[test]
        fn a_look_up_is_as_good_as_a_walk(
            steps in prop::collection::vec(step(), 1..40),
            asked in prop::collection::vec(id(), 1..8),
            floor in prop_oneof![0_u32..12, Just(u32::MAX)],
        ) {
            let mut items = Items::default();
            let asked: Vec<String> = asked.into_iter().flatten().chain(["7".into()]).collect();
            for step in steps {
                take(&mut items, step);
                check(&items, &asked, floor);
            }
        }
    }
}
