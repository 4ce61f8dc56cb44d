//! The highest numbers that this process knows to be issued.
//!
//! A table that somebody makes anew, or restores from a copy, begins below them. No
//! database tells of that, so each backend compares before anything is told.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Issued, Key, Reply, SequenceError, Sum};

/// For each sequence the highest number that was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors(HashMap<Key, u32>);

/// A counter that is lower than it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the counter of {key} is {found}, but {floor} was issued: the table was made anew, or is an old copy; run `id sync`, then ask again"
)]
struct WentBack {
    key: Key,
    found: u32,
    floor: u32,
}

impl Floors {
    /// Turns counters, as they were before sums were added, into errors where they would
    /// issue numbers a second time.
    pub(super) fn check(
        &self,
        sums: &[Sum],
        added: Vec<Result<u32, SequenceError>>,
    ) -> Vec<Result<u32, SequenceError>> {
        let one = |(sum, before): (&Sum, Result<u32, SequenceError>)| {
            let found = before?;
            match self.0.get(&sum.key) {
                Some(&floor) if found < floor => {
                    let key = sum.key.clone();
                    let source = Arc::new(WentBack { key, found, floor });
                    Err(SequenceError::Database { doing: "take numbers", source })
                }
                _ => Ok(found),
            }
        };
        sums.iter().zip(added).map(one).collect()
    }

    /// Takes in what was issued.
    pub(super) fn learn(&mut self, outcomes: &[Result<Reply, SequenceError>]) {
        for outcome in outcomes.iter().flatten() {
            let (Reply::Issued(issued) | Reply::Reserved(super::Reservation { issued, .. })) =
                outcome
            else {
                continue;
            };
            let Issued { key, first, count } = issued;
            let last = first.saturating_add(count.saturating_sub(1));
            match self.0.get_mut(key) {
                Some(floor) => *floor = last.max(*floor),
                None => drop(self.0.insert(key.clone(), last)),
            }
        }
    }
}
