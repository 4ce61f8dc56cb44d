//! The JSON that programs read: one set of shapes for the command line, REST and
//! MCP.
//!
//! Guarantees: keys, their order and the words in them are stable; a known field
//! is always there, `null` or `[]` where it has no value; what a file holds beyond
//! the known fields is under `extra`. The model is never written out directly, so
//! that it can change without a word changing here. Which command answers with
//! which shape is for the faces to say.

mod backlog;
mod change;
mod diagnostic;
mod envelope;
mod extra;
mod id;
mod item;
mod log;
mod run;
mod sequence;
mod status;

pub use backlog::{InitReport, MigrateReport};
pub use change::{ArchiveReport, ArchivedItem, IngestReport, MergeReport, SkippedTitle};
pub use diagnostic::{CheckReport, ErrorReport, Problem};
pub use envelope::{Document, ErrorDocument, SCHEMA_VERSION, WarningDocument};
pub use id::{Audit, IdStatus, IssuedId, Reservation};
pub use item::{Description, Item, ItemRef, MergedPair, Parts};
pub use log::LogEntry;
pub use run::{Event, Halt, RunReport};
pub use sequence::{
    Confirmation, DuplicateId, Expiry, FilesReport, KeyParts, MalformedFile, SequenceState,
    SequenceStatus, SequencesReport, SyncReport, SyncedSequence, UnsyncedSequence, key_parts,
};
pub use status::{Counts, Question, RunningProcess, Status, Underway, Upcoming, Waiting};
