//! Who goes first among those that could.

use std::cmp::Reverse;

use crate::model::{BacklogItem, ItemStatus, PhasePool, Pipeline};

/// Sorts before whatever is to be started later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    stage: u8,
    progress: Reverse<u32>,
    impact: Reverse<u8>,
    created: &'a str,
    /// Where the item stands in the file.
    pub(super) index: usize,
}

/// Ranks an item: in progress before scoping before new; the furthest along first,
/// then by impact, then the oldest, then as the file has them.
pub(super) fn rank<'a>(item: &'a BacklogItem, index: usize, pipeline: &Pipeline) -> Rank<'a> {
    let place = |pool: PhasePool| {
        let position = item.phase.as_deref().and_then(|phase| pipeline.position(phase));
        // By what is left, so that pipelines of different length compare.
        let place = position.filter(|(own, _)| *own == pool).map_or(0, |(_, place)| place + 1);
        u32::try_from(place).unwrap_or(u32::MAX)
    };
    let (stage, progress) = match item.status {
        ItemStatus::InProgress => (0, place(PhasePool::Main)),
        ItemStatus::Ready => (1, 0),
        ItemStatus::Scoping => (2, place(PhasePool::Pre)),
        ItemStatus::New | ItemStatus::Blocked | ItemStatus::Done => (3, 0),
    };
    let by_impact = matches!(item.status, ItemStatus::Ready);
    Rank {
        stage,
        progress: Reverse(progress),
        impact: Reverse(if by_impact {
            item.impact.map_or(0, |impact| impact as u8 + 1)
        } else {
            0
        }),
        created: item.created.as_deref().unwrap_or_default(),
        index,
    }
}
