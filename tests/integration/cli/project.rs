//! Where the backlog is, how it begins, and what comes in from outside.

use serde_json::json;

use crate::support::{Answer, Project, program};

#[test]
fn init_makes_what_is_missing_and_nothing_else() {
    let project = Project::empty();
    assert_eq!(
        project.sh("init --prefix OPS").ok(),
        "created BACKLOG.yaml\ncreated orchestrator.toml\n"
    );
    assert_eq!(project.text(), "schema_version: 2\nnext_item_id: 0\nitems: []\n");
    let ignore = std::fs::read_to_string(project.root().join(".orchestrator/.gitignore")).unwrap();
    assert_eq!(ignore, "*\n");
    assert_eq!(project.sh("add One").ok(), "OPS-001\n");
    let before = project.text();
    let again = project.sh("init --prefix WRK");
    assert!(again.stderr.contains("set `prefix` in it"), "{}", again.stderr);
    assert_eq!(again.ok(), "");
    assert_eq!(project.text(), before);
    assert_eq!(
        project.sh("init --json").data("init"),
        json!({"backlog": "BACKLOG.yaml", "config": "orchestrator.toml", "created": []})
    );
    project.sh("check --strict").ok();
}

#[test]
fn init_completes_an_empty_file_and_keeps_its_comments() {
    let project = Project::with("# Our work\n");
    assert_eq!(project.sh("init").ok(), "created BACKLOG.yaml\ncreated orchestrator.toml\n");
    assert_eq!(project.text(), "# Our work\nschema_version: 2\nnext_item_id: 0\nitems: []\n");
}

#[test]
fn init_takes_the_prefix_that_is_in_use() {
    let project = Project::with("schema_version: 2\nitems:\n  - id: OPS-007\n    title: t\n");
    assert_eq!(project.sh("init").ok(), "created orchestrator.toml\n");
    assert_eq!(project.sh("add One").ok(), "OPS-008\n");
    let broken = Project::with("items: [\n");
    assert_eq!(broken.sh("init --json").error(7)["code"], "syntax");
    assert!(!broken.root().join("orchestrator.toml").exists());
}

#[test]
fn the_backlog_is_found_from_below_and_can_be_named() {
    let project = Project::empty();
    project.sh("init").ok();
    let below = project.root().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let mut command = program(&below);
    command.args(["add", "One"]);
    assert_eq!(Answer::of(command, "").ok(), "WRK-001\n");
    assert!(!below.join(".orchestrator").exists());
    assert_eq!(project.sh("-C a/b add Two").ok(), "WRK-002\n");
    std::fs::write(below.join("OTHER.yaml"), "schema_version: 2\nitems: []\n").unwrap();
    assert_eq!(project.sh("--file a/b/OTHER.yaml add Three").ok(), "WRK-001\n");
    assert_eq!(
        project.sh("-C a/b --file OTHER.yaml list").ok(),
        "WRK-001\tnew\t-\t-\t-\t-\tThree\n"
    );
    assert_eq!(project.sh("--config orchestrator.toml list").ok().lines().count(), 2);
}

#[test]
fn the_configuration_decides_about_names_and_guardrails() {
    let project = Project::empty();
    let config = "[project]\nprefix = \"DOC\"\nbacklog = \"work/TODO.yaml\"\nworklog = \"log\"\n\
        [guardrails]\nmax_risk = \"high\"\n\
        [[pipelines.docs.pre_phases]]\nname = \"outline\"\n[[pipelines.docs.phases]]\nname = \"write\"\n";
    std::fs::write(project.root().join("orchestrator.toml"), config).unwrap();
    std::fs::create_dir(project.root().join("work")).unwrap();
    assert_eq!(project.sh("init").ok(), "created work/TODO.yaml\n");
    assert_eq!(project.sh("add One -p docs -r high").ok(), "DOC-001\n");
    assert_eq!(project.sh("advance 1").ok(), "DOC-001 scoping/outline One\n");
    assert_eq!(project.sh("advance 1").ok(), "DOC-001 ready One\n");
    project.sh("done 1").ok();
    project.sh("archive 1").ok();
    assert_eq!(std::fs::read_dir(project.root().join("work/log")).unwrap().count(), 1);
}

#[test]
fn an_inbox_is_taken_in_once() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    let inbox = project.root().join("BACKLOG_INBOX.yaml");
    std::fs::write(&inbox, "- First idea\n- title: Second\n  size: Small\n  owner: ana\n").unwrap();
    let data = project.sh("ingest --json").data("ingest");
    let added = data["added"].as_array().unwrap();
    assert_eq!((&added[0]["title"], &added[0]["origin"]), (&json!("First idea"), &json!("inbox")));
    assert_eq!(
        (&added[1]["size"], &added[1]["extra"]),
        (&json!("small"), &json!({"owner": "ana"}))
    );
    assert!(!inbox.exists());
    let again = project.sh("ingest");
    assert!(again.stderr.contains("nothing to take in"), "{}", again.stderr);
    assert_eq!(project.sh("list").ok().lines().count(), 2);
}

#[test]
fn a_malformed_inbox_stays_where_it_is() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    let named = project.root().join("ideas.yaml");
    std::fs::write(&named, "- title: One\n- title: [\n").unwrap();
    let error = project.sh("ingest --inbox ideas.yaml --json").error(7);
    assert_eq!(error["file"], "ideas.yaml");
    assert!(named.exists());
    assert_eq!(project.sh("ingest --inbox nowhere.yaml --json").error(8)["code"], "io");
}

#[test]
fn follow_ups_of_a_result_become_items_unless_they_are_known() {
    let project = Project::with("schema_version: 2\nitems:\n  - id: WRK-001\n    title: Fix  it\n");
    let result = r#"{"item_id":"WRK-001","phase":"build","result":"phase_complete","summary":"s",
        "follow_ups":["fix it",{"title":"New","context":"because","suggested_size":"Small","tags":["a"]}]}"#;
    std::fs::write(project.root().join("result.json"), result).unwrap();
    let data = project.sh("ingest --follow-ups result.json --json").data("ingest");
    assert_eq!(data["skipped"], json!([{"title": "fix it", "existing": "WRK-001"}]));
    let item = &data["added"][0];
    assert_eq!(
        (&item["id"], &item["origin"], &item["description"], &item["size"]),
        (&json!("WRK-002"), &json!("WRK-001/build"), &json!("because"), &json!("small"))
    );
    std::fs::write(project.root().join("result.json"), "{\"item_id\": ").unwrap();
    let error = project.sh("ingest --follow-ups result.json --json").error(7);
    assert_eq!((&error["code"], &error["line"]), (&json!("syntax"), &json!(1)));
}
