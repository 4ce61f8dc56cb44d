//! The rows beside the sequences: reservations and kept answers.
//!
//! They are written in the transaction that takes the numbers. Times are those of
//! the database's clock as it stands when a statement runs, not when its
//! transaction began.

use std::time::Duration;

use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

use crate::sequence::{Idempotency, Known, Layout, MAX_EXPIRED, ReservationRow, StoredAnswer};

/// The table of kept answers.
pub(super) const ANSWERS: &str = "orchestrator_idempotency";

/// More than any reservation is old; an interval cannot be of any length.
const LONGEST_GRACE: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Returns the name of the table of a layout's reservations: the original's own, or
/// one of ours.
pub(super) fn reservations(layout: &Layout) -> &'static str {
    if layout.layout_name() == "registry" { "id_reservations" } else { "orchestrator_reservations" }
}

/// The statements on reservations, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Reservations {
    insert: Statement,
    count: Statement,
    confirm: Statement,
    delete: Statement,
}

impl Reservations {
    /// Prepares the statements; `may_be_null` says that another program made the column
    /// `confirmed`, and that the index of what is open does not have all of it.
    pub(super) async fn prepare(
        client: &Client,
        layout: &Layout,
        may_be_null: bool,
    ) -> Result<Self, Error> {
        let table = reservations(layout);
        let (columns, values) = match layout.layout_name() {
            "registry" => ("artifact_type, project_id", "r.key ->> 0, r.key ->> 1"),
            _ => (
                "sequence_table, sequence_key",
                "r.of, ARRAY(SELECT json_array_elements_text(r.key))",
            ),
        };
        let insert = format!(
            "INSERT INTO {table} (reservation_id, {columns}, reserved_ids, expires_at) \
             SELECT r.id, {values}, ARRAY(SELECT json_array_elements_text(r.ids)), r.until \
             FROM json_to_recordset($1::text::json) \
             AS r(id uuid, \"of\" text, key json, ids json, until timestamptz)"
        )
        .replace("r.of", "r.\"of\"");
        let confirm = format!(
            "UPDATE {table} r SET confirmed = TRUE WHERE r.reservation_id = ANY ($1::uuid[]) \
             AND (r.confirmed OR r.expires_at > clock_timestamp()) RETURNING r.reservation_id"
        );
        let is_open = if may_be_null { "r.confirmed IS NOT TRUE" } else { "NOT r.confirmed" };
        // Asked twice, since rows of two partitions may have the same place.
        let is_old = format!(
            "{is_open} AND r.expires_at < clock_timestamp() - $1::float8 * interval '1 second'"
        );
        let delete = format!(
            "DELETE FROM {table} r WHERE {is_old} AND r.ctid = ANY (ARRAY(\
             SELECT r.ctid FROM {table} r WHERE {is_old} LIMIT {MAX_EXPIRED}))"
        );
        let count =
            format!("SELECT count(*) FROM {table} r WHERE r.reservation_id = ANY ($1::uuid[])");
        let (insert, count, confirm, delete) = tokio::try_join!(
            client.prepare(&insert),
            client.prepare(&count),
            client.prepare(&confirm),
            client.prepare(&delete)
        )?;
        Ok(Self { insert, count, confirm, delete })
    }

    /// Inserts rows.
    pub(super) async fn insert(
        &self,
        client: &Client,
        layout: &Layout,
        rows: &[ReservationRow],
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let record = |row: &ReservationRow| {
            let reservation = &row.reservation;
            serde_json::json!({
                "id": reservation.id, "of": layout.table(), "ids": row.ids,
                "key": reservation.issued.key.values(), "until": reservation.expires_at,
            })
        };
        let records = serde_json::Value::from_iter(rows.iter().map(record)).to_string();
        client.execute(&self.insert, &[&records]).await.map(drop)
    }

    /// Returns whether all rows are there: a trigger may have kept some away.
    pub(super) async fn hold(
        &self,
        client: &Client,
        rows: &[ReservationRow],
    ) -> Result<bool, Error> {
        if rows.is_empty() {
            return Ok(true);
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.reservation.id).collect();
        let there: i64 = client.query_one(&self.count, &[&ids]).await?.get(0);
        Ok(usize::try_from(there) == Ok(rows.len()))
    }

