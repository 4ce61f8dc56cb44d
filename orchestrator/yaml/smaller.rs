//! Smaller edits: setting a collection by changing only what differs in it.
//!
//! A list that gains an entry, or a map of which one value changes, keeps the
//! lines, comments and quotes of the rest. Where old and new have nothing in
//! common, or the order changes, the collection is written anew.

use serde_yaml::{Mapping, Value};

use super::edit::{Edit, Step};

/// Returns edits that together turn `old` at `path` into `new`; none where
/// writing it anew is as good.
pub(super) fn smaller(
    record: Option<usize>,
    path: &[Step],
    old: &Value,
    new: &Value,
) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    match (old, new) {
        (Value::Sequence(old), Value::Sequence(new)) => {
            entries(record, path, old, new, &mut edits)?
        }
        (Value::Mapping(old), Value::Mapping(new)) => pairs(record, path, old, new, &mut edits)?,
        _ => return None,
    }
    Some(edits)
}

fn below(path: &[Step], step: Step) -> Vec<Step> {
    path.iter().cloned().chain([step]).collect()
}

/// Sets one value inside the collection, in smaller steps if possible.
fn set(record: Option<usize>, path: Vec<Step>, old: &Value, new: &Value, edits: &mut Vec<Edit>) {
    match smaller(record, &path, old, new) {
        Some(steps) => edits.extend(steps),
        None => edits.push(Edit::Set { record, path, value: new.clone() }),
    }
}

fn entries(
    record: Option<usize>,
    path: &[Step],
    old: &[Value],
    new: &[Value],
    edits: &mut Vec<Edit>,
) -> Option<()> {
    let differing = || old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b);
    if old.len() == new.len() && old.len() > 1 && differing().count() == 1 {
        for (index, (a, b)) in differing() {
            set(record, below(path, Step::Index(index)), a, b, edits);
        }
        return Some(());
    }
    let mut kept = 0;
    let mut gone = Vec::new();
    for (index, entry) in old.iter().enumerate() {
        if new.get(kept) == Some(entry) {
            kept += 1;
        } else {
            gone.push(index);
        }
    }
    if kept == 0 {
        return None;
    }
    // From the end, so that the numbers before stay true.
    for index in gone.into_iter().rev() {
        edits.push(Edit::Remove { record, path: below(path, Step::Index(index)) });
    }
    for value in &new[kept..] {
        edits.push(Edit::Push { record, path: path.to_vec(), value: value.clone() });
    }
    Some(())
}

fn pairs(
    record: Option<usize>,
    path: &[Step],
    old: &Mapping,
    new: &Mapping,
    edits: &mut Vec<Edit>,
) -> Option<()> {
    let stays = |key: &&Value| new.contains_key(*key);
    let kept: Vec<&Value> = old.keys().filter(stays).collect();
    // Keys that stay come first and in the same order, new ones behind them.
    let in_order = kept.iter().copied().eq(new.keys().take(kept.len()));
    if kept.is_empty() || !in_order || !old.keys().chain(new.keys()).all(Value::is_string) {
        return None;
    }
    let step = |key: &Value| Some(below(path, Step::Key(key.as_str()?.to_owned())));
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        edits.push(Edit::Remove { record, path: step(key)? });
    }
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) => set(record, step(key)?, before, value, edits),
            None => edits.push(Edit::Set { record, path: step(key)?, value: value.clone() }),
        }
    }
    Some(())
}
