//! Bearer tokens: who may ask for what, in which project, until when.
//!
//! A file holds a SHA-256 of each token, never the token. A token is 244 random
//! bits, so a plain hash cannot be guessed back. What a client presents is hashed
//! and compared with every entry, in a time that does not depend on where they
//! differ. Reading and writing the file is the command line's.

use std::fmt::Write as _;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;

use super::kinds::is_project;

/// What every token begins with, so that scanners for secrets can find one.
const PREFIX: &str = "orch_";
/// Stands for every project.
const EVERY: &str = "*";

/// What a token allows; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The metrics.
    Read,
    /// Numbers and reservations of its project.
    Allocate,
    /// Deleting expired reservations, of all projects.
    Admin,
}

impl FromStr for Scope {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        match text {
            "read" => Ok(Self::Read),
            "allocate" => Ok(Self::Allocate),
            "admin" => Ok(Self::Admin),
            _ => Err(TokenError::Scope),
        }
    }
}

/// Why tokens cannot be used or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The file is not of this form.
    #[error("not a file of tokens: {problem}")]
    File {
        /// What is wrong with it, and where.
        problem: String,
    },
    /// No such scope.
    #[error("the scopes are read, allocate and admin")]
    Scope,
    /// No such project can be.
    #[error("{name:?} is no project: 1 to 64 letters, digits, `.`, `_` and `-`, or `*` for all")]
    Project {
        /// The name.
        name: String,
    },
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its project, or `*` for every one.
    pub project: String,
    /// What it allows.
    pub scope: Scope,
    /// When it is made.
    pub now: Timestamp,
    /// Until when it is good; `None` for ever.
    pub expires: Option<Timestamp>,
}

/// The tokens that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    #[serde(default, rename = "token")]
    tokens: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// How it is called in logs; the start of the hash.
    id: String,
    project: String,
    scope: Scope,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    sha256: Hash,
}

/// A hash, in hexadecimal where it is written. However two are compared, it takes the same
/// time wherever they differ.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hash([u8; 32]);

/// What the holder of a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// The token's name in logs.
    pub id: String,
    project: String,
    scope: Scope,
}

impl Tokens {
    /// Reads a file of tokens.
    ///
    /// # Errors
    /// [`TokenError`] for a text that is not of this form.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let tokens: Self = toml::from_str(text).map_err(not_a_file)?;
        for (i, entry) in tokens.tokens.iter().enumerate() {
            Self::check_project(&entry.project)?;
            if tokens.tokens[..i].iter().any(|other| other.is_like(entry)) {
                let problem = format!("the token {} is there twice", entry.id);
                return Err(TokenError::File { problem });
            }
        }
        Ok(tokens)
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// [`TokenError::File`] where it cannot be written, which no token leads to.
    pub fn to_toml(&self) -> Result<String, TokenError> {
        toml::to_string(self).map_err(not_a_file)
    }

    /// Checks the name of a project that a token may be for.
    ///
    /// # Errors
    /// [`TokenError::Project`].
    pub fn check_project(name: &str) -> Result<(), TokenError> {
        if name == EVERY || is_project(name) {
            return Ok(());
        }
        Err(TokenError::Project { name: name.to_owned() })
    }

    /// Adds a token, and returns it. It cannot be found out later.
    ///
    /// # Errors
    /// [`TokenError::Project`].
    pub fn issue(&mut self, issue: Issue) -> Result<String, TokenError> {
        Self::check_project(&issue.project)?;
        let Issue { project, scope, now, expires } = issue;
        loop {
            let token = format!("{PREFIX}{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let sha256 = Hash::of(&token);
            let id = String::from(sha256.clone())[..12].to_owned();
            let project = project.clone();
            let entry = Entry { id, project, scope, created: now, expires, sha256 };
            if !self.tokens.iter().any(|other| other.is_like(&entry)) {
                self.tokens.push(entry);
                return Ok(token);
            }
        }
    }

    /// Returns what a token allows; `None` where it is not known or its time is up.
    pub(super) fn grant(&self, token: &str, now: Timestamp) -> Option<Grant> {
        find(self.tokens.iter(), &Hash::of(token), now).map(|entry| Grant {
            id: entry.id.clone(),
            project: entry.project.clone(),
            scope: entry.scope,
        })
    }
}

/// Looks at every entry, also behind the one that is found.
fn find<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    hash: &Hash,
    now: Timestamp,
) -> Option<&'a Entry> {
    let mut found = None;
    for entry in entries {
        let is_live = Choice::from(u8::from(entry.expires.is_none_or(|end| now < end)));
        if bool::from(hash.ct_eq(&entry.sha256) & is_live) {
            found = Some(entry);
        }
    }
    found
}

impl Entry {
    /// Tells whether one could be taken for the other: answers that are kept for a
    /// repetition are kept under the token's name.
    fn is_like(&self, other: &Self) -> bool {
        self.id == other.id || self.sha256 == other.sha256
    }
}

