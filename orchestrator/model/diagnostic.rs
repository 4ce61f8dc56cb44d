//! Diagnostics: what is wrong with a file, where, and what to do about it.
//!
//! Codes are stable: programs may match on them. Errors mean that nothing can be
//! written until a person has mended the file; with warnings, work goes on.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Whether work can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Work goes on.
    Warning,
    /// Nothing can be written.
    Error,
}

/// Defines the codes with their words and severities.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $severity:ident;)+) => {
        /// What kind of problem it is. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Returns whether work can go on.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),+ }
            }
        }
    };
}

codes! {
    /// The text is not YAML, or not the YAML we read.
    Syntax = "syntax", Error;
    /// The file is not UTF-8, or holds a NUL.
    NotUtf8 = "not_utf8", Error;
    /// Nothing in the file, or comments only.
    EmptyFile = "empty_file", Error;
    /// More than one document.
    MultipleDocuments = "multiple_documents", Error;
    /// The same key twice in one map.
    DuplicateKey = "duplicate_key", Error;
    /// The root, the list or an item has another shape.
    WrongShape = "wrong_shape", Error;
    /// A value of another type.
    WrongType = "wrong_type", Error;
    /// A word that is none of a closed set.
    UnknownValue = "unknown_value", Error;
    /// No title, or a blank one.
    MissingTitle = "missing_title", Error;
    /// An ID whose number does not fit `u32`.
    IdOverflow = "id_overflow", Error;
    /// Written by a newer version: can be read, not written.
    NewerVersion = "newer_version", Error;
    /// A merge key, `<<`.
    MergeKey = "merge_key", Error;
    /// No `schema_version`.
    MissingVersion = "missing_version", Warning;
    /// The high-water mark is below the highest number.
    MarkBehind = "mark_behind", Warning;
    /// An item that was told is neither in the backlog nor in the worklog.
    LostItem = "lost_item", Warning;
    /// Two items of one ID.
    DuplicateId = "duplicate_id", Warning;
    /// An item without an ID: the next writer assigns one.
    MissingId = "missing_id", Warning;
    /// A dependency that exists nowhere: it counts as unmet.
    UnknownDependency = "unknown_dependency", Warning;
    /// Items that wait for each other.
    DependencyCycle = "dependency_cycle", Warning;
    /// An unknown key close to a known one.
    UnknownKey = "unknown_key", Warning;
    /// A date that cannot be read.
    BadDate = "bad_date", Warning;
    /// An ID without a number: kept, never counted.
    OddId = "odd_id", Warning;
    /// A pipeline that is not configured.
    UnknownPipeline = "unknown_pipeline", Warning;
    /// A phase that the item's pipeline does not have.
    UnknownPhase = "unknown_phase", Warning;
}

impl Code {
    /// Returns whether nothing can be written until it is mended.
    pub fn is_error(self) -> bool {
        self.severity() == Severity::Error
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One problem of one file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: Code,
    /// What is wrong, in words.
    pub message: String,
    /// The file.
    pub file: PathBuf,
    /// The line; 0 where the problem has no place.
    pub line: u32,
    /// The column; 0 where the problem has no place.
    pub column: u32,
    /// The bytes to underline.
    pub span: Option<Range<usize>>,
    /// The item concerned: its ID, or its title where it has none.
    pub item: Option<String>,
    /// The way out.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Returns whether nothing can be written until it is mended.
    pub fn is_error(&self) -> bool {
        self.code.is_error()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Returns the candidate that a mistyped word most likely meant, if one is close
/// enough.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&typed, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let keys = ["status", "size", "description", "dependencies"];
        assert_eq!(did_you_mean("statsu", keys), Some("status"));
        assert_eq!(did_you_mean("Descripton", keys), Some("description"));
        assert_eq!(did_you_mean("depends", keys), None);
        assert_eq!(did_you_mean("owner", keys), None);
    }
}
