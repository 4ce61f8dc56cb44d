//! Adopting IDs that exist: which numbers of which sequence are taken already.
//!
//! An [`IdReader`] knows an ID of a layout when it sees one, as the whole of a text
//! or somewhere in it. A [`Survey`] is fed with what a source has (front matter, file
//! names, paths and subjects of commits, values of a column) and says in the end the
//! highest number of each sequence, which files have the same ID, and which could
//! not be read. A file that could not be read still reserves the number in its name.
//!
//! Pure, but for [`Files`], which reads the files that a glob names through `fs`.
//! What a backlog holds, and what git knows, is asked for by the caller; sequences
//! are raised by a [`Backend`](super::Backend).

mod column;
#[cfg(feature = "runtime")]
mod files;
mod front_matter;
mod known;
mod reader;
mod survey;

pub use column::Column;
#[cfg(feature = "runtime")]
pub use files::{Files, FilesError};
pub use front_matter::{FrontMatter, FrontMatterError, front_matter};
pub use reader::{IdReader, KeyFilter};
pub use survey::{Duplicate, Findings, Malformed, Survey};
