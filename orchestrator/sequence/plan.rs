//! What a batch means, apart from any database: the part that all stores share.
//!
//! [`Plan::new`] sorts requests into sums per sequence, raises, confirmations and
//! deletions, and settles what needs no database or is a repetition. The backend
//! adds each sum in one statement, and [`Plan::settle`] then says who got which
//! numbers, in the order of the requests, and which rows are to be inserted. All
//! lists of keys are sorted, so that two programs never wait for each other's rows
//! crosswise. Pure: no clock, no database; only reservation IDs are random.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Action, Idempotency, Issued, Key, Layout, Reply, Request, Reservation, ReservationRow,
    SequenceError, StoredAnswer,
};

type Outcome = Result<Reply, SequenceError>;

/// Answers that the database knows, by scope and key of their idempotency.
pub type Known = HashMap<(String, String), StoredAnswer>;

/// What a batch adds to one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The sequence.
    pub key: Key,
    /// How many numbers each request takes, in their order.
    counts: Vec<u32>,
}

impl Sum {
    /// Returns how many numbers all of them take together.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// Returns how many numbers can be given out above `last`: the total, or less
    /// at the end of all numbers, where a request that does not fit gets none.
    pub fn fitting(&self, last: u32) -> u32 {
        let mut at = last;
        for &count in &self.counts {
            at = at.checked_add(count).unwrap_or(at);
        }
        at - last
    }
}

/// What becomes of one request.
#[derive(Debug)]
enum Slot {
    /// It is settled without the database's rows.
    Settled(Outcome),
    /// It takes numbers of the sum at this place.
    Takes(usize),
    /// It is the same request as the one at this place.
    SameAs(usize),
    /// It waits for the confirmation, deletion or raise at this place.
    Confirm(usize),
    Expire(usize),
    Raise(usize),
}

/// A batch, sorted.
#[derive(Debug)]
pub struct Plan<'a> {
    layout: &'a Layout,
    requests: &'a [Request],
    slots: Vec<Slot>,
    sums: Vec<Sum>,
    raises: Vec<(Key, u32)>,
    confirmations: Vec<Uuid>,
    expirations: Vec<Duration>,
    probes: bool,
}

/// What is left to write, and what everyone gets once it is committed.
#[derive(Debug)]
pub struct Settled {
    /// Reservations to insert.
    pub reservations: Vec<ReservationRow>,
    /// Answers to insert, or to put in the place of outdated ones.
    pub answers: Vec<StoredAnswer>,
    outcomes: Vec<Option<Outcome>>,
    slots: Vec<Slot>,
    confirmations: Vec<Uuid>,
}

impl<'a> Plan<'a> {
    /// Returns the idempotency keys whose answers may be known: what the database
    /// must be asked for first. Answers whose time is up are not known.
    pub fn questions(requests: &[Request]) -> Vec<&Idempotency> {
        requests.iter().filter_map(idempotency).collect()
    }

    /// Sorts a batch, given the answers that are known.
    pub fn new(layout: &'a Layout, requests: &'a [Request], known: &Known) -> Self {
        let mut plan = Self {
            layout,
            requests,
            slots: Vec::with_capacity(requests.len()),
            sums: Vec::new(),
            raises: Vec::new(),
            confirmations: Vec::new(),
            expirations: Vec::new(),
            probes: false,
        };
        let mut first_of = HashMap::new();
        let mut sums: BTreeMap<&Key, Vec<(usize, u32)>> = BTreeMap::new();
        let mut raises: BTreeMap<&Key, (u32, Vec<usize>)> = BTreeMap::new();
        for (i, request) in requests.iter().enumerate() {
            let slot = match &request.action {
                _ if let Err(error) = request.action.check(layout) => Slot::Settled(Err(error)),
                Action::Confirm(id) => {
                    plan.confirmations.push(*id);
                    Slot::Confirm(plan.confirmations.len() - 1)
                }
                Action::Expire { grace } => {
                    plan.expirations.push(*grace);
                    Slot::Expire(plan.expirations.len() - 1)
                }
                Action::Probe => {
                    plan.probes = true;
                    Slot::Settled(Ok(Reply::Probed))
                }
                Action::Raise { key, to } => {
                    let raise = raises.entry(key).or_default();
                    raise.0 = raise.0.max(*to);
                    raise.1.push(i);
                    Slot::Raise(0)
                }
                Action::Next { key, count } | Action::Reserve { key, count, .. } => {
                    let repeated = repeated(requests, i, known, &mut first_of);
                    repeated.unwrap_or_else(|| {
                        sums.entry(key).or_default().push((i, *count));
                        Slot::Takes(0)
                    })
                }
            };
            plan.slots.push(slot);
        }
        for (place, (key, takers)) in sums.into_iter().enumerate() {
            for (i, _) in &takers {
                plan.slots[*i] = Slot::Takes(place);
            }
            let counts = takers.into_iter().map(|(_, count)| count).collect();
            plan.sums.push(Sum { key: key.clone(), counts });
        }
        for (place, (key, (to, askers))) in raises.into_iter().enumerate() {
            for i in askers {
                plan.slots[i] = Slot::Raise(place);
            }
            plan.raises.push((key.clone(), to));
        }
        plan
    }

