//! The graph of what waits for what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{BacklogItem, IdKey, ItemId};

/// Returns whether `item` would wait for itself, if it waited for `dependency`:
/// the way back, as IDs from the dependency to the item.
pub fn would_close_cycle(
    items: &[Arc<BacklogItem>],
    item: &str,
    dependency: &str,
) -> Option<Vec<String>> {
    let by_id = index(items);
    let target = ItemId::key(item);
    let mut seen = HashSet::new();
    let mut stack = vec![vec![dependency.to_owned()]];
    while let Some(way) = stack.pop() {
        let here = ItemId::key(way.last()?);
        if here == target {
            return Some(way);
        }
        if !seen.insert(here.clone()) {
            continue;
        }
        let next = by_id
            .get(&IdKey::new(&here))
            .map(|&i| items[i].dependencies.as_slice())
            .unwrap_or_default();
        for dependency in next {
            let mut longer = way.clone();
            longer.push(dependency.clone());
            stack.push(longer);
        }
    }
    None
}

/// Returns the cycles among the items' dependencies, each as indexes in order of
/// waiting. Every item that waits for itself is in one of them. Linear in items and
/// dependencies.
pub fn find_cycles(items: &[Arc<BacklogItem>]) -> Vec<Vec<usize>> {
    if items.iter().all(|item| item.dependencies.is_empty()) {
        return Vec::new();
    }
    let by_id = index(items);
    let next = |at: usize| -> Vec<usize> {
        items[at].dependencies.iter().filter_map(|id| by_id.get(&IdKey::new(id)).copied()).collect()
    };
    // Depth first with colours: a grey node met again closes a cycle.
    let mut done = vec![false; items.len()];
    let mut place_on_path: HashMap<usize, usize> = HashMap::new();
    let mut cycles = Vec::new();
    for start in 0..items.len() {
        if done[start] || items[start].dependencies.is_empty() {
            continue;
        }
        let mut path = vec![(start, next(start))];
        place_on_path.insert(start, 0);
        while let Some((at, rest)) = path.last_mut() {
            let at = *at;
            let Some(to) = rest.pop() else {
                done[at] = true;
                place_on_path.remove(&at);
                path.pop();
                continue;
            };
            if let Some(&place) = place_on_path.get(&to) {
                cycles.push(path[place..].iter().map(|(node, _)| *node).collect());
            } else if !done[to] {
                place_on_path.insert(to, path.len());
                path.push((to, next(to)));
            }
        }
    }
    cycles
}

fn index(items: &[Arc<BacklogItem>]) -> HashMap<IdKey<'_>, usize> {
    let ids = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| Some((IdKey::new(item.id.as_deref()?), index)));
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(rows: &[(&str, &[&str])]) -> Vec<Arc<BacklogItem>> {
        rows.iter()
            .map(|(id, needs)| {
                Arc::new(BacklogItem {
                    id: Some((*id).into()),
                    dependencies: needs.iter().map(|need| (*need).into()).collect(),
                    ..BacklogItem::default()
                })
            })
            .collect()
    }

    #[test]
    fn finds_the_way_round() {
        let items =
            items(&[("A-1", &["A-2"]), ("A-2", &["A-03"]), ("A-3", &[]), ("A-4", &["A-4"])]);
        assert_eq!(would_close_cycle(&items, "A-3", "A-1").unwrap(), ["A-1", "A-2", "A-03"]);
        assert_eq!(would_close_cycle(&items, "A-1", "A-3"), None);
        assert_eq!(would_close_cycle(&items, "A-1", "A-1").unwrap(), ["A-1"]);
        assert_eq!(find_cycles(&items), [[3]]);
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let rows: Vec<(String, Vec<String>)> = (0..50_000)
            .map(|n| (format!("A-{n}"), vec![format!("A-{}", (n + 1) % 50_000)]))
            .collect();
        let items: Vec<Arc<BacklogItem>> = rows
            .into_iter()
            .map(|(id, dependencies)| {
                Arc::new(BacklogItem { id: Some(id), dependencies, ..BacklogItem::default() })
            })
            .collect();
        let cycles = find_cycles(&items);
        assert_eq!(cycles.len(), 1);
        assert_eq!(cycles[0].len(), 50_000);
    }
}
