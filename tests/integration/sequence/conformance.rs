//! What every backend must do, whatever the database: one suite, run for each.
//!
//! A store says how to make a fresh database with the tables of a layout, how to
//! open it (several times at once, as several programs do), and runs SQL that
//! another program might have run. `conformance!(Store)` makes a test of each rule.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator::sequence::{
    Action, Backend, Idempotency, Issued, Key, Layout, MAX_EXPIRED, MissingRow, Reply, Request,
    Reservation, SequenceError,
};
use uuid::Uuid;

/// A fresh database with the tables of a layout, gone when dropped.
pub(crate) trait Store {
    type Backend: Backend;
    fn new(layout: Layout) -> Self;
    /// Opens it as one more program.
    fn open(&self) -> Self::Backend;
    /// Runs SQL that all databases understand.
    fn execute(&self, sql: &str);
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn us() -> Key {
    Key::new(["US", "alpha"]).unwrap()
}

pub(crate) fn next(key: &Key, count: u32) -> Request {
    Action::Next { key: key.clone(), count }.into()
}

pub(crate) fn reserve(key: &Key, count: u32, ttl: Duration) -> Request {
    Action::Reserve { key: key.clone(), count, ttl }.into()
}

fn raise(key: &Key, to: u32) -> Request {
    Action::Raise { key: key.clone(), to }.into()
}

fn expire(grace: Duration) -> Request {
    Action::Expire { grace }.into()
}

pub(crate) fn once(mut request: Request, scope: &str, key: &str) -> Request {
    let (scope, key) = (scope.to_owned(), key.to_owned());
    request.idempotency = Some(Idempotency { scope, key, keep: HOUR });
    request
}

/// One request in a batch of its own.
pub(crate) fn ask(backend: &mut impl Backend, request: Request) -> Result<Reply, SequenceError> {
    let mut outcomes = backend.commit(&[request])?;
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// The range that was issued, as first and last.
pub(crate) fn range(reply: Result<Reply, SequenceError>) -> (u32, u32) {
    let Issued { first, count, .. } = match reply.map(|reply| reply.told().0) {
        Ok(Reply::Issued(issued)) => issued,
        Ok(Reply::Reserved(reservation)) => reservation.issued,
        other => panic!("no numbers: {other:?}"),
    };
    (first, first + (count - 1))
}

fn held(reply: Result<Reply, SequenceError>) -> Reservation {
    match reply.map(|reply| reply.told().0) {
        Ok(Reply::Reserved(reservation)) => reservation,
        other => panic!("no reservation: {other:?}"),
    }
}

fn counter(backend: &mut impl Backend, key: &Key) -> Option<u32> {
    let counters = backend.counters().unwrap();
    counters.into_iter().find(|(of, _)| of == key).map(|(_, last)| last.unwrap())
}

pub(crate) fn the_first_number_is_one_and_the_next_follows<S: Store>() {
    for layout in [Layout::registry(), Layout::prefix_type()] {
        let store = S::new(layout.clone());
        let mut backend = store.open();
        for n in 1..=3 {
            let Ok(Reply::Issued(issued)) = ask(&mut backend, next(&us(), 1)) else { panic!() };
            assert_eq!((issued.first, issued.count), (n, 1));
            let previous = n.checked_sub(1).filter(|&n| n > 0).map(|n| layout.id(&us(), n));
            assert_eq!(issued.previous(&layout), previous);
        }
        assert_eq!(counter(&mut backend, &us()), Some(3));
        // It is in the database, not in the backend.
        assert_eq!(range(ask(&mut store.open(), next(&us(), 5))), (4, 8));
    }
}

pub(crate) fn a_batch_is_answered_in_order_and_stored_once<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let beta = Key::new(["US", "beta"]).unwrap();
    let batch =
        [next(&us(), 1), next(&beta, 2), next(&us(), 3), reserve(&us(), 6, HOUR), next(&us(), 1)];
    let outcomes = backend.commit(&batch).unwrap();
    let ranges: Vec<_> = outcomes.into_iter().map(range).collect();
    assert_eq!(ranges, [(1, 1), (1, 2), (2, 4), (5, 10), (11, 11)]);
    assert_eq!(counter(&mut backend, &us()), Some(11));
    assert_eq!(counter(&mut backend, &beta), Some(2));
}

pub(crate) fn a_bad_request_costs_the_others_nothing<S: Store>() {
    let store = S::new(Layout::registry());
    store.execute("INSERT INTO id_registry (artifact_type, project_id, last_assigned_id) VALUES ('BAD', 'alpha', -4)");
    let mut backend = store.open();
    let bad = Key::new(["BAD", "alpha"]).unwrap();
    let short = Key::new(["US"]).unwrap();
    let batch = [next(&us(), 1), next(&bad, 1), next(&short, 1), next(&us(), 0), next(&us(), 1)];
    let outcomes = backend.commit(&batch).unwrap();
    let [a, negative, key, count, b] = <[_; 5]>::try_from(outcomes).unwrap();
    assert_eq!((range(a), range(b)), ((1, 1), (2, 2)));
    let negative = negative.unwrap_err();
    assert!(
        matches!(&negative, SequenceError::Counter { found, .. } if found == "-4"),
        "{negative}"
    );
    assert!(matches!(key, Err(SequenceError::Key { .. })));
    assert!(matches!(count, Err(SequenceError::Count { count: 0, .. })));
    let counters = backend.counters().unwrap();
    assert!(matches!(&counters[0], (key, Err(SequenceError::Counter { .. })) if *key == bad));
    assert!(matches!(&counters[1], (key, Ok(2)) if *key == us()));
}

pub(crate) fn numbers_end_at_u32_and_issue_nothing_beyond<S: Store>() {
    let store = S::new(Layout::registry());
    let values = [
        ("NEAR", i64::from(u32::MAX) - 2),
        ("END", i64::from(u32::MAX)),
        ("PAST", 1 << 33),
        ("I64", i64::MAX),
    ];
    for (kind, value) in values {
        store.execute(&format!("INSERT INTO id_registry (artifact_type, project_id, last_assigned_id) VALUES ('{kind}', 'p', {value})"));
    }
    let mut backend = store.open();
    let near = Key::new(["NEAR", "p"]).unwrap();
    // What fits is issued, in the order of the requests.
    let outcomes =
        backend.commit(&[next(&near, 1), next(&near, 5), next(&near, 1), next(&near, 1)]).unwrap();
    let [a, five, b, c] = <[_; 4]>::try_from(outcomes).unwrap();
    assert_eq!((range(a).0, range(b).0), (u32::MAX - 1, u32::MAX));
    for late in [five, c] {
        assert!(matches!(late, Err(SequenceError::Exhausted { .. })));
    }
    for (kind, value) in values {
        let key = Key::new([kind, "p"]).unwrap();
        let error = ask(&mut backend, next(&key, 1)).unwrap_err();
        let stands = value.max(i64::from(u32::MAX));
        assert!(
            matches!(error, SequenceError::Exhausted { last, .. } if last == stands),
            "{error}"
        );
    }
}

pub(crate) fn a_name_without_a_row_is_an_error_that_says_sync<S: Store>() {
    let layout = Layout::name();
    let key = layout.key(&[("name", "credit_lines")]).unwrap();
    let store = S::new(layout.clone());
    let mut backend = store.open();
    let error = ask(&mut backend, next(&key, 1)).unwrap_err();
    assert!(matches!(error, SequenceError::NoSequence { .. }));
    assert!(error.to_string().contains("id sync"));
    // Raised, also to nothing, it is there.
    let raised = ask(&mut backend, raise(&key, 8)).unwrap();
    assert_eq!(raised, Reply::Raised { before: None, now: 8 });
    assert_eq!(range(ask(&mut backend, next(&key, 1))), (9, 9));
    assert_eq!(layout.id(&key, 9), "CL009");
}

pub(crate) fn a_sequence_raised_to_nothing_starts_at_one<S: Store>() {
    let layout = Layout::name();
    let key = layout.key(&[("name", "fixed_advances")]).unwrap();
    let store = S::new(layout.clone());
    let mut backend = store.open();
    // As where the table that the IDs were counted in is empty.
    let raised = ask(&mut backend, raise(&key, 0)).unwrap();
    assert_eq!(raised, Reply::Raised { before: None, now: 0 });
    let Ok(Reply::Issued(issued)) = ask(&mut backend, next(&key, 1)) else { panic!() };
    assert_eq!((issued.ids(&layout), issued.previous(&layout)), (vec!["FV0001".to_owned()], None));
}

pub(crate) fn a_raise_never_lowers<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let raised = |before, now| Ok::<_, ()>(Reply::Raised { before, now });
    let mut to = |n| ask(&mut backend, raise(&us(), n)).map_err(drop);
    assert_eq!(to(5), raised(None, 5));
    assert_eq!(to(5), raised(Some(5), 5));
    assert_eq!(to(3), raised(Some(5), 5));
    assert_eq!(to(9), raised(Some(5), 9));
    // Raises come first in a batch.
    let outcomes = backend.commit(&[next(&us(), 1), raise(&us(), 20)]).unwrap();
    assert_eq!(outcomes[1].clone().unwrap(), Reply::Raised { before: Some(9), now: 20 });
    assert_eq!(range(outcomes[0].clone()), (21, 21));
}

