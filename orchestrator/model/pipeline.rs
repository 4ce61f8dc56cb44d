//! Pipelines: the phases an item goes through.
//!
//! Pre-phases make a new item ready, main phases make a ready one done. A phase's
//! name is unique in its pipeline, across both pools.

use super::PhasePool;

/// What to do when the commit of an item's last phase is no longer an ancestor of
/// what is checked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Staleness {
    /// Go on.
    #[default]
    Ignore,
    /// Go on, and say so.
    Warn,
    /// Block the item.
    Block,
}

/// One phase of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhaseSpec {
    /// Its name.
    pub name: String,
    /// The agent that does it; `default` where nothing else is said.
    pub agent: String,
    /// Files with instructions that the agent is to follow, from the root.
    pub workflows: Vec<String>,
    /// Whether it changes the work tree, and so runs alone.
    pub destructive: bool,
    /// What a lost last commit means for it.
    pub staleness: Staleness,
}

impl PhaseSpec {
    /// Makes a phase that only has a name: the default agent, not destructive.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), agent: "default".to_owned(), ..Self::default() }
    }
}

/// The phases of one kind of item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name, as items give it in `pipeline_type`.
    pub name: String,
    /// The phases that make a new item ready.
    pub pre_phases: Vec<PhaseSpec>,
    /// The phases that make a ready item done.
    pub phases: Vec<PhaseSpec>,
}

impl Pipeline {
    /// The name of the pipeline that holds where nothing is configured.
    pub const DEFAULT: &'static str = "feature";

    /// Returns the pipeline that holds where nothing is configured.
    pub fn feature() -> Self {
        let build = PhaseSpec { destructive: true, ..PhaseSpec::new("build") };
        let mut phases: Vec<PhaseSpec> =
            ["prd", "tech-research", "design", "spec"].map(PhaseSpec::new).into();
        phases.push(build);
        phases.push(PhaseSpec::new("review"));
        Self {
            name: Self::DEFAULT.to_owned(),
            pre_phases: vec![PhaseSpec::new("research")],
            phases,
        }
    }

    /// Returns the phases of one pool.
    pub fn pool(&self, pool: PhasePool) -> &[PhaseSpec] {
        match pool {
            PhasePool::Pre => &self.pre_phases,
            PhasePool::Main => &self.phases,
        }
    }

    /// Returns the pool that holds a phase, and its place there.
    pub fn position(&self, phase: &str) -> Option<(PhasePool, usize)> {
        let place = |phases: &[PhaseSpec]| phases.iter().position(|spec| spec.name == phase);
        place(&self.pre_phases)
            .map(|index| (PhasePool::Pre, index))
            .or_else(|| place(&self.phases).map(|index| (PhasePool::Main, index)))
    }

    /// Returns a phase by its name.
    pub fn phase(&self, name: &str) -> Option<&PhaseSpec> {
        self.position(name).map(|(pool, index)| &self.pool(pool)[index])
    }
}
