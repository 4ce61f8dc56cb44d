//! The rows of sequences: adding to them, raising them, reading them, for a whole
//! batch at once.
//!
//! Errors of a single sequence have changed nothing and are inside the results;
//! those of the driver end the transaction and are outside.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::table::Table;
use crate::sequence::{Counter, Key, MissingRow, SequenceError, Sum};

/// Says whether what is read may be older than the locks that are held; those of partitions
/// are not held yet.
const HAS_OLD_SNAPSHOT: &str =
    "c.relkind = 'p' OR current_setting('transaction_isolation') <> 'read committed'";

/// The statements on a table of sequences, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    add: Statement,
    set: Statement,
    look: Statement,
    all: Statement,
    triggers: Statement,
    /// The table's name, quoted.
    name: String,
    /// The highest number that the column can hold and that is an ID's.
    limit: i64,
    missing: MissingRow,
}

impl Rows {
    pub(super) async fn prepare(client: &Client, table: &Table) -> Result<Self, Error> {
        let (add, set, look, all) = (table.add(), table.set(), table.look(), table.all());
        let triggers = Table::has_triggers(HAS_OLD_SNAPSHOT);
        // Sent together.
        let (add, set, look, all, triggers) = tokio::try_join!(
            client.prepare(&add),
            client.prepare(&set),
            client.prepare(&look),
            client.prepare(&all),
            client.prepare(&triggers)
        )?;
        let Table { name, limit, missing, .. } = table.clone();
        Ok(Self { add, set, look, all, triggers, name, limit, missing })
    }

    /// The table's name, quoted.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The highest number that a counter can hold.
    pub(super) fn limit(&self) -> i64 {
        self.limit
    }

    /// Tells whether a trigger or a rule may change what is written. Of a transaction it
    /// says the truth to the end of it once [`Rows::lock`] has come first.
    pub(super) async fn has_triggers(&self, client: &Client) -> Result<bool, Error> {
        Ok(self.look_for_triggers(client).await?.is_some_and(|(has_triggers, _)| has_triggers))
    }

    /// Tells whether a counter must be read again after it was written, of a transaction
    /// that may have begun long ago: where there is a trigger, or one might not be seen.
    pub(super) async fn must_look_again(&self, client: &Client) -> Result<bool, Error> {
        let found = self.look_for_triggers(client).await?;
        Ok(found.is_none_or(|(has_triggers, has_old_snapshot)| has_triggers || has_old_snapshot))
    }

    async fn look_for_triggers(&self, client: &Client) -> Result<Option<(bool, bool)>, Error> {
        let found = client.query_opt(&self.triggers, &[&self.name]).await?;
        Ok(found.map(|row| (row.get(0), row.get(1))))
    }

    /// The statement that keeps triggers from being added until the transaction ends,
    /// and nobody from writing. Sent before any other, also those which a snapshot of
    /// SERIALIZABLE begins with.
    pub(super) fn lock(&self) -> String {
        format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", self.name)
    }

    /// Tells whether that statement can be had: it needs a right to the whole table, and
    /// not every server that speaks PostgreSQL's language has it. Leaves no transaction.
    pub(super) async fn can_lock(&self, client: &Client) -> Result<bool, Error> {
        let locked = client.batch_execute(&format!("BEGIN; {}", self.lock())).await;
        client.batch_execute("ROLLBACK").await?;
        match locked {
            Err(error) if error.as_db_error().is_none() => Err(error),
            locked => Ok(locked.is_ok()),
        }
    }

    /// Has deferred triggers do now what they would do at the commit, of a transaction
    /// that does nothing more than take numbers.
    pub(super) async fn fire(&self, client: &Client) -> Result<(), Error> {
        client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await
    }

    /// Returns where counters stand, by their keys, and locks them. Done in a
    /// transaction, where a trigger could change what is written.
    pub(super) async fn standing(
        &self,
        client: &Client,
        sums: &[Sum],
    ) -> Result<HashMap<Vec<String>, i64>, Error> {
        match sums {
            [] => Ok(HashMap::new()),
            sums => self.look(client, sums.iter().map(|sum| &sum.key)).await,
        }
    }

