//! Choosing items: `--only KEY=VALUE[,VALUE]`. A comma means or, several filters
//! mean and.

use std::str::FromStr;

use super::value::ValueError;
use crate::model::{BacklogItem, ItemStatus, Level, Size};

/// What can be filtered by.
pub(super) const KEYS: &[&str] =
    &["status", "impact", "size", "risk", "complexity", "tag", "pipeline"];

/// One filter: an item must have one of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    Status(Vec<ItemStatus>),
    Impact(Vec<Level>),
    Size(Vec<Size>),
    Risk(Vec<Level>),
    Complexity(Vec<Level>),
    Tag(Vec<String>),
    Pipeline(Vec<String>),
}

impl FromStr for Term {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (key, values) = text.split_once('=').ok_or(ValueError::NoEquals)?;
        Ok(match key.trim() {
            "status" => Self::Status(words(values)?),
            "impact" => Self::Impact(words(values)?),
            "size" => Self::Size(words(values)?),
            "risk" => Self::Risk(words(values)?),
            "complexity" => Self::Complexity(words(values)?),
            "tag" => Self::Tag(names(values)?),
            "pipeline" => Self::Pipeline(names(values)?),
            other => {
                return Err(ValueError::UnknownFilter { key: other.to_owned() });
            }
        })
    }
}

fn words<T: FromStr<Err = crate::model::UnknownValue>>(values: &str) -> Result<Vec<T>, ValueError> {
    values.split(',').map(|word| word.parse().map_err(ValueError::Word)).collect()
}

fn names(values: &str) -> Result<Vec<String>, ValueError> {
    values.split(',').map(super::value::name).collect()
}

impl Term {
    fn fits(&self, item: &BacklogItem, default_pipeline: &str) -> bool {
        fn one_of<T: PartialEq>(value: Option<T>, wanted: &[T]) -> bool {
            value.is_some_and(|value| wanted.contains(&value))
        }
        match self {
            Self::Status(wanted) => wanted.contains(&item.status),
            Self::Impact(wanted) => one_of(item.impact, wanted),
            Self::Size(wanted) => one_of(item.size, wanted),
            Self::Risk(wanted) => one_of(item.risk, wanted),
            Self::Complexity(wanted) => one_of(item.complexity, wanted),
            Self::Tag(wanted) => wanted.iter().any(|tag| item.tags.contains(tag)),
            Self::Pipeline(wanted) => {
                let own = item.pipeline_type.as_deref().unwrap_or(default_pipeline);
                wanted.iter().any(|name| name == own)
            }
        }
    }
}

/// What an item must be to be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

impl Filter {
    pub(super) fn new(terms: Vec<Term>) -> Self {
        Self { terms }
    }

    /// Returns whether an item fits all filters.
    pub(crate) fn fits(&self, item: &BacklogItem, default_pipeline: &str) -> bool {
        self.terms.iter().all(|term| term.fits(item, default_pipeline))
    }

    /// Returns whether a status was asked for.
    pub(crate) fn names_status(&self) -> bool {
        self.terms.iter().any(|term| matches!(term, Term::Status(_)))
    }
}