impl Grant {
    /// Tells whether it includes a scope.
    pub(super) fn includes(&self, scope: Scope) -> bool {
        self.scope >= scope
    }

    /// Tells whether it is for this project.
    pub(super) fn is_for(&self, project: &str) -> bool {
        self.project == EVERY || self.project == project
    }
}

fn not_a_file(error: impl std::fmt::Display) -> TokenError {
    TokenError::File { problem: error.to_string().trim_end().to_owned() }
}

impl ConstantTimeEq for Hash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Hash {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let problem = "a hash is 64 hexadecimal digits";
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.ok_or(problem)?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n * 16 + d)).collect();
        if digits.len() != 64 {
            return Err(problem);
        }
        bytes.try_into().map(Self).map_err(|_| problem)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.0.iter().fold(Self::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            write!(text, "{byte:02x}").expect("a String takes all text");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn issue(project: &str, scope: Scope, expires: Option<i64>) -> Issue {
        Issue { project: project.to_owned(), scope, now: at(0), expires: expires.map(at) }
    }

    #[test]
    fn a_token_is_known_again_and_the_file_does_not_hold_it() {
        let mut tokens = Tokens::default();
        let one = tokens.issue(issue("p", Scope::Allocate, Some(100))).unwrap();
        let all = tokens.issue(issue("*", Scope::Admin, None)).unwrap();
        let text = tokens.to_toml().unwrap();
        assert!(!text.contains(&one) && !text.contains(&one[PREFIX.len()..]), "{text}");
        let tokens = Tokens::parse(&text).unwrap();

        let grant = tokens.grant(&one, at(99)).unwrap();
        assert!(grant.includes(Scope::Read) && grant.includes(Scope::Allocate));
        assert!(!grant.includes(Scope::Admin));
        assert!(grant.is_for("p") && !grant.is_for("q") && !grant.is_for("*"));
        assert_eq!(tokens.grant(&one, at(100)), None);
        let grant = tokens.grant(&all, at(i64::from(u32::MAX))).unwrap();
        assert!(grant.includes(Scope::Admin) && grant.is_for("q"));
        for wrong in ["", "orch_", &one[..one.len() - 1], &format!("{one}0"), &one.to_uppercase()] {
            assert_eq!(tokens.grant(wrong, at(0)), None, "{wrong}");
        }
    }

    /// In what time two hashes are compared is the type's to promise, and how many are
    /// compared is counted here.
    #[test]
    fn a_token_is_compared_with_every_entry_wherever_it_stands() {
        fn is_constant_time<T: ConstantTimeEq>(_: &T) {}
        let mut tokens = Tokens::default();
        let all: Vec<String> = (0..5)
            .map(|n| tokens.issue(issue("p", Scope::Read, (n == 2).then_some(1))).unwrap())
            .collect();
        is_constant_time(&tokens.tokens[0].sha256);
        for token in all.iter().map(String::as_str).chain(["", "orch_"]) {
            let mut seen = 0;
            let entries = tokens.tokens.iter().inspect(|_| seen += 1);
            let found = find(entries, &Hash::of(token), at(1));
            assert_eq!(found.is_some(), all.iter().any(|known| known == token) && token != all[2]);
            assert_eq!(seen, 5, "{token}");
        }
    }

    #[test]
    fn a_token_stands_in_a_file_once() {
        let mut tokens = Tokens::default();
        tokens.issue(issue("p", Scope::Read, None)).unwrap();
        let one = tokens.to_toml().unwrap();
        let id = tokens.tokens[0].id.clone();
        let renamed = one.replace(&format!("\"{id}\""), "\"other\"");
        let mut others = Tokens::default();
        others.issue(issue("p", Scope::Read, None)).unwrap();
        let named_alike = others.to_toml().unwrap().replace(&others.tokens[0].id, &id);
        for other in [&one, &renamed, &named_alike] {
            let error = Tokens::parse(&format!("{one}\n{other}")).unwrap_err();
            assert!(error.to_string().contains("twice"), "{error}");
        }
    }

    #[test]
    fn files_that_are_not_of_this_form() {
        assert_eq!(Tokens::parse("").unwrap(), Tokens::default());
        let mut tokens = Tokens::default();
        tokens.issue(issue("p", Scope::Read, None)).unwrap();
        let good = tokens.to_toml().unwrap();
        for (from, to) in [
            ("\"p\"", "\"a b\""),
            ("\"read\"", "\"write\""),
            ("sha256 = \"", "sha256 = \"0"),
            ("sha256 = \"", "sha256 = \"xy"),
            ("id = ", "nick = "),
            ("created = ", "created = x"),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(Tokens::parse(&bad).is_err(), "{bad}");
        }
        let project = tokens.issue(issue("a b", Scope::Read, None));
        assert!(matches!(project, Err(TokenError::Project { .. })));
    }
}
