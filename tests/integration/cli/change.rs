//! Adding and altering items.

use serde_json::json;

use crate::support::{Answer, Project, program};

const BACKLOG: &str = "\
# Ours.
schema_version: 2
next_item_id: 3
items:
  - id: WRK-001 # the first
    title: One
    tags: [web] # why
    owner: ana
  - id: WRK-003
    title: Three
    status: done
";

#[test]
fn several_titles_are_several_items_in_one_save() {
    let project = Project::with(BACKLOG);
    let answer = project.run(&["add", "Four", "Five", "-s", "Small", "--tag", "a,b"]);
    assert_eq!(answer.ok(), "WRK-004\nWRK-005\n");
    let text = project.text();
    assert!(text.starts_with("# Ours.\nschema_version: 2\nnext_item_id: 5\n"), "{text}");
    assert!(text.contains("  - id: WRK-001 # the first\n    title: One\n    tags: [web] # why\n"));
    let saves = std::fs::read_to_string(project.root().join(".orchestrator/journal.jsonl"));
    assert_eq!(saves.unwrap().lines().filter(|line| !line.is_empty()).count(), 1);
}

#[test]
fn json_has_every_field_of_what_was_added() {
    let project = Project::with(BACKLOG);
    let args = ["add", "Four", "--depends-on", "1", "--description", "why", "--json"];
    let data = project.run(&args).data("items");
    let item = &data[0];
    assert_eq!(
        (&item["id"], &item["status"], &item["dependencies"], &item["description"]),
        (&json!("WRK-004"), &json!("new"), &json!(["WRK-001"]), &json!("why"))
    );
    assert_eq!(
        (&item["size"], &item["tags"], &item["extra"]),
        (&json!(null), &json!([]), &json!({}))
    );
    assert_eq!(data.as_array().unwrap().len(), 1);
}

#[test]
fn a_description_can_come_from_stdin() {
    let project = Project::with(BACKLOG);
    let mut command = program(project.root());
    command.args(["add", "Four", "--description", "-", "--json"]);
    let data = Answer::of(command, "First line.\n\n- and: more\n").data("items");
    assert_eq!(data[0]["description"], "First line.\n\n- and: more");
    let mut command = program(project.root());
    command.args(["update", "4", "--description", "-", "--json"]);
    assert_eq!(Answer::of(command, "Other.\n").data("item")["description"], "Other.");
}

#[test]
fn a_dependency_must_exist() {
    let project = Project::with(BACKLOG);
    let error = project.sh("add Four --depends-on WRK-044 --json").error(4);
    assert_eq!(error["code"], "no_such_item");
    assert_eq!(project.text(), BACKLOG);
}

#[test]
fn an_update_alters_what_it_names_and_no_other_byte() {
    let project = Project::with(BACKLOG);
    let answer =
        project.sh("update wrk-1 --size small --tag +x,-web --set owner=bob --set points=3");
    assert_eq!(answer.ok(), "WRK-001 new One\n");
    let text = project.text();
    for line in
        ["    tags: [x] # why\n", "    owner: bob\n", "    size: small\n", "    points: 3\n"]
    {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(text.starts_with("# Ours.\nschema_version: 2\nnext_item_id: 3\nitems:\n"), "{text}");
    let data = project.sh("set 1 --size none --title Uno --json").data("item");
    assert_eq!((&data["size"], &data["title"]), (&json!(null), &json!("Uno")));
    assert_eq!(data["extra"], json!({"owner": "bob", "points": 3}));
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let project = Project::with(BACKLOG);
    let answer = project.sh("update 1 --tag web --json");
    assert_eq!(answer.data("item")["id"], "WRK-001");
    assert!(answer.stderr.contains("nothing changed"), "{}", answer.stderr);
    assert_eq!(project.text(), BACKLOG);
}

#[test]
fn a_cycle_is_refused() {
    let project = Project::with(BACKLOG);
    project.sh("add Four --depends-on 1").ok();
    let before = project.text();
    let error = project.sh("update 1 --depends-on +4 --json").error(1);
    assert_eq!(error["code"], "cycle");
    assert_eq!(project.text(), before);
}

#[test]
fn a_status_goes_by_the_table_or_by_force() {
    let project = Project::with(BACKLOG);
    let error = project.sh("update 1 --status in_progress --json").error(1);
    assert_eq!(error["code"], "illegal_transition");
    let data = project.sh("update 1 --status in-progress --force --json").data("item");
    assert_eq!((&data["status"], &data["phase"]), (&json!("in_progress"), &json!("prd")));
}

#[test]
fn hand_written_items_get_their_ids_and_are_named() {
    let project = Project::with("schema_version: 2\nitems:\n  - title: By hand\n");
    let answer = project.sh("add Mine");
    assert!(answer.stderr.contains("\"By hand\" is WRK-001 now"), "{}", answer.stderr);
    assert_eq!(answer.ok(), "WRK-002\n");
    assert!(project.text().contains("  - id: WRK-001\n    title: By hand\n"), "{}", project.text());
}

#[test]
fn an_unknown_pipeline_is_told_with_a_near_one() {
    let project = Project::with(BACKLOG);
    let error = project.sh("add Four -p featur --json").error(2);
    assert_eq!(error["code"], "unknown_pipeline");
    assert_eq!(error["hint"], "did you mean `feature`?");
}

#[test]
fn a_refused_change_leaves_the_file_alone() {
    // One by hand, for which the next save has an ID; and a mark that is behind.
    let text = "schema_version: 2\nnext_item_id: 1\nitems:\n  - title: By hand\n  - id: WRK-005\n    title: Five\n";
    let project = Project::with(text);
    for (line, code) in [
        ("update 99 --size small", 4),
        ("advance 99", 4),
        ("archive 5", 1),
        ("add Six --depends-on 99", 4),
        ("merge 5 5", 2),
    ] {
        let answer = project.sh(line);
        assert_eq!(answer.code, code, "{line}: {}", answer.stderr);
        assert!(!answer.stderr.contains("By hand\" is"), "{}", answer.stderr);
        assert_eq!(project.text(), text, "{line}");
    }
    // A change to the very item gives it its ID first.
    assert_eq!(project.sh("update 6 --size small").ok(), "WRK-006 new By hand\n");
}

#[test]
fn entries_of_a_list_keep_their_comments() {
    let text = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n    tags:\n      - a # of a\n      - b # of b\n";
    let project = Project::with(text);
    project.sh("update 1 --tag=-a,+c").ok();
    let tags = "    tags:\n      - b # of b\n      - c\n";
    assert!(project.text().contains(tags), "{}", project.text());
}
