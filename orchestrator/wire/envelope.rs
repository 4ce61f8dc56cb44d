//! What is around every answer: the version of the shapes, and what kind it is.
//!
//! An answer has `data`, an error has `error`, a warning has `warning`; a reader
//! tells them apart by `kind` alone.

use serde::Serialize;

use super::{ErrorReport, Problem};

/// The version of all shapes. It changes when a key goes or means something else,
/// not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// An answer: `{"schema_version":1,"kind":K,"data":D}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document<'a, T> {
    schema_version: u32,
    /// Which shape the data has.
    pub kind: &'a str,
    /// The answer itself.
    pub data: T,
}

impl<'a, T> Document<'a, T> {
    /// Wraps an answer.
    pub fn new(kind: &'a str, data: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, kind, data }
    }
}

/// An error: `{"schema_version":1,"kind":"error","error":{…}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorDocument {
    schema_version: u32,
    kind: &'static str,
    /// What went wrong.
    pub error: ErrorReport,
}

impl ErrorDocument {
    /// Wraps an error.
    pub fn new(error: ErrorReport) -> Self {
        Self { schema_version: SCHEMA_VERSION, kind: "error", error }
    }
}

/// A warning beside an answer: `{"schema_version":1,"kind":"warning","warning":{…}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WarningDocument {
    schema_version: u32,
    kind: &'static str,
    /// What a person should know.
    pub warning: Problem,
}

impl WarningDocument {
    /// Wraps a warning.
    pub fn new(warning: Problem) -> Self {
        Self { schema_version: SCHEMA_VERSION, kind: "warning", warning }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_and_an_error() {
        let document = Document::new("ids", ["WRK-001"]);
        assert_eq!(
            serde_json::to_string(&document).unwrap(),
            r#"{"schema_version":1,"kind":"ids","data":["WRK-001"]}"#
        );
        let error =
            ErrorReport { code: "busy", message: "locked".into(), ..ErrorReport::default() };
        assert_eq!(
            serde_json::to_string(&ErrorDocument::new(error)).unwrap(),
            r#"{"schema_version":1,"kind":"error","error":{"code":"busy","message":"locked","file":null,"line":null,"column":null,"hint":null}}"#
        );
        let warning = Problem { code: "note", message: "look".into(), ..Problem::default() };
        assert_eq!(
            serde_json::to_string(&WarningDocument::new(warning)).unwrap(),
            r#"{"schema_version":1,"kind":"warning","warning":{"code":"note","message":"look","file":null,"line":null,"column":null,"item":null,"hint":null}}"#
        );
    }
}
