//! What came of commands that do more than alter one item.

use serde::Serialize;

use super::Item;
use crate::model::Ended;
use crate::model::change::{Removal, Skipped};

/// What left the backlog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    /// The items, in file order.
    pub archived: Vec<ArchivedItem>,
}

/// An item that left the backlog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchivedItem {
    id: Option<String>,
    title: String,
    ended: &'static str,
    reason: Option<String>,
}

impl From<&Removal> for ArchivedItem {
    fn from(removal: &Removal) -> Self {
        Self {
            id: removal.item.id.clone(),
            title: removal.item.title.clone(),
            ended: match removal.ended {
                Ended::Done => "done",
                Ended::Dropped => "dropped",
                Ended::Merged => "merged",
            },
            reason: removal.reason.clone(),
        }
    }
}

/// One item merged into another.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MergeReport<'a> {
    /// The ID of the item that went.
    pub source: &'a str,
    /// The ID of the item that stayed.
    pub target: &'a str,
    /// The item that stayed, as it is now.
    pub item: Item<'a>,
}

/// What was taken in.
#[derive(Debug, Clone, Serialize)]
pub struct IngestReport<'a> {
    /// Items that were added.
    pub added: Vec<Item<'a>>,
    /// Proposals that were not, since an open item says the same.
    pub skipped: Vec<SkippedTitle>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// A proposal that was not added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedTitle {
    title: String,
    existing: String,
}

impl From<&Skipped> for SkippedTitle {
    fn from(skipped: &Skipped) -> Self {
        Self { title: skipped.title.clone(), existing: skipped.existing.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::BacklogItem;

    #[test]
    fn the_texts() {
        let item = Arc::new(BacklogItem {
            id: Some("A-1".into()),
            title: "t".into(),
            ..BacklogItem::default()
        });
        let removal =
            Removal { item: Arc::clone(&item), ended: Ended::Dropped, reason: Some("r".into()) };
        let report = ArchiveReport { archived: vec![ArchivedItem::from(&removal)] };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"archived":[{"id":"A-1","title":"t","ended":"dropped","reason":"r"}]}"#
        );
        let merge = MergeReport { source: "A-2", target: "A-1", item: Item::from(&*item) };
        let text = serde_json::to_string(&merge).unwrap();
        assert!(
            text.starts_with(r#"{"source":"A-2","target":"A-1","item":{"id":"A-1","#),
            "{text}"
        );
        let skipped = Skipped { title: "t".into(), existing: "A-1".into() };
        let ingest =
            IngestReport { added: vec![], skipped: vec![(&skipped).into()], notes: vec![] };
        assert_eq!(
            serde_json::to_string(&ingest).unwrap(),
            r#"{"added":[],"skipped":[{"title":"t","existing":"A-1"}],"notes":[]}"#
        );
    }
}
