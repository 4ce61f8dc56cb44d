//! Which version a file is of, and what can be done with it.

use serde_yaml::Value;

use crate::model::{CURRENT_SCHEMA, Code, NEWEST_SCHEMA};
use crate::yaml::Document;

/// Keys that no file of version 1 has.
const ONLY_V2: &[&str] = &["phase_pool", "pipeline_type", "description", "last_phase_commit"];

/// Statuses that only version 1 has.
pub(super) const ONLY_V1_STATUS: &[&str] = &["researching", "scoped"];

/// What a file says of its version, and what we make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// The version to read it as.
    pub number: u32,
    /// Whether the file says so itself.
    pub is_written: bool,
}

impl Version {
    /// Returns whether the file must be migrated before it is written.
    pub(super) fn is_old(self) -> bool {
        self.number < CURRENT_SCHEMA
    }

    /// Returns whether it is of a version that we must not write.
    pub(super) fn is_newer(self) -> bool {
        self.number > NEWEST_SCHEMA
    }
}

/// What decides about the version of a file that does not name one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits {
    has_v2_key: bool,
    has_v1_status: bool,
}

impl Traits {
    /// Looks at one item.
    pub(super) fn of(item: &serde_yaml::Mapping) -> Self {
        let status = |key: &str| item.get(key).and_then(Value::as_str);
        let is_v1 = |key: &str| status(key).is_some_and(|word| ONLY_V1_STATUS.contains(&word));
        Self {
            has_v2_key: ONLY_V2.iter().any(|key| item.contains_key(*key)),
            has_v1_status: is_v1("status") || is_v1("blocked_from_status"),
        }
    }

    /// Returns what several items decide together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            has_v2_key: self.has_v2_key || other.has_v2_key,
            has_v1_status: self.has_v1_status || other.has_v1_status,
        }
    }
}

/// Tells a file's version.
///
/// # Errors
/// Where `schema_version` is no version: what is wrong, and the code for it.
pub(super) fn version(doc: &Document, traits: Traits) -> Result<Version, (Code, String)> {
    let guess = || {
        let is_v2 = traits.has_v2_key || doc.root("next_item_id").is_some();
        let number = if !is_v2 && traits.has_v1_status { 1 } else { CURRENT_SCHEMA };
        Version { number, is_written: false }
    };
    match doc.root("schema_version") {
        None | Some(Value::Null) => Ok(guess()),
        Some(value) => match number(&value) {
            Some(0) | None => {
                let shown = serde_yaml::to_string(&value).unwrap_or_default();
                Err((
                    Code::WrongType,
                    format!("`schema_version` must be a number from 1, not {}", shown.trim()),
                ))
            }
            Some(number) => Ok(Version { number, is_written: true }),
        },
    }
}

/// Reads a root number: `u32`, or nothing where it is something else.
pub(super) fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
