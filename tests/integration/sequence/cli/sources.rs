//! Each source of IDs, through the program.

use super::workshop::Workshop;
use crate::support::Project;

const SHOP: &str = "sync --db sqlite:ids.db --create --project shop";

#[test]
fn git_knows_files_that_are_gone_and_what_commits_were_called() {
    let workshop = Workshop::empty();
    workshop.file("docs/US-041_gone.md", "x");
    workshop.project.commit_all();
    workshop.project.git(&["checkout", "-q", "-b", "side"]);
    workshop.project.git(&["rm", "-q", "-r", "docs"]);
    workshop.project.git(&["commit", "-q", "-m", "Remove it"]);
    let sync = || workshop.id(&format!("{SHOP} --from-git")).ok();
    assert_eq!(sync(), "US/shop\t-\t41\tnew\n");
    // A subject counts for sequences that are known; UTF-8 is none.
    workshop.project.git(&[
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "Write US-043 as UTF-8, see SPEC-9",
    ]);
    workshop.project.git(&["checkout", "-q", "main"]);
    assert_eq!(sync(), "US/shop\t41\t43\traised\n");
    assert_eq!(sync(), "US/shop\t43\t43\tunchanged\n");
    let spec = workshop.id(&format!("{SHOP} --type SPEC --from-git"));
    assert_eq!(spec.ok(), "SPEC/shop\t-\t9\tnew\n");
    // What is put in the place of a commit does not take its files away.
    workshop.file("docs/US-050_gone.md", "x");
    workshop.project.commit_all();
    workshop.project.git(&["replace", "-f", "main", "main~1"]);
    assert!(sync().ends_with("US/shop\t43\t50\traised\n"));
    let nowhere = Workshop::empty();
    assert!(nowhere.id(&format!("{SHOP} --from-git")).fails(2).contains("no work tree"));
}

#[test]
fn the_backlog_counts_with_what_was_archived_and_its_mark() {
    let text = "schema_version: 2\nitems:\n  - id: OPS-012\n    title: a\n  - id: WRK-003\n    title: b\n    status: done\n";
    let project = Project::with(text);
    std::fs::write(project.root().join("orchestrator.toml"), "[project]\nprefix = \"WRK\"\n")
        .unwrap();
    project.sh("id next --count 5").ok();
    project.sh("archive --done").ok();
    let sync = project.sh(&format!("id {SHOP} --from-backlog")).ok();
    // The one mark of the backlog is that of its prefix.
    assert_eq!(sync, "OPS/shop\t-\t12\tnew\nWRK/shop\t-\t17\tnew\n");
    let next = project.sh("id next --db sqlite:ids.db --project shop --type WRK").ok();
    assert_eq!(next, "WRK-018\n");
    let empty = Workshop::empty();
    empty.id(&format!("{SHOP} --from-backlog")).fails(3);
}

#[test]
fn several_sources_and_the_highest_counts() {
    let workshop = Workshop::empty();
    workshop.file("docs/US-7.md", "");
    workshop.file("old/US-00012.txt", "");
    let both = workshop.id(&format!("{SHOP} --from-files docs/*.md --from-files old")).ok();
    assert_eq!(both, "US/shop\t-\t12\tnew\n");
    let none = workshop.id(&format!("{SHOP} --from-files none*/*.md"));
    assert!(none.stderr.contains("no file fits none*/*.md"), "{none:?}");
    assert_eq!(none.ok(), "");
    workshop.id(&format!("{SHOP} --from-files gone/*.md")).fails(8);
    workshop.id(&format!("{SHOP} --from-files [a")).fails(2);
    assert!(workshop.id(SHOP).fails(2).contains("--from-git"));
}

#[test]
fn what_no_sequence_can_reach_is_told_and_does_not_count() {
    let workshop = Workshop::empty();
    workshop.file("docs/US-20260126021000.md", "");
    workshop.file("docs/US-3.md", "");
    workshop.file("docs/US-000_template.md", "");
    let answer = workshop.id(&format!("{SHOP} --from-files docs"));
    assert!(answer.stderr.contains("US-20260126021000.md: no sequence goes so far"), "{answer:?}");
    assert_eq!(answer.ok(), "US/shop\t-\t3\tnew\n");
}

#[test]
fn an_own_table_is_adopted_by_its_key() {
    let workshop = Workshop::with_chunks();
    workshop.sql(
        "CREATE TABLE numbers (kind TEXT, year TEXT, last INTEGER NOT NULL, PRIMARY KEY (kind, year));
         CREATE TABLE invoices (nr INTEGER); INSERT INTO invoices VALUES (8), (9)",
    );
    let own = "--db sqlite:chunks.sqlite3 --table numbers --value-column last --key kind=inv --key year=26";
    let sync = workshop.id(&format!("sync {own} --from-column invoices.nr")).ok();
    assert_eq!(sync, "inv/26\t-\t9\tnew\n");
    assert_eq!(workshop.id(&format!("next {own}")).ok(), "10\n");
    let format = "--format INV-{year}-{n:04}";
    assert_eq!(workshop.id(&format!("next {own} {format}")).ok(), "INV-26-0011\n");
    // A bare number is found anywhere.
    let refused = workshop.id(&format!("sync {own} --from-files .")).fails(2);
    assert!(refused.contains("--format"), "{refused}");
    workshop.file("INV-26-0020.pdf", "");
    let sync = workshop.id(&format!("sync {own} {format} --from-files .")).ok();
    assert_eq!(sync, "inv/26\t11\t20\traised\n");
}
