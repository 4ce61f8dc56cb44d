//! Version 1 to 2: two statuses have other names, phases belong to pools, and an
//! item names its pipeline.

use serde_yaml::{Mapping, Value};

use super::table::Sets;
use crate::model::{BacklogItem, ItemStatus, PhasePool, Pipeline, Rules};

/// Gives the statuses of version 1 their names of today, so that an item can be
/// read. What was `researching` is told to [`migrate`] by the status itself.
pub(in crate::store) fn read_status(item: &mut Mapping) {
    for key in ["status", "blocked_from_status"] {
        if let Some(Value::String(word)) = item.get_mut(key) {
            match word.as_str() {
                "researching" => "scoping".clone_into(word),
                "scoped" => "ready".clone_into(word),
                _ => {}
            }
        }
    }
}

/// Migrates an item whose statuses were read by [`read_status`].
pub(in crate::store) fn migrate(
    item: &mut BacklogItem,
    rules: &Rules,
    notes: &mut Vec<String>,
) -> Sets {
    let mut sets = Sets::new();
    // Only these two were renamed, and nothing else was called so before.
    if matches!(item.status, ItemStatus::Scoping | ItemStatus::Ready) {
        sets.push(("status", Some(item.status.to_string())));
    }
    if let Some(from @ (ItemStatus::Scoping | ItemStatus::Ready)) = item.blocked_from_status {
        sets.push(("blocked_from_status", Some(from.to_string())));
    }
    if item.pipeline_type.is_none() {
        let name = if rules.pipelines.contains_key(Pipeline::DEFAULT) {
            Pipeline::DEFAULT
        } else {
            &rules.default_pipeline
        };
        item.pipeline_type = Some(name.to_owned());
        sets.push(("pipeline_type", item.pipeline_type.clone()));
    }
    if let Ok(pipeline) = rules.pipeline_of(item) {
        place(item, pipeline, &mut sets, notes);
    }
    sets
}

fn place(item: &mut BacklogItem, pipeline: &Pipeline, sets: &mut Sets, notes: &mut Vec<String>) {
    if let Some(phase) = item.phase.take() {
        match pipeline.position(&phase) {
            Some((pool, _)) => {
                item.phase = Some(phase);
                set_pool(item, Some(pool), sets);
            }
            None => {
                sets.push(("phase", None));
                notes.push(format!(
                    "{}: pipeline `{}` has no phase `{phase}`: it was cleared",
                    item.id_or_dash(),
                    pipeline.name
                ));
            }
        }
    }
    let is_scoping = item.status == ItemStatus::Scoping;
    let was_scoping =
        item.status == ItemStatus::Blocked && item.blocked_from_status == Some(ItemStatus::Scoping);
    if item.phase.is_some() || !(is_scoping || was_scoping) {
        return;
    }
    // Without a phase it could not go on.
    if let Some(first) = pipeline.pre_phases.first() {
        item.phase = Some(first.name.clone());
        sets.retain(|(name, _)| *name != "phase");
        sets.push(("phase", item.phase.clone()));
        set_pool(item, Some(PhasePool::Pre), sets);
        return;
    }
    let (key, field) = if is_scoping {
        ("status", None)
    } else {
        ("blocked_from_status", Some(ItemStatus::Ready))
    };
    if is_scoping {
        item.status = ItemStatus::Ready;
    } else {
        item.blocked_from_status = field;
    }
    sets.retain(|(name, _)| *name != key);
    sets.push((key, Some(ItemStatus::Ready.to_string())));
}

fn set_pool(item: &mut BacklogItem, pool: Option<PhasePool>, sets: &mut Sets) {
    item.phase_pool = pool;
    sets.push(("phase_pool", pool.map(|pool| pool.to_string())));
}
