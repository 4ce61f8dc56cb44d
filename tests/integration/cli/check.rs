//! What `check` finds and mends, and what `migrate` writes.

use serde_json::json;

use crate::support::Project;

const UNTIDY: &str = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One
  - title: By hand # no ID
  - id: WRK-001
    title: Twin
  - id: WRK-009
    title: Nine
    dependencies: [WRK-044]
    priorty: 3
";

#[test]
fn a_clean_file_has_no_problems() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    assert_eq!(project.sh("check").ok(), "no problems\n");
    assert_eq!(
        project.sh("doctor --strict --json").data("check"),
        json!({"errors": [], "warnings": []})
    );
}

#[test]
fn warnings_fail_only_a_strict_check() {
    let project = Project::with(UNTIDY);
    let answer = project.sh("check --json");
    assert_eq!(answer.code, 0);
    let data = answer.data("check");
    let codes: Vec<&str> =
        data["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["mark_behind", "missing_id", "duplicate_id", "unknown_dependency"]);
    let duplicate = &data["warnings"][2];
    assert_eq!(
        (&duplicate["item"], &duplicate["line"], &duplicate["file"]),
        (&json!("WRK-001"), &json!(7), &json!("BACKLOG.yaml"))
    );
    assert_eq!(project.sh("check --strict").code, 1);
}

#[test]
fn errors_are_told_as_the_result_and_by_the_exit_code() {
    let project = Project::with("schema_version: 2\nitems:\n  - title: 7\n");
    let answer = project.sh("check --json");
    assert_eq!((answer.code, answer.stderr.as_str()), (7, ""));
    assert_eq!(answer.data("check")["errors"][0]["code"], "wrong_type");
    let answer = project.sh("check --fix");
    assert_eq!(answer.code, 7);
    assert!(answer.stdout.contains("--> BACKLOG.yaml:3:12\n"), "{}", answer.stdout);
    let broken = Project::with("items: [\n");
    assert_eq!(broken.sh("check --json").data("check")["errors"][0]["code"], "syntax");
}

#[test]
fn a_fix_says_what_it_will_do_and_does_it() {
    let project = Project::with(UNTIDY);
    let plan = json!([
        "raise the mark: the mark is 1, but 9 was issued",
        "give \"By hand\" an ID",
        "give the later WRK-001, in line 7, a new ID"
    ]);
    assert_eq!(project.sh("check --dry-run --json").data("check")["plan"], plan);
    assert_eq!(project.sh("check --fix --dry-run --json").data("check")["plan"], plan);
    assert_eq!(project.text(), UNTIDY);
    let data = project.sh("check --fix --json").data("check");
    assert_eq!(data["plan"], plan);
    let left: Vec<&str> =
        data["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert_eq!(left, ["unknown_dependency"]);
    let text = project.text();
    assert!(text.contains("next_item_id: 11\n"), "{text}");
    assert!(text.contains("  - id: WRK-010\n    title: By hand # no ID\n"), "{text}");
    assert!(text.contains("  - id: WRK-011\n    title: Twin\n"), "{text}");
    assert!(text.contains("    priorty: 3\n"), "{text}");
    let again = project.sh("check --fix");
    assert!(again.stderr.contains("nothing can be mended"), "{}", again.stderr);
}

#[test]
fn a_damaged_mark_is_an_error_with_a_way_out() {
    let project = Project::with("schema_version: 2\nnext_item_id: 5\nitems: []\n");
    project.sh("add Six").ok();
    let mark = project.root().join(".orchestrator/mark");
    std::fs::write(&mark, "{\"mark\": ").unwrap();
    let before = project.text();
    assert!(
        project.sh("add Seven --json").error(7)["hint"].as_str().unwrap().contains("check --fix")
    );
    assert_eq!(project.text(), before);
    let answer = project.sh("check --json");
    assert_eq!(answer.code, 7);
    assert!(answer.data("check")["errors"][0]["file"].as_str().unwrap().ends_with("mark"));
    assert_eq!(project.sh("check --fix").code, 0);
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "{\"mark\":6}\n");
    assert_eq!(project.sh("add Seven").ok(), "WRK-007\n");
}

#[test]
fn an_item_that_an_editor_dropped_is_told_and_comes_back() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    let before = project.text();
    project.sh("add Lost").ok();
    // An editor that had the file open saves what it knew.
    project.write(&before);
    let data = project.sh("check --json").data("check");
    assert!(
        data["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|w| w["code"] == "lost_item" && w["item"] == "WRK-001"),
        "{data}"
    );
    assert_eq!(project.sh("restore 1").ok(), "WRK-001 new Lost\n");
    assert_eq!(project.sh("add Two").ok(), "WRK-002\n");
}

const OLD: &str = "\
# An old file.
schema_version: 1
items:
  - id: WRK-001 # keep
    title: One
    status: researching
  - id: WRK-002
    title: Two
    status: scoped
    custom: yes
";

#[test]
fn places_in_an_old_file_are_those_that_a_person_sees() {
    let text = format!("{OLD}  - id: WRK-002\n    title: Twin\n    dependencies: [WRK-077]\n");
    let project = Project::with(&text);
    let data = project.sh("check --json").data("check");
    let lines: Vec<(&str, u64)> = data["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["code"].as_str().unwrap(), w["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(lines, [("duplicate_id", 11), ("unknown_dependency", 13)]);
    let shown = project.sh("check").ok();
    assert!(shown.contains("13 |     dependencies: [WRK-077]\n"), "{shown}");
    let error = project.sh("show 2 --json").error(5);
    assert!(error["message"].as_str().unwrap().ends_with("lines 7 and 11"), "{error}");
}

#[test]
fn a_migration_is_shown_and_then_written_with_a_backup() {
    let project = Project::with(OLD);
    let diff = project.sh("migrate --dry-run").ok();
    assert!(diff.starts_with("--- BACKLOG.yaml\n+++ BACKLOG.yaml\n@@ "), "{diff}");
    assert!(diff.contains("\n-schema_version: 1\n+schema_version: 2\n"), "{diff}");
    assert!(diff.contains("\n-    status: researching\n+    status: scoping\n"), "{diff}");
    assert_eq!(project.text(), OLD);
    let data = project.sh("migrate --dry-run --json").data("migrate");
    assert_eq!(
        (&data["is_needed"], &data["migrated"], &data["diff"]),
        (&json!(true), &json!(false), &json!(diff))
    );
    assert_eq!(project.sh("migrate").ok(), "BACKLOG.yaml is of version 2 now\n");
    let text = project.text();
    for kept in
        ["# An old file.\n", "  - id: WRK-001 # keep\n", "    custom: yes\n", "next_item_id: 2\n"]
    {
        assert!(text.contains(kept), "{kept}{text}");
    }
    let backups = std::fs::read_dir(project.root().join(".orchestrator/backup")).unwrap();
    let backups: Vec<String> =
        backups.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert_eq!(backups, [OLD]);
    let again = project.sh("migrate --json").data("migrate");
    assert_eq!(
        again,
        json!({"schema_version": 2, "is_needed": false, "migrated": false, "diff": null})
    );
    assert_eq!(project.text(), text);
}

#[test]
fn a_lost_item_can_be_given_up() {
    let project = Project::with("schema_version: 2\nitems:\n\n# end\n");
    project.run(&["add", "Stays", "Goes"]).ok();
    let text = project.text();
    let (stays, _) = text.split_once("  - id: WRK-002").unwrap();
    let by_hand = format!("{stays}\n# end\n");
    project.write(&by_hand);
    let told = project.sh("check").ok();
    assert!(told.contains("`orchestrator archive WRK-002 --reason …` gives it up"), "{told}");
    // Without a reason it is no less than an item that was never there.
    assert_eq!(project.sh("archive 2 --json").error(4)["code"], "no_such_item");
    let answer = project.sh("archive 2 --reason unneeded --json");
    assert_eq!(answer.stderr, "");
    assert_eq!(answer.data("archive")["archived"][0]["id"], "WRK-002");
    assert_eq!(project.text(), by_hand);
    assert_eq!(project.sh("check").ok(), "no problems\n");
    let audit = project.sh("id audit --json").data("audit");
    assert_eq!((&audit["archived"], &audit["skipped"]), (&json!([[2, 2]]), &json!([])));
    assert_eq!(project.sh("restore 2").ok(), "WRK-002 new Goes\n");
}

#[test]
fn each_problem_names_its_item_and_a_way_out() {
    let head = "schema_version: 2\nnext_item_id: 3\nitems:\n";
    let first = |items: &str| {
        let project = Project::with(&format!("{head}{items}"));
        let data = project.sh("check --json").data("check");
        (data["errors"][0].clone(), data)
    };
    let (error, _) = first("  - id: WRK-001\n    title: a\n    note: 1\n    note: 2\n");
    assert_eq!((&error["code"], &error["item"]), (&json!("duplicate_key"), &json!("WRK-001")));
    let (error, _) = first("  - {id: WRK-001, title: a, size: 5}\n");
    assert_eq!(error["hint"], "one of small, medium, large");
    let (error, _) = first("  - title: @home\n");
    assert_eq!((&error["column"], &error["hint"]), (&json!(12), &json!("quote the text")));
    let (error, _) = first("<<<<<<< HEAD\n  - title: a\n=======\n  - title: b\n>>>>>>> theirs\n");
    assert_eq!(
        (&error["message"], &error["line"]),
        (&json!("git left a conflict here"), &json!(4))
    );
    // What follows from an error is not told as a second one.
    let (error, data) =
        first("  - &a\n    id: WRK-001\n    title: a\n  - <<: *a\n    id: WRK-002\n");
    assert_eq!((&error["code"], &error["item"]), (&json!("merge_key"), &json!("WRK-002")));
    assert_eq!(data["errors"].as_array().unwrap().len(), 1, "{data}");
    let (_, data) = first("  - title: 5\n  - title: \"\"\n  - {id: 7, title: a}\n");
    assert_eq!(data["errors"].as_array().unwrap().len(), 3, "{data}");
    assert_eq!(data["warnings"], json!([]));
    // An item without an ID goes by its title.
    let (_, data) = first("  - title: By hand\n    dependencies: [WRK-099]\n");
    assert_eq!(data["warnings"][1]["message"], "By hand depends on WRK-099, which exists nowhere");
    assert_eq!(data["warnings"][1]["item"], "By hand");
    let list = Project::with("- a\n- b\n").sh("check --json").data("check");
    assert_eq!(
        (&list["errors"][0]["code"], &list["warnings"]),
        (&json!("wrong_shape"), &json!([]))
    );
}

#[test]
fn a_phase_that_a_migration_clears_is_told_with_its_place() {
    let text = OLD.replace("status: researching", "status: researching\n    phase: odd");
    let data = Project::with(&text).sh("check --json").data("check");
    let told = &data["warnings"][0];
    assert_eq!(
        (&told["code"], &told["line"], &told["column"], &told["item"]),
        (&json!("unknown_phase"), &json!(7), &json!(12), &json!("WRK-001")),
        "{data}"
    );
}
