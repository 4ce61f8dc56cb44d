//! Commands that only read: they write nothing, whatever the file is.

use serde_json::json;

use crate::support::{Answer, Project, program};

const BACKLOG: &str = "\
schema_version: 2
next_item_id: 7
items:
  - id: WRK-001
    title: One # with a comment
    status: ready
    tags: [web]
    impact: high
    # inside
    owner: ana
  # after
  - id: WRK-002
    title: Two
    dependencies: [WRK-001]
  - id: WRK-007
    title: Seven
    status: done
";

#[test]
fn a_list_is_tabs_in_file_order_and_hides_what_is_done() {
    let project = Project::with(BACKLOG);
    assert_eq!(
        project.sh("list").ok(),
        "WRK-001\tready\t-\t-\t-\thigh\tOne\nWRK-002\tnew\t-\t-\t-\t-\tTwo\n"
    );
    let ids = |line: &str| -> Vec<String> {
        let data = project.sh(line).data("items");
        let ids = data.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().into());
        ids.collect()
    };
    assert_eq!(ids("list --json --all"), ["WRK-001", "WRK-002", "WRK-007"]);
    assert_eq!(ids("list --json --status done,new"), ["WRK-002", "WRK-007"]);
    assert_eq!(ids("list --json --only tag=web,x --only impact=HIGH"), ["WRK-001"]);
    assert_eq!(ids("list --json --only status=done"), ["WRK-007"]);
    assert_eq!(ids("list --json --only size=small"), Vec::<String>::new());
}

#[test]
fn show_gives_the_items_own_text() {
    let project = Project::with(BACKLOG);
    let expected = "- id: WRK-001\n  title: One # with a comment\n  status: ready\n  tags: [web]\n  \
        impact: high\n  # inside\n  owner: ana\n";
    assert_eq!(project.sh("show 1").ok(), expected);
    assert_eq!(project.sh("view wrk-001").ok(), expected);
    let data = project.sh("show 7 1 --json").data("items");
    assert_eq!((&data[0]["id"], &data[1]["extra"]), (&json!("WRK-007"), &json!({"owner": "ana"})));
    assert_eq!(project.sh("show 1 9 --json").error(4)["code"], "no_such_item");
}

#[test]
fn status_says_what_is_next_and_why_not_the_rest() {
    let project = Project::with(BACKLOG);
    let data = project.sh("status --json").data("status");
    let counts = json!({"new": 1, "scoping": 0, "ready": 1, "in_progress": 0, "blocked": 0, "done": 1, "total": 3});
    assert_eq!(data["counts"], counts);
    assert_eq!(
        (&data["next"][0]["id"], &data["next"][0]["phase"]),
        (&json!("WRK-001"), &json!("prd"))
    );
    assert_eq!(
        data["waiting"],
        json!([{"id": "WRK-002", "title": "Two", "reason": "waits for WRK-001"}])
    );
    let text = project.sh("status").ok();
    assert!(text.starts_with("3 items: 1 new, 0 scoping, 1 ready"), "{text}");
    assert!(text.contains("WRK-002  Two    waits for WRK-001\n"), "{text}");
}

#[test]
fn every_number_is_accounted_for_once() {
    let project = Project::with(BACKLOG);
    project.sh("archive 7").ok();
    let issued = project.sh("id next --json").data("id");
    assert_eq!(issued, json!({"id": "WRK-008", "number": 8, "previous": "WRK-007"}));
    let issued = project.sh("id next --count 2 --json").data("ids");
    assert_eq!(issued[1], json!({"id": "WRK-010", "number": 10, "previous": "WRK-009"}));
    assert_eq!(project.sh("id next --count 2").ok(), "WRK-011\nWRK-012\n");
    let audit = project.sh("id audit --json").data("audit");
    assert_eq!(
        audit,
        json!({"mark": 12, "live": [[1, 2]], "archived": [[7, 7]], "reserved": [[8, 12]], "skipped": [[3, 6]]})
    );
    let text = project.sh("id audit").ok();
    assert!(text.contains("live      1-2\narchived  7\nreserved  8-12\nskipped   3-6\n"), "{text}");
    let status = project.sh("id status --json").data("id_status");
    assert_eq!((&status["mark"], &status["next"]), (&json!(12), &json!("WRK-013")));
    let first = Project::with("schema_version: 2\nitems: []\n");
    assert_eq!(first.sh("id next --json").data("id")["previous"], json!(null));
}

#[test]
fn reading_writes_nothing() {
    let v1 =
        "schema_version: 1\nitems:\n  - id: WRK-001\n    title: Old\n    status: researching\n";
    for text in [BACKLOG, v1, "schema_version: 2\nitems:\n  - title: By hand\n"] {
        let project = Project::with(text);
        for line in [
            "list",
            "status",
            "check",
            "id status",
            "id audit",
            "migrate --dry-run",
            "check --dry-run",
        ] {
            project.sh(line).ok();
        }
        assert_eq!(project.text(), text);
        assert!(!project.root().join(".orchestrator").exists(), "{text}");
    }
}

#[test]
fn a_newer_file_can_be_read_and_not_written() {
    let text = "schema_version: 9\nitems:\n  - id: WRK-001\n    title: One\n";
    let project = Project::with(text);
    let answer = project.sh("list");
    assert!(answer.stderr.contains("newer_version"), "{}", answer.stderr);
    assert!(answer.ok().contains("One"));
    assert_eq!(project.sh("add Two --json").error(7)["code"], "newer_version");
    assert_eq!(project.text(), text);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let items: String =
        (1..3000).map(|n| format!("  - id: WRK-{n:03}\n    title: Item {n}\n")).collect();
    let project = Project::with(&format!("schema_version: 2\nnext_item_id: 3000\nitems:\n{items}"));
    let mut shell = std::process::Command::new("sh");
    let exe = env!("CARGO_BIN_EXE_orchestrator");
    shell
        .current_dir(project.root())
        .args(["-c", &format!("{{ {exe} list; echo $? >&2; }} | head -n 1")]);
    let answer = Answer::of(shell, "");
    assert_eq!((answer.stdout.lines().count(), answer.stderr.as_str()), (1, "0\n"));
}

#[test]
fn colours_are_as_asked() {
    let project = Project::with("schema_version: 2\nitems: []\nitms: 1\n");
    let coloured = |args: &[&str], no_color: bool| {
        let mut command = program(project.root());
        command.args(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        Answer::of(command, "").stdout.contains('\u{1b}')
    };
    assert!(!coloured(&["check"], false));
    assert!(coloured(&["check", "--color", "always"], false));
    assert!(coloured(&["check", "--color=always"], true));
}

#[test]
fn the_schema_and_completions_are_printed() {
    let project = Project::empty();
    let schema: serde_json::Value = serde_json::from_str(&project.sh("schema").ok()).unwrap();
    assert_eq!(schema["title"], "BACKLOG.yaml");
    assert_eq!(project.sh("schema --json").data("schema"), schema);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(project.sh(&format!("completions {shell}")).ok().contains("orchestrator"));
    }
    assert_eq!(project.sh("completions tcsh --json").error(2)["code"], "usage");
}
