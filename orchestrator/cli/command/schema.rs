//! `schema`: the JSON Schema of BACKLOG.yaml, for editors.
//!
//! It says what the file may hold, in the words of the model; anything beyond the
//! known keys is allowed. The types here exist for their schema alone.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::model::{BlockType, ItemStatus, Level, NEWEST_SCHEMA, PhasePool, Size};

/// Prints the schema.
pub(crate) fn schema(output: &Output) -> Result<Exit, CliError> {
    let schema = backlog_schema();
    if output.is_json() {
        output.document("schema", schema)?;
    } else {
        let text = serde_json::to_string_pretty(&schema)?;
        output.verbatim(&(text + "\n"))?;
    }
    Ok(Exit::Done)
}

fn backlog_schema() -> Schema {
    schema_for!(Backlog)
}

/// Defines a type whose schema is a closed set of words.
macro_rules! word_schema {
    ($($name:ident: $words:expr, $title:literal;)+) => {$(
        struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": $words })
            }
        }
    )+};
}

word_schema! {
    StatusWord: ItemStatus::WORDS, "Status";
    SizeWord: Size::WORDS, "Size";
    LevelWord: Level::WORDS, "Level";
    PoolWord: PhasePool::WORDS, "PhasePool";
    BlockWord: BlockType::WORDS, "BlockType";
}

/// A backlog of orchestrator: work items that people and programs write at the
/// same time.
#[derive(JsonSchema)]
#[schemars(title = "BACKLOG.yaml")]
#[expect(dead_code, reason = "only its schema is used")]
struct Backlog {
    /// The version of the file's schema.
    #[schemars(range(min = 1, max = NEWEST_SCHEMA))]
    schema_version: Option<u32>,
    /// The highest number ever assigned, despite its name. Never lower it.
    #[schemars(range(max = u32::MAX))]
    next_item_id: Option<u32>,
    /// The items.
    items: Option<Vec<Item>>,
}

/// A piece of work.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Item {
    /// PREFIX-NNN. Leave it out: the next writer assigns one.
    id: Option<String>,
    /// What is to be done, in one line.
    #[schemars(regex(pattern = r"\S"))]
    title: String,
    /// Where it stands; `new` where absent.
    status: Option<StatusWord>,
    /// The phase it is in.
    phase: Option<String>,
    /// Which of its pipeline's pools holds that phase.
    phase_pool: Option<PoolWord>,
    /// The pipeline it goes through.
    pipeline_type: Option<String>,
    /// The commit that ended its last phase.
    last_phase_commit: Option<String>,
    /// How much work it is.
    size: Option<SizeWord>,
    /// How complex it is.
    complexity: Option<LevelWord>,
    /// How risky it is.
    risk: Option<LevelWord>,
    /// How much it brings.
    impact: Option<LevelWord>,
    /// Whether a person must look before it becomes ready.
    requires_human_review: Option<bool>,
    /// What it is about, at length.
    description: Option<Description>,
    /// Where it came from: ITEM/phase, inbox, or free text.
    origin: Option<String>,
    /// Labels.
    tags: Option<Vec<String>>,
    /// IDs of the items that must be done before.
    dependencies: Option<Vec<String>>,
    /// Where a blocked item goes back to.
    blocked_from_status: Option<StatusWord>,
    /// Why it is blocked.
    blocked_reason: Option<String>,
    /// What it waits for.
    blocked_type: Option<BlockWord>,
    /// What a person answered; told to the next phase once.
    unblock_context: Option<String>,
    /// When a person consented past the guardrails, RFC 3339.
    approved: Option<String>,
    /// When it was added, RFC 3339.
    created: Option<String>,
    /// When a program last changed it, RFC 3339.
    updated: Option<String>,
}

/// Free text, or named parts.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Description {
    Text(String),
    Parts(Parts),
}

/// A description in parts.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Parts {
    /// What surrounds the work.
    context: Option<String>,
    /// What is wrong.
    problem: Option<String>,
    /// What is to be done about it.
    solution: Option<String>,
    /// What that brings.
    impact: Option<String>,
    /// Why it has the size that it has.
    sizing_rationale: Option<String>,
}

#[cfg(test)]
mod tests;
