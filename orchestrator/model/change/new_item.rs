//! Items to be added: everything but an ID.

use serde_yaml::Mapping;

use crate::model::follow_up::one_line;
use crate::model::{BacklogItem, Description, FollowUp, Level, Size};

/// An item that has no ID yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewItem {
    /// What is to be done; folded to one line, must not be blank.
    pub title: String,
    /// How much work it is.
    pub size: Option<Size>,
    /// How complex it is.
    pub complexity: Option<Level>,
    /// How risky it is.
    pub risk: Option<Level>,
    /// How much it brings.
    pub impact: Option<Level>,
    /// The pipeline it goes through.
    pub pipeline_type: Option<String>,
    /// What must be done before, as typed.
    pub dependencies: Vec<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// What it is about.
    pub description: Option<Description>,
    /// Where it came from.
    pub origin: Option<String>,
    /// Keys that are not ours.
    pub extra: Mapping,
}

impl NewItem {
    /// Makes an item that only has a title.
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// Makes an item of a follow-up; its context becomes the description.
    pub fn from_follow_up(follow_up: &FollowUp, origin: &str) -> Self {
        Self {
            title: follow_up.title.clone(),
            size: follow_up.suggested_size,
            risk: follow_up.suggested_risk,
            tags: follow_up.tags.clone(),
            description: follow_up.context.clone().map(Description::Text),
            origin: Some(origin.to_owned()),
            ..Self::default()
        }
    }

    /// Turns into an item with this ID, added at `now` (RFC 3339).
    pub(super) fn into_item(self, id: String, now: &str) -> BacklogItem {
        BacklogItem {
            id: Some(id),
            title: one_line(&self.title),
            size: self.size,
            complexity: self.complexity,
            risk: self.risk,
            impact: self.impact,
            pipeline_type: self.pipeline_type,
            dependencies: self.dependencies,
            tags: self.tags,
            description: self.description,
            origin: self.origin,
            created: Some(now.to_owned()),
            updated: Some(now.to_owned()),
            extra: self.extra,
            ..BacklogItem::default()
        }
    }
}

/// Returns what two titles have in common that say the same: letter case and
/// spacing do not count.
pub fn title_key(title: &str) -> String {
    one_line(title).to_lowercase()
}
