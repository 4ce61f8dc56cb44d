//! Faults that were proven in other programs of this kind, and the test that would
//! find each here; those that no other file holds are below.
//!
//! IDs:
//! - highest item archived, no mark: `store::ids::the_highest_item_is_archived…`
//! - mark 0 after the v1 migration: `after_a_migration_…` below
//! - checkout rewinds the mark: `process::git`
//! - parallel adds share IDs: `process::parallel`
//! - a second process during a run: `a_second_process_and_a_hand_edit_…` below
//! - the end of u32, suffixes above it: `store::ids::the_end_of_u32…`, `…above_u32…`
//! - duplicate IDs taken for one: `what_has_two_items_is_refused` below
//! - an ID that was merged away comes back: `a_merged_id_…` below
//! - the counter in a deletable cache: `process::git`; archived numbers not counted:
//!   `archived_numbers_count_alone` below; digits: `every_form_of_id_counts` below;
//!   a racy scan when locked: `process::refusals`; a renumbering that does not raise
//!   the mark: `what_has_two_items_is_refused` below
//!
//! Lost work:
//! - worklog not writable, modes, links, no fsync: `process::places`, `store::crashes`
//! - nothing left of a finished item; comments, keys and quotes dropped: `store::saving`
//! - a version line that was lost: `without_its_version_line_…` below
//! - an empty file is an empty backlog: `store::saving::files_that_cannot_be_read…`
//! - a follow-up's context dropped: `cli::project`; blank titles: `a_blank_title_…`
//! - what a merge drops: `a_merge_keeps_…` below
//! - a mistyped dependency is met: `a_mistyped_dependency_…` below
//! - the save at shutdown: `a_second_process_and_a_hand_edit_…` below
//! - the inbox twice: `store::inbox`, `process::kills`; one that cannot be removed:
//!   `process::unprivileged`
//! - a failed save goes out with the next: `what_a_failed_save_held_…` below
//! - reading rewrites an old file: `reading_writes_nothing` below
//! - descriptions split at prose: `a_description_stays_as_written` below
//!
//! Flow:
//! - items of version 1 stuck: `engine::agents::items_of_version_1_go_on`
//! - a filter hides dependencies: `scheduler::plan`; it strands what it promoted:
//!   `engine::concurrency::what_a_filter_let_in_…`
//! - a triage that fails is repeated: `engine::agents::a_triage_that_fails_…`; SIGTERM
//!   throws its result away: `engine::ends::an_interrupted_run_…`
//! - merged while its phase runs: `engine::by_hand::merged_away`; a left-over file:
//!   `engine::agents::files_that_were_left_over_…`
//! - blocked by hand for ever: `engine::by_hand::blocked`
//! - type errors without a line: `cli::errors`; nulls and capitals void a result:
//!   `engine::effects::half_a_result_and_nulls_…`
//! - repeated follow-ups: `engine::effects::follow_ups_become_items_once`

use std::fs;
use std::io;

use orchestrator::coordinator;
use orchestrator::fs::fault;
use orchestrator::model::Change;
use orchestrator::model::change::NewItem;

use crate::support::{Project, titles};

const V1: &str = "schema_version: 1\nitems:\n  - id: WRK-001\n    title: Only\n    status: done\n";

#[test]
fn after_a_migration_the_only_items_number_stays_taken() {
    let project = Project::with(V1);
    project.sh("migrate").ok();
    project.sh("archive --done").ok();
    // Even with the file as nobody has ever written it.
    project.write("schema_version: 2\nitems: []\n");
    fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
    assert_eq!(project.sh("add Next").ok(), "WRK-002\n");
}

#[test]
fn a_second_process_and_a_hand_edit_during_a_run() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    let (run, running) = coordinator::open(project.store()).unwrap();
    let add = |title: &str| {
        let changed = run.change_blocking(vec![Change::Add(vec![NewItem::titled(title)])]).unwrap();
        let applied = changed.outcomes.into_iter().next().unwrap().unwrap();
        applied.added[0].id.clone().unwrap()
    };
    assert_eq!(add("by the run"), "WRK-001");
    assert_eq!(project.sh("add another").ok(), "WRK-002\n");
    assert_eq!(add("by the run again"), "WRK-003");
    let edited = project.text().replace("title: another", "title: by hand # mine");
    project.write(&edited);
    assert_eq!(add("last"), "WRK-004");
    let edited = project.text() + "# at the end\n";
    project.write(&edited);
    drop(run);
    running.shutdown().unwrap();
    // The end of a run saves nothing.
    assert_eq!(project.text(), edited);
    assert!(edited.contains("title: by hand # mine\n"), "{edited}");
    let all = ["by the run", "by hand", "by the run again", "last"];
    assert_eq!(titles(&mut project.store()), all);
}

#[test]
fn what_has_two_items_is_refused() {
    let text = "\
next_item_id: 2
items:
  - {id: WRK-001, title: One, status: done}
  - {id: WRK-001, title: Other, status: done}
  - {id: WRK-002, title: Waits, dependencies: [WRK-001]}
";
    let project = Project::with(text);
    for command in ["archive 1", "update 1 --size small", "done 1", "merge 1 2"] {
        let stderr = project.sh(command).fails(5);
        assert!(stderr.contains("lines 3") || stderr.contains(":3"), "{command}: {stderr}");
    }
    assert!(project.text().contains("dependencies: [WRK-001]"));
    project.sh("check --fix").ok();
    assert!(project.text().contains("id: WRK-003, title: Other"), "{}", project.text());
    assert_eq!(project.sh("add Next").ok(), "WRK-004\n");
}

