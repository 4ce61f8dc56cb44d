//! What can be wrong with a configuration.
//!
//! A problem has a place, a message and mostly a way out, and turns into the
//! same [`Diagnostic`] that a backlog's problems are, so that one renderer
//! serves both. Unlike there, every problem of a configuration is an error.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::fs::FsError;
use crate::model::{Code, Diagnostic};

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", .path.display())]
pub struct ConfigProblem {
    /// What kind of problem it is.
    pub code: Code,
    /// What is wrong, in words.
    pub message: String,
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The bytes to underline.
    pub span: Range<usize>,
    /// The way out.
    pub hint: Option<String>,
}

impl ConfigProblem {
    /// Makes a problem at some bytes of a text.
    pub(super) fn new(
        code: Code,
        path: &Path,
        text: &str,
        span: Range<usize>,
        message: String,
    ) -> Self {
        let (line, column) = line_and_column(text, span.start);
        Self { code, message, path: path.to_owned(), line, column, span, hint: None }
    }
}

impl From<ConfigProblem> for Diagnostic {
    fn from(problem: ConfigProblem) -> Self {
        Self {
            code: problem.code,
            message: problem.message,
            file: problem.path,
            line: problem.line,
            column: problem.column,
            span: Some(problem.span),
            item: None,
            hint: problem.hint,
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read, or looked for.
    #[error("cannot read the configuration")]
    Read(#[source] FsError),
    /// The file was read, and something in it is wrong.
    #[error("{}", summary(.problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its text, for showing the lines in question.
        text: String,
        /// All problems, in the order of the file; at least one.
        problems: Vec<ConfigProblem>,
    },
}

fn summary(problems: &[ConfigProblem]) -> String {
    match problems {
        [] => "invalid configuration".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// Returns line and column of a byte, both from 1, the column in characters.
fn line_and_column(text: &str, byte: usize) -> (u32, u32) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
