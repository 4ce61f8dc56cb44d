//! An item's own text in an editor.

use crate::support::{Answer, Project, program};

const BACKLOG: &str = "\
schema_version: 2
next_item_id: 2
items:
  - id: WRK-001 # first
    title: One
    # a comment
  - id: WRK-002
    title: Two
";

fn edit(project: &Project, editor: &str, json: bool) -> Answer {
    let mut command = program(project.root());
    command.env("EDITOR", editor).args(["edit", "1"]);
    if json {
        command.arg("--json");
    }
    Answer::of(command, "")
}

fn left(project: &Project) -> Vec<String> {
    let folder = std::fs::read_dir(project.root().join(".orchestrator/edit")).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_edit_takes_the_place_of_the_item() {
    let project = Project::with(BACKLOG);
    let answer = edit(&project, "sed -i -e 's/title: One/title: Uno # why/'", true);
    assert_eq!(answer.data("item")["title"], "Uno");
    let text = project.text();
    assert!(text.contains("  - id: WRK-001 # first\n    title: Uno # why\n"), "{text}");
    assert!(text.ends_with("  - id: WRK-002\n    title: Two\n"), "{text}");
    assert_eq!(left(&project), Vec::<String>::new());
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let project = Project::with(BACKLOG);
    let answer = edit(&project, "true", false);
    assert!(answer.stderr.contains("nothing was changed"), "{}", answer.stderr);
    assert_eq!(answer.ok(), "");
    assert_eq!(edit(&project, "truncate -s 0", false).code, 0);
    assert_eq!(project.text(), BACKLOG);
    assert_eq!(left(&project), Vec::<String>::new());
}

#[test]
fn a_refused_text_is_kept_and_offered_again() {
    let project = Project::with(BACKLOG);
    let error = edit(&project, "sed -i -e 's/title: One/title: [One/'", true).error(1);
    assert_eq!(error["code"], "edit_refused");
    assert!(error["line"].is_number(), "{error}");
    assert_eq!(left(&project), ["wrk-1.yaml"]);
    assert_eq!(project.text(), BACKLOG);
    let text = edit(&project, "sed -i -e 's/\\[One/[Uno/'", false).fails(1);
    assert!(
        text.contains("refused before") && text.contains("orchestrator edit WRK-001"),
        "{text}"
    );
    assert_eq!(edit(&project, "sed -i -e 's/\\[Uno/Uno/'", false).ok(), "WRK-001 new Uno\n");
    assert_eq!(left(&project), Vec::<String>::new());
}

#[test]
fn what_no_backlog_may_hold_is_refused() {
    let project = Project::with(BACKLOG);
    for script in
        ["s/title: One/status: redy/", "s/title: One/title: a\\ntitle: b/", "s/WRK-001/WRK-009/"]
    {
        let error = edit(&project, &format!("sed -i -e '{script}'"), true).error(1);
        assert_eq!(error["code"], "edit_refused", "{script}");
        std::fs::remove_dir_all(project.root().join(".orchestrator/edit")).unwrap();
    }
    assert_eq!(project.text(), BACKLOG);
}

#[test]
fn an_item_that_was_changed_meanwhile_is_a_conflict() {
    let project = Project::with(BACKLOG);
    let exe = env!("CARGO_BIN_EXE_orchestrator");
    let editor = format!(
        "sh -c '{exe} update 1 --size large >/dev/null; echo \"  owner: me\" >> \"$1\"' sh"
    );
    let error = edit(&project, &editor, true).error(5);
    assert_eq!(error["code"], "conflict");
    assert!(project.text().contains("size: large") && !project.text().contains("owner"));
    assert_eq!(left(&project), ["wrk-1.yaml"]);
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let project = Project::with(BACKLOG);
    let text = edit(&project, "false", false).fails(8);
    assert!(text.contains("EDITOR"), "{text}");
    assert_eq!(edit(&project, "no-such-editor-anywhere", true).error(8)["code"], "io");
    assert_eq!(project.text(), BACKLOG);
}

#[test]
fn without_an_editor_and_a_terminal_nothing_waits_for_a_person() {
    let project = Project::with(BACKLOG);
    let error = edit(&project, " ", true).error(2);
    assert_eq!(error["code"], "usage");
    assert!(error["hint"].as_str().unwrap().contains("$EDITOR"), "{error}");
    assert_eq!(left(&project), Vec::<String>::new());
}

#[test]
fn an_edit_that_changes_nothing_has_its_document_too() {
    let project = Project::with(BACKLOG);
    assert_eq!(edit(&project, "true", true).data("item")["id"], "WRK-001");
}

#[test]
fn a_wrong_value_is_told_with_its_place() {
    let project = Project::with(BACKLOG);
    let text = edit(&project, "sed -i -e 's/title: One/title: 5/'", false).fails(1);
    assert!(text.contains("wrk-1.yaml:2:10\n") && text.contains("title: 5\n"), "{text}");
}
