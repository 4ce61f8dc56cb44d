//! The statements of a layout, written once.
//!
//! Every name is quoted by the layout, and columns are named with their table: a
//! column that is not there must be an error, not the text that SQLite takes a
//! lonely name in double quotes for.

use rusqlite::Connection;

use super::schema;
use crate::sequence::Layout;
use crate::sequence::layout::quoted;

/// The SQL of one layout. Parameters: ?1 the number, ?2 and on the key.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    /// Reads the counter, of two rows where there are several.
    pub read: String,
    pub insert: String,
    pub set: String,
    /// Takes the lock, writes no counter, and fails where the table cannot be written to.
    pub lock: String,
    /// Reads all rows, without what a damaged index may say: the key columns, then the
    /// counter.
    pub scan: String,
    /// The same, by key.
    pub list: String,
}

impl Statements {
    /// Makes the statements for a database.
    pub(super) fn of(conn: &Connection, layout: &Layout) -> rusqlite::Result<Self> {
        let (schema, table) = schema::names(layout);
        let replaces = format!(
            "SELECT EXISTS (SELECT 1 FROM {}.sqlite_schema WHERE type = 'table' \
             AND name = ?1 COLLATE NOCASE AND sql LIKE '%replace%')",
            quoted(schema)
        );
        let replaces = conn.prepare_cached(&replaces)?.query_row([table], |row| row.get(0))?;
        // Where a constraint replaces rows, a write would delete those that are in its way.
        // Elsewhere nothing is said: that would hold for the statements of triggers, too.
        Ok(if replaces { Self::written(layout, "OR ABORT ") } else { Self::new(layout) })
    }

    /// Makes the statements for whatever database.
    pub(super) fn new(layout: &Layout) -> Self {
        Self::written(layout, "")
    }

    fn written(layout: &Layout, or: &str) -> Self {
        let table = layout.quoted_table();
        let value = quoted(layout.value_column());
        let keys: Vec<String> =
            layout.key_columns().iter().map(|key| quoted(&key.column)).collect();
        let is_key: Vec<String> =
            keys.iter().enumerate().map(|(i, key)| format!("s.{key} = ?{}", i + 2)).collect();
        let is_key = is_key.join(" AND ");
        let touched = layout.touched_column().map(quoted);
        let touch = touched.as_ref().map(|name| format!(", {name} = CURRENT_TIMESTAMP"));
        let touch = touch.unwrap_or_default();
        let mut columns = keys.clone();
        columns.push(value.clone());
        let mut values: Vec<String> = (0..keys.len()).map(|i| format!("?{}", i + 2)).collect();
        values.push("?1".to_owned());
        if let Some(touched) = touched {
            columns.push(touched);
            values.push("CURRENT_TIMESTAMP".to_owned());
        }
        let listed: Vec<String> = keys.iter().map(|key| format!("s.{key}")).collect();
        let listed = listed.join(", ");
        let scan = format!("SELECT {listed}, s.{value} FROM {table} AS s NOT INDEXED");
        Self {
            // ?1 is there so that all statements take the same parameters.
            read: format!("SELECT s.{value} FROM {table} AS s WHERE {is_key} AND ?1 = 0 LIMIT 2"),
            insert: format!(
                "INSERT {or}INTO {table} ({}) VALUES ({})",
                columns.join(", "),
                values.join(", ")
            ),
            set: format!("UPDATE {or}{table} AS s SET {value} = ?1{touch} WHERE {is_key}"),
            lock: format!("UPDATE {table} SET {value} = {value} WHERE 0"),
            list: format!("{scan} ORDER BY {listed}"),
            scan,
        }
    }
}
