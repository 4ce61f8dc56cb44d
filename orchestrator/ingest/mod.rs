//! From proposals to items: what an inbox entry and a phase's follow-up become.
//!
//! Pure functions over the model. What is proposed keeps everything it says: keys
//! that mean nothing here are carried into the item. What only a writer of the
//! backlog may set (an ID, a status) is left out with a note. Whether an item of
//! the same title is open already is judged when the change is made.

mod validate;

pub use validate::inbox_entry;
