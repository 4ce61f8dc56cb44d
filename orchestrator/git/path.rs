//! A path as git knows it: relative to the top of the work tree, any bytes.
//!
//! Names hold spaces, line breaks and bytes that are no UTF-8, and all of them must
//! come back from a message or a record as what they were: [`RepoPath`] displays
//! fit for a terminal, and serialises without loss.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below the top of a work tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(PathBuf);

impl RepoPath {
    /// Takes a path as git prints it. `None` for what the system has no path for,
    /// which on Unix is nothing.
    pub(super) fn from_git(bytes: &[u8]) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            Some(Self(OsStr::from_bytes(bytes).into()))
        }
        #[cfg(not(unix))]
        std::str::from_utf8(bytes).ok().map(|path| Self(OsStr::new(path).into()))
    }

    /// Returns the path as git reads it.
    pub(super) fn to_git(&self) -> Vec<u8> {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            self.0.as_os_str().as_bytes().to_owned()
        }
        #[cfg(not(unix))]
        self.0.to_string_lossy().replace('\\', "/").into_bytes()
    }

    /// Returns the path, relative to the top of the work tree.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for RepoPath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

/// Fit for a message: control characters are escaped, bytes that are no UTF-8 too.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.to_git().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?
                } else {
                    write!(f, "{c}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// As a string in which `%` and bytes that are no UTF-8 are written `%XX`.
impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for chunk in self.to_git().utf8_chunks() {
            text.push_str(&chunk.valid().replace('%', "%25"));
            for byte in chunk.invalid() {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let path = unescape(&text).and_then(|bytes| Self::from_git(&bytes));
        path.ok_or_else(|| serde::de::Error::custom(format!("no path: {text:?}")))
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_owned();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(bytes: &[u8]) -> RepoPath {
        RepoPath::from_git(bytes).unwrap()
    }

    #[test]
    fn a_message_shows_no_control_characters() {
        assert_eq!(path("ein Häuschen.md".as_bytes()).to_string(), "ein Häuschen.md");
        assert_eq!(path(b"a\nb\x1b[0m\xff 100%").to_string(), "a\\nb\\u{1b}[0m\\xff 100%");
    }

    proptest! {
        #[test]
        fn a_record_loses_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let path = path(&bytes);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepoPath>(&json).unwrap(), path);
        }

        #[test]
        fn no_record_makes_a_panic(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let _unread = serde_json::from_str::<RepoPath>(&json);
        }
    }
}
