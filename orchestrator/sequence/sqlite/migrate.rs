//! The tables of a layout, made by numbered SQL files.
//!
//! Each is additive and recorded in `orchestrator_migrations`; all that are missing
//! are applied in one transaction that holds the write lock. Existing tables and
//! rows stay as they are; a table that is there with other columns is an error.

use rusqlite::{Connection, params};

use super::connection::{APPLICATION_ID, Database, fault};
use super::schema;
use crate::sequence::{Layout, SequenceError};

/// Number, name and text of a migration.
type Migration = (u32, &'static str, &'static str);

macro_rules! migration {
    ($number:literal, $name:literal) => {
        ($number, $name, include_str!(concat!("migrations/", $name, ".sql")))
    };
}

const REGISTRY: Migration = migration!(1, "0001_id_registry");
const REGISTRY_RESERVATIONS: Migration = migration!(2, "0002_id_reservations");
const PREFIX_TYPE: Migration = migration!(3, "0003_id_sequences_prefix_type");
const NAME: Migration = migration!(4, "0004_id_sequences_name");
const RESERVATIONS: Migration = migration!(5, "0005_orchestrator_reservations");
const IDEMPOTENCY: Migration = migration!(6, "0006_orchestrator_idempotency");

/// The migrations that make tables of sequences.
const SEQUENCES: &[u32] = &[REGISTRY.0, PREFIX_TYPE.0, NAME.0];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS orchestrator_migrations (
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
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

/// Makes the tables that are missing, and marks an empty file as ours.
/// Returns whether it was such a file.
pub(super) fn migrate(database: &Database, layout: &Layout) -> Result<bool, SequenceError> {
    database.transaction(|conn| migrate_within(conn, layout, database.is_empty()?))
}

/// The same within a transaction that is under way, whose lock keeps others from filling
/// a file that is new.
pub(super) fn migrate_within(
    conn: &Connection,
    layout: &Layout,
    is_new: bool,
) -> Result<bool, SequenceError> {
    let failed = |error| fault(conn, "make the tables", error);
    if is_new {
        conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    }
    apply(conn, layout).map_err(failed)?;
    schema::check(conn, layout)?;
    Ok(is_new)
}

fn apply(conn: &Connection, layout: &Layout) -> rusqlite::Result<()> {
    conn.execute_batch(RECORD)?;
    if layout.layout_name() == "custom" {
        conn.execute_batch(&layout.to_create("INTEGER"))?;
    }
    for (number, name, sql) in migrations(layout) {
        let is_applied = "SELECT EXISTS (SELECT 1 FROM orchestrator_migrations AS m \
                          WHERE m.number = ?1 AND m.name = ?2)";
        let is_applied = conn.query_row(is_applied, params![number, name], |row| row.get(0))?;
        // A lost table of sequences must not come back empty; of the others only
        // what they held is lost.
        if !(is_applied && SEQUENCES.contains(number)) {
            conn.execute_batch(sql)?;
        }
        if !is_applied {
            record(conn, *number, name)?;
        }
    }
    Ok(())
}

/// Makes the table of sequences of a layout, also where it was made before and is
/// lost, in a transaction that fills it, too.
pub(super) fn revive(conn: &Connection, layout: &Layout) -> Result<(), SequenceError> {
    let sequences = migrations(layout).iter().filter(|(number, ..)| SEQUENCES.contains(number));
    for (_, _, sql) in sequences {
        conn.execute_batch(sql).map_err(|error| fault(conn, "make the tables", error))?;
    }
    Ok(())
}

/// Writes down that the table of sequences of a layout was made, and lets it be missing:
/// it is then one that was lost.
pub(super) fn note_lost(conn: &Connection, layout: &Layout) -> Result<(), SequenceError> {
    let note = || {
        conn.execute_batch(RECORD)?;
        let sequences = migrations(layout).iter().filter(|(number, ..)| SEQUENCES.contains(number));
        for (number, name, _) in sequences {
            record(conn, *number, name)?;
        }
        Ok(())
    };
    note().map_err(|error| fault(conn, "make the tables", error))
}

/// Writes down that a migration was applied, if nobody has.
fn record(conn: &Connection, number: u32, name: &str) -> rusqlite::Result<()> {
    let record = "INSERT OR IGNORE INTO orchestrator_migrations (number, name) VALUES (?1, ?2)";
    conn.execute(record, params![number, name]).map(drop)
}
