//! What came of commands on the backlog as a whole.

use serde::Serialize;

/// What `init` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitReport {
    /// The backlog file.
    pub backlog: String,
    /// The configuration file.
    pub config: String,
    /// Which of both were made or completed; empty where all was there.
    pub created: Vec<String>,
}

/// What a migration did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrateReport {
    /// The schema version of the file, after a migration where one was made.
    pub schema_version: u32,
    /// Whether the file was, or would be, written.
    pub is_needed: bool,
    /// Whether it was written.
    pub migrated: bool,
    /// What would change, as a unified diff; for a dry run.
    pub diff: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts() {
        let init =
            InitReport { backlog: "B".into(), config: "C".into(), created: vec!["B".into()] };
        assert_eq!(
            serde_json::to_string(&init).unwrap(),
            r#"{"backlog":"B","config":"C","created":["B"]}"#
        );
        let migrate =
            MigrateReport { schema_version: 2, is_needed: true, migrated: false, diff: None };
        assert_eq!(
            serde_json::to_string(&migrate).unwrap(),
            r#"{"schema_version":2,"is_needed":true,"migrated":false,"diff":null}"#
        );
    }
}