pub(crate) fn a_counter_that_goes_back_issues_nothing_a_second_time<S: Store>() {
    let store = S::new(Layout::registry());
    for (round, back) in [
        "UPDATE id_registry SET last_assigned_id = 1",
        "DELETE FROM id_registry",
        "DROP TABLE id_registry; CREATE TABLE id_registry (artifact_type TEXT NOT NULL,
         project_id TEXT NOT NULL, last_assigned_id BIGINT NOT NULL, updated_at TIMESTAMP,
         PRIMARY KEY (artifact_type, project_id))",
    ]
    .into_iter()
    .enumerate()
    {
        let mut backend = store.open();
        let last = range(ask(&mut backend, next(&us(), 2))).1;
        store.execute(back);
        let same = once(next(&us(), 1), "t", &round.to_string());
        // Nor once the counter has risen so far again: others may have told more.
        for request in [next(&us(), 1), reserve(&us(), 2, HOUR), next(&us(), 9), same.clone()] {
            let error = ask(&mut backend, request).unwrap_err();
            let why = std::error::Error::source(&error).unwrap().to_string();
            assert!(why.contains(&format!("below {last}")) && why.contains("id sync"), "{why}");
        }
        let mut backend = store.open();
        ask(&mut backend, raise(&us(), last + 20)).unwrap();
        // What was refused was not kept for a repetition.
        assert_eq!(range(ask(&mut backend, same)), (last + 21, last + 21));
    }
}

