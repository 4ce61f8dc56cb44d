//! The tables of a layout, made by numbered SQL files.
//!
//! Each is additive and recorded in `orchestrator_migrations`; all that are missing
//! are applied in one transaction that holds an advisory lock, so that servers that
//! start at the same time do not make the same table. Existing tables and rows stay
//! as they are; whether they fit the layout is looked at elsewhere.

use tokio_postgres::{Client, Error, GenericClient};

use super::failure::refused;
use crate::sequence::{Layout, SequenceError};

/// The number of our advisory lock: "ORCHMIGR" in ASCII.
const LOCK: i64 = 0x4f52_4348_4d49_4752;

/// Number, name and text of a migration, and the table that it makes.
type Migration = (i32, &'static str, &'static str, &'static str);

macro_rules! migration {
    ($number:literal, $name:literal, $table:literal) => {
        ($number, $name, include_str!(concat!("migrations/", $name, ".sql")), $table)
    };
}

const REGISTRY: Migration = migration!(1, "0001_id_registry", "id_registry");
const REGISTRY_RESERVATIONS: Migration = migration!(2, "0002_id_reservations", "id_reservations");
const PREFIX_TYPE: Migration = migration!(3, "0003_id_sequences_prefix_type", "id_sequences");
const NAME: Migration = migration!(4, "0004_id_sequences_name", "id_sequences");
const RESERVATIONS: Migration =
    migration!(5, "0005_orchestrator_reservations", "orchestrator_reservations");
const IDEMPOTENCY: Migration =
    migration!(6, "0006_orchestrator_idempotency", "orchestrator_idempotency");

/// The numbers of those that make tables of sequences; a custom one's is 0.
const SEQUENCES: [i32; 4] = [0, 1, 3, 4];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS orchestrator_migrations (
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (number, name)
)";

fn migrations(layout: &Layout) -> &'static [Migration] {
    match layout.layout_name() {
        "registry" => &[REGISTRY, REGISTRY_RESERVATIONS, IDEMPOTENCY],
        "prefix-type" => &[PREFIX_TYPE, RESERVATIONS, IDEMPOTENCY],
        "name" => &[NAME, RESERVATIONS, IDEMPOTENCY],
        _ => &[RESERVATIONS, IDEMPOTENCY],
    }
}

/// Returns what makes a custom layout's table, and fails where one has the same name but for
/// its case: PostgreSQL writes names small that are not quoted, and who named that one as
/// they had made it would get a second table, and numbers from 1 on.
fn to_create(layout: &Layout) -> String {
    let create = layout.to_create("BIGINT");
    let table = layout.table();
    format!(
        "DO $$ DECLARE other text; BEGIN \
         SELECT c.oid::regclass::text INTO other FROM pg_class c \
         WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) \
         AND c.relname <> '{table}' AND lower(c.relname) = lower('{table}') LIMIT 1; \
         IF other IS NOT NULL THEN \
         RAISE EXCEPTION 'there is the table %, whose name has another case: name that', other; \
         END IF; END $$; {create}"
    )
}

/// Makes the tables that are missing.
pub(super) async fn migrate(client: &mut Client, layout: &Layout) -> Result<(), SequenceError> {
    apply(client, layout).await.map_err(|error| refused("make the tables", error))
}

async fn apply(client: &mut Client, layout: &Layout) -> Result<(), Error> {
    // What waited for the lock must see what its holder made.
    let isolation = tokio_postgres::IsolationLevel::ReadCommitted;
    let transaction = client.build_transaction().isolation_level(isolation).start().await?;
    apply_within(&transaction, layout).await?;
    transaction.commit().await
}

/// The same in the transaction that is under way.
pub(super) async fn apply_within<C>(client: &C, layout: &Layout) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // What is there is not even tried to be made: that needs a right of its own.
    if !is_there(client, "orchestrator_migrations").await? {
        client.batch_execute(RECORD).await?;
    }
    let own = || (0, layout.table(), to_create(layout), layout.quoted_table());
    let own = (layout.layout_name() == "custom").then(own);
    let numbered = migrations(layout).iter();
    let numbered = numbered.map(|&(n, name, sql, table)| (n, name, sql.into(), table.into()));
    for (number, name, sql, table) in own.into_iter().chain(numbered) {
        let is_applied = "SELECT EXISTS (SELECT FROM orchestrator_migrations m \
                          WHERE m.number = $1 AND m.name = $2)";
        let is_applied: bool = client.query_one(is_applied, &[&number, &name]).await?.get(0);
        // A lost table of sequences must not come back empty; of the others only
        // what they held is lost.
        let is_lost = is_applied && SEQUENCES.contains(&number);
        if !is_lost && !is_there(client, &table).await? {
            client.batch_execute(&sql).await?;
        }
        if !is_applied {
            let record = "INSERT INTO orchestrator_migrations (number, name) VALUES ($1, $2)";
            client.execute(record, &[&number, &name]).await?;
        }
    }
    Ok(())
}

pub(super) async fn is_there<C>(client: &C, table: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let there = "SELECT to_regclass($1) IS NOT NULL";
    Ok(client.query_one(there, &[&table]).await?.get(0))
}

/// Makes all tables of a layout that are missing, also one that was made before and is
/// lost, in a transaction that fills it, too.
pub(super) async fn revive<C>(client: &C, layout: &Layout) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    if layout.layout_name() == "custom" {
        client.batch_execute(&to_create(layout)).await?;
    }
    for (_, _, sql, table) in migrations(layout) {
        if !is_there(client, table).await? {
            client.batch_execute(sql).await?;
        }
    }
    Ok(())
}
