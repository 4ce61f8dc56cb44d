//! How runs end, and how the next one goes on.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::workshop::{Workshop, ids};

const THREE: &str = "\
schema_version: 2
next_item_id: 3
items:
  - {id: WRK-001, title: One, status: new, tags: [a]}
  - {id: WRK-002, title: Two, status: new, dependencies: [WRK-003]}
  - {id: WRK-003, title: Three, status: new, tags: [b]}
";

const FINE: &str = "*/*/*: result phase_complete Fine.\n";

#[test]
fn the_cap_the_breaker_and_the_filters_halt() {
    let shop = Workshop::new(THREE, FINE);
    let (_, report) = shop.report("run --cap 2");
    assert_eq!((report["halt"].as_str(), &report["phases_executed"]), (Some("cap"), &2.into()));
    let (_, report) = shop.report("run --only tag=nowhere");
    assert_eq!(report["halt"], "no_match");
    let shop = Workshop::configured(THREE, "*/*/*: exit 3\n", "max_retries = 0");
    let (code, report) = shop.report("run");
    assert_eq!((code, report["halt"].as_str()), (1, Some("circuit_breaker")));
}

/// What a person had finished is only archived: the run has done nothing for it.
#[test]
fn an_item_that_was_done_before_changes_neither_the_end_nor_the_exit_code() {
    let done = THREE.replacen("status: new", "status: done", 1);
    let shop = Workshop::new(&done, "*/*/*: result blocked Why?\n");
    let (code, report) = shop.report("run --only tag=nowhere");
    assert_eq!((code, report["halt"].as_str()), (0, Some("no_match")));
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let shop = Workshop::new(&done, "*/*/*: result blocked Why?\n");
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (1, vec!["WRK-001".to_owned()]));
}

#[test]
fn what_agents_and_titles_say_is_no_line_of_ours() {
    let title = THREE.replace("title: One", "title: \"One\\nWRK-999 done: forged\"");
    let script = "*/*/*: set summary \"Why?\\nerror: forged\"; result blocked\n";
    let shop = Workshop::new(&title, script);
    let answer = shop.run("run --target 1");
    let told = format!("{}{}", answer.stdout, answer.stderr);
    assert!(told.contains("One WRK-999 done: forged"), "{told}");
    assert!(
        !told.lines().any(|line| line.starts_with("WRK-999") || line == "error: forged"),
        "{told}"
    );
}

#[test]
fn targets_run_in_their_order() {
    let shop = Workshop::new(THREE, FINE);
    let (code, report) = shop.report("run --target 3 --target WRK-001");
    assert_eq!((code, report["halt"].as_str()), (0, Some("targets_done")));
    assert_eq!(ids(&report["completed"]), ["WRK-003", "WRK-001"]);
    for command in ["run --target 99", "run --dry-run --target 99"] {
        assert_eq!(shop.run(command).code, 4, "{command}");
    }
    let shop = Workshop::new(THREE, "*/*/*: result blocked Why?\n");
    let (code, report) = shop.report("run --target 3 --target 1");
    assert_eq!((code, report["halt"].as_str()), (1, Some("target_blocked")));
    // It was blocked before this run, which has not done what it was asked for.
    let (code, report) = shop.report("run --target 3");
    assert_eq!((code, report["halt"].as_str()), (1, Some("target_blocked")));
    let (_, report) = shop.report("run --target 3 --target 1 --auto-advance");
    assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
}

#[test]
fn what_nobody_blocked_and_nothing_starts_is_named_at_the_end() {
    let waits = THREE.replace("dependencies: [WRK-003]", "dependencies: [WRK-099]");
    let shop = Workshop::new(&waits, FINE);
    let (_, report) = shop.report("run");
    assert_eq!(ids(&report["completed"]), ["WRK-001", "WRK-003"]);
    let reason = "waits for WRK-099, which exists nowhere";
    assert_eq!(report["waiting"], json!([{"id": "WRK-002", "title": "Two", "reason": reason}]));
    let told = shop.run("run").ok();
    assert!(told.contains(&format!("waiting  WRK-002  Two: {reason}\n")), "{told}");
}

