//! IDs are never issued twice: each way in which programs bring them back.

use std::fs;

use orchestrator::fs::replace;
use orchestrator::model::change::NewItem;
use orchestrator::model::{Change, IdQuery};
use orchestrator::store::StoreError;

use crate::support::Project;

const THREE: &str = "\
schema_version: 2
items:
  - id: WRK-001
    title: One
  - id: WRK-003
    title: Three # the highest
    status: done
";

#[test]
fn the_highest_item_is_archived_and_its_number_stays_taken() {
    let project = Project::with(THREE);
    project.change(Change::ArchiveDone).unwrap();
    assert_eq!(project.add("next"), "WRK-004");
}

#[test]
fn checkout_does_not_wind_the_mark_back() {
    let project = Project::with(THREE);
    project.commit_all();
    assert_eq!(project.add("four"), "WRK-004");
    project.git(&["checkout", "-q", "BACKLOG.yaml"]);
    fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
    assert_eq!(project.text(), THREE);
    assert_eq!(project.add("five"), "WRK-005");
}

#[test]
fn worktrees_of_one_clone_share_the_mark() {
    let project = Project::with(THREE);
    project.commit_all();
    let other = Project::empty();
    let tree = other.root().join("tree");
    project.git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let there = orchestrator::store::StoreOptions::new(&tree.join("BACKLOG.yaml"));
    let mut ids = vec![project.add("here")];
    for title in ["there", "there again"] {
        let mut store = orchestrator::store::BacklogStore::open(there.clone()).unwrap();
        let saved = store
            .lock()
            .unwrap()
            .save(&[Change::Add(vec![NewItem::titled(title)]).into()])
            .unwrap();
        ids.push(saved.outcomes[0].as_ref().unwrap().added[0].id.clone().unwrap());
        ids.push(project.add("here again"));
    }
    assert_eq!(ids, ["WRK-004", "WRK-005", "WRK-006", "WRK-007", "WRK-008"]);
}

#[test]
fn without_git_the_local_copy_and_the_worklog_hold_the_mark() {
    let project = Project::with(THREE);
    assert_eq!(project.add("four"), "WRK-004");
    project.write(THREE);
    assert_eq!(project.add("five"), "WRK-005");
    let reason = Some("not needed".into());
    project.change(Change::Archive { items: vec![IdQuery::new("5")], reason }).unwrap();
    fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
    project.write(THREE);
    assert_eq!(project.add("six"), "WRK-006");
}

#[test]
fn without_a_mark_dependencies_and_origins_count_and_with_one_they_do_not() {
    let text = "items:\n  - title: x\n    id: WRK-001\n    dependencies: [WRK-020]\n    origin: WRK-030/build\n";
    assert_eq!(Project::with(text).add("next"), "WRK-031");
    let marked = format!("next_item_id: 4\n{text}");
    assert_eq!(Project::with(&marked).add("next"), "WRK-005");
}

#[test]
fn items_of_every_prefix_raise_the_mark() {
    let project = Project::with(
        "items:\n- {id: OPS-040, title: a}\n- {id: WRK-002, title: b}\n- {id: WRK-1, title: c}\n",
    );
    assert_eq!(project.add("next"), "WRK-041");
}

#[test]
fn the_end_of_u32_is_a_clear_refusal() {
    let text = "next_item_id: 4294967295\nitems: []\n";
    let project = Project::with(text);
    let error = project.change(Change::Add(vec![NewItem::titled("x")])).unwrap_err();
    assert!(error.to_string().contains("exhausted"), "{error}");
    assert_eq!(project.text(), text);
}

#[test]
fn a_number_above_u32_is_an_error_with_its_place() {
    let project = Project::with("items:\n  - id: WRK-4294967296\n    title: x\n");
    match project.try_change(vec![]) {
        Err(StoreError::Invalid { diagnostics, .. }) => {
            let found: Vec<_> = diagnostics
                .iter()
                .filter(|d| d.is_error())
                .map(|d| (d.code.as_str(), d.line, d.column))
                .collect();
            assert_eq!(found, [("id_overflow", 2, 9)]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn hand_written_items_get_their_ids_first_and_in_place() {
    let project = Project::with(
        "schema_version: 2\nnext_item_id: 7\nitems:\n  # mine\n  - title: By hand # yes\n    size: small\n",
    );
    assert_eq!(project.add("By program"), "WRK-009");
    let text = project.text();
    assert!(
        text.contains("  # mine\n  - id: WRK-008\n    title: By hand # yes\n    size: small\n"),
        "{text}"
    );
    assert!(text.contains("next_item_id: 9\n"), "{text}");
}

#[test]
fn a_damaged_mark_is_told_and_rebuilt() {
    let project = Project::with(THREE);
    project.add("four");
    let mark = project.root().join(".orchestrator/mark");
    replace(&mark, b"{\"mark\":").unwrap();
    match project.try_change(vec![Change::Add(vec![NewItem::titled("x")])]) {
        Err(StoreError::DamagedMark { path }) => assert_eq!(path, mark.canonicalize().unwrap()),
        other => panic!("{other:?}"),
    }
    assert_eq!(project.store().rebuild_mark().unwrap(), 4);
    assert_eq!(project.add("five"), "WRK-005");
}
