//! Commands on items and their fields: add, list, show, update, edit.

use clap::Args;
use serde_yaml::Value;

use super::value;
use super::word::{clearable, word};
use crate::model::change::{Assign, ItemPatch, ListEdit};
use crate::model::{BacklogItem, IdQuery, ItemStatus, Level, Size};
use crate::scheduler::{Filter, FilterKey};

const ADD_EXAMPLES: &str = "\
Examples:
  orchestrator add \"Fix the login\" -s small -r low --tag web
  orchestrator add \"First\" \"Second\"            two items in one save
  git log -1 --format=%B | orchestrator add \"Look at this\" --description -";

#[derive(Debug, Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// What is to be done; several titles make several items
    #[arg(required = true, value_name = "TITLE", value_parser = value::title)]
    pub(crate) titles: Vec<String>,
    /// How much work it is
    #[arg(short, long, value_name = "SIZE", value_parser = word::<Size>(Size::WORDS))]
    pub(crate) size: Option<Size>,
    /// How risky it is
    #[arg(short, long, value_name = "LEVEL", value_parser = word::<Level>(Level::WORDS))]
    pub(crate) risk: Option<Level>,
    /// How much it brings
    #[arg(long, value_name = "LEVEL", value_parser = word::<Level>(Level::WORDS))]
    pub(crate) impact: Option<Level>,
    /// How complex it is
    #[arg(long, value_name = "LEVEL", value_parser = word::<Level>(Level::WORDS))]
    pub(crate) complexity: Option<Level>,
    /// The pipeline it goes through
    #[arg(short, long, value_name = "NAME", value_parser = value::name)]
    pub(crate) pipeline: Option<String>,
    /// What must be done before; repeat it, or separate with commas
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = value::name)]
    pub(crate) depends_on: Vec<String>,
    /// A label; repeat it, or separate with commas
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',', value_parser = value::name)]
    pub(crate) tags: Vec<String>,
    /// What it is about; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) description: Option<String>,
}

const ONLY: &str = "Only items that fit; KEY is status, impact, size, risk, complexity, tag or pipeline; a comma means or, repeating means and";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator list --status ready,in_progress\n  orchestrator list --only tag=web,api --only risk=low\n  orchestrator list --all --json"
)]
pub(crate) struct List {
    /// Only items with one of these statuses
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = word::<ItemStatus>(ItemStatus::WORDS))]
    pub(crate) status: Vec<ItemStatus>,
    #[arg(long, value_name = "KEY=VALUE", help = ONLY)]
    only: Vec<Filter>,
    /// Done items too
    #[arg(long)]
    pub(crate) all: bool,
}

impl List {
    /// Returns whether an item was asked for; whether it is done is another matter.
    pub(crate) fn fits(&self, item: &BacklogItem, default_pipeline: &str) -> bool {
        let has_status = self.status.is_empty() || self.status.contains(&item.status);
        has_status && self.only.iter().all(|filter| filter.fits(item, default_pipeline))
    }

    /// Returns whether done items are listed: where they or any status were asked for.
    pub(crate) fn shows_done(&self) -> bool {
        let is_status = |filter: &Filter| filter.key() == FilterKey::Status;
        self.all || !self.status.is_empty() || self.only.iter().any(is_status)
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator show WRK-007\n  orchestrator show 7 8 --json\n\nAn ID may be written in any case, without zeros, or as its number alone."
)]
pub(crate) struct Show {
    /// The items
    #[arg(required = true, value_name = "ID", value_parser = value::item)]
    pub(crate) items: Vec<IdQuery>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator log WRK-007\n  orchestrator log 7 --json\n\nAn archived item has its history too."
)]
pub(crate) struct Log {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
}

const UPDATE_EXAMPLES: &str = "\
Examples:
  orchestrator update WRK-007 --size small --tag +web,-old
  orchestrator update 7 --risk none                clears the field
  orchestrator update 7 --depends-on +WRK-003
  orchestrator update 7 --set owner=ana            a key of your own";

#[derive(Debug, Args)]
#[command(override_usage = "orchestrator update <ID> <OPTIONS>", after_help = UPDATE_EXAMPLES)]
pub(crate) struct Update {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
    #[command(flatten)]
    pub(crate) fields: Fields,
    /// Set the status whatever the table of transitions says
    #[arg(long, requires = "status")]
    pub(crate) force: bool,
}

/// The fields that can be altered; at least one must be.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Fields {
    /// A new title
    #[arg(long, value_name = "TITLE", value_parser = value::title)]
    title: Option<String>,
    /// A new status, as far as the table of transitions allows
    #[arg(long, value_name = "STATUS", value_parser = word::<ItemStatus>(ItemStatus::WORDS))]
    status: Option<ItemStatus>,
    /// How much work it is
    #[arg(long, value_name = "SIZE", value_parser = clearable::<Size>(Size::WORDS))]
    size: Option<Assign<Size>>,
    /// How risky it is
    #[arg(long, value_name = "LEVEL", value_parser = clearable::<Level>(Level::WORDS))]
    risk: Option<Assign<Level>>,
    /// How much it brings
    #[arg(long, value_name = "LEVEL", value_parser = clearable::<Level>(Level::WORDS))]
    impact: Option<Assign<Level>>,
    /// How complex it is
    #[arg(long, value_name = "LEVEL", value_parser = clearable::<Level>(Level::WORDS))]
    complexity: Option<Assign<Level>>,
    /// What it is about; `-` reads it from stdin, `none` clears it
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = value::clearable_text)]
    pub(crate) description: Option<Assign<String>>,
    /// The phase it is in; `none` clears it
    #[arg(long, value_name = "PHASE", value_parser = value::clearable_text)]
    phase: Option<Assign<String>>,
    /// The pipeline it goes through; `none` clears it
    #[arg(long, value_name = "NAME", value_parser = value::clearable_text)]
    pipeline: Option<Assign<String>>,
    /// Labels to add (+a) and to take away (-b)
    #[arg(long = "tag", value_name = "+A,-B", value_delimiter = ',', allow_hyphen_values = true, value_parser = value::list_edit)]
    tags: Vec<ListEdit>,
    /// Dependencies to add (+ID) and to take away (-ID)
    #[arg(long = "depends-on", value_name = "+ID,-ID", value_delimiter = ',', allow_hyphen_values = true, value_parser = value::list_edit)]
    dependencies: Vec<ListEdit>,
    /// A key of your own, with a YAML scalar as its value
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = value::assignment)]
    set: Vec<(String, Value)>,
}

impl Fields {
    /// Turns into the alterations they ask for.
    pub(crate) fn into_patch(self, force: bool) -> ItemPatch {
        ItemPatch {
            title: self.title,
            status: self.status,
            force,
            size: self.size.unwrap_or_default(),
            complexity: self.complexity.unwrap_or_default(),
            risk: self.risk.unwrap_or_default(),
            impact: self.impact.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            phase: self.phase.unwrap_or_default(),
            pipeline: self.pipeline.unwrap_or_default(),
            tags: self.tags,
            dependencies: self.dependencies,
            set: self.set,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orchestrator edit WRK-007\n  EDITOR='code --wait' orchestrator edit 7\n\nText that is refused is kept, and offered again by the next edit of that item."
)]
pub(crate) struct Edit {
    /// The item
    #[arg(value_name = "ID", value_parser = value::item)]
    pub(crate) item: IdQuery,
}