pub(crate) fn a_reservation_is_held_confirmed_and_repeated<S: Store>() {
    for layout in [Layout::registry(), Layout::prefix_type()] {
        let store = S::new(layout);
        let mut backend = store.open();
        let reservation = held(ask(&mut backend, reserve(&us(), 6, HOUR)));
        assert_eq!((reservation.issued.first, reservation.issued.count), (1, 6));
        for _ in 0..2 {
            let reply = ask(&mut store.open(), Action::Confirm(reservation.id).into()).unwrap();
            assert_eq!(reply, Reply::Confirmed(reservation.id));
        }
        let unknown = ask(&mut backend, Action::Confirm(Uuid::new_v4()).into()).unwrap_err();
        assert!(matches!(unknown, SequenceError::NoReservation));
        assert_eq!(unknown.to_string(), "reservation expired or not found");
    }
}

pub(crate) fn an_expired_reservation_leaves_a_gap<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let confirmed = held(ask(&mut backend, reserve(&us(), 1, HOUR)));
    ask(&mut backend, Action::Confirm(confirmed.id).into()).unwrap();
    let open = held(ask(&mut backend, reserve(&us(), 1, HOUR)));
    let expired = held(ask(&mut backend, reserve(&us(), 4, Duration::ZERO)));
    let error = ask(&mut backend, Action::Confirm(expired.id).into()).unwrap_err();
    assert!(matches!(error, SequenceError::NoReservation));
    // Not yet for so long.
    assert_eq!(deleted(ask(&mut backend, expire(HOUR))), (0, true));
    let outcomes = wait_until_expired(&mut backend);
    assert_eq!(outcomes, 1);
    assert_eq!(deleted(ask(&mut backend, expire(Duration::ZERO))), (0, true));
    for kept in [confirmed.id, open.id] {
        assert_eq!(
            ask(&mut backend, Action::Confirm(kept).into()).unwrap(),
            Reply::Confirmed(kept)
        );
    }
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (7, 7));
}

