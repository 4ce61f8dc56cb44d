//! How sequences are named, and how what is wrong is told.

use std::process::Command;

use serde_json::json;

use super::workshop::{TASKS, Workshop};
use crate::support::{Answer, program};

#[test]
fn a_key_that_is_not_whole_is_told_with_its_options() {
    let workshop = Workshop::empty();
    for (line, missing) in [
        (
            "next --db sqlite:a.db",
            "layout registry needs --type and --project; --type and --project are missing",
        ),
        (
            "next --db sqlite:a.db --type US",
            "layout registry needs --type and --project; --project is missing",
        ),
        (
            "next --db sqlite:a.db --prefix K",
            "layout prefix-type needs --prefix and --type; --type is missing",
        ),
        ("next --db sqlite:a.db --layout name", "layout name needs --name; --name is missing"),
        ("reserve --count 1 --db sqlite:a.db", "--type and --project are missing"),
        ("sync --db sqlite:a.db --create --from-files .", "does not show the project"),
        ("next --db sqlite:a.db --table t --value-column v", "--key COLUMN=VALUE"),
        (
            "next --db sqlite:a.db --type US --project p --name x",
            "the table id_sequences has no key",
        ),
        ("next --db sqlite:a.db --type US --project p --format US", "has no number"),
        ("next --db sqlite:a.db --table a.b.c --value-column v --key k=v", "no name of a table"),
    ] {
        let error = workshop.id(&format!("{line} --json")).error(2);
        assert_eq!(error["code"], "usage", "{line}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(missing), "{line}: {message}");
    }
    for line in ["reserve --count 1 --type US --project p", "expire", "sync --from-files ."] {
        assert!(workshop.id(line).fails(2).contains("--db sqlite:PATH"), "{line}");
    }
    for url in ["ids.db", "mysql://h/d", "sqlite:"] {
        assert!(
            workshop.id(&format!("expire --db {url}")).fails(2).contains("sqlite:PATH"),
            "{url}"
        );
    }
    workshop.id("confirm no-uuid --db sqlite:a.db").fails(2);
    workshop.id("reserve --db sqlite:a.db --type US --project p").fails(2);
    assert_eq!(workshop.names(), [""; 0]);
}

#[test]
fn the_audit_is_one_of_the_backlog() {
    let workshop = Workshop::empty();
    let error = workshop.id("audit --db sqlite:ids.db --json").error(2);
    assert!(error["hint"].as_str().unwrap().contains("id status"), "{error}");
}

#[test]
fn the_documents_of_a_program() {
    let workshop = Workshop::empty();
    let us = "--db sqlite:ids.db --project shop --type US";
    let next = workshop.id(&format!("next {us} --create --json")).data("id");
    assert_eq!(next, json!({"id": "US-001", "number": 1, "previous": null}));
    let next = workshop.id(&format!("next {us} --count 1 --json")).data("ids");
    assert_eq!(next, json!([{"id": "US-002", "number": 2, "previous": "US-001"}]));
    let status = workshop.id(&format!("status {us} --json")).data("id_status");
    let us = json!({"key": {"type": "US", "project": "shop"}, "last": 2, "found": null,
                    "next": "US-003", "state": "ok", "problem": null});
    assert_eq!(
        status,
        json!({"sequences": [us], "duplicates": [], "malformed": [], "too_large": []})
    );
}

#[test]
fn the_environment_names_the_database_of_a_sequence_and_no_backlog_s() {
    let workshop = Workshop::empty();
    let run = |url: &str, line: &str| {
        let mut command = program(workshop.project.root());
        command.env("DATABASE_URL", url).arg("id").args(line.split_whitespace());
        Answer::of(command, "")
    };
    let us = "--project shop --type US";
    assert_eq!(run("sqlite:ids.db", &format!("next {us} --create")).ok(), "US-001\n");
    assert_eq!(run("sqlite:ids.db", "status --project shop").ok(), "US/shop\tOK\t1\t-\tUS-002\n");
    assert_eq!(run("sqlite:gone.db", &format!("next {us} --db sqlite:ids.db")).ok(), "US-002\n");
    assert!(run("mysql://u:secret@h/d", &format!("next {us}")).fails(2).contains("DATABASE_URL"));
    // An application's database is none of the backlog's business.
    std::fs::write(workshop.project.file(), "items: []\n").unwrap();
    assert_eq!(run("mysql://u:secret@h/d", "next").ok(), "WRK-001\n");
    assert!(run("sqlite:ids.db", "status").ok().contains("mark    1\n"));
}

#[test]
fn sequences_have_names_in_the_configuration() {
    let workshop = Workshop::empty();
    let text = "[sequences.tasks]\nlayout = \"prefix-type\"\nprefix = \"KABSD\"\ntype = \"TSK\"\n\
                [sequences.lines]\nname = \"credit_lines\"\nformat = \"C{n:02}\"\n\
                [sequences.own]\ntable = \"numbers\"\nvalue_column = \"last\"\nkey = { kind = \"a\" }\n";
    workshop.file("orchestrator.toml", text);
    let next = |line: &str| workshop.id(&format!("next --db sqlite:ids.db --create {line}"));
    assert_eq!(next("--sequence tasks").ok(), "KABSD-TSK-0001\n");
    assert_eq!(next("--sequence tasks --type FTR").ok(), "KABSD-FTR-0001\n");
    assert_eq!(next("--sequence tasks --format {type}{n}").ok(), "TSK2\n");
    let sync = "sync --db sqlite:lines.db --create --sequence lines --from-files none*";
    workshop.id(sync).ok();
    assert_eq!(workshop.id("next --db sqlite:lines.db --sequence lines").ok(), "C01\n");
    let error = workshop.id("next --db sqlite:ids.db --sequence task --json").error(2);
    assert_eq!(error["hint"], "did you mean `tasks`?");
    workshop.file("orchestrator.toml", "[sequences.tasks]\nprefx = \"K\"\n");
    let error = workshop.id("next --db sqlite:ids.db --sequence tasks --json").error(7);
    assert_eq!((&error["line"], &error["hint"]), (&json!(2), &json!("did you mean `prefix`?")));
}

#[test]
fn the_tables_that_are_there_tell_the_layout() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    workshop.item(3);
    let db = "--db sqlite:chunks.sqlite3 --from-files items";
    let status = workshop.id(&format!("status {db}"));
    assert_eq!(
        (status.code, status.stdout.as_str()),
        (1, "KABSD/TSK\tSTALE\t1\t3\tKABSD-TSK-0002\n")
    );
    assert_eq!(workshop.id(&format!("sync {db}")).ok(), "KABSD/TSK\t1\t3\traised\n");
    assert_eq!(workshop.id("status --db sqlite:chunks.sqlite3").code, 0);
    // What takes a number says of which sequence.
    workshop.id("next --db sqlite:chunks.sqlite3").fails(2);
    // With several layouts all are shown, and files are those of one.
    workshop.id("next --db sqlite:chunks.sqlite3 --create --project p --type US").ok();
    assert_eq!(
        workshop.id("status --db sqlite:chunks.sqlite3").ok(),
        "US/p\tOK\t1\t-\tUS-002\nKABSD/TSK\tOK\t3\t-\tKABSD-TSK-0004\n"
    );
    for command in ["status", "sync"] {
        let refused = workshop.id(&format!("{command} {db}")).fails(2);
        assert!(refused.contains("layouts registry and prefix-type"), "{refused}");
    }
}

