//! A connection that knows its tables, and one batch on it.
//!
//! ```text
//! numbers alone        one statement, which is its own transaction
//! anything else        BEGIN, triggers, clock, known answers
//!                      raise, add, write beside, look again, COMMIT
//! ```
//! What does not wait for an answer is sent at once. Where a statement fails, the server
//! takes the COMMIT behind it for a ROLLBACK.
//!
//! A trigger that another program adds could let numbers come twice. So each batch looks:
//! under a lock that keeps triggers out, for numbers alone behind their statement, unless
//! nobody else has written. What one may have touched is not told, and others are taken.
//! The tables beside the counters may have triggers too: then all is looked at once more.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{Client, Statement};

use super::alone::Alone;
use super::backend::PostgresOptions;
use super::connection::{Target, connect};
use super::failure::{Failure, before_commit, in_commit, in_transaction, refused};
use super::migrate::migrate;
use super::rows::Rows;
use super::side::{ANSWERS, Answers, NewAnswers, Reservations, reservations};
use super::table::Table;
use crate::sequence::floors::Floors;
use crate::sequence::{
    Action, Counter, Key, Known, Layout, MAX_EXPIRED, Plan, Reply, Request, SequenceError, Settled,
    Sum,
};

type Outcome = Result<Reply, SequenceError>;

/// What is done beside the sequences, for errors.
const BESIDE: &str = "keep reservations and answers";

/// An open connection.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    rows: Rows,
    alone: Alone,
    /// Whether a trigger may have changed what was written last.
    has_triggers: bool,
    /// Whether they can be kept out; else each counter is looked at again.
    can_lock: bool,
    clock: Statement,
    /// What only some requests need: an error where the table is not there, or not as
    /// it should be.
    reservations: Result<Reservations, SequenceError>,
    answers: Result<Answers, SequenceError>,
}

impl Session {
    /// Connects, makes the tables where that is asked for, and looks at them.
    pub(super) async fn open(
        target: &Target,
        options: PostgresOptions,
        layout: &Layout,
    ) -> Result<Self, SequenceError> {
        let mut client = connect(target, options.isolation, options.busy_for).await?;
        if options.make_tables {
            migrate(&mut client, layout).await?;
        }
        let table = Table::describe(&client, layout).await?;
        let prepared = Self::prepare(client, &table, layout).await;
        prepared.map_err(|error| in_transaction("prepare the statements", error, options.busy_for))
    }

    async fn prepare(
        client: Client,
        table: &Table,
        layout: &Layout,
    ) -> Result<Self, tokio_postgres::Error> {
        let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let rows = Rows::prepare(&client, table).await?;
        let alone = Alone::prepare(&client, table).await?;
        let clock = client.prepare(clock).await?;
        let exists = "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL, \
             EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass($1) \
             AND a.attname = 'confirmed' AND NOT a.attnotnull), \
             EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass($1) \
             AND c.relpersistence <> 'p'), \
             EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass($2) \
             AND c.relpersistence <> 'p')";
        let exists = client.query_one(exists, &[&reservations(layout), &ANSWERS]).await?;
        let missing = |table: &str| SequenceError::NoTable { table: table.to_owned() };
        let reservations = match (exists.get(0), exists.get(3)) {
            (true, false) => {
                let prepared = Reservations::prepare(&client, layout, exists.get(2)).await;
                usable("use the reservations", prepared)?
            }
            (true, true) => Err(SequenceError::emptied(reservations(layout))),
            (false, _) => Err(missing(reservations(layout))),
        };
        let answers = match (exists.get(1), exists.get(4)) {
            (true, false) => usable("use the kept answers", Answers::prepare(&client).await)?,
            (true, true) => Err(SequenceError::emptied(ANSWERS)),
            (false, _) => Err(missing(ANSWERS)),
        };
        let has_triggers = rows.has_triggers(&client).await?;
        let can_lock = rows.can_lock(&client).await?;
        Ok(Self { client, rows, alone, has_triggers, can_lock, clock, reservations, answers })
    }

    /// Tells whether the connection is still there, as far as that can be seen.
    pub(super) async fn is_alive(&self) -> bool {
        // The first lets the runtime look at the socket, the second the connection
        // at what came.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        !self.client.is_closed()
    }

