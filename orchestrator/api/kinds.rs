//! The types of artifacts that have IDs, and the names that projects may have.
//!
//! Both are checked before the database is asked, so that a typing error never
//! becomes a sequence.

use std::fmt;
use std::str::FromStr;

/// The types that are known where nothing else is said.
const DEFAULT: [&str; 10] =
    ["US", "SPEC", "TASK", "EPIC", "PRD", "HLS", "VIS", "INIT", "SPIKE", "ADR"];

/// The most characters that a type may have.
const MAX_TYPE: usize = 32;
/// The most characters that the name of a project may have.
const MAX_PROJECT: usize = 64;

/// The types of artifacts that are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactTypes(Vec<String>);

/// Why a list of types cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// A name that no ID can begin with.
    #[error("{name:?} is no type: 1 to 32 letters, digits, `_` and `-`, a letter or digit first")]
    Name {
        /// The name.
        name: String,
    },
    /// A name that stands there twice.
    #[error("the type {name} is there twice")]
    Twice {
        /// The name.
        name: String,
    },
}

impl Default for ArtifactTypes {
    fn default() -> Self {
        Self(DEFAULT.map(str::to_owned).to_vec())
    }
}

/// The names, by comma.
impl fmt::Display for ArtifactTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl FromStr for ArtifactTypes {
    type Err = KindError;

    /// Reads names by comma.
    fn from_str(text: &str) -> Result<Self, KindError> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',').map(|name| name.trim().to_owned()) {
            if !is_name(&name, MAX_TYPE, "_-") {
                return Err(KindError::Name { name });
            }
            if names.contains(&name) {
                return Err(KindError::Twice { name });
            }
            names.push(name);
        }
        Ok(Self(names))
    }
}

impl ArtifactTypes {
    /// Returns the names, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Tells whether this is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

/// Tells whether a project may be called so.
pub(super) fn is_project(name: &str) -> bool {
    is_name(name, MAX_PROJECT, "._-")
}

fn is_name(name: &str, max: usize, others: &str) -> bool {
    name.len() <= max
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_types_is_read_as_typed() {
        let types: ArtifactTypes = "US, BUG-X,T_1".parse().unwrap();
        assert_eq!(types.to_string(), "US, BUG-X, T_1");
        assert!(types.has("BUG-X") && !types.has("us") && !types.has("SPEC"));
        for bad in ["", "US,", "a b", "-x", "ü", "x.y", &"x".repeat(33)] {
            assert!(matches!(bad.parse::<ArtifactTypes>(), Err(KindError::Name { .. })), "{bad}");
        }
        assert!(matches!("US,US".parse::<ArtifactTypes>(), Err(KindError::Twice { .. })));
    }

    #[test]
    fn names_of_projects() {
        for good in ["p", "ai-agent-mcp-server", "A.b_c-1", "0", &"x".repeat(64)] {
            assert!(is_project(good), "{good}");
        }
        for bad in ["", ".p", "-p", "_p", "a b", "a/b", "a\0", "ü", "*", &"x".repeat(65)] {
            assert!(!is_project(bad), "{bad}");
        }
    }
}