#[test]
fn a_table_of_another_shape_is_told() {
    let workshop = Workshop::with_chunks();
    workshop.sql("CREATE TABLE id_sequences (name TEXT PRIMARY KEY, last_value INTEGER NOT NULL)");
    for line in
        [format!("next {TASKS}"), format!("next {TASKS} --create"), format!("status {TASKS}")]
    {
        let error = workshop.id(&format!("{line} --json")).error(8);
        assert!(error["message"].as_str().unwrap().contains("has no column"), "{error}");
    }
    let columns: String =
        workshop.ask("SELECT group_concat(name) FROM pragma_table_info('id_sequences')");
    assert_eq!(columns, "name,last_value");
}

#[test]
fn a_file_that_may_not_grow_says_what_to_look_at() {
    let workshop = Workshop::empty();
    let db = "--db sqlite:ids.db";
    workshop.id(&format!("next {db} --create --project p --type US")).ok();
    for line in ["status", "next --project p --type US"] {
        let program = env!("CARGO_BIN_EXE_orchestrator");
        let limit = format!("trap '' XFSZ; ulimit -f 8; exec '{program}' id {line} {db}");
        let mut command = Command::new("sh");
        command.args(["-c", &limit]).current_dir(workshop.project.root());
        let said = Answer::of(command, "").fails(8);
        assert!(said.contains("the disk may be full"), "{said}");
    }
    workshop.id(&format!("status {db}")).ok();
}