    /// Returns the error of a request that needs a table which cannot be used.
    pub(super) fn refusal(&self, request: &Request) -> Option<SequenceError> {
        let is_held = matches!(
            request.action,
            Action::Reserve { .. } | Action::Confirm(_) | Action::Expire { .. }
        );
        match (request, self) {
            (_, Self { reservations: Err(error), .. }) if is_held => Some(error.clone()),
            (Request { action: Action::Probe, .. }, Self { answers: Err(error), .. })
            | (Request { idempotency: Some(_), .. }, Self { answers: Err(error), .. }) => {
                Some(error.clone())
            }
            _ => None,
        }
    }

    /// Reads all sequences.
    pub(super) async fn counters(&self) -> Result<Vec<Counter>, Failure> {
        let counters = self.rows.all(&self.client).await;
        counters.map_err(|error| before_commit("read the counters", error))
    }

    /// Carries out a batch, and leaves no transaction open.
    pub(super) async fn commit(
        &mut self,
        layout: &Layout,
        requests: &[Request],
        floors: &Floors,
    ) -> Result<Vec<Outcome>, Failure> {
        let is_number = |request: &Request| {
            matches!(request.action, Action::Next { .. }) && request.idempotency.is_none()
        };
        // Where a trigger may change a counter after the statement, one is not enough.
        if requests.iter().all(is_number) && !self.has_triggers {
            let outcomes = self.numbers(layout, requests, floors).await?;
            if !self.has_triggers {
                return Ok(outcomes);
            }
        }
        let done = self.transaction(layout, requests, floors).await;
        if matches!(done, Err(ref failure) if failure.is_connected()) {
            self.roll_back().await?;
        }
        done
    }

    async fn roll_back(&self) -> Result<(), Failure> {
        let done = self.client.batch_execute("ROLLBACK").await;
        done.map_err(|error| before_commit("roll back", error))
    }

    /// Numbers alone: no clock, nothing beside them, one statement. Not to be told where
    /// there is a trigger now.
    async fn numbers(
        &mut self,
        layout: &Layout,
        requests: &[Request],
        floors: &Floors,
    ) -> Result<Vec<Outcome>, Failure> {
        let plan = Plan::new(layout, requests, &Known::new());
        if plan.sums().is_empty() {
            return Ok(plan.settle(Timestamp::UNIX_EPOCH, &[], &[]).outcomes(&[], &[]));
        }
        let added = self.alone.add(&self.client, &self.rows, plan.sums()).await;
        let Some(added) = added.map_err(|error| in_commit("take numbers", error))? else {
            self.has_triggers = true;
            return Ok(Vec::new());
        };
        let rest = rest(plan.sums(), &added);
        let looked = if rest.is_empty() { Ok(Vec::new()) } else { self.add_rest(&rest).await };
        // The others have theirs by now; only these hear of what went wrong here.
        let looked = looked.unwrap_or_else(|failure| {
            let error = failure.into_error();
            rest.iter().map(|_| Err(error.clone())).collect()
        });
        let added = floors.check(plan.sums(), merge(added, looked));
        Ok(plan.settle(Timestamp::UNIX_EPOCH, &[], &added).outcomes(&[], &[]))
    }

    async fn add_rest(&self, rest: &[&Sum]) -> Result<Vec<Result<u32, SequenceError>>, Failure> {
        let doing = "take numbers";
        let begun = self.client.batch_execute(&self.begin_writing()).await;
        begun.map_err(|error| before_commit(doing, error))?;
        let looked = self.add_rest_and_look(rest).await;
        if looked.is_err() {
            self.roll_back().await?;
        }
        let looked = looked?;
        let committed = self.client.batch_execute("COMMIT").await;
        committed.map_err(|error| in_commit(doing, error)).map(|()| looked)
    }

    async fn add_rest_and_look(
        &self,
        rest: &[&Sum],
    ) -> Result<Vec<Result<u32, SequenceError>>, Failure> {
        let added = self.rows.add_rest(&self.client, rest).await;
        let added = added.map_err(|error| before_commit("take numbers", error))?;
        let after = |(sum, before): (&&Sum, &Result<u32, SequenceError>)| {
            let before = *before.as_ref().ok()?;
            Some((sum.key.clone(), i64::from(before) + i64::from(sum.fitting(before))))
        };
        self.look_again(&rest.iter().zip(&added).filter_map(after).collect()).await?;
        Ok(added)
    }

