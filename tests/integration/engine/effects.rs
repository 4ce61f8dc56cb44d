//! What phases do to items, each once.

use super::workshop::{Workshop, ids};

const ONE: &str = "\
schema_version: 2
next_item_id: 1
items:
  # mine
  - id: WRK-001
    title: One # and this
    status: new
";

const READY: &str = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One
    status: ready
";

const FINE: &str = "\
*/triage/*: assess small low; result phase_complete Clear.
*/*/*: result phase_complete Fine.
";

#[test]
fn an_item_goes_through_its_phases_and_into_the_worklog() {
    let shop = Workshop::new(ONE, FINE);
    let (code, report) = shop.report("run");
    assert_eq!((code, report["halt"].as_str()), (0, Some("all_done_or_blocked")));
    assert_eq!(report["phases_executed"], 4);
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let worklog = shop.worklog();
    assert!(worklog.contains("title: One # and this"), "{worklog}");
    assert!(worklog.contains("Phases: triage, research, build, review"), "{worklog}");
    assert_eq!(shop.text(), "schema_version: 2\nnext_item_id: 1\nitems: []\n  # mine\n");
    let (code, report) = shop.report("run");
    assert_eq!((code, report["halt"].as_str()), (0, Some("nothing_to_do")));
}

#[test]
fn follow_ups_become_items_once() {
    let script = "\
WRK-001/build/*: follow-up Write more tests; follow-up  write MORE tests; follow-up Tidy up; result phase_complete x
WRK-001/review/*: follow-up Tidy up; result phase_complete x
WRK-001/*/*: result phase_complete x
*/*/*: result blocked What for?
";
    let shop = Workshop::new(READY, script);
    let (code, report) = shop.report("run");
    assert_eq!(code, 0);
    assert_eq!(ids(&report["follow_ups"]), ["WRK-002", "WRK-003"]);
    assert_eq!(ids(&report["blocked"]), ["WRK-002", "WRK-003"]);
    let text = shop.text();
    assert!(
        text.contains("origin: WRK-001/build") && text.contains("blocked_reason: What for?"),
        "{text}"
    );
    assert_eq!(text.matches("title:").count(), 2, "{text}");
}

#[test]
fn a_failed_phase_is_tried_again_and_then_blocks() {
    let script = "WRK-001/build/1: result failed The tests are red\nWRK-001/build/2: exit 0\n*/*/*: result phase_complete ok\n";
    let shop = Workshop::new(READY, script);
    let (_, report) = shop.report("run");
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let prompt = ".orchestrator/runs/WRK-001/build/2/prompt.md";
    let prompt = std::fs::read_to_string(shop.project.root().join(prompt)).unwrap();
    assert!(prompt.contains("The tests are red"), "{prompt}");

    let shop =
        Workshop::configured(READY, "*/*/*: complain no network; exit 1\n", "max_retries = 1");
    let (code, report) = shop.report("run");
    assert_eq!((code, report["halt"].as_str()), (1, Some("all_done_or_blocked")));
    assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
    assert!(shop.exists(".orchestrator/runs/WRK-001/build/2"));
    assert!(!shop.exists(".orchestrator/runs/WRK-001/build/3"));
    assert!(shop.text().contains("no network"), "{}", shop.text());
    shop.run("unblock 1 --notes Again").ok();
    assert!(shop.text().contains("status: in_progress"), "{}", shop.text());
}

#[test]
fn a_result_about_another_item_is_not_tried_again() {
    let shop = Workshop::new(READY, "*/*/*: about WRK-777/build; result phase_complete x\n");
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["blocked"])), (1, vec!["WRK-001".to_owned()]));
    assert!(!shop.exists(".orchestrator/runs/WRK-001/build/2"));
}

#[test]
fn half_a_result_and_nulls_void_nothing_else() {
    let script = "\
WRK-001/build/1: half phase_complete Never read
*/*/*: set follow_ups null; set updated_assessments {\"size\":\"Small\",\"risk\":null}; result phase_complete ok
";
    let shop = Workshop::new(READY, script);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    assert!(shop.worklog().contains("size: small"), "{}", shop.worklog());
}

#[test]
fn guardrails_wait_for_a_person_and_consent_lasts() {
    let script = "*/triage/*: assess large high; result phase_complete Big.\n*/*/*: result phase_complete ok\n";
    let shop = Workshop::new(ONE, script);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["blocked"])), (1, vec!["WRK-001".to_owned()]));
    assert!(shop.text().contains("size large is above medium"), "{}", shop.text());
    shop.run("unblock WRK-001").ok();
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
}

#[test]
fn what_an_agent_and_a_person_write_meanwhile_stays() {
    let script = "\
WRK-001/build/*: write note.txt x; sleep 400; result phase_complete x
*/*/*: result phase_complete x
";
    let shop = Workshop::new(READY, script);
    let mut run = shop.start("run");
    while !shop.exists("note.txt") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let edited = shop.text().replace("title: One", "title: One, better # by hand");
    shop.project.write(&format!("{edited}  - title: Written by hand\n    status: blocked\n"));
    assert!(run.wait().unwrap().success());
    assert!(shop.worklog().contains("title: One, better # by hand"), "{}", shop.worklog());
    let text = shop.text();
    assert!(text.contains("title: Written by hand\n    status: blocked"), "{text}");
    assert!(text.contains("id: WRK-002"), "{text}");
}

#[test]
fn an_item_that_is_deleted_while_its_phase_runs_loses_no_follow_up() {
    let script = "WRK-001/build/*: write note.txt x; sleep 400; follow-up Saved; result phase_complete x\n*/*/*: result blocked x\n";
    let shop = Workshop::new(READY, script);
    let mut run = shop.start("run");
    while !shop.exists("note.txt") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let text = shop.text();
    shop.project.write(&text[..text.find("  - id: WRK-001").unwrap()]);
    run.wait().unwrap();
    assert!(shop.text().contains("title: Saved"), "{}", shop.text());
    assert!(shop.worklog().contains("WRK-001 / build"), "{}", shop.worklog());
}

#[test]
fn the_inbox_is_taken_in_on_the_way() {
    let shop = Workshop::new(ONE, FINE);
    std::fs::write(shop.project.root().join("BACKLOG_INBOX.yaml"), "- From the inbox\n").unwrap();
    let (_, report) = shop.report("run");
    assert_eq!(ids(&report["completed"]), ["WRK-001", "WRK-002"]);
    assert!(!shop.exists("BACKLOG_INBOX.yaml"));
}

#[test]
fn an_inbox_that_is_no_file_is_told_and_holds_nothing_up() {
    for make in ["mkdir", "mkfifo"] {
        let shop = Workshop::new(ONE, FINE);
        let inbox = shop.project.root().join("BACKLOG_INBOX.yaml");
        assert!(std::process::Command::new(make).arg(&inbox).status().unwrap().success());
        let answer = shop.run("run");
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(answer.stderr.matches("the inbox is not a file").count(), 1, "{answer:?}");
        assert!(shop.worklog().contains("## WRK-001"), "{}", shop.worklog());
    }
}

#[test]
fn what_a_phase_leaves_for_the_next_ones_is_in_their_prompts() {
    let script = "\
*/triage/*: set context \"Mind the gap.\"; result phase_complete Clear.
*/*/*: result phase_complete x
";
    let shop = Workshop::new(ONE, script);
    shop.run("run").ok();
    for phase in ["research", "review"] {
        let path = format!(".orchestrator/runs/WRK-001/{phase}/1/prompt.md");
        let prompt = std::fs::read_to_string(shop.project.root().join(path)).unwrap();
        assert!(prompt.contains("Clear.") && prompt.contains("Mind the gap."), "{prompt}");
    }
}
