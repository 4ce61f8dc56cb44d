//! Whether a database has the tables and columns of a layout.
//!
//! Reads the schema only. The key columns must have a unique index, or several
//! rows could answer to one key.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::connection::fault;
use crate::sequence::{Layout, SequenceError};

/// The table of a layout's reservations: the seed's own, or one of ours.
pub(super) fn reservations(layout: &Layout) -> &'static str {
    if layout.layout_name() == "registry" { "id_reservations" } else { "orchestrator_reservations" }
}

/// Returns the name of the database that a layout's table is in, and that of the table.
pub(super) fn names(layout: &Layout) -> (&str, &str) {
    layout.table().split_once('.').unwrap_or(("main", layout.table()))
}

/// Checks that the table is there, has the columns, and a unique key.
pub(super) fn check(conn: &Connection, layout: &Layout) -> Result<(), SequenceError> {
    let (schema, table) = names(layout);
    let failed = |error| fault(conn, "read the schema", error);
    let columns = columns(conn, schema, table).map_err(failed)?;
    if columns.is_empty() {
        return Err(SequenceError::NoTable { table: layout.table().to_owned() });
    }
    let problem =
        |problem| Err(SequenceError::Layout { table: layout.table().to_owned(), problem });
    if !is_table(conn, schema, table).map_err(failed)? {
        return problem("is on no table, but on a view or the like");
    }
    let has = |name: &str| columns.iter().any(|column| column.name == name.to_ascii_lowercase());
    let missing: Vec<&str> = layout.columns().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        return Err(SequenceError::OtherColumns {
            table: layout.table().to_owned(),
            missing: missing.join(", "),
        });
    }
    let is_needed =
        |column: &Column| layout.columns().any(|own| own.eq_ignore_ascii_case(&column.name));
    if columns.iter().any(|column| column.is_generated && is_needed(column)) {
        return problem("has a column that is generated, and cannot be written");
    }
    let keys: BTreeSet<String> =
        layout.key_columns().iter().map(|key| key.column.to_ascii_lowercase()).collect();
    let primary: BTreeSet<String> =
        columns.into_iter().filter(|column| column.is_key).map(|column| column.name).collect();
    let identifies = |columns: &BTreeSet<String>| !columns.is_empty() && columns.is_subset(&keys);
    let indexes = unique_indexes(conn, schema, table).map_err(failed)?;
    if identifies(&primary) || indexes.iter().any(identifies) {
        return Ok(());
    }
    Err(SequenceError::NotUnique { table: layout.table().to_owned() })
}

struct Column {
    /// In lower case, as SQLite compares names.
    name: String,
    is_key: bool,
    is_generated: bool,
}

fn is_table(conn: &Connection, schema: &str, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_list \
               WHERE schema = ?2 COLLATE NOCASE AND name = ?1 COLLATE NOCASE AND type = 'table')";
    conn.query_row(sql, params![table, schema], |row| row.get(0))
}

fn columns(conn: &Connection, schema: &str, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = conn.prepare("SELECT name, pk, hidden FROM pragma_table_xinfo(?1, ?2)")?;
    let column = |row: &rusqlite::Row<'_>| {
        let name: String = row.get(0)?;
        let name = name.to_ascii_lowercase();
        let (is_key, is_generated) = (row.get::<_, i64>(1)? > 0, row.get::<_, i64>(2)? > 1);
        Ok(Column { name, is_key, is_generated })
    };
    statement.query_map(params![table, schema], column)?.collect()
}

fn unique_indexes(
    conn: &Connection,
    schema: &str,
    table: &str,
) -> rusqlite::Result<Vec<BTreeSet<String>>> {
    let list = "SELECT name FROM pragma_index_list(?1, ?2) WHERE \"unique\" AND NOT partial";
    let mut statement = conn.prepare(list)?;
    let names = statement.query_map(params![table, schema], |row| row.get::<_, String>(0))?;
    let mut indexes = Vec::new();
    for name in names {
        // An expression has no name; an index over one identifies nothing we know of.
        let info = "SELECT coalesce(lower(name), '') FROM pragma_index_info(?1, ?2)";
        let mut statement = conn.prepare(info)?;
        let columns = statement.query_map(params![name?, schema], |row| row.get(0))?;
        indexes.push(columns.collect::<rusqlite::Result<_>>()?);
    }
    Ok(indexes)
}
