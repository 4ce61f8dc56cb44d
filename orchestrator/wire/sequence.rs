//! Sequences in a database: where each stands, and what a look at other sources did.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ErrorReport;
use crate::sequence::adopt::{Duplicate, Findings, Malformed};
use crate::sequence::{Key, Layout};

/// The parts of a key by name, such as `type` and `project`.
pub type KeyParts = BTreeMap<String, String>;

/// How a sequence stands against the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceState {
    /// At least as high as the files.
    Ok,
    /// It has no row, though it has IDs.
    Missing,
    /// It is behind the files.
    Stale,
    /// Its counter is no number that could have been issued.
    Invalid,
}

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SequenceStatus {
    /// Which one.
    pub key: KeyParts,
    /// The last number issued; `null` without a row, or where it makes no sense.
    pub last: Option<u32>,
    /// The highest number in the files that were named.
    pub found: Option<u32>,
    /// The next ID; `null` where there is none to give.
    pub next: Option<String>,
    /// How it stands against the files.
    pub state: SequenceState,
    /// What is wrong with its counter.
    pub problem: Option<String>,
}

/// The answer of `id status` on a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SequencesReport {
    /// The sequences, by key.
    pub sequences: Vec<SequenceStatus>,
    /// What else was found.
    #[serde(flatten)]
    pub files: FilesReport,
}

/// What files hold that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FilesReport {
    /// IDs that several files have.
    pub duplicates: Vec<DuplicateId>,
    /// Files whose front matter says no ID.
    pub malformed: Vec<MalformedFile>,
    /// IDs that no sequence can reach, and that do not count.
    pub too_large: Vec<String>,
}

/// An ID that several files have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DuplicateId {
    /// The ID.
    pub id: String,
    /// The files.
    pub paths: Vec<String>,
}

/// A file whose front matter says no ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MalformedFile {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it counts all the same, by its name or a line of its head.
    pub counts: bool,
}

/// What `id sync` did, or would do, to a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncedSequence {
    /// Which one.
    pub key: KeyParts,
    /// The highest number in the sources; `null` where they have none.
    pub found: Option<u32>,
    /// Where it stood; `null` without a row.
    pub before: Option<u32>,
    /// Where it stands.
    pub now: u32,
}

/// A sequence that `id sync` could not raise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnsyncedSequence {
    /// Which one.
    pub key: KeyParts,
    /// Why.
    pub error: ErrorReport,
}

/// The answer of `id sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Whether the database was made anew.
    pub rebuilt: bool,
    /// Where the copy of a damaged database is.
    pub kept: Option<String>,
    /// The sequences, by key.
    pub sequences: Vec<SyncedSequence>,
    /// Those that could not be raised, which says nothing of the others.
    pub failed: Vec<UnsyncedSequence>,
    /// What else was found.
    #[serde(flatten)]
    pub files: FilesReport,
}

/// The answer of `id confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// The reservation.
    pub reservation_id: String,
    /// Always true.
    pub confirmed: bool,
}

/// The answer of `id expire`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expiry {
    /// How many reservations were deleted.
    pub deleted_count: u64,
}

/// Returns the parts of a key by the names of its layout.
pub fn key_parts(layout: &Layout, key: &Key) -> KeyParts {
    let names = layout.key_columns().iter().map(|column| column.name.clone());
    names.zip(key.values().iter().cloned()).collect()
}

impl From<&Findings> for FilesReport {
    fn from(findings: &Findings) -> Self {
        let duplicate = |duplicate: &Duplicate| DuplicateId {
            id: duplicate.id.clone(),
            paths: duplicate.paths.iter().map(|path| path.display().to_string()).collect(),
        };
        let malformed = |file: &Malformed| MalformedFile {
            path: file.path.display().to_string(),
            problem: file.problem.clone(),
            counts: file.counts,
        };
        Self {
            duplicates: findings.duplicates.iter().map(duplicate).collect(),
            malformed: findings.malformed.iter().map(malformed).collect(),
            too_large: findings.too_large.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts() {
        let layout = Layout::registry();
        let key = layout.key(&[("type", "US"), ("project", "p")]).unwrap();
        let status = SequenceStatus {
            key: key_parts(&layout, &key),
            last: Some(27),
            found: Some(28),
            next: Some("US-028".into()),
            state: SequenceState::Stale,
            problem: None,
        };
        let report = SequencesReport { sequences: vec![status], files: FilesReport::default() };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"sequences":[{"key":{"project":"p","type":"US"},"last":27,"found":28,"next":"US-028","state":"stale","problem":null}],"duplicates":[],"malformed":[],"too_large":[]}"#
        );
        let synced = SyncedSequence {
            key: key_parts(&layout, &key),
            found: Some(28),
            before: None,
            now: 28,
        };
        let report = SyncReport {
            dry_run: true,
            rebuilt: false,
            kept: None,
            sequences: vec![synced],
            failed: Vec::new(),
            files: FilesReport::default(),
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"dry_run":true,"rebuilt":false,"kept":null,"sequences":[{"key":{"project":"p","type":"US"},"found":28,"before":null,"now":28}],"failed":[],"duplicates":[],"malformed":[],"too_large":[]}"#
        );
    }
}
