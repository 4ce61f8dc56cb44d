//! What a person asked to be run: filters and targets.
//!
//! They choose what is started, never what is counted: a dependency that a filter
//! hides is as unmet as ever.

use std::str::FromStr;

use crate::model::{BacklogItem, IdQuery, ItemStatus, Level, Size, UnknownValue, did_you_mean};

/// One condition: a key, and the values of which an item must have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    key: FilterKey,
    values: Vec<String>,
}

/// What a filter can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKey {
    /// Where the item stands.
    Status,
    /// How much it brings.
    Impact,
    /// How much work it is.
    Size,
    /// How risky it is.
    Risk,
    /// How complex it is.
    Complexity,
    /// Its labels.
    Tag,
    /// Its pipeline.
    Pipeline,
}

const KEYS: &[(&str, FilterKey)] = &[
    ("status", FilterKey::Status),
    ("impact", FilterKey::Impact),
    ("size", FilterKey::Size),
    ("risk", FilterKey::Risk),
    ("complexity", FilterKey::Complexity),
    ("tag", FilterKey::Tag),
    ("pipeline", FilterKey::Pipeline),
];

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no `=` in it.
    #[error("`{0}` is no filter: write KEY=VALUE[,VALUE]")]
    NoValue(String),
    /// Items have no such key to filter by.
    #[error("unknown filter `{key}`{}", .near.as_ref().map_or_else(String::new, |near| format!(", did you mean `{near}`?")))]
    UnknownKey {
        /// The key.
        key: String,
        /// One that is close.
        near: Option<&'static str>,
    },
    /// The key does not take that value.
    #[error(transparent)]
    Value(#[from] UnknownValue),
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (key, values) =
            text.split_once('=').ok_or_else(|| FilterError::NoValue(text.to_owned()))?;
        let key = key.trim();
        let found = KEYS.iter().find(|(name, _)| *name == key);
        let (_, key) = found.ok_or_else(|| FilterError::UnknownKey {
            key: key.to_owned(),
            near: did_you_mean(key, KEYS.iter().map(|(name, _)| *name)),
        })?;
        let values = values.split(',').map(str::trim).filter(|value| !value.is_empty());
        let values = values.map(|value| key.canonical(value)).collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() {
            return Err(FilterError::NoValue(text.to_owned()));
        }
        Ok(Self { key: *key, values })
    }
}

impl FilterKey {
    /// Returns a value as items have it.
    fn canonical(self, value: &str) -> Result<String, UnknownValue> {
        Ok(match self {
            Self::Status => value.parse::<ItemStatus>()?.to_string(),
            Self::Size => value.parse::<Size>()?.to_string(),
            Self::Impact | Self::Risk | Self::Complexity => value.parse::<Level>()?.to_string(),
            Self::Tag | Self::Pipeline => value.to_owned(),
        })
    }
}

impl Filter {
    /// Returns whether an item fits. `default_pipeline` is that of an item that
    /// names none.
    pub fn fits(&self, item: &BacklogItem, default_pipeline: &str) -> bool {
        let has =
            |own: Option<&str>| own.is_some_and(|own| self.values.iter().any(|value| value == own));
        match self.key {
            FilterKey::Status => has(Some(item.status.as_str())),
            FilterKey::Impact => has(item.impact.map(Level::as_str)),
            FilterKey::Size => has(item.size.map(Size::as_str)),
            FilterKey::Risk => has(item.risk.map(Level::as_str)),
            FilterKey::Complexity => has(item.complexity.map(Level::as_str)),
            FilterKey::Tag => item.tags.iter().any(|tag| has(Some(tag))),
            FilterKey::Pipeline => {
                has(Some(item.pipeline_type.as_deref().unwrap_or(default_pipeline)))
            }
        }
    }
}

/// What may be started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// All of these must fit.
    pub filters: Vec<Filter>,
    /// Only these items, in this order, where any are named.
    pub targets: Vec<IdQuery>,
    /// Whether the target after a blocked one may be started.
    pub auto_advance: bool,
    /// Whether only new items are looked at.
    pub triage_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_key_and_values_of_which_one_must_fit() {
        let item = BacklogItem {
            impact: Some(Level::High),
            tags: vec!["ui".into()],
            ..BacklogItem::default()
        };
        let fits = |text: &str| text.parse::<Filter>().unwrap().fits(&item, "feature");
        assert!(
            fits("impact=High,low")
                && fits("tag=ui")
                && fits("pipeline=feature")
                && fits("status=new")
        );
        assert!(!fits("impact=low") && !fits("tag=u") && !fits("size=small"));
    }

    #[test]
    fn nonsense_is_told() {
        let error = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
        assert_eq!(error("impct=high"), "unknown filter `impct`, did you mean `impact`?");
        assert_eq!(error("impact"), "`impact` is no filter: write KEY=VALUE[,VALUE]");
        assert_eq!(error("impact="), "`impact=` is no filter: write KEY=VALUE[,VALUE]");
        assert!(error("impact=huge").contains("unknown level `huge`"));
    }
}
