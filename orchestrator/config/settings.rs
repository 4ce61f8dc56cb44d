//! The configuration as values, and what holds where nothing is configured.
//!
//! Limits, guardrails and pipelines are the model's own types, so that policy
//! needs to know no configuration. Paths are kept as written; the two methods
//! that resolve them say against which folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agent::Agent;
use super::sequence::SequenceSettings;
use crate::model::{Guardrails, Limits, Pipeline};

/// `[project]`: names and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The prefix of new IDs; where absent, the one that most items have.
    pub prefix: Option<String>,
    /// The backlog, seen from the folder of the configuration.
    pub backlog: PathBuf,
    /// The folder of the worklog, seen from the folder of the backlog.
    pub worklog: PathBuf,
    /// The pipeline of items that name none.
    pub default_pipeline: String,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            prefix: None,
            backlog: "BACKLOG.yaml".into(),
            worklog: "worklog".into(),
            default_pipeline: Pipeline::DEFAULT.to_owned(),
        }
    }
}

/// Whether a run commits what its phases changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GitMode {
    /// Where there is a repository.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl GitMode {
    /// Both modes with their words.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("off", Self::Off)];
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names and places.
    pub project: Project,
    /// What an item may be without a person's consent.
    pub guardrails: Guardrails,
    /// How much a run may do.
    pub limits: Limits,
    /// Whether a run commits.
    pub git: GitMode,
    /// The agents by name, presets included; `default` is always there.
    pub agents: BTreeMap<String, Agent>,
    /// The pipelines by name; `feature` and the default one are always there.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Sequences in databases by name, for `--sequence`.
    pub sequences: BTreeMap<String, SequenceSettings>,
}

impl Default for Config {
    fn default() -> Self {
        let feature = Pipeline::feature();
        Self {
            project: Project::default(),
            guardrails: Guardrails::default(),
            limits: Limits::default(),
            git: GitMode::default(),
            agents: Agent::presets(),
            pipelines: BTreeMap::from([(feature.name.clone(), feature)]),
            sequences: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Returns the pipeline of an item: the one it names, or the default one
    /// where it names none. `None` where the named one is not configured.
    pub fn pipeline(&self, named: Option<&str>) -> Option<&Pipeline> {
        self.pipelines.get(named.unwrap_or(&self.project.default_pipeline))
    }

    /// Returns an agent by its name.
    pub fn agent(&self, name: &str) -> Option<&Agent> {
        self.agents.get(name)
    }

    /// Returns the path of the backlog, given the folder of the configuration.
    pub fn backlog_path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.project.backlog)
    }

    /// Returns the folder of the worklog, given the folder of the backlog.
    pub fn worklog_path(&self, root: &Path) -> PathBuf {
        root.join(&self.project.worklog)
    }
}