    /// What begins a transaction that writes counters.
    fn begin_writing(&self) -> String {
        match self.can_lock {
            true => format!("BEGIN; {}", self.rows.lock()),
            false => "BEGIN".to_owned(),
        }
    }

    /// Lets triggers do before the commit what they would do with it, and checks that
    /// counters are still what was written.
    async fn look_again(&self, written: &BTreeMap<Key, i64>) -> Result<(), Failure> {
        let doing = |error| before_commit("take numbers", error);
        self.rows.fire(&self.client).await.map_err(doing)?;
        match self.rows.lost(&self.client, written).await.map_err(doing)? {
            Some(key) => Err(Failure::BadData(SequenceError::not_kept(key))),
            None => Ok(()),
        }
    }

    async fn transaction(
        &mut self,
        layout: &Layout,
        requests: &[Request],
        floors: &Floors,
    ) -> Result<Vec<Outcome>, Failure> {
        self.alone.forget();
        let (now, known) = self.begin(requests).await?;
        let plan = Plan::new(layout, requests, &known);
        let doing = |error| before_commit("take numbers", error);
        let raised = match plan.raises() {
            [] => Vec::new(),
            raises => self.rows.raise(&self.client, raises).await.map_err(doing)?,
        };
        let mut added = Vec::new();
        // Without the lock one may be added at any moment.
        let looks_again = self.has_triggers || !self.can_lock;
        let standing = match looks_again {
            true => self.rows.standing(&self.client, plan.sums()).await.map_err(doing)?,
            false => HashMap::new(),
        };
        if !plan.sums().is_empty() {
            let sums = self.rows.add(&self.client, plan.sums()).await.map_err(doing)?;
            let rest = rest(plan.sums(), &sums);
            let looked = match rest.as_slice() {
                [] => Vec::new(),
                rest => self.rows.add_rest(&self.client, rest).await.map_err(doing)?,
            };
            added = merge(sums, looked);
        }
        let stood = |key: &Key| standing.get(key.values()).copied();
        let written = plan.written(&raised, &added, stood);
        let added = floors.check(plan.sums(), added);
        if plan.probes() {
            self.rows.probe(&self.client).await.map_err(doing)?;
        }
        let expirations = plan.expirations().to_vec();
        let settled = plan.settle(now, &raised, &added);
        let mut deleted = Vec::new();
        for grace in expirations {
            deleted.push(self.expire(grace).await.map_err(doing)?);
        }
        // Those tables may have triggers, too.
        let is_beside =
            settled.has_rows() || !settled.confirmations().is_empty() || !deleted.is_empty();
        let confirmed = match (looks_again || is_beside) && !written.is_empty() {
            true => self.end_looking(layout, &settled, &written).await?,
            false => {
                let (confirmed, committed) = tokio::join!(
                    biased; self.beside(layout, &settled), self.client.batch_execute("COMMIT")
                );
                let confirmed = confirmed.map_err(|error| in_commit(BESIDE, error))?;
                committed.map_err(|error| in_commit("commit", error))?;
                confirmed
            }
        };
        Ok(settled.outcomes(&confirmed, &deleted))
    }

    async fn begin(&mut self, requests: &[Request]) -> Result<(Timestamp, Known), Failure> {
        let questions = Plan::questions(requests);
        let known = async {
            match &self.answers {
                Ok(answers) if !questions.is_empty() => {
                    answers.known(&self.client, &questions).await
                }
                _ => Ok(Known::new()),
            }
        };
        let is_beside = |request: &Request| {
            matches!(request.action, Action::Confirm(_) | Action::Expire { .. })
        };
        let writes = !requests.iter().all(is_beside);
        let begin = if writes { self.begin_writing() } else { "BEGIN".to_owned() };
        let has_triggers = async {
            match writes {
                true => self.rows.has_triggers(&self.client).await,
                false => Ok(self.has_triggers),
            }
        };
        // In this order, and none waits for the one before it.
        let (begun, has_triggers, now, known) = tokio::join!(
            biased;
            self.client.batch_execute(&begin),
            has_triggers,
            self.client.query_one(&self.clock, &[]),
            known
        );
        let doing = |error| before_commit("begin a transaction", error);
        begun.map_err(doing)?;
        self.has_triggers = has_triggers.map_err(doing)?;
        let micros = now.map_err(doing)?.get(0);
        // PostgreSQL's clock goes further than jiff's.
        let now = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
        Ok((now, known.map_err(doing)?))
    }

