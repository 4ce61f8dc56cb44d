//! Edits: what a change to the text can be, and why one is refused.
//!
//! An [`Edit`] names a place by [`Step`]s and says what shall stand there; how
//! the bytes change is the document's business. Edits know nothing of backlogs:
//! a document has a root mapping, and under one of its keys a list of records.

use serde_yaml::Value;

/// One step of the way from a record (or the root) down to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value under this key of a mapping.
    Key(String),
    /// The entry at this index of a sequence, from 0.
    Index(usize),
}

/// A change to one document. Records are counted from 0 in file order.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Sets the node at `path` to `value`: replaces what is there, or adds the
    /// last step's key to its mapping. `record` is `None` for the root mapping,
    /// where a new key goes before that of the list. A collection that keeps some
    /// of its entries keeps their text; keys that only change places do not count.
    /// Setting what is there already changes nothing.
    Set {
        /// The record, or the root mapping.
        record: Option<usize>,
        /// The way down; at least one step.
        path: Vec<Step>,
        /// What shall stand there.
        value: Value,
    },
    /// Writes a key as the record's first, where the record does not have it.
    SetFirst {
        /// The record.
        record: usize,
        /// The key.
        key: String,
        /// Its value.
        value: Value,
    },
    /// Appends `value` to the sequence at `path`, or makes one where the key is
    /// absent or null.
    Push {
        /// The record, or the root mapping.
        record: Option<usize>,
        /// The way down; at least one step.
        path: Vec<Step>,
        /// The new last entry.
        value: Value,
    },
    /// Removes the key or the entry that `path` ends in. A sequence that loses
    /// its last entry becomes `[]`.
    Remove {
        /// The record, or the root mapping.
        record: Option<usize>,
        /// The way down; at least one step.
        path: Vec<Step>,
    },
    /// Appends a record with these keys in this order, in the style of the last
    /// record of the list.
    Append {
        /// Keys and values in file order.
        fields: Vec<(String, Value)>,
    },
    /// Appends a record that is written already: the text of one block sequence
    /// entry from its dash, as [`super::Document::record_text`] gave it, comments
    /// included. It is shifted to the columns of the list, otherwise verbatim; in a
    /// list in brackets it is written as a mapping in braces, without comments.
    AppendText {
        /// The entry, first line starting with the dash.
        text: String,
    },
    /// Replaces a whole record by an entry's text (what a person made of it in an
    /// editor), in the form that [`Edit::AppendText`] takes.
    ReplaceText {
        /// The record.
        record: usize,
        /// The entry, first line starting with the dash.
        text: String,
    },
    /// Removes a record: from its dash to its last content line. Comments and
    /// blank lines after that stay.
    RemoveRecord {
        /// The record.
        record: usize,
    },
}
