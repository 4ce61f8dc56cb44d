//! Numbers alone: each batch one statement, and a transaction of its own.
//!
//! A trigger could change what the statement answers, and anybody may add one at any
//! moment. To look for triggers costs about as much as to take the numbers, so that is
//! left out where nobody can have added one since the last look. The server numbers the
//! transactions that write, all databases together, and to add a trigger is one: where
//! ours has the number that was to come next, with none older open, no other came between.

use std::mem;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::rows::{Rows, total};
use super::table::Table;
use crate::sequence::Sum;

/// Says which number the next transaction has that writes, NULL where another is open that
/// has an older one; and of partitions, which are locked only once ours has its number.
const LOOK: &str = "CASE WHEN c.relkind = 'r' AND txid_snapshot_xmin(txid_current_snapshot()) \
     = txid_snapshot_xmax(txid_current_snapshot()) \
     THEN txid_snapshot_xmax(txid_current_snapshot()) END";

/// What takes numbers alone on one connection.
#[derive(Debug)]
pub(super) struct Alone {
    /// None on a server that does not number its transactions like PostgreSQL.
    statements: Option<Statements>,
    /// The number of the next transaction that writes, where all before it are seen to
    /// have added no trigger.
    next: Option<i64>,
    /// Whether the last of ours came at once after the one before it. Where others write
    /// too, it is quicker to look at once than to find out first.
    is_quiet: bool,
}

#[derive(Debug)]
struct Statements {
    /// For a batch of one sequence.
    one: Statement,
    many: Statement,
    look: Statement,
}

/// What a look has found.
struct Seen {
    has_triggers: bool,
    next: Option<i64>,
}

impl Alone {
    pub(super) async fn prepare(client: &Client, table: &Table) -> Result<Self, Error> {
        let (one, many, look) = (table.add_one(), table.add_alone(), Table::has_triggers(LOOK));
        let prepared =
            tokio::try_join!(client.prepare(&one), client.prepare(&many), client.prepare(&look));
        let statements = match prepared {
            Ok((one, many, look)) => Some(Statements { one, many, look }),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_FUNCTION) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { statements, next: None, is_quiet: false })
    }

    /// Forgets what was seen: a transaction was written that is not from here.
    pub(super) fn forget(&mut self) {
        self.next = None;
        self.is_quiet = false;
    }

    /// Adds each sum, and returns each counter before, `None` where the row could not take
    /// the sum; nothing at all where the table may have a trigger or a rule by now, so that
    /// the numbers must not be told.
    pub(super) async fn add(
        &mut self,
        client: &Client,
        rows: &Rows,
        sums: &[Sum],
    ) -> Result<Option<Vec<Option<u32>>>, Error> {
        let Some(statements) = &self.statements else {
            // In this order, and the second does not wait for the first.
            let (added, has_triggers) =
                tokio::join!(biased; rows.add(client, sums), rows.has_triggers(client));
            let added = added?;
            return Ok((!has_triggers?).then_some(added));
        };
        let (expected, was_quiet) = (self.next.take(), mem::take(&mut self.is_quiet));
        let add = statements.add(client, rows, sums);
        let (added, seen) = match was_quiet {
            true => (add.await?, None),
            false => {
                let (added, seen) = tokio::join!(biased; add, statements.look(client, rows));
                (added?, Some(seen?))
            }
        };
        let own: Option<i64> = added.first().map(|row| row.get(row.len() - 1));
        self.is_quiet = own.is_some() && own == expected;
        let seen = match seen {
            Some(seen) => seen,
            None if self.is_quiet => {
                Seen { has_triggers: false, next: own.map(|number| number + 1) }
            }
            None => statements.look(client, rows).await?,
        };
        self.next = seen.next;
        Ok((!seen.has_triggers).then(|| rows.before(sums, &added)))
    }
}

impl Statements {
    async fn add(&self, client: &Client, rows: &Rows, sums: &[Sum]) -> Result<Vec<Row>, Error> {
        let [sum] = sums else {
            return rows.query_sums(client, &self.many, sums).await;
        };
        let (total, limit) = (total(sum), rows.limit());
        let values = sum.key.values().iter();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = values.map(|value| value as _).collect();
        parameters.extend([&total as &(dyn ToSql + Sync), &limit]);
        client.query(&self.one, &parameters).await
    }

    async fn look(&self, client: &Client, rows: &Rows) -> Result<Seen, Error> {
        let found = client.query_opt(&self.look, &[&rows.name()]).await?;
        Ok(found.map_or(Seen { has_triggers: false, next: None }, |row| Seen {
            has_triggers: row.get(0),
            next: row.get(1),
        }))
    }
}