#[test]
fn a_target_without_room_names_who_has_it() {
    let full = THREE.replacen("status: new", "status: ready", 1).replace(
        "Three, status: new",
        "Three, status: in_progress, phase: build, phase_pool: main",
    );
    let shop = Workshop::configured(&full, FINE, "max_wip = 1");
    let told = shop.run("run --target 1").ok();
    let waits = "waits for room: WRK-003 is in progress, and max_wip is 1";
    assert!(told.contains(waits) && told.contains("nothing can be started"), "{told}");
    let (_, report) = shop.report("run --target 1 --target 3");
    assert_eq!(ids(&report["completed"]), ["WRK-003", "WRK-001"]);
}

#[test]
fn what_was_done_before_an_error_is_told() {
    let script = "WRK-001/build/*: remove worklog; write worklog x; result phase_complete x\n*/*/*: result phase_complete x\n";
    let shop = Workshop::new(THREE, script);
    let (code, report) = shop.report("run --target 1");
    assert_eq!((code, report["halt"].as_str()), (8, Some("failed")));
    assert_eq!(report["phases_executed"], 2, "{report}");
    // The result is there still: once the way is free, it is used.
    std::fs::remove_file(shop.project.root().join("worklog")).unwrap();
    let (code, report) = shop.report("run --target 1");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    assert!(!shop.exists(".orchestrator/runs/WRK-001/build/2"));
}

#[test]
fn a_triage_has_no_subphases() {
    let script = "*/triage/1: result subphase_complete More.\n*/*/*: result blocked Later.\n";
    let shop = Workshop::new(THREE, script);
    let (_, report) = shop.report("run --target 1");
    assert_eq!((&report["phases_executed"], ids(&report["blocked"]).len()), (&1.into(), 1));
    let prompt = shop.project.root().join(".orchestrator/runs/WRK-001/triage/2/prompt.md");
    assert!(std::fs::read_to_string(prompt).unwrap().contains("has no subphases"));
}

#[test]
fn triage_looks_at_new_items_only() {
    let shop = Workshop::new(THREE, FINE);
    let (code, report) = shop.report("triage");
    assert_eq!((code, &report["phases_executed"]), (0, &2.into()));
    assert_eq!(shop.text().matches("status: scoping").count(), 2, "{}", shop.text());
}

#[test]
fn a_dry_run_says_what_and_why_and_does_nothing() {
    let shop = Workshop::new(THREE, FINE);
    let answer = shop.run("--json run --dry-run");
    let plan = answer.data("plan");
    assert_eq!(plan["next"][0]["id"], "WRK-001");
    assert_eq!(plan["waiting"][0]["reason"], "waits for WRK-003");
    assert_eq!(shop.text(), THREE);
    assert!(!shop.exists(".orchestrator"));
}

#[test]
fn a_second_run_does_not_wait() {
    let shop = Workshop::new(THREE, "*/*/*: write started x; sleep 700; result phase_complete x\n");
    let mut first = shop.start("run --cap 1");
    while !shop.exists("started") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = shop.run("run");
    assert_eq!(second.code, 6, "{second:?}");
    assert!(second.stderr.contains(&first.id().to_string()), "{second:?}");
    assert!(first.wait().unwrap().success());
}

fn pid(child: &std::process::Child) -> Pid {
    Pid::from_child(child)
}

