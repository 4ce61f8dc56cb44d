//! `[sequences.NAME]`: a sequence in a database, named once instead of with options.

use std::collections::BTreeMap;

use super::reader::{Reader, Section};
use crate::model::Code;

/// The layouts that have a name; any other is its table.
const LAYOUTS: &[(&str, &str)] =
    &[("registry", "registry"), ("prefix-type", "prefix-type"), ("name", "name")];

/// The parts of the key that have an option of their own.
const PARTS: [&str; 4] = ["project", "type", "prefix", "name"];

/// What `[sequences.NAME]` says. Whether names and formats can be used is found out
/// when they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceSettings {
    /// The layout: registry, prefix-type or name.
    pub layout: Option<String>,
    /// The table of a layout that is none of these.
    pub table: Option<String>,
    /// Its column with the last number issued.
    pub value_column: Option<String>,
    /// What IDs look like.
    pub format: Option<String>,
    /// The parts of the key by name: those with a key of their own, such as `type`,
    /// then those of `key`.
    pub key: Vec<(String, String)>,
}

/// Reads all sequences.
pub(super) fn sequences<'t>(
    reader: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &mut super::Config,
) {
    let Some(section) = root.section(reader, "sequences") else {
        return;
    };
    let mut sequences = BTreeMap::new();
    for (name, _, value) in section.entries() {
        if let Some(section) = reader.section(&format!("sequences.{name}"), value) {
            sequences.insert(name.to_owned(), sequence(reader, section));
        }
    }
    config.sequences = sequences;
}

fn sequence<'t>(reader: &mut Reader<'t>, mut section: Section<'t>) -> SequenceSettings {
    let mut settings = SequenceSettings {
        layout: section.choice(reader, "layout", LAYOUTS).map(str::to_owned),
        ..SequenceSettings::default()
    };
    let text = |reader: &mut Reader<'t>, section: &mut Section<'t>, key| {
        section.string(reader, key).map(str::to_owned)
    };
    settings.table = text(reader, &mut section, "table");
    settings.value_column = text(reader, &mut section, "value_column");
    settings.format = text(reader, &mut section, "format");
    for part in PARTS {
        if let Some(value) = text(reader, &mut section, part) {
            settings.key.push((part.to_owned(), value));
        }
    }
    if let Some(key) = section.section(reader, "key") {
        for (column, _, value) in key.entries() {
            if let Some(value) = reader.string(column, value) {
                settings.key.push((column.to_owned(), value.to_owned()));
            }
        }
    }
    if settings.table.is_some() != settings.value_column.is_some() {
        let message = format!("[{}] needs both `table` and `value_column`", section.name);
        reader.problem(Code::WrongShape, section.span.clone(), message, None);
    } else if settings.table.is_some() && settings.layout.is_some() {
        let message = format!("[{}] has a `table` of its own, so no `layout`", section.name);
        reader.problem(Code::WrongShape, section.span.clone(), message, None);
    }
    section.finish(reader);
    settings
}