    /// Returns for each reservation whether it is confirmed now.
    pub(super) async fn confirm(&self, client: &Client, ids: &[Uuid]) -> Result<Vec<bool>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = client.query(&self.confirm, &[&ids]).await?;
        let confirmed: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        Ok(ids.iter().map(|id| confirmed.contains(id)).collect())
    }

    /// Returns how many were deleted.
    pub(super) async fn delete(&self, client: &Client, grace: Duration) -> Result<u64, Error> {
        client.execute(&self.delete, &[&grace.min(LONGEST_GRACE).as_secs_f64()]).await
    }
}

/// The statements on kept answers, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    known: Statement,
    replace: Statement,
    insert: Statement,
    delete: Statement,
}

/// Answers to insert, by column.
#[derive(Debug, Default)]
pub(super) struct NewAnswers {
    scopes: Vec<String>,
    keys: Vec<String>,
    fingerprints: Vec<String>,
    texts: Vec<String>,
    until: Vec<String>,
}

impl NewAnswers {
    pub(super) fn new(answers: &[StoredAnswer]) -> Self {
        let mut new = Self::default();
        for answer in answers {
            new.scopes.push(answer.scope.clone());
            new.keys.push(answer.key.clone());
            new.fingerprints.push(answer.fingerprint.clone());
            new.texts.push(answer.answer.clone());
            new.until.push(answer.expires_at.to_string());
        }
        new
    }
}

impl Answers {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let known = "SELECT a.scope, a.key, a.fingerprint, a.answer \
             FROM orchestrator_idempotency a \
             JOIN unnest($1::text[], $2::text[]) AS asked(scope, key) \
             ON a.scope = asked.scope AND a.key = asked.key \
             WHERE a.expires_at > clock_timestamp()";
        // What is not outdated stays, and the insertion fails: another server has
        // answered meanwhile, and the batch must be tried again.
        let replace = "DELETE FROM orchestrator_idempotency a \
             USING unnest($1::text[], $2::text[]) AS asked(scope, key) \
             WHERE a.scope = asked.scope AND a.key = asked.key \
             AND a.expires_at <= clock_timestamp()";
        let insert = "INSERT INTO orchestrator_idempotency \
             (scope, key, fingerprint, answer, expires_at) \
             SELECT n.scope, n.key, n.fingerprint, n.answer, n.until::timestamptz \
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) \
             AS n(scope, key, fingerprint, answer, until)";
        let delete = format!(
            "DELETE FROM orchestrator_idempotency a WHERE a.ctid = ANY (ARRAY(\
             SELECT e.ctid FROM orchestrator_idempotency e \
             WHERE e.expires_at <= clock_timestamp() LIMIT {MAX_EXPIRED}))"
        );
        let (known, replace, insert, delete) = tokio::try_join!(
            client.prepare(known),
            client.prepare(replace),
            client.prepare(insert),
            client.prepare(&delete)
        )?;
        Ok(Self { known, replace, insert, delete })
    }

    /// Reads the answers to repetitions.
    pub(super) async fn known(
        &self,
        client: &Client,
        questions: &[&Idempotency],
    ) -> Result<Known, Error> {
        let scopes: Vec<&str> = questions.iter().map(|asked| asked.scope.as_str()).collect();
        let keys: Vec<&str> = questions.iter().map(|asked| asked.key.as_str()).collect();
        let rows = client.query(&self.known, &[&scopes, &keys]).await?;
        let answer = |row: &tokio_postgres::Row| StoredAnswer {
            scope: row.get(0),
            key: row.get(1),
            fingerprint: row.get(2),
            answer: row.get(3),
            expires_at: jiff::Timestamp::MAX,
        };
        let answers = rows.iter().map(answer);
        Ok(answers.map(|answer| ((answer.scope.clone(), answer.key.clone()), answer)).collect())
    }

    /// Deletes outdated answers that are in the way of new ones.
    pub(super) async fn replace(&self, client: &Client, new: &NewAnswers) -> Result<(), Error> {
        if new.scopes.is_empty() {
            return Ok(());
        }
        client.execute(&self.replace, &[&new.scopes, &new.keys]).await.map(drop)
    }

    /// Inserts answers.
    pub(super) async fn insert(&self, client: &Client, new: &NewAnswers) -> Result<(), Error> {
        if new.scopes.is_empty() {
            return Ok(());
        }
        let NewAnswers { scopes, keys, fingerprints, texts, until } = new;
        client.execute(&self.insert, &[scopes, keys, fingerprints, texts, until]).await.map(drop)
    }

    /// Deletes what is outdated; returns how many.
    pub(super) async fn delete(&self, client: &Client) -> Result<u64, Error> {
        client.execute(&self.delete, &[]).await
    }
}
