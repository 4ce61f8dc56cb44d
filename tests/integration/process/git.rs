//! The mark outlives what git does to the file.

use crate::support::{Answer, Project, program};

const ONE: &str = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n";

#[test]
fn worktrees_of_one_clone_share_the_mark() {
    let project = Project::with(ONE);
    project.commit_all();
    let elsewhere = Project::empty();
    let tree = elsewhere.root().join("tree");
    project.git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let there = |title: &str| {
        let mut command = program(&tree);
        command.args(["add", title]);
        Answer::of(command, "").ok()
    };
    let told = [
        project.sh("add a").ok(),
        there("b"),
        there("c"),
        project.sh("add d").ok(),
        project.sh("id next").ok(),
        there("e"),
    ];
    assert_eq!(
        told,
        ["WRK-002\n", "WRK-003\n", "WRK-004\n", "WRK-005\n", "WRK-006\n", "WRK-007\n"]
    );
}

#[test]
fn a_checkout_does_not_wind_the_mark_back() {
    let project = Project::with(ONE);
    project.commit_all();
    assert_eq!(project.sh("add Two").ok(), "WRK-002\n");
    project.git(&["checkout", "-q", "BACKLOG.yaml"]);
    assert_eq!(project.text(), ONE);
    let found = project.sh("check --json").data("check");
    let lost: Vec<_> =
        found["warnings"].as_array().unwrap().iter().map(|found| &found["code"]).collect();
    assert_eq!(lost, ["lost_item", "mark_behind"], "{found}");
    assert_eq!(project.sh("add Three").ok(), "WRK-003\n");
}

#[test]
fn a_checkout_and_a_deleted_folder_of_state_do_not_wind_the_mark_back() {
    let project = Project::with(ONE);
    project.commit_all();
    assert_eq!(project.sh("add Two").ok(), "WRK-002\n");
    assert_eq!(project.sh("id next").ok(), "WRK-003\n");
    project.git(&["checkout", "-q", "BACKLOG.yaml"]);
    std::fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
    assert_eq!(project.sh("add Four").ok(), "WRK-004\n");
    project.git(&["stash", "-q"]);
    std::fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
    assert_eq!(project.sh("id next").ok(), "WRK-005\n");
}
