//! Several phases at once: how many, which of them alone, and what they share.

use super::workshop::{Workshop, ids};

const FOUR: &str = "\
schema_version: 2
next_item_id: 4
items:
  - {id: WRK-001, title: One, status: ready}
  - {id: WRK-002, title: Two, status: ready}
  - {id: WRK-003, title: Three, status: ready}
  - {id: WRK-004, title: Four, status: ready}
";

const DESTRUCTIVE: &str = "
[[pipelines.feature.pre_phases]]
name = \"research\"
[[pipelines.feature.phases]]
name = \"build\"
destructive = true
[[pipelines.feature.phases]]
name = \"review\"
";

/// Every phase says when it begins and ends.
const SPANS: &str =
    "*/*/*: append log begin {item}; sleep 30; append log end {item}; result phase_complete ok\n";

/// Returns how many ran at once at most, by what agents have appended.
fn most_at_once(log: &str) -> usize {
    let mut now: usize = 0;
    let mut most = 0;
    for line in log.lines() {
        if line.starts_with("begin") {
            now += 1;
        } else {
            now -= 1;
        }
        most = most.max(now);
    }
    assert_eq!(now, 0, "{log}");
    most
}

#[test]
fn as_many_run_at_once_as_may() {
    let script = "*/build/*: write started/{item} x; await go; result phase_complete ok\n*/*/*: result phase_complete ok\n";
    let shop = Workshop::configured(FOUR, script, "max_concurrent = 3\nmax_wip = 4");
    let mut run = shop.start("run");
    for id in ["WRK-001", "WRK-002", "WRK-003"] {
        shop.until(&format!("started/{id}"));
    }
    assert!(!shop.exists("started/WRK-004"));
    // Only what runs was promoted.
    assert_eq!(shop.text().matches("in_progress").count(), 3, "{}", shop.text());
    shop.release("go");
    assert!(run.wait().unwrap().success());
    assert!(shop.text().contains("items: []"), "{}", shop.text());
}

#[test]
fn no_more_are_in_progress_than_may() {
    let shop = Workshop::configured(FOUR, SPANS, "max_concurrent = 4\nmax_wip = 2");
    let (code, report) = shop.report("run");
    assert_eq!((code, report["phases_executed"].as_u64()), (0, Some(8)));
    assert!(most_at_once(&shop.log()) <= 2, "{}", shop.log());
}

#[test]
fn a_destructive_phase_runs_alone() {
    let script = "\
*/build/*: append log begin build; sleep 40; append log end build; result phase_complete ok
*/*/*: append log begin other; sleep 40; append log end other; result phase_complete ok
";
    let limits = "max_concurrent = 4\nmax_wip = 4";
    let backlog = FOUR
        .replace("Three, status: ready", "Three, status: new")
        .replace("Four, status: ready", "Four, status: new");
    let shop = Workshop::with_pipeline(&backlog, script, limits, DESTRUCTIVE);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"]).len()), (0, 4));
    let log = shop.log();
    let lines: Vec<&str> = log.lines().collect();
    let mut builds = 0;
    for (n, line) in lines.iter().enumerate() {
        if *line == "begin build" {
            builds += 1;
            // Whatever had begun before has ended, and nothing begins before its end.
            most_at_once(&lines[..n].join("\n"));
            assert_eq!(lines[n + 1], "end build", "{log}");
        }
    }
    assert_eq!(builds, 4);
}

#[test]
fn the_cap_counts_what_runs() {
    let shop = Workshop::configured(FOUR, SPANS, "max_concurrent = 4\nmax_wip = 4");
    let (code, report) = shop.report("run --cap 3");
    assert_eq!((code, report["halt"].as_str()), (0, Some("cap")));
    assert_eq!(report["phases_executed"], 3);
    assert_eq!(shop.log().matches("begin").count(), 3, "{}", shop.log());
}

#[test]
fn the_breaker_lets_end_what_runs() {
    let script = "\
WRK-001/*/*: exit 3
WRK-002/*/*: exit 3
WRK-003/*/*: await .orchestrator/broken; result phase_complete Used.
*/*/*: await .orchestrator/broken; result phase_complete Used.
";
    let shop =
        Workshop::configured(FOUR, script, "max_concurrent = 4\nmax_wip = 4\nmax_retries = 0");
    let mut run = shop.start("--json run");
    shop.until_that("two blocked", || shop.text().matches("status: blocked").count() == 2);
    shop.release(".orchestrator/broken");
    run.wait().unwrap();
    let worklog = shop.worklog();
    assert_eq!(worklog.matches("Used.").count(), 2, "{worklog}");
    // Nothing more was started.
    assert_eq!(shop.text().matches("phase: review").count(), 2, "{}", shop.text());
}

#[test]
fn what_a_filter_let_in_stays_in_view_until_it_ends() {
    let backlog = FOUR.replace("Four, status: ready", "Four, status: new");
    let limits = "max_concurrent = 2\nmax_wip = 4";
    let shop = Workshop::configured(&backlog, SPANS, limits);
    let (code, report) = shop.report("run --only status=new");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-004".to_owned()]));
    assert_eq!(shop.text().matches("status: ready").count(), 3, "{}", shop.text());
    // What fits and cannot go on is no reason to say that nothing fits.
    let waiting = FOUR.replace("Four,", "Four, tags: [x], dependencies: [WRK-003],");
    let shop = Workshop::configured(&waiting, SPANS, limits);
    let (_, report) = shop.report("run --only tag=x");
    assert_eq!(report["halt"], "nothing_to_do");
}

#[test]
fn an_item_that_is_added_meanwhile_is_begun_at_once() {
    let script = "\
WRK-001/*/*: write started x; await go; result phase_complete ok
*/triage/*: write go x; result blocked Seen.
*/*/*: result phase_complete ok
";
    let one = "schema_version: 2\nnext_item_id: 1\nitems:\n  - {id: WRK-001, title: One, status: ready}\n";
    let shop = Workshop::configured(one, script, "max_concurrent = 2");
    let mut run = shop.start("run");
    shop.until("started");
    shop.run("add Another").ok();
    assert!(run.wait().unwrap().success());
    assert!(shop.text().contains("blocked_reason: Seen."), "{}", shop.text());
}

#[test]
fn duplicates_of_what_runs_are_merged_and_nothing_is_lost() {
    let script = "\
WRK-002/*/*: set duplicates [\"WRK-001\"]; await started; result phase_complete Same.
WRK-001/build/*: write started x; await merged; follow-up Left over; result phase_complete Done.
*/triage/*: result blocked Later.
*/*/*: result phase_complete ok
";
    let backlog = FOUR.lines().take(5).map(|line| format!("{line}\n")).collect::<String>();
    let limits = "max_concurrent = 2\nmax_wip = 2";
    let shop = Workshop::configured(&backlog, script, limits);
    let mut run = shop.start("run");
    shop.until_that("the merge", || shop.worklog().contains("merged into WRK-001"));
    shop.release("merged");
    run.wait().unwrap();
    let text = shop.text();
    assert!(text.contains("title: Left over"), "{text}");
    assert!(!text.contains("WRK-002,"), "{text}");
    assert!(shop.worklog().contains("## WRK-001 — One"), "{}", shop.worklog());
}