    /// Returns how many reservations were deleted, and whether nothing is left.
    async fn expire(&self, grace: Duration) -> Result<(u64, bool), tokio_postgres::Error> {
        let answers = match &self.answers {
            Ok(answers) => answers.delete(&self.client).await?,
            Err(_) => 0,
        };
        let deleted = match &self.reservations {
            Ok(reservations) => reservations.delete(&self.client, grace).await?,
            Err(_) => 0,
        };
        Ok((deleted, deleted.max(answers) < u64::from(MAX_EXPIRED)))
    }

    /// Writes what is beside the sequences, looks whether all of it is there, as triggers
    /// may prevent, and commits; returns what is confirmed.
    async fn end_looking(
        &self,
        layout: &Layout,
        settled: &Settled,
        written: &BTreeMap<Key, i64>,
    ) -> Result<Vec<bool>, Failure> {
        let doing = |error| before_commit(BESIDE, error);
        let confirmed = self.beside(layout, settled).await.map_err(doing)?;
        self.look_again(written).await?;
        if let Ok(reservations) = &self.reservations
            && !reservations.hold(&self.client, &settled.reservations).await.map_err(doing)?
        {
            return Err(Failure::BadData(SequenceError::not_held()));
        }
        let committed = self.client.batch_execute("COMMIT").await;
        committed.map_err(|error| in_commit("commit", error)).map(|()| confirmed)
    }

    /// Writes what is beside the sequences; returns what is confirmed.
    async fn beside(
        &self,
        layout: &Layout,
        settled: &Settled,
    ) -> Result<Vec<bool>, tokio_postgres::Error> {
        let client = &self.client;
        let new = NewAnswers::new(&settled.answers);
        let hold = async {
            match &self.reservations {
                Ok(held) => held.insert(client, layout, &settled.reservations).await,
                Err(_) => Ok(()),
            }
        };
        let replace = async {
            match &self.answers {
                Ok(answers) => answers.replace(client, &new).await,
                Err(_) => Ok(()),
            }
        };
        let keep = async {
            match &self.answers {
                Ok(answers) => answers.insert(client, &new).await,
                Err(_) => Ok(()),
            }
        };
        let confirm = async {
            match &self.reservations {
                Ok(held) => held.confirm(client, settled.confirmations()).await,
                Err(_) => Ok(Vec::new()),
            }
        };
        // The first that failed is why; what follows it fails with it.
        let (held, replaced, kept, confirmed) = tokio::join!(biased; hold, replace, keep, confirm);
        held.and(replaced).and(kept).and(confirmed)
    }
}

/// Keeps the error of statements on a table that is of another shape; the connection
/// still serves those who do not need it.
fn usable<T>(
    doing: &'static str,
    prepared: Result<T, tokio_postgres::Error>,
) -> Result<Result<T, SequenceError>, tokio_postgres::Error> {
    match prepared {
        Ok(statements) => Ok(Ok(statements)),
        Err(error) if error.as_db_error().is_some() => Ok(Err(refused(doing, error))),
        Err(error) => Err(error),
    }
}

/// The sums that their rows could not take.
fn rest<'a>(sums: &'a [Sum], added: &[Option<u32>]) -> Vec<&'a Sum> {
    sums.iter().zip(added).filter(|(_, added)| added.is_none()).map(|(sum, _)| sum).collect()
}

/// Puts what a second look has found where the first had nothing.
fn merge(
    added: Vec<Option<u32>>,
    looked: Vec<Result<u32, SequenceError>>,
) -> Vec<Result<u32, SequenceError>> {
    let mut looked = looked.into_iter();
    let one = |added: Option<u32>| match added {
        Some(before) => Ok(before),
        None => looked.next().expect("each that is missing was looked at"),
    };
    added.into_iter().map(one).collect()
}
