//! A column of a table that holds IDs, named as `TABLE.COLUMN`.

use std::fmt;
use std::str::FromStr;

use crate::sequence::SequenceError;
use crate::sequence::layout::{check_identifier, quoted};

/// A column that holds IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The schema, where one was named, and the table.
    table: Vec<String>,
    column: String,
}

impl Column {
    /// Returns the statement that reads all its values as text, but for NULLs.
    pub fn select(&self) -> String {
        let table: Vec<String> = self.table.iter().map(|name| quoted(name)).collect();
        let column = quoted(&self.column);
        // With the table's name it is a column or an error, never a text.
        format!(
            "SELECT CAST(t.{column} AS TEXT) FROM {} AS t WHERE t.{column} IS NOT NULL",
            table.join(".")
        )
    }
}

/// Reads `TABLE.COLUMN` or `SCHEMA.TABLE.COLUMN`.
impl FromStr for Column {
    type Err = SequenceError;

    fn from_str(text: &str) -> Result<Self, SequenceError> {
        let mut names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let column = names.pop().unwrap_or_default();
        if names.is_empty() || names.len() > 2 {
            let problem = format!("{text:?} is no column: expected TABLE.COLUMN");
            return Err(SequenceError::Key { problem });
        }
        for name in names.iter().chain([&column]) {
            check_identifier(name)?;
        }
        Ok(Self { table: names, column })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table.join("."), self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_sql() {
        let column: Column = "app.credit_lines.id".parse().unwrap();
        assert_eq!(
            column.select(),
            r#"SELECT CAST(t."id" AS TEXT) FROM "app"."credit_lines" AS t WHERE t."id" IS NOT NULL"#
        );
        for bad in ["", "id", "a.b.c.d", "t.", ".c", "t.a b", "t.id;drop", "t.\"id\"", "1t.id"] {
            assert!(bad.parse::<Column>().is_err(), "{bad:?}");
        }
    }
}
