//! Every mutation of a backlog as a value, and the one function that carries it
//! out.
//!
//! A [`Change`] can be applied to any state of a file: where a hand edit slipped in
//! before a save, the same changes are applied to that text again. [`apply`] is
//! all or nothing, and says what it touched as [`Delta`]s, from which the store
//! makes its edits and [`revert`] its way back.

mod apply;
mod dependencies;
mod draft;
mod lifecycle;
mod merge;
mod new_item;
mod patch;
mod phase;
mod request;
#[cfg(test)]
mod tests;

pub use apply::{ChangeError, Context, apply};
pub use dependencies::{find_cycles, would_close_cycle};
pub use draft::{Applied, Delta, Removal, Skipped, find_item, revert};
pub use lifecycle::Rules;
pub use new_item::{NewItem, title_key};
pub use patch::{Assign, ItemPatch, ListEdit};
pub use phase::PhaseCompletion;
pub use request::Change;