/// Returns how many reservations were deleted, and whether nothing is left.
fn deleted(outcome: Result<Reply, SequenceError>) -> (u64, bool) {
    match outcome.unwrap() {
        Reply::Expired { deleted, is_all } => (deleted, is_all),
        other => panic!("{other:?}"),
    }
}

/// Nobody should wait for the deletion of more than so many.
pub(crate) fn what_is_old_is_deleted_bit_by_bit<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let old = |n| {
        let (scope, key) = (String::from("s"), format!("{n}"));
        let idempotency = Some(Idempotency { scope, key, keep: Duration::ZERO });
        Request { idempotency, ..reserve(&us(), 1, Duration::ZERO) }
    };
    let requests: Vec<Request> = (0..=MAX_EXPIRED).map(old).collect();
    assert!(backend.commit(&requests).unwrap().iter().all(Result::is_ok));
    // The clock must have moved on.
    std::thread::sleep(Duration::from_millis(10));
    let all = u64::from(MAX_EXPIRED);
    assert_eq!(deleted(ask(&mut backend, expire(Duration::ZERO))), (all, false));
    assert_eq!(deleted(ask(&mut backend, expire(Duration::ZERO))), (1, true));
    assert_eq!(deleted(ask(&mut backend, expire(Duration::ZERO))), (0, true));
}

pub(crate) fn a_probe_takes_no_number<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    for _ in 0..3 {
        let batch = [Action::Probe.into(), next(&us(), 1), Action::Probe.into()];
        let outcomes = backend.commit(&batch).unwrap();
        assert_eq!(outcomes[0].clone().unwrap(), Reply::Probed);
        assert_eq!(outcomes[2].clone().unwrap(), Reply::Probed);
        assert_eq!(ask(&mut backend, Action::Probe.into()).unwrap(), Reply::Probed);
    }
    assert_eq!(counter(&mut backend, &us()), Some(3));
    assert_eq!(backend.counters().unwrap().len(), 1);
}

/// The clock may not have moved on since a reservation without any time was made.
fn wait_until_expired(backend: &mut impl Backend) -> u64 {
    let start = std::time::Instant::now();
    loop {
        match deleted(ask(backend, expire(Duration::ZERO))) {
            (0, _) => assert!(start.elapsed() < Duration::from_secs(60)),
            (deleted, _) => return deleted,
        }
    }
}