    /// Returns a sequence whose counter is below where it must stand, if there is one: a
    /// trigger may keep a counter, or put it back after the statement has answered. Done in
    /// the same transaction, which must not be committed then.
    pub(super) async fn lost<'a>(
        &self,
        client: &Client,
        written: &'a BTreeMap<Key, i64>,
    ) -> Result<Option<&'a Key>, Error> {
        if written.is_empty() {
            return Ok(None);
        }
        let now = self.look(client, written.keys()).await?;
        let is_lost = |(key, to): &(&Key, &i64)| now.get(key.values()).is_none_or(|now| now < *to);
        Ok(written.iter().find(is_lost).map(|(key, _)| key))
    }

    /// Adds each sum in one statement; returns each counter before, `None` where
    /// the row could not take the sum and [`Rows::add_rest`] must look why.
    pub(super) async fn add(
        &self,
        client: &Client,
        sums: &[Sum],
    ) -> Result<Vec<Option<u32>>, Error> {
        Ok(self.before(sums, &self.query_sums(client, &self.add, sums).await?))
    }

    /// Runs a statement that takes what [`Table::add`] takes.
    pub(super) async fn query_sums(
        &self,
        client: &Client,
        statement: &Statement,
        sums: &[Sum],
    ) -> Result<Vec<Row>, Error> {
        let totals = sums.iter().map(total).collect();
        let columns = Columns::new(sums.iter().map(|sum| &sum.key), totals);
        let mut parameters = columns.parameters(true);
        parameters.push(&self.limit);
        client.query(statement, &parameters).await
    }

    /// Looks at the rows that could not take a sum, and adds as much as fits;
    /// returns the counter before, or what is wrong with it. Done in a transaction.
    pub(super) async fn add_rest(
        &self,
        client: &Client,
        sums: &[&Sum],
    ) -> Result<Vec<Result<u32, SequenceError>>, Error> {
        let found = self.look(client, sums.iter().map(|sum| &sum.key)).await?;
        let mut keys = Vec::new();
        let mut numbers = Vec::new();
        let mut added = Vec::new();
        for sum in sums {
            let last = match found.get(sum.key.values()) {
                None if self.missing == MissingRow::Starts => {
                    Err(SequenceError::not_kept(&sum.key))
                }
                None => Err(SequenceError::NoSequence { key: sum.key.clone() }),
                Some(last) => counter(&sum.key, *last),
            };
            let last = last.and_then(|last| {
                let after = i64::from(last) + i64::from(sum.fitting(last));
                self.check(&sum.key, after)?;
                if after > i64::from(last) {
                    keys.push(&sum.key);
                    numbers.push(after);
                }
                Ok(last)
            });
            added.push(last);
        }
        let lost = self.set(client, keys, numbers).await?;
        let kept = |(sum, last): (&&Sum, Result<u32, SequenceError>)| {
            if lost.contains(&&sum.key) { Err(SequenceError::not_kept(&sum.key)) } else { last }
        };
        Ok(sums.iter().zip(added).map(kept).collect())
    }

    /// Raises each sequence to a number, or leaves it where it is higher; returns
    /// the counter before, `None` where there was no row. Done in a transaction.
    pub(super) async fn raise(
        &self,
        client: &Client,
        raises: &[(Key, u32)],
    ) -> Result<Vec<Result<Option<u32>, SequenceError>>, Error> {
        let found = self.look(client, raises.iter().map(|(key, _)| key)).await?;
        let mut keys = Vec::new();
        let mut numbers = Vec::new();
        let mut raised = Vec::new();
        for (key, to) in raises {
            let to = i64::from(*to);
            let last = found.get(key.values());
            let last = last.map(|last| counter(key, *last)).transpose();
            raised.push(last.and_then(|last| {
                self.check(key, to)?;
                keys.push(key);
                numbers.push(to);
                Ok(last)
            }));
        }
        // One that stayed is as high already.
        self.set(client, keys, numbers).await?;
        Ok(raised)
    }

    /// Runs the statement that writes counters on none of them: it fails where it would.
    pub(super) async fn probe(&self, client: &Client) -> Result<(), Error> {
        let (keys, numbers) = (Vec::<&str>::new(), Vec::<i64>::new());
        let mut parameters = vec![&keys as &(dyn ToSql + Sync); self.width()];
        parameters.push(&numbers);
        client.execute(&self.set, &parameters).await.map(drop)
    }

    /// Reads all sequences.
    pub(super) async fn all(&self, client: &Client) -> Result<Vec<Counter>, Error> {
        let rows = client.query(&self.all, &[]).await?;
        let mut counters = Vec::with_capacity(rows.len());
        for row in rows {
            let (values, last) = split(&row, self.width());
            match Key::new(values) {
                Ok(key) => {
                    let last = match last {
                        Some(last) => counter(&key, last),
                        None => Err(no_number(&key)),
                    };
                    counters.push((key, last));
                }
                Err(error) => tracing::warn!(%error, "a sequence was passed over"),
            }
        }
        Ok(counters)
    }

    async fn look(
        &self,
        client: &Client,
        keys: impl Iterator<Item = &Key>,
    ) -> Result<HashMap<Vec<String>, i64>, Error> {
        let columns = Columns::new(keys, Vec::new());
        Ok(self.by_key(&client.query(&self.look, &columns.parameters(false)).await?))
    }

    /// Sets counters, and returns those that stayed below.
    async fn set<'a>(
        &self,
        client: &Client,
        keys: Vec<&'a Key>,
        to: Vec<i64>,
    ) -> Result<Vec<&'a Key>, Error> {
        if keys.is_empty() {
            return Ok(keys);
        }
        let columns = Columns::new(keys.iter().copied(), to.clone());
        let now = self.by_key(&client.query(&self.set, &columns.parameters(true)).await?);
        let is_lost = |(key, to): &(&Key, i64)| now.get(key.values()).is_none_or(|now| now < to);
        Ok(keys.into_iter().zip(to).filter(is_lost).map(|(key, _)| key).collect())
    }

    /// How many columns a key has.
    fn width(&self) -> usize {
        self.set.params().len() - 1
    }

    /// Returns where each counter stood before its sum was added, of the rows that took
    /// one.
    pub(super) fn before(&self, sums: &[Sum], rows: &[Row]) -> Vec<Option<u32>> {
        let after = self.by_key(rows);
        let before = |sum: &Sum| {
            let after = after.get(sum.key.values())?;
            u32::try_from(after - total(sum)).ok()
        };
        sums.iter().map(before).collect()
    }

    /// A row without a number counts as one with a number that none can be.
    fn by_key(&self, rows: &[Row]) -> HashMap<Vec<String>, i64> {
        let numbered = |row| {
            let (key, number) = split(row, self.width());
            (key, number.unwrap_or(i64::MIN))
        };
        rows.iter().map(numbered).collect()
    }

    /// Checks that a column of a small type can hold a number.
    fn check(&self, key: &Key, number: i64) -> Result<(), SequenceError> {
        if number <= self.limit {
            return Ok(());
        }
        let source = Arc::new(TooSmall { key: key.clone(), limit: self.limit });
        Err(SequenceError::Database { doing: "write a counter", source })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column of {key} holds at most {limit}; make it a bigint")]
struct TooSmall {
    key: Key,
    limit: i64,
}

/// The keys of a batch by column, and a number for each, as parameters.
struct Columns<'a> {
    keys: Vec<Vec<&'a str>>,
    numbers: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn new(keys: impl Iterator<Item = &'a Key>, numbers: Vec<i64>) -> Self {
        let mut columns: Vec<Vec<&str>> = Vec::new();
        for key in keys {
            columns.resize(key.values().len(), Vec::new());
            for (column, value) in columns.iter_mut().zip(key.values()) {
                column.push(value);
            }
        }
        Self { keys: columns, numbers }
    }

    fn parameters(&self, has_numbers: bool) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(self.keys.len() + 2);
        all.extend(self.keys.iter().map(|column| column as &(dyn ToSql + Sync)));
        if has_numbers {
            all.push(&self.numbers);
        }
        all
    }
}

/// The sum of a batch is far below what overflows.
pub(super) fn total(sum: &Sum) -> i64 {
    i64::try_from(sum.total()).unwrap_or(i64::MAX)
}

/// The values of a key of so many columns, and the number behind them.
fn split(row: &Row, width: usize) -> (Vec<String>, Option<i64>) {
    let text = |i| row.get::<_, Option<String>>(i).unwrap_or_default();
    ((0..width).map(text).collect(), row.get(width))
}

/// Returns a counter as a number that can have been issued.
pub(super) fn counter(key: &Key, last: i64) -> Result<u32, SequenceError> {
    match u32::try_from(last) {
        Ok(last) => Ok(last),
        Err(_) if last > 0 => Err(SequenceError::Exhausted { key: key.clone(), last }),
        Err(_) if last == i64::MIN => Err(no_number(key)),
        Err(_) => Err(SequenceError::Counter { key: key.clone(), found: last.to_string() }),
    }
}

fn no_number(key: &Key) -> SequenceError {
    SequenceError::Counter { key: key.clone(), found: "NULL".to_owned() }
}
