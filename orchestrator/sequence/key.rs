//! Which row of a sequence table: the values of its key columns.
//!
//! A value is 1 to 255 characters long and has no control characters, which some
//! databases cannot store and no ID should show. How many values there are and
//! what they mean is the layout's.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::SequenceError;

/// The values of a layout's key columns, in their order. Keys are ordered by their
/// values, so that all programs lock several rows in the same order. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<[String]>);

impl Key {
    /// The most characters that a value may have.
    pub const MAX_LENGTH: usize = 255;

    /// Makes a key of values, in the order of the layout's columns.
    ///
    /// # Errors
    /// [`SequenceError::Key`] where a value is empty, too long, or has control
    /// characters.
    pub fn new<I>(values: I) -> Result<Self, SequenceError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let values: Arc<[String]> = values.into_iter().map(Into::into).collect();
        for value in &*values {
            let problem = if value.is_empty() {
                "a part of the key is empty".to_owned()
            } else if value.chars().count() > Self::MAX_LENGTH {
                format!("a part of the key is longer than {} characters", Self::MAX_LENGTH)
            } else if value.chars().any(char::is_control) {
                format!("the key part {value:?} has control characters")
            } else {
                continue;
            };
            return Err(SequenceError::Key { problem });
        }
        Ok(Self(values))
    }

    /// Returns the values.
    pub fn values(&self) -> &[String] {
        &self.0
    }
}

/// The values, by slash.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_a_database_could_choke_on_are_refused() {
        for bad in ["", "a\0b", "line\nbreak", &"x".repeat(256)] {
            assert!(matches!(Key::new([bad]), Err(SequenceError::Key { .. })), "{bad:?}");
        }
        let longest = "ü".repeat(255);
        assert_eq!(Key::new([longest.as_str()]).unwrap().values(), [longest]);
        assert_eq!(Key::new(["US", "a b"]).unwrap().to_string(), "US/a b");
    }
}