pub(crate) fn a_repeated_request_gets_the_same_answer<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let first = ask(&mut backend, once(next(&us(), 2), "token/next", "k1"));
    assert_eq!(range(first.clone()), (1, 2));
    let again = ask(&mut store.open(), once(next(&us(), 2), "token/next", "k1"));
    assert_eq!(again.unwrap(), Reply::Repeated(Box::new(first.unwrap())));
    let reservation = held(ask(&mut backend, once(reserve(&us(), 3, HOUR), "token/reserve", "k1")));
    let again = held(ask(&mut backend, once(reserve(&us(), 3, HOUR), "token/reserve", "k1")));
    assert_eq!(again, reservation);
    // Another scope is another key; another body a conflict.
    assert_eq!(range(ask(&mut backend, once(next(&us(), 2), "other/next", "k1"))), (6, 7));
    for other in [next(&us(), 1), reserve(&us(), 2, HOUR)] {
        let conflict = ask(&mut backend, once(other, "token/next", "k1")).unwrap_err();
        assert!(matches!(conflict, SequenceError::IdempotencyConflict));
    }
    assert_eq!(counter(&mut backend, &us()), Some(7));
}

pub(crate) fn two_equal_requests_in_one_batch_get_one_answer<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let same = || once(next(&us(), 1), "t", "k");
    let other = once(next(&us(), 2), "t", "k");
    let outcomes = backend.commit(&[same(), next(&us(), 1), same(), other]).unwrap();
    let [a, plain, b, conflict] = <[_; 4]>::try_from(outcomes).unwrap();
    assert_eq!((range(a), range(plain), range(b)), ((1, 1), (2, 2), (1, 1)));
    assert!(matches!(conflict, Err(SequenceError::IdempotencyConflict)));
    assert_eq!(range(ask(&mut backend, same())), (1, 1));
}

pub(crate) fn an_answer_whose_time_is_up_is_not_repeated<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let mut brief = once(next(&us(), 1), "t", "k");
    brief.idempotency.as_mut().unwrap().keep = Duration::ZERO;
    assert_eq!(range(ask(&mut backend, brief.clone())), (1, 1));
    assert_eq!(range(ask(&mut backend, brief)), (2, 2));
    // An error is not kept: the next try may fare better.
    let missing = Layout::registry().with_missing_row(MissingRow::IsAnError);
    let store = S::new(missing);
    let mut backend = store.open();
    assert!(ask(&mut backend, once(next(&us(), 1), "t", "k")).is_err());
    ask(&mut backend, raise(&us(), 4)).unwrap();
    assert_eq!(range(ask(&mut backend, once(next(&us(), 1), "t", "k"))), (5, 5));
}

pub(crate) fn keys_are_values_and_never_sql<S: Store>() {
    let store = S::new(Layout::registry());
    let mut backend = store.open();
    let odd = ["'; DROP TABLE id_registry; --", "a\"b", "ü 汉字", "%_\\", "NULL"];
    let keys: Vec<Key> = odd.iter().map(|kind| Key::new([*kind, "p"]).unwrap()).collect();
    for _ in 0..2 {
        let batch: Vec<Request> = keys.iter().map(|key| next(key, 1)).collect();
        assert!(backend.commit(&batch).unwrap().iter().all(Result::is_ok));
    }
    for key in &keys {
        assert_eq!(counter(&mut backend, key), Some(2), "{key}");
    }
}

pub(crate) fn a_custom_table_works_as_the_built_in_ones<S: Store>() {
    let layout = Layout::custom("Numbers", &["kind", "Year"], "Hi", "{kind}-{Year}-{n:02}");
    let layout = layout.unwrap().with_missing_row(MissingRow::Starts);
    let store = S::new(layout.clone());
    let mut backend = store.open();
    let key = layout.key(&[("kind", "A"), ("Year", "2026")]).unwrap();
    assert_eq!(range(ask(&mut backend, next(&key, 1))), (1, 1));
    let reservation = held(ask(&mut backend, reserve(&key, 2, HOUR)));
    assert_eq!(reservation.issued.ids(&layout), ["A-2026-02", "A-2026-03"]);
    ask(&mut backend, Action::Confirm(reservation.id).into()).unwrap();
}