    /// Returns what to add to which sequence, sorted by key. Done after the raises.
    pub fn sums(&self) -> &[Sum] {
        &self.sums
    }

    /// Returns what to raise, sorted by key: each to this number, or left as it is
    /// where it is higher. A key without a row gets one, in every layout.
    pub fn raises(&self) -> &[(Key, u32)] {
        &self.raises
    }

    /// Returns how long ago the time of reservations must have been up that are to
    /// be deleted; done last, one by one.
    pub fn expirations(&self) -> &[Duration] {
        &self.expirations
    }

    /// Tells whether somebody wants to know if numbers could be taken: the statement that
    /// writes counters is then to be run on none of them, so that it fails where it would.
    pub fn probes(&self) -> bool {
        self.probes
    }

    /// Tells whether there is nothing to do in the database.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
            && self.raises.is_empty()
            && self.confirmations.is_empty()
            && self.expirations.is_empty()
            && !self.probes
    }

    /// Returns where each counter must stand that was written, sorted by key: a trigger may
    /// change it behind that. Takes what [`Plan::settle`] does, and where counters stood
    /// before they were added to, as far as that was looked at: a trigger may change them
    /// on the way, too.
    pub fn written(
        &self,
        raised: &[Result<Option<u32>, SequenceError>],
        added: &[Result<u32, SequenceError>],
        stood: impl Fn(&Key) -> Option<i64>,
    ) -> BTreeMap<Key, i64> {
        let raised = self.raises.iter().zip(raised).filter_map(|((key, to), before)| {
            let before = before.as_ref().ok()?.unwrap_or(0);
            Some((key.clone(), i64::from(before.max(*to))))
        });
        let added = self.sums.iter().zip(added).filter_map(|(sum, before)| {
            let before = *before.as_ref().ok()?;
            let stood = stood(&sum.key).unwrap_or(0).max(before.into());
            // A key without a row gets one only where it takes numbers.
            let after = stood + i64::from(sum.fitting(before));
            (after > 0).then(|| (sum.key.clone(), after))
        });
        // Raised first, then added to.
        raised.chain(added).collect()
    }

    /// Says who gets what.
    ///
    /// `now` is the database's clock. `raised` has for each of [`Plan::raises`] the
    /// counter before, `None` where there was no row. `added` has for each of
    /// [`Plan::sums`] the counter before it was added, 0 where there was no row; the
    /// counter must then have become that plus [`Sum::fitting`].
    pub fn settle(
        self,
        now: Timestamp,
        raised: &[Result<Option<u32>, SequenceError>],
        added: &[Result<u32, SequenceError>],
    ) -> Settled {
        let mut settled = Settled {
            reservations: Vec::new(),
            answers: Vec::new(),
            outcomes: Vec::with_capacity(self.slots.len()),
            slots: Vec::new(),
            confirmations: self.confirmations,
        };
        // A row is written, and not only locked: nothing less shows that the disk takes it.
        settled.answers.extend(self.probes.then(probe));
        let mut at: Vec<Result<u32, SequenceError>> = added.to_vec();
        for (request, slot) in self.requests.iter().zip(&self.slots) {
            let outcome = match slot {
                Slot::Settled(outcome) => Some(outcome.clone()),
                Slot::Takes(place) => {
                    Some(settled.take(self.layout, request, &mut at[*place], now))
                }
                Slot::SameAs(first) => {
                    let outcome = settled.outcomes[*first].clone();
                    outcome.map(|outcome| outcome.map(Reply::again))
                }
                Slot::Raise(place) => Some(raised[*place].clone().map(|before| Reply::Raised {
                    before,
                    now: before.unwrap_or(0).max(self.raises[*place].1),
                })),
                Slot::Confirm(_) | Slot::Expire(_) => None,
            };
            settled.outcomes.push(outcome);
        }
        settled.slots = self.slots;
        settled
    }
}