#[test]
fn an_interrupted_run_uses_the_result_and_ends_with_130() {
    let script = "*/triage/*: write started x; sleep 600; result phase_complete Just in time.\n";
    let shop = Workshop::new(THREE, script);
    let mut run = shop.start("run");
    while !shop.exists("started") {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(pid(&run), Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(shop.text().contains("status: scoping"), "{}", shop.text());
    assert!(shop.worklog().contains("Just in time."), "{}", shop.worklog());
}

/// A terminal that goes says so twice: by itself, and by its shell.
#[test]
fn a_closed_terminal_is_no_impatience() {
    let script = "*/triage/*: write started x; await go; result phase_complete Just in time.\n";
    let shop = Workshop::new(THREE, script);
    let mut run = shop.start_told("run");
    shop.until("started");
    run.signal(Signal::HUP);
    shop.until_that("the remark", || run.told().contains("letting 1 phase end"));
    run.signal(Signal::HUP);
    // A signal that was taken for a second one would end the agent before this.
    std::thread::sleep(Duration::from_millis(300));
    shop.release("go");
    let told = run.wait();
    assert_eq!(run.code(), Some(130), "{told}");
    assert!(shop.worklog().contains("Just in time."), "{told}");
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let script = "*/*/*: write started x; await go; result phase_complete Fine.\n";
    let shop = Workshop::new(THREE, script);
    let mut run = shop.start_without_hangups("run --target 1");
    shop.until("started");
    kill_process(pid(&run), Signal::HUP).unwrap();
    // A signal that was heard would be the end of the run behind this phase.
    std::thread::sleep(Duration::from_millis(300));
    shop.release("go");
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(shop.worklog().contains("## WRK-001 — One"), "{}", shop.worklog());
}

#[test]
fn a_second_signal_ends_an_agent_that_hangs() {
    let shop = Workshop::new(THREE, "*/*/*: write started x; hang\n");
    let mut run = shop.start_told("run");
    shop.until("started");
    run.signal(Signal::TERM);
    shop.until_that("the remark", || run.told().contains("letting 1 phase end"));
    let begin = Instant::now();
    run.signal(Signal::TERM);
    let told = run.wait();
    assert_eq!(run.code(), Some(130), "{told}");
    // Without the second one it would have been 22 s.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(shop.text().contains("WRK-001, title: One, status: new"), "{}", shop.text());
}

/// Kills the run at many moments; whatever it had done is done once.
#[test]
fn a_killed_run_is_taken_up_and_nothing_is_done_twice() {
    let script = "\
WRK-001/build/*: follow-up One more; result phase_complete Built.
WRK-001/*/*: result phase_complete Fine.
*/*/*: result blocked Later.
";
    let backlog = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One # mine\n    status: ready\n";
    for millis in (20..500).step_by(40) {
        let shop = Workshop::new(backlog, script);
        let mut run = shop.start("run");
        std::thread::sleep(Duration::from_millis(millis));
        kill_process(pid(&run), Signal::KILL).unwrap();
        run.wait().unwrap();
        let (_, report) = shop.report("run");
        assert!(
            report["halt"] == "all_done_or_blocked" || report["halt"] == "nothing_to_do",
            "{report}"
        );
        let text = shop.text();
        let worklog = shop.worklog();
        assert_eq!(text.matches("title: One more").count(), 1, "after {millis} ms:\n{text}");
        assert_eq!(worklog.matches("## WRK-001 — One").count(), 1, "after {millis} ms:\n{worklog}");
        assert!(worklog.contains("title: One # mine"), "{worklog}");
        assert!(text.contains("status: blocked"), "after {millis} ms:\n{text}");
    }
}

#[test]
fn another_process_sees_what_runs_and_what_waits() {
    let script =
        "*/*/*: say half way; write started/{item} x; await go; result phase_complete ok\n";
    let backlog = THREE.replace("Two, status: new", "Two, status: blocked, blocked_reason: Which?");
    let shop = Workshop::configured(&backlog, script, "max_concurrent = 2");
    let mut run = shop.start("run --cap 2");
    for id in ["WRK-001", "WRK-003"] {
        shop.until(&format!("started/{id}"));
    }
    let status = shop.run("status --json").data("status");
    assert_eq!(status["run"]["pid"], run.id());
    assert_eq!(ids(&status["running"]), ["WRK-001", "WRK-003"]);
    let first = &status["running"][0];
    let told = ["title", "phase", "last_line"].map(|key| first[key].as_str().unwrap());
    assert_eq!(told, ["One", "triage", "half way"]);
    assert!(first["seconds"].as_f64().unwrap() < 3600.0, "{first}");
    assert_eq!((ids(&status["next"]), ids(&status["waiting"])), (vec![], vec!["WRK-002".into()]));
    assert_eq!(status["blocked"][0]["reason"], "Which?");
    let text = shop.run("status").ok();
    assert!(text.contains("a run is under way") && text.contains("half way"), "{text}");
    assert!(text.contains("FOR YOU"), "{text}");
    shop.release("go");
    assert!(run.wait().unwrap().success());
    let status = shop.run("status --json").data("status");
    assert_eq!((&status["run"], &status["running"]), (&Value::Null, &json!([])));
}

#[test]
fn an_agent_that_is_not_there_is_named_with_the_way_out() {
    let shop = Workshop::new(THREE, FINE);
    let config = shop.project.root().join("orchestrator.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let command = text.lines().find(|line| line.starts_with("command =")).unwrap();
    std::fs::write(&config, text.replace(command, "command = [\"no-such-agent\"]")).unwrap();
    let answer = shop.run("run");
    assert_eq!(answer.code, 8, "{answer:?}");
    let told = answer.stderr;
    assert!(told.contains("cannot start the agent `no-such-agent`"), "{told}");
    assert!(told.contains("[agents.default]"), "{told}");
}
