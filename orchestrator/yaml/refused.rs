//! Refusals: why an edit was not made.
//!
//! A refused edit leaves the document byte for byte as it was. The place is that
//! of what stands in the way, so that a person can make the change by hand.

/// An edit that was not made, and where the reason lies.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why.
    #[source]
    pub reason: Reason,
    /// Line of what stands in the way, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The record, counted from 0; none for the root or a place outside the list.
    pub record: Option<usize>,
}

impl Reason {
    /// Turns what the second parser says into a reason.
    pub(super) fn unreadable(error: &serde_yaml::Error) -> Self {
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or_default().to_owned();
        let at = error.location().map_or(0, |place| place.index());
        Self::Unreadable { message, at }
    }
}

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The list has no record of that number.
    #[error("there is no record {record}")]
    NoSuchRecord {
        /// The number asked for, from 0.
        record: usize,
    },
    /// The path leads nowhere.
    #[error("nothing stands at {path}")]
    NoSuchPath {
        /// The path, as `a.b[0]`.
        path: String,
    },
    /// The path goes through, or ends in, a value of another shape.
    #[error("{path} is not {expected}")]
    WrongShape {
        /// The path, as `a.b[0]`.
        path: String,
        /// What it would have to be.
        expected: &'static str,
    },
    /// The record has the key already.
    #[error("the key {key} is there already")]
    KeyExists {
        /// The key.
        key: String,
    },
    /// The key that holds the records cannot be set or removed.
    #[error("the key {key} holds the records")]
    ListKey {
        /// The key.
        key: String,
    },
    /// An alias stands in the way: what it shows is written elsewhere.
    #[error("this is an alias; change the text that it stands for")]
    Alias,
    /// An anchor stands in the way: other places show the same value.
    #[error("this value has an anchor, other places may show it too")]
    Anchor,
    /// A tag stands in the way.
    #[error("this value has a tag")]
    Tag,
    /// A value that cannot be written as YAML here.
    #[error("{what} cannot be written here")]
    Unwritable {
        /// What it is.
        what: &'static str,
    },
    /// The text of a record that was given does not parse as one.
    #[error("the given text is not one record: {message}")]
    BadText {
        /// The first problem.
        message: String,
    },
    /// The text is laid out in a way that is read, but not changed.
    #[error("{what}; it can be read, but not changed in place")]
    Layout {
        /// What is unusual about it.
        what: &'static str,
    },
    /// The second parser does not read the text as it stands.
    #[error("it can be read, but another YAML reader refuses it: {message}")]
    Unreadable {
        /// What the second parser says.
        message: String,
        /// Where in the slice that it was given; its own words would name a line of
        /// the slice, not of the file.
        at: usize,
    },
    /// Every way of writing the change would have changed something else too.
    #[error("the change would alter more than it names")]
    Unsafe,
}
