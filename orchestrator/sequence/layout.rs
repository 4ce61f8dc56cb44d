//! Where sequences lie: table, key columns, value column, and how an ID looks.
//!
//! Three layouts are built in, as programs that exist already have them; any other
//! table can be named. Names of tables and columns are checked when a layout is
//! made, and always quoted, so that no text of a person or a file becomes SQL. The
//! statements themselves are the backends'.

use std::collections::BTreeMap;

use super::{IdTemplate, Key, SequenceError};

/// A key column, and the short name that IDs and options call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column's name.
    pub column: String,
    /// The name in ID formats, such as `type` for `artifact_type`.
    pub name: String,
}

/// What a key without a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRow {
    /// A new sequence, whose first number is 1.
    Starts,
    /// An error: its IDs exist already, and only `id sync` knows how many.
    IsAnError,
}

/// Where sequences lie in a database. The value column holds the last number
/// issued, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    name: &'static str,
    table: String,
    keys: Vec<KeyColumn>,
    value: String,
    touched: Option<String>,
    missing: MissingRow,
    format: IdTemplate,
    /// Formats of single keys, instead of `format`.
    formats: BTreeMap<Key, IdTemplate>,
}

impl Layout {
    /// Returns `id_registry(artifact_type, project_id, last_assigned_id, updated_at)`,
    /// with IDs such as `US-028`. This is the default.
    pub fn registry() -> Self {
        let keys = [("artifact_type", "type"), ("project_id", "project")];
        Self {
            touched: Some("updated_at".to_owned()),
            ..Self::built_in("registry", "id_registry", &keys, "last_assigned_id", "{type}-{n:03}")
        }
    }

    /// Returns `id_sequences(prefix, type_code, next_number)`, with IDs such as
    /// `KABSD-TSK-0309`. Its `next_number` is the last one issued.
    pub fn prefix_type() -> Self {
        let keys = [("prefix", "prefix"), ("type_code", "type")];
        Self::built_in(
            "prefix-type",
            "id_sequences",
            &keys,
            "next_number",
            "{prefix}-{type}-{n:04}",
        )
    }

    /// Returns `id_sequences(name, last_value)`, whose rows must exist. IDs of
    /// `credit_lines` look like `CL001`, those of `fixed_advances` like `FV0001`,
    /// others like `name-001` until [`Layout::with_format_for`] says more.
    pub fn name() -> Self {
        let keys = [("name", "name")];
        let mut layout =
            Self::built_in("name", "id_sequences", &keys, "last_value", "{name}-{n:03}");
        layout.missing = MissingRow::IsAnError;
        for (name, format) in [("credit_lines", "CL{n:03}"), ("fixed_advances", "FV{n:04}")] {
            let key = Key::new([name]).expect("a plain name is a key");
            let format = IdTemplate::new(format, &["name"]).expect("it was checked by a test");
            layout.formats.insert(key, format);
        }
        layout
    }

