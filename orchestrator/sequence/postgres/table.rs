//! A table of sequences as PostgreSQL's catalog describes it, and the statements
//! that work on it.
//!
//! Owns the SQL on that table: each statement but one takes a whole batch as arrays, an
//! element for each key, in the order of the keys, so that two programs lock rows
//! in the same order and never wait for each other in a circle. Names are quoted,
//! values are parameters. A row that cannot take what is asked for (no number, past
//! the end) is left as it is and missing in the answer; why is told by a second
//! look, which callers take only then.

use tokio_postgres::Client;

use super::failure;
use crate::sequence::layout::quoted;
use crate::sequence::{Layout, MissingRow, SequenceError};

/// What the catalog says of a table: `$1` its name, `$2` the key columns.
const DESCRIBE: &str = "
SELECT c.relkind IN ('r', 'p'),
       c.relpersistence = 'p' AND NOT EXISTS(
              SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class k ON k.oid = p.relid
              WHERE k.relpersistence <> 'p'),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       ARRAY(SELECT format_type(a.atttypid, -1) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       EXISTS(SELECT FROM pg_index i
              WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                AND i.indpred IS NULL AND i.indexprs IS NULL
                AND ARRAY(SELECT a.attname::text FROM pg_attribute a
                          WHERE a.attrelid = c.oid
                            AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
                          ORDER BY 1)
                  = ARRAY(SELECT * FROM unnest($2::text[]) ORDER BY 1)),
       c.relkind = 'r' AND EXISTS(SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
       EXISTS(SELECT FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation
              WHERE a.attrelid = c.oid AND a.attname = ANY ($2) AND NOT l.collisdeterministic)
FROM pg_class c WHERE c.oid = to_regclass($1)";

/// Tells whether a trigger or a rule may change what is written to the table `$1`, or might
/// have until lately: that a table has some is only unlearned with a VACUUM. `{}` is what
/// else is asked.
const HAS_TRIGGERS: &str = "
SELECT c.relhasrules
       OR c.relhastriggers AND NOT EXISTS(SELECT FROM pg_trigger g
              WHERE g.tgisinternal AND g.tgrelid = c.oid)
       OR EXISTS(SELECT FROM pg_trigger g WHERE NOT g.tgisinternal
         AND g.tgrelid = ANY (c.oid || ARRAY(SELECT p.relid::oid FROM pg_partition_tree(c.oid) p))),
       {}
FROM pg_class c WHERE c.oid = to_regclass($1)";

/// The column of what is asked for; no layout's column has a space in its name.
const NUMBER: &str = "\"the number\"";

/// A table that fits its layout.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name, quoted.
    pub(super) name: String,
    /// The key columns, quoted.
    keys: Vec<String>,
    /// The column of the last number issued, quoted.
    value: String,
    /// The column that says when a row was changed, quoted, where there is one.
    touched: Option<String>,
    /// The highest number that the column holds and that is an ID's.
    pub(super) limit: i64,
    pub(super) missing: MissingRow,
}

impl Table {
    /// Reads from the catalog whether the layout's table is one that sequences can
    /// be kept in.
    ///
    /// # Errors
    /// [`SequenceError::NoTable`], [`SequenceError::OtherColumns`],
    /// [`SequenceError::NotUnique`], or [`SequenceError::Layout`] for one that a crash
    /// of the server empties, or whose columns are of other types.
    pub(super) async fn describe(client: &Client, layout: &Layout) -> Result<Self, SequenceError> {
        let name = layout.quoted_table();
        let keys: Vec<&str> = layout.key_columns().iter().map(|key| key.column.as_str()).collect();
        let row = client.query_opt(DESCRIBE, &[&name, &keys]).await;
        let row = row.map_err(|error| failure::refused("read the catalog", error))?;
        let table = || layout.table().to_owned();
        let row = row.ok_or_else(|| SequenceError::NoTable { table: table() })?;
        let problem = |problem| Err(SequenceError::Layout { table: table(), problem });
        let (is_table, is_permanent): (bool, bool) = (row.get(0), row.get(1));
        if !is_table {
            return problem("is on no table, but on a view or the like");
        }
        if !is_permanent {
            return Err(SequenceError::emptied(&table()));
        }
        let columns: Vec<String> = row.get(2);
        let types: Vec<String> = row.get(3);
        let type_of = |column: &str| {
            let place = columns.iter().position(|name| name == column)?;
            types.get(place).map(String::as_str)
        };
        let needed = keys.iter().copied().chain([layout.value_column()]);
        let missing: Vec<&str> = needed.filter(|column| type_of(column).is_none()).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(SequenceError::OtherColumns { table: table(), missing });
        }
        // Of other types, a value may come back written differently than it was asked
        // for, and two keys may be one row.
        let is_text = |column: &&str| matches!(type_of(column), Some("text" | "character varying"));
        if !keys.iter().all(is_text) {
            return problem("has a key column that is neither text nor varchar");
        }
        // A sequence would come back under the name that its row has.
        if row.get(6) {
            return problem("has a key column whose collation takes different texts for the same");
        }
        // A unique index is of one table, and those that inherit are read with it.
        if !row.get::<_, bool>(4) || row.get(5) {
            return Err(SequenceError::NotUnique { table: table() });
        }
        let limit = match type_of(layout.value_column()) {
            Some("smallint") => i64::from(i16::MAX),
            Some("integer") => i64::from(i32::MAX),
            Some("bigint") => i64::from(u32::MAX),
            _ => return problem("has a value column that is no integer"),
        };
        let touched = layout.touched_column().filter(|column| type_of(column).is_some());
        Ok(Self {
            name,
            keys: keys.into_iter().map(quoted).collect(),
            value: quoted(layout.value_column()),
            touched: touched.map(quoted),
            limit,
            missing: layout.missing_row(),
        })
    }

    /// Tells of the table `$1` whether a trigger or a rule may change what is written to
    /// it, and one thing more.
    pub(super) fn has_triggers(also: &str) -> String {
        HAS_TRIGGERS.replace("{}", also)
    }

    /// Adds to each row, `$1…` the keys' values by column, then what to add and the
    /// limit; returns the values of the key and the number after it, for each row
    /// that could take it.
    pub(super) fn add(&self) -> String {
        self.add_asked(&self.arrays(), "")
    }

    /// [`Table::add`], which returns the number of the transaction too.
    pub(super) fn add_alone(&self) -> String {
        self.add_asked(&self.arrays(), ", txid_current()")
    }

    /// [`Table::add_alone`] to one row: takes no arrays, but values.
    pub(super) fn add_one(&self) -> String {
        let keys = (1..=self.keys.len()).map(|i| format!("${i}::text, "));
        let values: String = keys.chain([format!("${}::bigint", self.keys.len() + 1)]).collect();
        let asked = format!("(VALUES ({values})) AS asked({})", self.columns(true));
        self.add_asked(&asked, ", txid_current()")
    }

    fn add_asked(&self, asked: &str, also: &str) -> String {
        let number = format!("{}{also}", self.number());
        match self.missing {
            MissingRow::Starts => self.upsert(
                asked,
                "= t.{v} + excluded.{v}",
                "WHERE t.{v} >= 0 AND t.{v}::bigint <= {limit}::bigint - excluded.{v}",
                &number,
            ),
            MissingRow::IsAnError => self.add_to_existing(asked, &number),
        }
    }

    fn number(&self) -> String {
        format!("t.{}::bigint", self.value)
    }

    /// The rows are locked first, in order: an update alone takes them as it finds
    /// them.
    fn add_to_existing(&self, asked: &str, number: &str) -> String {
        let Self { name, value, .. } = self;
        let limit = self.keys.len() + 2;
        let (same, locked) = (self.same("t", "asked"), self.same("t", "locked"));
        format!(
            "WITH locked AS MATERIALIZED (SELECT asked.* FROM {name} t JOIN {asked} ON {same} \
             ORDER BY {order} FOR UPDATE OF t) \
             UPDATE {name} t SET {value} = t.{value} + locked.{NUMBER}{touch} FROM locked \
             WHERE {locked} AND t.{value} >= 0 \
             AND t.{value}::bigint <= ${limit}::bigint - locked.{NUMBER} \
             RETURNING {keys}, {number}",
            keys = self.of("t"),
            order = self.order(),
            touch = self.touch(),
        )
    }

    /// Sets each row to a number, or inserts one with it, where it is lower; takes
    /// the same as [`Table::add`] without a limit.
    pub(super) fn set(&self) -> String {
        let only = "WHERE t.{v} < excluded.{v}";
        self.upsert(&self.arrays(), "= excluded.{v}", only, &self.number())
    }

    fn upsert(&self, asked: &str, set: &str, only: &str, number: &str) -> String {
        let Self { name, value, .. } = self;
        let limit = format!("${}", self.keys.len() + 2);
        let fill = |text: &str| text.replace("{v}", value).replace("{limit}", &limit);
        let (set, only, keys) = (fill(set), fill(only), self.keys.join(", "));
        let touched = self.touched.as_ref().map(|column| format!(", {column}"));
        let touched = touched.as_deref().unwrap_or("");
        let now = if touched.is_empty() { "" } else { ", now()" };
        format!(
            "INSERT INTO {name} AS t ({keys}, {value}{touched}) \
             SELECT asked.*{now} FROM {asked} \
             ON CONFLICT ({keys}) DO UPDATE SET {value} {set}{touch} {only} \
             RETURNING {returned}, {number}",
            touch = self.touch(),
            returned = self.of("t"),
        )
    }

    /// Reads and locks rows, in order: takes the keys' values by column.
    pub(super) fn look(&self) -> String {
        let Self { name, value, .. } = self;
        let types = vec!["text[]"; self.keys.len()];
        format!(
            "SELECT {keys}, t.{value}::bigint FROM {name} t JOIN {asked} ON {same} \
             ORDER BY {order} FOR UPDATE OF t",
            keys = self.of("t"),
            order = self.order(),
            asked = self.unnest(&types, false),
            same = self.same("t", "asked"),
        )
    }

    /// Reads all rows in the order of their keys.
    pub(super) fn all(&self) -> String {
        let Self { name, value, .. } = self;
        let (keys, order) = (self.of("t"), self.order());
        format!("SELECT {keys}, t.{value}::bigint FROM {name} t ORDER BY {order}")
    }

    /// The order of the bytes, which is that of our keys, whatever the column's own.
    fn order(&self) -> String {
        let order: Vec<String> =
            self.keys.iter().map(|key| format!("t.{key} COLLATE \"C\"")).collect();
        order.join(", ")
    }

    /// The keys and the numbers of a batch, as rows.
    fn arrays(&self) -> String {
        let mut types = vec!["text[]"; self.keys.len()];
        types.push("bigint[]");
        self.unnest(&types, true)
    }

    fn unnest(&self, types: &[&str], has_numbers: bool) -> String {
        let arrays: Vec<String> =
            types.iter().enumerate().map(|(i, kind)| format!("${}::{kind}", i + 1)).collect();
        format!("unnest({}) AS asked({})", arrays.join(", "), self.columns(has_numbers))
    }

    /// What the columns of what is asked for are called.
    fn columns(&self, has_numbers: bool) -> String {
        let mut columns = self.keys.clone();
        columns.extend(has_numbers.then(|| NUMBER.to_owned()));
        columns.join(", ")
    }

    fn of(&self, table: &str) -> String {
        let keys: Vec<String> =
            self.keys.iter().map(|key| format!("{table}.{key}::text")).collect();
        keys.join(", ")
    }

    fn same(&self, one: &str, other: &str) -> String {
        let same: Vec<String> =
            self.keys.iter().map(|key| format!("{one}.{key} = {other}.{key}")).collect();
        same.join(" AND ")
    }

    fn touch(&self) -> String {
        self.touched.as_ref().map_or_else(String::new, |column| format!(", {column} = now()"))
    }
}
