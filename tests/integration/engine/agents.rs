//! Agents that misbehave, and backlogs that had a life before.

use std::fs;

use super::workshop::{Workshop, ids};

const READY: &str = "\
schema_version: 2
next_item_id: 2
items:
  - id: WRK-001
    title: One # mine
    status: ready
  - id: WRK-002
    title: Two # mine
    status: blocked
    blocked_reason: Later
";

#[test]
fn one_that_edits_the_backlog_itself_is_believed() {
    let script = "\
WRK-001/build/*: edit BACKLOG.yaml title: Two => title: Two, clearer; result phase_complete x
*/*/*: result phase_complete x
";
    let shop = Workshop::new(READY, script);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    assert!(shop.text().contains("title: Two, clearer # mine"), "{}", shop.text());
}

#[test]
fn one_that_moves_its_own_item_is_taken_at_its_word() {
    let script = "\
WRK-001/build/*: edit BACKLOG.yaml status: in_progress => status: done; result phase_complete Enough.
*/*/*: result phase_complete x
";
    let shop = Workshop::new(READY, script);
    let (_, report) = shop.report("run");
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    assert!(shop.worklog().contains("> Enough."), "{}", shop.worklog());
    assert!(!shop.worklog().contains("WRK-001 / review"), "{}", shop.worklog());
}

#[test]
fn ones_that_fork_flood_and_say_nothing_hold_nobody_up() {
    let script = "\
WRK-001/build/1: exit 0
WRK-001/build/2: half phase_complete Never read
WRK-001/build/*: child; detach; flood 50; result phase_complete Much.
*/*/*: result phase_complete x
";
    let shop = Workshop::new(READY, script);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    let output = shop.project.root().join(".orchestrator/runs/WRK-001/build/3/stdout");
    assert!(fs::metadata(output).unwrap().len() >= 50 << 20);
}

#[test]
fn a_triage_that_fails_blocks_its_item_and_is_not_repeated() {
    let backlog = "schema_version: 2\nnext_item_id: 1\nitems:\n  - {id: WRK-001, title: One}\n";
    let shop = Workshop::new(backlog, "*/*/*: complain no idea; exit 1\n");
    let (code, report) = shop.report("run");
    assert_eq!((code, report["phases_executed"].as_u64()), (1, Some(1)));
    assert!(shop.text().contains("no idea"), "{}", shop.text());
    assert!(!shop.exists(".orchestrator/runs/WRK-001/triage/4"));
    let (_, report) = shop.report("run");
    assert_eq!(report["halt"], "nothing_to_do");
}

#[test]
fn items_of_version_1_go_on() {
    let backlog = "\
schema_version: 1
items:
  - {id: WRK-001, title: One, status: researching}
  - {id: WRK-002, title: Two, status: scoped}
";
    let shop = Workshop::new(backlog, "*/*/*: result phase_complete x\n");
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"]).len()), (0, 2), "{report}");
}

#[test]
fn files_that_were_left_over_stop_nothing() {
    let shop = Workshop::new(READY, "*/*/*: result phase_complete x\n");
    fs::create_dir_all(shop.project.root().join(".orchestrator/tmp")).unwrap();
    for left in ["BACKLOG.yaml.tmp", ".orchestrator/tmp/swap-x", ".orchestrator/run.lock"] {
        fs::write(shop.project.root().join(left), "left over").unwrap();
    }
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
}

/// As an agent writes it that outlived its run, while the next run has tried anew.
#[test]
fn a_result_of_an_attempt_that_was_superseded_is_not_used() {
    let shop = Workshop::new(READY, "*/*/*: result phase_complete x\n");
    let folder = shop.project.root().join(".orchestrator/runs/WRK-001/build");
    fs::create_dir_all(folder.join("1")).unwrap();
    fs::create_dir_all(folder.join("2")).unwrap();
    let result = r#"{"item_id":"WRK-001","phase":"build","result":"phase_complete","summary":"Stale","follow_ups":["Never"]}"#;
    fs::write(folder.join("1/result.json"), result).unwrap();
    let (_, report) = shop.report("run");
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let all = shop.text() + &shop.worklog();
    assert!(!all.contains("Stale") && !all.contains("Never"), "{all}");
    assert!(!folder.join("1/result.json").exists());
}
