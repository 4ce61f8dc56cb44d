//! How failures are told: to a person, to a program, to a shell.

use std::time::{Duration, Instant};

use orchestrator::fs::{FileLock, Holder};
use serde_json::json;

use crate::support::{Answer, Project, program};

#[test]
fn without_a_backlog_it_names_init() {
    let project = Project::empty();
    for line in ["list", "add One", "check", "status", "id next", "ingest", "migrate"] {
        let error = project.sh(&format!("{line} --json")).error(3);
        assert_eq!(error["code"], "not_initialised", "{line}");
        assert!(error["hint"].as_str().unwrap().contains("orchestrator init"), "{line}");
    }
    let error = project.sh("--file other/B.yaml list --json").error(3);
    assert_eq!(error["code"], "not_initialised");
    assert_eq!(std::fs::read_dir(project.root()).unwrap().count(), 0);
}

#[test]
fn all_that_is_wrong_with_a_file_is_told_with_its_place() {
    let project =
        Project::with("schema_version: 2\nitems:\n  - title: t\n    size: huge\n  - id: A-1\n");
    let text = project.sh("add One").fails(7);
    assert!(text.contains("--> BACKLOG.yaml:4:11\n"), "{text}");
    assert!(text.contains("error[unknown_value]: unknown value `huge` for `size`"), "{text}");
    assert!(text.contains("error[missing_title]"), "{text}");
    let error = project.sh("list --json").error(7);
    assert_eq!(
        (&error["code"], &error["line"], &error["column"], &error["file"]),
        (&json!("unknown_value"), &json!(4), &json!(11), &json!("BACKLOG.yaml"))
    );
}

#[test]
fn what_is_no_backlog_is_never_written() {
    let cases = [
        ("", "empty_file"),
        ("# only a comment\n", "empty_file"),
        ("items: [\n", "syntax"),
        ("items: []\n---\nitems: []\n", "multiple_documents"),
        ("items: []\nitems: []\n", "duplicate_key"),
        ("- a\n", "wrong_shape"),
        ("schema_version: 2\nitems: {}\n", "wrong_shape"),
        ("schema_version: two\nitems: []\n", "wrong_type"),
        ("schema_version: 2\nitems:\n  - id: WRK-4294967296\n    title: t\n", "id_overflow"),
    ];
    for (text, code) in cases {
        let project = Project::with(text);
        for line in ["add One", "list", "archive --done", "id next"] {
            let error = project.sh(&format!("{line} --json")).error(7);
            assert_eq!(error["code"], code, "{line}: {text:?}");
        }
        assert_eq!(project.text(), text);
    }
    let project = Project::empty();
    std::fs::write(project.file(), b"items:\n  - title: \xff\n").unwrap();
    assert_eq!(project.sh("list --json").error(7)["code"], "not_utf8");
}

#[test]
fn a_wrong_configuration_is_told_like_a_wrong_backlog() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    std::fs::write(project.root().join("orchestrator.toml"), "[project]\nprefx = \"A\"\n").unwrap();
    let text = project.sh("add One").fails(7);
    assert!(text.contains("orchestrator.toml:2:1\n") && text.contains("prefx"), "{text}");
    assert_eq!(project.sh("list --json").error(7)["line"], 2);
    let answer = project.sh("check --json");
    assert_eq!((answer.code, &answer.data("check")["errors"][0]["line"]), (7, &json!(2)));
}

#[test]
fn several_items_of_one_id_are_told_with_their_lines() {
    let text = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: a\n  - id: wrk-1\n    title: b\n";
    let project = Project::with(text);
    for line in [
        "done 1",
        "show 1",
        "update WRK-001 --size small",
        "archive 1 --reason x",
        "advance wrk-001",
    ] {
        let error = project.sh(&format!("{line} --json")).error(5);
        assert_eq!(error["code"], "duplicate_id", "{line}");
        assert!(error["message"].as_str().unwrap().ends_with("lines 4 and 6"), "{error}");
        assert_eq!(error["line"], 4);
    }
    assert_eq!(project.text(), text);
}

#[test]
fn usage_is_told_in_the_form_that_was_asked_for() {
    let project = Project::empty();
    assert!(project.sh("add").fails(2).contains("Usage: orchestrator add"));
    for line in ["--json add", "add --json", "bogus --json", "add t -s huge --json"] {
        assert_eq!(project.sh(line).error(2)["code"], "usage", "{line}");
    }
    let mut command = program(project.root());
    command.env("ORCHESTRATOR_JSON", "1").arg("add");
    assert_eq!(Answer::of(command, "").error(2)["code"], "usage");
    assert!(project.sh("").fails(2).contains("Commands:"));
    assert!(project.sh("--help").ok().contains("Commands:"));
    assert!(project.sh("--version").ok().starts_with("orchestrator "));
}

#[test]
fn environment_variables_stand_for_options() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    let elsewhere = Project::empty();
    let mut command = program(elsewhere.root());
    command.env("ORCHESTRATOR_FILE", project.file()).env("ORCHESTRATOR_JSON", "true");
    command.args(["add", "One"]);
    assert_eq!(Answer::of(command, "").data("items")[0]["id"], "WRK-001");
    let mut command = program(project.root());
    command.env("ORCHESTRATOR_JSON", "0").arg("list");
    assert!(Answer::of(command, "").ok().starts_with("WRK-001\t"));
}

#[test]
fn a_held_lock_is_waited_for_and_then_told() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    let state = project.root().join(".orchestrator");
    std::fs::create_dir(&state).unwrap();
    let holder = Holder::this_process(None, "a long run", "12:00");
    let lock = FileLock::acquire(&state.join("lock"), Duration::ZERO, &holder).unwrap();
    let start = Instant::now();
    let error = project.sh("add One --json").error(6);
    assert_eq!(error["code"], "busy");
    assert!(error["message"].as_str().unwrap().contains("a long run"), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(9));
    // Reading waits for nobody.
    project.sh("list").ok();
    drop(lock);
    assert_eq!(project.sh("add One").ok(), "WRK-001\n");
}

#[test]
fn a_place_that_cannot_be_written_is_an_io_error() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    // A file where our folder should be: refused to root as well.
    std::fs::write(project.root().join(".orchestrator"), "").unwrap();
    let error = project.sh("add One --json").error(8);
    assert_eq!(error["code"], "io");
    assert_eq!(project.sh("-C nowhere list --json").error(8)["code"], "io");
}
