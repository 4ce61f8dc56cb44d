//! Reservations that this server made and that nobody has confirmed yet, for the
//! metrics. The database alone decides what can still be confirmed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

/// Open reservations. Each leaves when its time is up, so there are never more
/// than are made within one span of time.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ends: HashMap<Uuid, Timestamp>,
    by_end: BTreeSet<(Timestamp, Uuid)>,
    expired: u64,
}

impl State {
    fn expire(&mut self, now: Timestamp) {
        while let Some((end, id)) = self.by_end.first().copied().filter(|(end, _)| *end <= now) {
            self.by_end.remove(&(end, id));
            self.ends.remove(&id);
            self.expired += 1;
        }
    }
}

impl Pending {
    /// Notes a reservation.
    pub(super) fn made(&self, id: Uuid, end: Timestamp, now: Timestamp) {
        let mut state = self.state();
        state.expire(now);
        if end > now && state.ends.insert(id, end).is_none() {
            state.by_end.insert((end, id));
        }
    }

    /// Notes that one was confirmed.
    pub(super) fn confirmed(&self, id: Uuid) {
        let mut state = self.state();
        if let Some(end) = state.ends.remove(&id) {
            state.by_end.remove(&(end, id));
        }
    }

    /// Returns how many are open, and how many have expired so far.
    pub(super) fn count(&self, now: Timestamp) -> (usize, u64) {
        let mut state = self.state();
        state.expire(now);
        (state.by_end.len(), state.expired)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counts are worth no more panics than there were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pending = Pending::default();
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        for (id, end) in [(a, 10), (b, 20), (c, 30), (a, 10)] {
            pending.made(id, at(end), at(0));
        }
        assert_eq!(pending.count(at(9)), (3, 0));
        pending.confirmed(b);
        pending.confirmed(b);
        assert_eq!(pending.count(at(10)), (1, 1));
        assert_eq!(pending.count(at(99)), (0, 2));
        // A repeated answer whose time is up is not open.
        pending.made(c, at(30), at(99));
        assert_eq!(pending.count(at(99)), (0, 2));
    }
}