#[test]
fn a_merged_id_never_names_other_work() {
    let project = Project::with("items: []\n");
    assert_eq!(project.sh("add One Two").ok(), "WRK-001\nWRK-002\n");
    project.sh("merge 2 1").ok();
    assert_eq!(project.sh("add Three").ok(), "WRK-003\n");
    project.sh("show 2").fails(4);
}

#[test]
fn archived_numbers_count_alone() {
    let project = Project::with("schema_version: 2\nitems: []\n");
    fs::create_dir(project.root().join("worklog")).unwrap();
    let entry = "## OPS-12345 — Gone\n\nArchived 2026-01-01T00:00:00Z, done.\n\n```yaml\n- id: OPS-12345\n  title: Gone\n```\n\n";
    fs::write(project.root().join("worklog/2026-01.md"), entry).unwrap();
    assert_eq!(project.sh("add Next").ok(), "WRK-12346\n");
}

#[test]
fn every_form_of_id_counts() {
    for (id, next) in [("WRK-9", 10), ("wrk-0099", 100), ("A1B2-1234", 1235), ("X-123456", 123_457)]
    {
        let project = Project::with(&format!("items:\n  - id: {id}\n    title: t\n"));
        let told = project.sh("add Next").ok();
        assert!(told.trim().ends_with(&format!("-{next:03}")), "{id}: {told}");
    }
}

#[test]
fn without_its_version_line_a_file_keeps_fields_and_mark() {
    let text = "next_item_id: 40\nitems:\n  - id: WRK-001\n    title: One\n    phase_pool: main\n    phase: build\n    status: in_progress\n";
    let project = Project::with(text);
    let found = project.sh("check --json").data("check");
    assert_eq!(found["warnings"][0]["code"], "missing_version");
    assert_eq!(project.sh("add Next").ok(), "WRK-041\n");
    let after = project.text();
    assert!(after.contains("    phase_pool: main\n    phase: build\n"), "{after}");
}

#[test]
fn a_blank_title_is_refused_everywhere() {
    let text = "schema_version: 2\nitems:\n  - id: WRK-001\n    title: One\n";
    let project = Project::with(text);
    project.run(&["add", "  "]).fails(2);
    project.run(&["update", "1", "--title", " "]).fails(2);
    fs::write(project.root().join("BACKLOG_INBOX.yaml"), "- title: ' '\n").unwrap();
    project.sh("ingest").fails(7);
    assert_eq!(project.text(), text);
}

#[test]
fn a_merge_keeps_all_and_its_dependents_wait_on() {
    let text = "\
schema_version: 2
next_item_id: 3
items:
  - id: WRK-001
    title: Source
    size: large
    tags: [web]
    description:
      solution: do it so
      impact: much
  - id: WRK-002
    title: Target
  - id: WRK-003
    title: Waits
    dependencies: [WRK-001]
";
    let cycle = text.replace("title: Target\n", "title: Target\n    dependencies: [WRK-003]\n");
    let project = Project::with(&cycle);
    project.sh("merge 1 2").fails(1);
    assert_eq!(project.text(), cycle, "the target and its dependent would wait for each other");
    let project = Project::with(text);
    project.sh("merge 1 2").ok();
    let after = project.text();
    for kept in ["do it so", "much", "web", "size: large", "dependencies: [WRK-002]"] {
        assert!(after.contains(kept), "{kept}: {after}");
    }
    assert!(!after.contains("id: WRK-001"), "{after}");
}

#[test]
fn a_mistyped_dependency_stays_and_is_unmet() {
    let text = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n    status: ready\n    dependencies: [WRK-0O2]\n";
    let project = Project::with(text);
    let found = project.sh("check --json").data("check");
    assert_eq!(found["warnings"][0]["code"], "unknown_dependency", "{found}");
    project.sh("update 1 --size small -q").ok();
    assert!(project.text().contains("dependencies: [WRK-0O2]"));
    let status = project.sh("status").ok();
    assert!(status.contains("WRK-0O2"), "{status}");
}

#[test]
fn what_a_failed_save_held_does_not_go_out_with_the_next() {
    let start = "schema_version: 2\nnext_item_id: 0\nitems: []\n";
    for n in 0.. {
        let project = Project::with(start);
        let mut store = project.store();
        let mut add = |title: &str| {
            let request = Change::Add(vec![NewItem::titled(title)]).into();
            store.lock().and_then(|locked| locked.save(&[request])).is_ok()
        };
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let (told, struck) = fault::fail_at(n, full, || add("first"));
        if struck.is_none() {
            assert!(n > 10);
            break;
        }
        let was_saved = project.text().contains("first");
        assert!(!told || was_saved, "{n}");
        assert!(add("second"));
        let expected = if was_saved { vec!["first", "second"] } else { vec!["second"] };
        assert_eq!(titles(&mut project.store()), expected, "{n}: {struck:?}");
    }
}

#[test]
fn reading_writes_nothing() {
    let project = Project::with(V1);
    for command in [
        "list --all",
        "show 1",
        "check",
        "check --dry-run",
        "status",
        "migrate --dry-run",
        "id status",
        "id audit",
    ] {
        project.sh(command).ok();
        assert_eq!(project.text(), V1, "{command}");
        let names = fs::read_dir(project.root()).unwrap().count();
        assert_eq!(names, 1, "{command} left something behind");
    }
}

#[test]
fn a_description_stays_as_written() {
    let text = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One
    description: |
      Problem: this looks like a header.

      Solution: so does this.
      - id: WRK-099
";
    let project = Project::with(text);
    project.sh("update 1 --size small").ok();
    let description = &text[text.find("    description").unwrap()..];
    assert!(project.text().contains(description), "{}", project.text());
    assert_eq!(project.sh("add Next").ok(), "WRK-002\n");
}
