//! From new to done, into the worklog and back.

use serde_json::json;

use crate::support::Project;

const BACKLOG: &str = "\
schema_version: 2
next_item_id: 4
items:
  - id: WRK-001
    title: One # mine
    status: done
  - id: WRK-002
    title: Two
    dependencies: [WRK-003]
  - id: WRK-003
    title: Three
    status: in_progress
    phase: build
    phase_pool: main
  - id: WRK-004
    title: Four
    status: scoping
    phase: research
    phase_pool: pre
    risk: high
";

#[test]
fn an_item_goes_on_step_by_step_or_to_a_phase() {
    let project = Project::with(BACKLOG);
    assert_eq!(project.sh("advance 2").ok(), "WRK-002 scoping/research Two\n");
    assert_eq!(project.sh("advance 2").ok(), "WRK-002 ready Two\n");
    assert_eq!(project.sh("advance 2 --to design").ok(), "WRK-002 in_progress/design Two\n");
    let error = project.sh("advance 2 --to desing --json").error(2);
    assert_eq!(
        (&error["code"], &error["hint"]),
        (&json!("unknown_phase"), &json!("did you mean `design`?"))
    );
    assert_eq!(project.sh("advance 1 --json").error(1)["code"], "illegal_transition");
}

#[test]
fn guardrails_hold_and_a_person_consents() {
    let project = Project::with(BACKLOG);
    assert_eq!(project.sh("advance 4 --json").error(1)["code"], "guardrail");
    let data =
        project.run(&["block", "4", "--reason", "Too risky?", "--type", "Decision", "--json"]);
    let data = data.data("item");
    assert_eq!(
        (&data["status"], &data["blocked_from_status"], &data["blocked_type"]),
        (&json!("blocked"), &json!("scoping"), &json!("decision"))
    );
    let data = project.run(&["unblock", "4", "--notes", "Go", "--json"]).data("item");
    assert_eq!((&data["status"], &data["unblock_context"]), (&json!("scoping"), &json!("Go")));
    assert!(data["approved"].is_string());
    assert_eq!(project.sh("advance 4").ok(), "WRK-004 ready Four\n");
    assert_eq!(project.sh("unblock 4 --json").error(1)["code"], "illegal_transition");
}

#[test]
fn done_is_a_persons_word_and_its_reason_is_kept() {
    let project = Project::with(BACKLOG);
    let data = project.run(&["done", "2", "--reason", "By hand", "--json"]).data("item");
    assert_eq!(data["status"], "done");
    let story = std::fs::read_to_string(project.root().join(".orchestrator/events.jsonl")).unwrap();
    assert!(story.contains(r#""event":"done","item":"WRK-002","detail":"By hand""#), "{story}");
    assert_eq!(project.sh("done 2 --json").error(1)["code"], "illegal_transition");
}

#[test]
fn archiving_needs_done_or_a_reason_and_is_all_or_nothing() {
    let project = Project::with(BACKLOG);
    assert_eq!(project.sh("archive 1 2 --json").error(1)["code"], "illegal_transition");
    assert_eq!(project.text(), BACKLOG);
    let data = project.run(&["archive", "2", "--reason", "No", "--json"]).data("archive");
    let expected = json!({"archived": [{"id": "WRK-002", "title": "Two", "ended": "dropped", "reason": "No"}]});
    assert_eq!(data, expected);
    assert_eq!(project.sh("archive --done").ok(), "WRK-001\n");
    let again = project.sh("archive --done");
    assert!(again.stderr.contains("no item is done"));
    assert_eq!(again.ok(), "");
    let error = project.sh("archive 1 --json").error(4);
    assert_eq!(error["code"], "no_such_item");
    assert_eq!(error["hint"], "`orchestrator restore 1` puts it back");
    // The numbers stay taken.
    assert_eq!(project.sh("add Five").ok(), "WRK-005\n");
}

#[test]
fn what_was_archived_comes_back_as_it_stood() {
    let project = Project::with(BACKLOG);
    project.sh("archive 1").ok();
    assert!(!project.text().contains("One"));
    let data = project.sh("restore 1 --json").data("restore");
    assert_eq!((&data["id"], &data["status"]), (&json!("WRK-001"), &json!("done")));
    assert!(project.text().contains("  - id: WRK-001\n    title: One # mine\n    status: done\n"));
    assert_eq!(project.sh("restore 1 --json").error(5)["code"], "conflict");
    assert_eq!(project.sh("restore 77 --json").error(4)["code"], "no_such_item");
}

#[test]
fn a_merge_keeps_both_and_refuses_a_cycle() {
    let project = Project::with(BACKLOG);
    let data = project.sh("merge WRK-3 WRK-4 --json").data("merge");
    assert_eq!((&data["source"], &data["target"]), (&json!("WRK-003"), &json!("WRK-004")));
    assert_eq!(data["item"]["description"], "Merged from WRK-003: Three");
    let two = project.sh("show 2 --json").data("items");
    assert_eq!(two[0]["dependencies"], json!(["WRK-004"]));
    assert_eq!(project.sh("merge 4 4 --json").error(2)["code"], "usage");
    assert_eq!(project.sh("merge 9 4 --json").error(4)["code"], "no_such_item");
}

#[test]
fn a_merge_that_makes_a_circle_is_refused() {
    let text = "schema_version: 2\nnext_item_id: 3\nitems:\n\
        \x20 - {id: WRK-001, title: a, dependencies: [WRK-002]}\n\
        \x20 - {id: WRK-002, title: b, dependencies: [WRK-003]}\n\
        \x20 - {id: WRK-003, title: c}\n";
    let project = Project::with(text);
    assert_eq!(project.sh("merge 3 1 --json").error(1)["code"], "cycle");
    assert_eq!(project.text(), text);
}

#[test]
fn the_end_of_the_numbers_is_an_error() {
    let project = Project::with("schema_version: 2\nnext_item_id: 4294967295\nitems: []\n");
    assert_eq!(project.sh("add One --json").error(1)["code"], "id_space_exhausted");
    assert_eq!(project.sh("id next --json").error(1)["code"], "id_space_exhausted");
    assert_eq!(project.sh("id status --json").data("id_status")["next"], json!(null));
}

#[test]
fn open_work_that_is_merged_into_what_is_done_is_told() {
    let project = Project::with(BACKLOG);
    let answer = project.sh("merge 3 1");
    let told = "note: WRK-001 is done: WRK-003 counts as done, too, for what waits for it\n";
    assert_eq!(answer.stderr, told);
    assert_eq!(answer.ok(), "WRK-003 → WRK-001 done One\n");
    // Which waited for it, and no longer does.
    let status = project.sh("status --json").data("status");
    assert_eq!(status["next"][0]["id"], "WRK-004", "{status}");
    assert_eq!(status["waiting"][0]["reason"], "waits for room", "{status}");
}

#[test]
fn a_refused_transition_names_its_item() {
    let project = Project::with(BACKLOG);
    let error = project.sh("block 1 --reason why --json").error(1);
    assert_eq!(error["message"], "WRK-001 is done, and cannot become blocked");
    let error = project.sh("done 1 --json").error(1);
    assert_eq!((&error["code"], &error["hint"]), (&json!("illegal_transition"), &json!(null)));
}