pub(crate) fn several_programs_at_once_get_no_number_twice<S: Store + Sync>() {
    const PROGRAMS: u32 = 4;
    const EACH: u32 = 25;
    let store = S::new(Layout::registry());
    let ranges = std::thread::scope(|scope| {
        let program = |i: u32| {
            let store = &store;
            scope.spawn(move || {
                let mut backend = store.open();
                let other = Key::new(["TASK", "alpha"]).unwrap();
                let mut taken = Vec::new();
                for n in 0..EACH {
                    let batch =
                        [next(&us(), 1), next(&other, 1), reserve(&us(), 1 + (i + n) % 3, HOUR)];
                    // In the other order too, where locks could be taken crosswise.
                    let batch: Vec<_> = if i.is_multiple_of(2) {
                        batch.into()
                    } else {
                        batch.into_iter().rev().collect()
                    };
                    let outcomes = loop {
                        match backend.commit(&batch) {
                            Ok(outcomes) => break outcomes,
                            Err(SequenceError::Busy { .. }) => {}
                            Err(error) => panic!("{error}: {error:?}"),
                        }
                    };
                    let issued = batch.iter().zip(outcomes);
                    let of_us =
                        issued.filter(|(request, _)| !format!("{request:?}").contains("TASK"));
                    taken.extend(of_us.map(|(_, outcome)| range(outcome)));
                }
                taken
            })
        };
        let programs: Vec<_> = (0..PROGRAMS).map(program).collect();
        programs.into_iter().flat_map(|program| program.join().unwrap()).collect::<Vec<_>>()
    });
    let numbers: Vec<u32> = ranges.iter().flat_map(|&(first, last)| first..=last).collect();
    let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was issued twice");
    let mut backend = store.open();
    assert_eq!(counter(&mut backend, &us()).map(|n| n as usize), Some(numbers.len()));
    let other = Key::new(["TASK", "alpha"]).unwrap();
    assert_eq!(counter(&mut backend, &other), Some(PROGRAMS * EACH));
}

pub(crate) fn the_same_request_sent_to_several_programs_gets_one_answer<S: Store + Sync>() {
    let store = S::new(Layout::registry());
    for round in 1..=3 {
        let program = || {
            let mut backend = store.open();
            let same = once(reserve(&us(), 2, HOUR), "token", &format!("key {round}"));
            loop {
                match ask(&mut backend, same.clone()) {
                    Err(SequenceError::Busy { .. }) => {}
                    answer => return held(answer),
                }
            }
        };
        let answers = std::thread::scope(|scope| {
            let programs = [(); 4].map(|()| scope.spawn(program));
            programs.map(|program| program.join().unwrap())
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(counter(&mut store.open(), &us()), Some(2 * round));
    }
}

/// Makes a test of each rule, for one store.
macro_rules! conformance {
    ($store:ty: $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            $crate::sequence::conformance::$rule::<$store>();
        })*
    };
    ($store:ty) => {
        conformance!($store:
            the_first_number_is_one_and_the_next_follows
            a_batch_is_answered_in_order_and_stored_once
            a_bad_request_costs_the_others_nothing
            numbers_end_at_u32_and_issue_nothing_beyond
            a_name_without_a_row_is_an_error_that_says_sync
            a_sequence_raised_to_nothing_starts_at_one
            a_raise_never_lowers
            the_same_request_sent_to_several_programs_gets_one_answer
            a_counter_that_goes_back_issues_nothing_a_second_time
            a_reservation_is_held_confirmed_and_repeated
            an_expired_reservation_leaves_a_gap
            what_is_old_is_deleted_bit_by_bit
            a_probe_takes_no_number
            a_repeated_request_gets_the_same_answer
            two_equal_requests_in_one_batch_get_one_answer
            an_answer_whose_time_is_up_is_not_repeated
            keys_are_values_and_never_sql
            a_custom_table_works_as_the_built_in_ones
            several_programs_at_once_get_no_number_twice
        );
    };
}
pub(crate) use conformance;
