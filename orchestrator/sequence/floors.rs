//! The highest numbers that this process knows to be issued.
//!
//! A table that somebody makes anew, or restores from a copy, begins below them. No
//! database tells of that, so each backend compares before anything is told. Such a
//! sequence stays an error until the process is started again: what other servers have
//! told above these numbers, nobody knows here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Issued, Key, Reply, SequenceError, Sum};

/// For each sequence the highest number that was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors {
    told: HashMap<Key, u32>,
    /// Those that were found below.
    lost: HashSet<Key>,
}

/// A counter that is lower than it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the counter of {key} was below {floor}, which was issued: the table was made anew, or is an old copy; run `id sync`, then start again"
)]
struct WentBack {
    key: Key,
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
            match self.told.get(&sum.key) {
                Some(&floor) if found < floor || self.lost.contains(&sum.key) => {
                    let source = Arc::new(WentBack { key: sum.key.clone(), floor });
                    Err(SequenceError::Database { doing: "take numbers", source })
                }
                _ => Ok(found),
            }
        };
        sums.iter().zip(added).map(one).collect()
    }

    /// Takes in what was issued, and what was not for the reason above.
    pub(super) fn learn(&mut self, outcomes: &[Result<Reply, SequenceError>]) {
        for outcome in outcomes {
            match outcome {
                Ok(Reply::Issued(issued)) => self.raise(issued),
                Ok(Reply::Reserved(reservation)) => self.raise(&reservation.issued),
                Err(SequenceError::Database { source, .. }) => {
                    let lost = source.downcast_ref::<WentBack>().map(|lost| lost.key.clone());
                    self.lost.extend(lost);
                }
                _ => {}
            }
        }
    }

    fn raise(&mut self, issued: &Issued) {
        let Issued { key, first, count } = issued;
        let last = first.saturating_add(count.saturating_sub(1));
        match self.told.get_mut(key) {
            Some(floor) => *floor = last.max(*floor),
            None => drop(self.told.insert(key.clone(), last)),
        }
    }
}