impl Settled {
    /// Gives a request its numbers, above `at`.
    fn take(
        &mut self,
        layout: &Layout,
        request: &Request,
        at: &mut Result<u32, SequenceError>,
        now: Timestamp,
    ) -> Outcome {
        let at = at.as_mut().map_err(|error| error.clone())?;
        let takes = request.action.takes();
        let (key, count) = takes.expect("only requests for numbers are in a sum");
        let Some(last) = at.checked_add(count) else {
            return Err(SequenceError::Exhausted { key: key.clone(), last: i64::from(*at) });
        };
        let issued = Issued { key: key.clone(), first: *at + 1, count };
        *at = last;
        let reply = match request.action {
            Action::Reserve { ttl, .. } => {
                let ids = issued.ids(layout);
                let expires_at = after(now, ttl);
                let reservation = Reservation { id: Uuid::new_v4(), issued, expires_at };
                self.reservations.push(ReservationRow { reservation: reservation.clone(), ids });
                Reply::Reserved(reservation)
            }
            _ => Reply::Issued(issued),
        };
        if let Some(idempotency) = &request.idempotency {
            self.answers.push(StoredAnswer {
                scope: idempotency.scope.clone(),
                key: idempotency.key.clone(),
                fingerprint: request.action.fingerprint(),
                answer: serde_json::to_string(&reply).map_err(unreadable)?,
                expires_at: after(now, idempotency.keep),
            });
        }
        Ok(reply)
    }

    /// Tells whether there are rows to insert.
    pub fn has_rows(&self) -> bool {
        !self.reservations.is_empty() || !self.answers.is_empty()
    }

    /// Returns the reservations to confirm, after the insertions.
    pub fn confirmations(&self) -> &[Uuid] {
        &self.confirmations
    }

    /// Returns each request's outcome, given for each of [`Settled::confirmations`]
    /// whether it is confirmed, and for each of [`Plan::expirations`] how many
    /// reservations were deleted, and whether nothing is left.
    pub fn outcomes(self, confirmed: &[bool], deleted: &[(u64, bool)]) -> Vec<Outcome> {
        let confirmations = self.confirmations;
        let outcome = |(outcome, slot): (Option<Outcome>, Slot)| match (outcome, slot) {
            (Some(outcome), _) => outcome,
            (None, Slot::Confirm(place)) if confirmed[place] => {
                Ok(Reply::Confirmed(confirmations[place]))
            }
            (None, Slot::Expire(place)) => {
                let (deleted, is_all) = deleted[place];
                Ok(Reply::Expired { deleted, is_all })
            }
            (None, _) => Err(SequenceError::NoReservation),
        };
        self.outcomes.into_iter().zip(self.slots).map(outcome).collect()
    }
}

fn idempotency(request: &Request) -> Option<&Idempotency> {
    request.action.takes().and(request.idempotency.as_ref())
}

/// What a request gets that was sent before, or stands earlier in the same batch.
fn repeated<'a>(
    requests: &'a [Request],
    i: usize,
    known: &Known,
    first_of: &mut HashMap<(&'a str, &'a str), usize>,
) -> Option<Slot> {
    let request = requests.get(i)?;
    let idempotency = idempotency(request)?;
    let (scope, key) = (idempotency.scope.as_str(), idempotency.key.as_str());
    if let Some(stored) = known.get(&(scope.to_owned(), key.to_owned())) {
        let is_same = stored.fingerprint == request.action.fingerprint();
        let answer = serde_json::from_str(&stored.answer).map(Reply::again).map_err(unreadable);
        return Some(Slot::Settled(if is_same {
            answer
        } else {
            Err(SequenceError::IdempotencyConflict)
        }));
    }
    let first = *first_of.entry((scope, key)).or_insert(i);
    if first == i {
        return None;
    }
    let is_same = requests[first].action.fingerprint() == request.action.fingerprint();
    Some(if is_same {
        Slot::SameAs(first)
    } else {
        Slot::Settled(Err(SequenceError::IdempotencyConflict))
    })
}

/// Returns what a probe writes: an answer that nobody asks for, and whose time was up
/// long ago, so that the next one takes its place.
fn probe() -> StoredAnswer {
    StoredAnswer {
        scope: "orchestrator".to_owned(),
        key: "probe".to_owned(),
        fingerprint: String::new(),
        answer: String::new(),
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

/// The end of a time span; where there is none so far away, the end of all time.
fn after(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| now.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

fn unreadable(error: serde_json::Error) -> SequenceError {
    SequenceError::Database { doing: "read or write a kept answer", source: Arc::new(error) }
}