    /// Returns a built-in layout by its name: `registry`, `prefix-type` or `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "registry" => Some(Self::registry()),
            "prefix-type" => Some(Self::prefix_type()),
            "name" => Some(Self::name()),
            _ => None,
        }
    }

    fn built_in(
        name: &'static str,
        table: &str,
        keys: &[(&str, &str)],
        value: &str,
        format: &str,
    ) -> Self {
        let names: Vec<&str> = keys.iter().map(|key| key.1).collect();
        let key = |&(column, name): &(&str, &str)| KeyColumn {
            column: column.to_owned(),
            name: name.to_owned(),
        };
        Self {
            name,
            table: table.to_owned(),
            keys: keys.iter().map(key).collect(),
            value: value.to_owned(),
            touched: None,
            missing: MissingRow::Starts,
            format: IdTemplate::new(format, &names).expect("it was checked by a test"),
            formats: BTreeMap::new(),
        }
    }

    /// Makes a layout of any table, which may be named `schema.table`. The columns
    /// are called by their own names in `format`. A key without a row is an error:
    /// a table that was there before this program has IDs already.
    ///
    /// # Errors
    /// [`SequenceError::Identifier`], [`SequenceError::Layout`] or
    /// [`SequenceError::Format`].
    pub fn custom(
        table: &str,
        key_columns: &[&str],
        value_column: &str,
        format: &str,
    ) -> Result<Self, SequenceError> {
        let (schema, plain) = table.split_once('.').map_or((None, table), |(s, t)| (Some(s), t));
        let names = schema.into_iter().chain([plain, value_column]);
        for name in names.chain(key_columns.iter().copied()) {
            check_identifier(name)?;
        }
        let problem = |problem| SequenceError::Layout { table: table.to_owned(), problem };
        if key_columns.is_empty() {
            return Err(problem("has no key column"));
        }
        // Databases take names without regard to case.
        let mut all: Vec<String> = key_columns.iter().map(|c| c.to_ascii_lowercase()).collect();
        all.push(value_column.to_ascii_lowercase());
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(problem("names a column twice"));
        }
        let key = |&column: &&str| KeyColumn { column: column.to_owned(), name: column.to_owned() };
        Ok(Self {
            name: "custom",
            table: table.to_owned(),
            keys: key_columns.iter().map(key).collect(),
            value: value_column.to_owned(),
            touched: None,
            missing: MissingRow::IsAnError,
            format: IdTemplate::new(format, key_columns)?,
            formats: BTreeMap::new(),
        })
    }

    /// Sets the ID format of all keys, those with one of their own too.
    ///
    /// # Errors
    /// [`SequenceError::Format`] where it cannot be used.
    pub fn with_format(mut self, format: &str) -> Result<Self, SequenceError> {
        self.format = self.template(format)?;
        self.formats.clear();
        Ok(self)
    }

    /// Sets the ID format of one key.
    ///
    /// # Errors
    /// [`SequenceError::Format`] or [`SequenceError::Key`].
    pub fn with_format_for(mut self, key: Key, format: &str) -> Result<Self, SequenceError> {
        self.check(&key)?;
        let format = self.template(format)?;
        self.formats.insert(key, format);
        Ok(self)
    }

    /// Sets what a key without a row means.
    #[must_use]
    pub fn with_missing_row(mut self, missing: MissingRow) -> Self {
        self.missing = missing;
        self
    }

    fn template(&self, format: &str) -> Result<IdTemplate, SequenceError> {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        IdTemplate::new(format, &names)
    }

    /// Returns `registry`, `prefix-type`, `name` or `custom`.
    pub fn layout_name(&self) -> &'static str {
        self.name
    }

    /// Returns the table's name as given, with its schema where that was.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the table's name in quotes, fit for SQL.
    pub fn quoted_table(&self) -> String {
        self.table.split('.').map(quoted).collect::<Vec<_>>().join(".")
    }

    /// Returns the statement that makes the table of a custom layout where it is missing;
    /// `number` is the type of the numbers.
    pub(super) fn to_create(&self, number: &str) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| quoted(&key.column)).collect();
        let columns: String = keys.iter().map(|key| format!("{key} TEXT NOT NULL, ")).collect();
        let (table, value, keys) = (self.quoted_table(), quoted(&self.value), keys.join(", "));
        format!(
            "CREATE TABLE IF NOT EXISTS {table} \
             ({columns}{value} {number} NOT NULL, PRIMARY KEY ({keys}))"
        )
    }

    /// Returns the key columns.
    pub fn key_columns(&self) -> &[KeyColumn] {
        &self.keys
    }

    /// Returns the column that holds the last number issued.
    pub fn value_column(&self) -> &str {
        &self.value
    }

    /// Returns the column that holds when the row was changed last, if there is one.
    pub fn touched_column(&self) -> Option<&str> {
        self.touched.as_deref()
    }

    /// Returns the names of all columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let keys = self.keys.iter().map(|key| key.column.as_str());
        keys.chain([self.value.as_str()]).chain(self.touched.as_deref())
    }

    /// Returns what a key without a row means.
    pub fn missing_row(&self) -> MissingRow {
        self.missing
    }

    /// Returns the format of a key's IDs.
    pub fn format(&self, key: &Key) -> &IdTemplate {
        self.formats.get(key).unwrap_or(&self.format)
    }

    /// Tells whether a key's IDs have a format of their own.
    pub(super) fn has_own_format(&self, key: &Key) -> bool {
        self.formats.contains_key(key)
    }

    /// Returns the keys whose IDs have a format of their own.
    pub(super) fn keys_with_format(&self) -> impl Iterator<Item = &Key> {
        self.formats.keys()
    }

    /// Writes the ID of a number.
    pub fn id(&self, key: &Key, number: u32) -> String {
        self.format(key).render(key.values(), number)
    }

    /// Checks that a key has as many values as this layout has key columns.
    ///
    /// # Errors
    /// [`SequenceError::Key`] where it has not.
    pub fn check(&self, key: &Key) -> Result<(), SequenceError> {
        if key.values().len() == self.keys.len() {
            return Ok(());
        }
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        let problem = format!("a key of the table {} is: {}", self.table, names.join(", "));
        Err(SequenceError::Key { problem })
    }

    /// Makes a key of named values; a name may be the column's or the short one.
    ///
    /// # Errors
    /// [`SequenceError::Key`] where a name is not known, missing or given twice, or
    /// a value cannot be used.
    pub fn key(&self, named: &[(&str, &str)]) -> Result<Key, SequenceError> {
        let problem = |problem| Err(SequenceError::Key { problem });
        let mut values = vec![None; self.keys.len()];
        for (name, value) in named {
            let place = self.keys.iter().position(|key| key.column == *name || key.name == *name);
            match place.and_then(|place| values.get_mut(place)) {
                None => return problem(format!("the table {} has no key {name}", self.table)),
                Some(Some(_)) => return problem(format!("the key {name} is given twice")),
                Some(slot) => *slot = Some(*value),
            }
        }
        if let Some(place) = values.iter().position(Option::is_none) {
            return problem(format!("the key {} is missing", self.keys[place].name));
        }
        Key::new(values.into_iter().flatten())
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::registry()
    }
}

