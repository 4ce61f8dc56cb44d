//! Problems as programs read them: of a file, and of a command.
//!
//! A place that is not known is `null`, never 0 or an empty text.

use std::path::Path;

use serde::Serialize;

use crate::model::Diagnostic;

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Problem {
    /// The stable word for it.
    pub code: &'static str,
    /// What is wrong, in words.
    pub message: String,
    /// The file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// The item concerned: its ID, or its title where it has none.
    pub item: Option<String>,
    /// The way out.
    pub hint: Option<String>,
}

impl From<&Diagnostic> for Problem {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.as_str(),
            message: diagnostic.message.clone(),
            file: file(&diagnostic.file),
            line: place(diagnostic.line),
            column: place(diagnostic.column),
            item: diagnostic.item.clone().filter(|item| !item.is_empty()),
            hint: diagnostic.hint.clone(),
        }
    }
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckReport {
    /// What keeps anything from being written.
    pub errors: Vec<Problem>,
    /// What work goes on with.
    pub warnings: Vec<Problem>,
    /// What was or would be mended, in words; where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<String>>,
}

impl<'a> FromIterator<&'a Diagnostic> for CheckReport {
    fn from_iter<I: IntoIterator<Item = &'a Diagnostic>>(diagnostics: I) -> Self {
        let (errors, warnings): (Vec<_>, Vec<_>) =
            diagnostics.into_iter().partition(|found| found.is_error());
        Self {
            errors: errors.into_iter().map(Problem::from).collect(),
            warnings: warnings.into_iter().map(Problem::from).collect(),
            plan: None,
        }
    }
}

/// Why a command did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ErrorReport {
    /// The stable word for it.
    pub code: &'static str,
    /// What went wrong, in words.
    pub message: String,
    /// The file concerned.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// The way out.
    pub hint: Option<String>,
}

impl From<&Diagnostic> for ErrorReport {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.as_str(),
            message: diagnostic.message.clone(),
            file: file(&diagnostic.file),
            line: place(diagnostic.line),
            column: place(diagnostic.column),
            hint: diagnostic.hint.clone(),
        }
    }
}

fn file(path: &Path) -> Option<String> {
    (!path.as_os_str().is_empty()).then(|| path.to_string_lossy().into_owned())
}

fn place(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    fn diagnostic(code: Code) -> Diagnostic {
        Diagnostic {
            code,
            message: "m".into(),
            file: "B.yaml".into(),
            line: 3,
            column: 5,
            span: Some(1..2),
            item: Some("WRK-001".into()),
            hint: Some("h".into()),
        }
    }

    #[test]
    fn errors_and_warnings_are_apart() {
        let found = [diagnostic(Code::OddId), diagnostic(Code::WrongType)];
        let report: CheckReport = found.iter().collect();
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            concat!(
                r#"{"errors":[{"code":"wrong_type","message":"m","file":"B.yaml","line":3,"column":5,"item":"WRK-001","hint":"h"}],"#,
                r#""warnings":[{"code":"odd_id","message":"m","file":"B.yaml","line":3,"column":5,"item":"WRK-001","hint":"h"}]}"#
            )
        );
    }

    #[test]
    fn no_place_is_null() {
        let nowhere = Diagnostic {
            file: Default::default(),
            line: 0,
            column: 0,
            item: None,
            hint: None,
            ..diagnostic(Code::EmptyFile)
        };
        assert_eq!(
            serde_json::to_string(&ErrorReport::from(&nowhere)).unwrap(),
            r#"{"code":"empty_file","message":"m","file":null,"line":null,"column":null,"hint":null}"#
        );
    }
}
