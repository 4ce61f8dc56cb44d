//! The configuration, `orchestrator.toml`: defaults, reading, validation.
//!
//! Guarantees: without a file the defaults hold; a file is either read whole or
//! refused with every problem in it, each with line, column and a way out; a key
//! that is not known is an error, since a setting that is silently ignored is
//! worse than none; what [`Config::template`] writes reads back as the defaults.
//!
//! It settles names and numbers only. Whether an agent can be started, and which
//! prefix most items have where none is configured, is for others to find out.

mod agent;
mod discover;
mod error;
mod parse;
mod reader;
mod sequence;
mod settings;
mod template;

pub use agent::{Agent, Placeholder, PromptDelivery};
pub use discover::{CONFIG_NAME, Located, locate, locate_backlog};
pub use error::{ConfigError, ConfigProblem};
pub use sequence::SequenceSettings;
pub use settings::{Config, GitMode, Project};