/// Returns a name in the quotes that SQL has for names.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// 63 is PostgreSQL's limit, beyond which it would cut the name in silence.
pub(super) fn check_identifier(name: &str) -> Result<(), SequenceError> {
    let mut chars = name.chars();
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = chars.next().is_some_and(is_first)
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 63;
    if fits { Ok(()) } else { Err(SequenceError::Identifier { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_layouts() {
        let key = |layout: &Layout, named: &[(&str, &str)]| layout.key(named).unwrap();
        let registry = Layout::default();
        let us = key(&registry, &[("project", "p"), ("type", "US")]);
        assert_eq!(us, key(&registry, &[("artifact_type", "US"), ("project_id", "p")]));
        assert_eq!(registry.id(&us, 28), "US-028");
        let columns: Vec<&str> = registry.columns().collect();
        assert_eq!(columns, ["artifact_type", "project_id", "last_assigned_id", "updated_at"]);

        let prefix_type = Layout::by_name("prefix-type").unwrap();
        let task = key(&prefix_type, &[("prefix", "KABSD"), ("type", "TSK")]);
        assert_eq!(prefix_type.id(&task, 309), "KABSD-TSK-0309");

        let name = Layout::by_name("name").unwrap();
        assert_eq!(name.missing_row(), MissingRow::IsAnError);
        assert_eq!(name.id(&key(&name, &[("name", "credit_lines")]), 9), "CL009");
        assert_eq!(name.id(&key(&name, &[("name", "fixed_advances")]), 999), "FV0999");
        let other = key(&name, &[("name", "orders")]);
        assert_eq!(name.id(&other, 7), "orders-007");
        let name = name.with_format_for(other.clone(), "O{n}").unwrap();
        assert_eq!(name.id(&other, 7), "O7");
        assert_eq!(name.with_format("X{n}").unwrap().id(&other, 7), "X7");
        assert_eq!(Layout::by_name("custom"), None);
    }

    #[test]
    fn a_custom_layout_is_checked_and_quoted() {
        let layout = Layout::custom("app.numbers", &["kind", "Year"], "hi", "{kind}-{Year}-{n}");
        let layout = layout.unwrap();
        assert_eq!(layout.quoted_table(), r#""app"."numbers""#);
        let key = layout.key(&[("kind", "A"), ("Year", "2026")]).unwrap();
        assert_eq!(layout.id(&key, 7), "A-2026-7");

        let long = "x".repeat(64);
        for bad in ["", "1a", "a b", "a;drop", "a\"b", "a.b.c", "ü", long.as_str(), ".a", "a."] {
            for made in [
                Layout::custom(bad, &["k"], "v", "{n}"),
                Layout::custom("t", &["k"], bad, "{n}"),
                Layout::custom("t", &[bad], "v", "{n}"),
            ] {
                assert!(matches!(made, Err(SequenceError::Identifier { .. })), "{bad:?}");
            }
        }
        for (keys, value) in [(&[] as &[&str], "v"), (&["k", "K"], "v"), (&["v"], "V")] {
            let made = Layout::custom("t", keys, value, "{n}");
            assert!(matches!(made, Err(SequenceError::Layout { .. })));
        }
    }

    #[test]
    fn keys_that_are_not_of_the_layout() {
        let layout = Layout::registry();
        for named in [
            &[("type", "US")] as &[_],
            &[("type", "US"), ("artifact_type", "US")],
            &[("type", "US"), ("project", "p"), ("name", "x")],
            &[("type", "US"), ("project", "")],
        ] {
            assert!(matches!(layout.key(named), Err(SequenceError::Key { .. })), "{named:?}");
        }
        assert!(layout.check(&Key::new(["US"]).unwrap()).is_err());
    }
}
