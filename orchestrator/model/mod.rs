//! Vocabulary: what a backlog is made of, as pure values. No I/O, no clock, no
//! async: time and everything else from outside is an argument.
//!
//! [`BacklogFile`] is the whole file, [`BacklogItem`] one piece of work,
//! [`generate_next_id`] the rule by which numbers are issued, and [`Change`] with
//! [`apply`] the only way in which anything is altered. How a file's text is
//! read and written is left to `yaml` and `store`.

mod backlog_file;
pub mod change;
mod diagnostic;
mod follow_up;
mod id;
mod item;
mod items;
mod level;
mod limits;
mod next_id;
mod phase;
mod pipeline;
mod read;
mod snapshot;
mod status;

pub use backlog_file::{BacklogFile, CURRENT_SCHEMA, NEWEST_SCHEMA};
pub use change::{Applied, Change, ChangeError, Context, Delta, Rules, apply, revert};
pub use diagnostic::{Code, Diagnostic, Severity, did_you_mean};
pub use follow_up::FollowUp;
pub use id::{IdFormat, IdKey, IdQuery, ItemId, OddId};
pub use item::{BacklogItem, Description, StructuredDescription};
pub use items::Items;
pub use level::{BlockType, Level, Size, UnknownValue};
pub use limits::{Guardrails, Limits};
pub use next_id::{IdError, generate_next_id};
pub use phase::{Assessments, PhasePool, PhaseResult, PhaseResultError, ResultCode};
pub use pipeline::{PhaseSpec, Pipeline, Staleness};
pub use read::{FieldProblem, ITEM_KEYS, Segment};
pub use snapshot::{BacklogSnapshot, Ended};
pub use status::{IllegalTransition, ItemStatus};
