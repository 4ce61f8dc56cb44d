//! What people do to the file while a run works on it: it takes effect with the next
//! decision, nothing of it is overwritten, and nothing that a phase brings is lost.

use super::workshop::{Workshop, ids};

const TWO: &str = "\
# ours
schema_version: 2
next_item_id: 2
items:
  - id: WRK-001
    title: One # the first
    status: in_progress
    phase: build
    phase_pool: main
  # between
  - id: WRK-002
    title: Two
    status: blocked
    blocked_reason: Not now
";

const SCRIPT: &str = "\
WRK-001/build/*: write started x; await go; assess small low; follow-up Left over; result phase_complete Built it.
WRK-001/*/*: result phase_complete ok
*/*/*: result blocked Later.
";

/// Edits the project while the first phase runs, and lets the run end.
fn meanwhile(edit: impl FnOnce(&Workshop)) -> (Workshop, String) {
    let shop = Workshop::new(TWO, SCRIPT);
    let mut run = shop.start_told("run");
    shop.until("started");
    edit(&shop);
    shop.release("go");
    let told = run.wait();
    (shop, told)
}

fn replace(shop: &Workshop, old: &str, new: &str) {
    let text = shop.text();
    assert!(text.contains(old), "{text}");
    shop.project.write(&text.replacen(old, new, 1));
}

/// What holds whatever was edited: the phase is in the worklog once, what it proposed
/// is in the backlog once, and comments are where they were.
#[track_caller]
fn nothing_is_lost(shop: &Workshop) {
    let (text, worklog) = (shop.text(), shop.worklog());
    assert_eq!(worklog.matches("## WRK-001 / build — phase_complete").count(), 1, "{worklog}");
    assert!(worklog.contains("> Built it."), "{worklog}");
    assert_eq!(text.matches("title: Left over").count(), 1, "{text}");
    assert!(text.starts_with("# ours\n") && text.contains("  # between\n"), "{text}");
    shop.run("check --strict").ok();
}

#[test]
fn deleted() {
    let (shop, told) = meanwhile(|shop| {
        let text = shop.text();
        let (begin, end) = (text.find("  - id: WRK-001"), text.find("  # between"));
        shop.project.write(&format!("{}{}", &text[..begin.unwrap()], &text[end.unwrap()..]));
    });
    let worklog = shop.worklog();
    assert_eq!(worklog.matches("## WRK-001 / build — phase_complete").count(), 1, "{worklog}");
    assert_eq!(shop.text().matches("title: Left over").count(), 1, "{}", shop.text());
    assert!(!shop.text().contains("id: WRK-001"), "{}", shop.text());
    assert!(told.contains("no longer in the backlog"), "{told}");
}

#[test]
fn blocked() {
    let by_hand = "status: blocked # wait for Ann\n    blocked_reason: Ann decides";
    let (shop, told) = meanwhile(|shop| replace(shop, "status: in_progress", by_hand));
    assert!(shop.text().contains(by_hand), "{}", shop.text());
    assert!(!shop.worklog().contains("WRK-001 / review"), "{}", shop.worklog());
    assert!(told.contains("was moved while phase build ran"), "{told}");
    nothing_is_lost(&shop);
    shop.run("unblock 1").ok();
    assert!(shop.text().contains("status: new # wait for Ann"), "{}", shop.text());
}

#[test]
fn blocked_and_unblocked_again() {
    let (shop, _) = meanwhile(|shop| {
        shop.run("block 1 --reason Wait").ok();
        shop.run("unblock 1 --notes Use-tabs").ok();
    });
    assert!(shop.worklog().contains("## WRK-001 — One"), "{}", shop.worklog());
    nothing_is_lost(&shop);
    // What was said meanwhile is for the phase that comes next.
    let prompt = shop.project.root().join(".orchestrator/runs/WRK-001/review/1/prompt.md");
    assert!(std::fs::read_to_string(prompt).unwrap().contains("Use-tabs"));
}

#[test]
fn prioritised_anew() {
    let by_hand = "status: in_progress\n    impact: high # Bob says so";
    let (shop, told) = meanwhile(|shop| replace(shop, "status: in_progress", by_hand));
    let worklog = shop.worklog();
    assert!(worklog.contains("impact: high # Bob says so"), "{worklog}");
    // What nobody had touched is judged by the phase.
    assert!(worklog.contains("risk: low"), "{worklog}");
    assert!(told.contains("the impact of WRK-001 was changed"), "{told}");
    nothing_is_lost(&shop);
}

#[test]
fn retitled() {
    let (shop, told) = meanwhile(|shop| replace(shop, "title: One # the", "title: Uno # der"));
    assert!(shop.worklog().contains("title: Uno # der first"), "{}", shop.worklog());
    assert!(told.contains("WRK-001 done: Uno"), "{told}");
    nothing_is_lost(&shop);
}

#[test]
fn merged_away() {
    let (shop, _) = meanwhile(|shop| drop(shop.run("merge 1 2").ok()));
    assert!(!shop.text().contains("id: WRK-001"), "{}", shop.text());
    nothing_is_lost(&shop);
}

#[test]
fn merged_into() {
    let (shop, _) = meanwhile(|shop| drop(shop.run("merge 2 1").ok()));
    assert!(shop.worklog().contains("## WRK-001 — One"), "{}", shop.worklog());
    let (text, worklog) = (shop.text(), shop.worklog());
    assert!(!text.contains("id: WRK-002"), "{text}");
    assert!(worklog.contains("merged into WRK-001"), "{worklog}");
    assert_eq!(text.matches("title: Left over").count(), 1, "{text}");
}

#[test]
fn called_done() {
    let (shop, _) = meanwhile(|shop| replace(shop, "status: in_progress", "status: done # enough"));
    assert!(shop.worklog().contains("status: done # enough"), "{}", shop.worklog());
    assert!(!shop.worklog().contains("WRK-001 / review"), "{}", shop.worklog());
    nothing_is_lost(&shop);
}

#[test]
fn given_up() {
    let (shop, _) = meanwhile(|shop| drop(shop.run("archive 1 --reason Over").ok()));
    assert!(!shop.text().contains("id: WRK-001"), "{}", shop.text());
    nothing_is_lost(&shop);
}

#[test]
fn unblocked_and_added() {
    let (shop, _) = meanwhile(|shop| {
        replace(
            shop,
            "status: blocked\n    blocked_reason: Not now\n",
            "status: new\n  - New one\n",
        );
        let text = shop.text().replace("- New one", "- title: New one # mine");
        shop.project.write(&text);
    });
    let text = shop.text();
    assert!(text.contains("title: New one # mine"), "{text}");
    // Each was looked at, and then blocked by the agent.
    assert_eq!(text.matches("blocked_reason: Later.").count(), 3, "{text}");
    nothing_is_lost(&shop);
}

#[test]
fn a_retry_sees_the_item_as_it_is_then() {
    let script = "\
WRK-001/build/1: write started x; await go; exit 3
WRK-001/build/*: write again x; result phase_complete Built it.
*/*/*: result phase_complete ok
";
    let begin = |edit: &dyn Fn(&Workshop)| {
        let shop = Workshop::new(TWO, script);
        let mut run = shop.start_told("run");
        shop.until("started");
        edit(&shop);
        shop.release("go");
        run.wait();
        shop
    };
    let shop = begin(&|shop| replace(shop, "title: One", "title: Uno"));
    let prompt = shop.project.root().join(".orchestrator/runs/WRK-001/build/2/prompt.md");
    assert!(std::fs::read_to_string(prompt).unwrap().contains("Uno"));
    // One that a person blocks is not tried again, and is no failure of the agent's.
    let shop = begin(&|shop| replace(shop, "status: in_progress", "status: blocked"));
    assert!(!shop.exists("again"));
    assert!(shop.worklog().contains("## WRK-001 / build — failed"), "{}", shop.worklog());
    assert!(!shop.text().contains("the last time"), "{}", shop.text());
}

#[test]
fn a_file_that_cannot_be_read_for_a_while_is_waited_for() {
    let shop = Workshop::new(TWO, SCRIPT);
    let mut run = shop.start_told("run");
    shop.until("started");
    let broken = shop.text().replace("title: Two", "title: [Two");
    shop.project.write(&broken);
    shop.release("go");
    shop.until_that("the remark", || run.told().contains("waiting for the backlog"));
    shop.until_that("the result", || shop.exists(".orchestrator/runs/WRK-001/build/1/result.json"));
    // Long enough for several looks; a slow machine only looks less often.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(shop.text(), broken);
    assert!(!shop.worklog().contains("WRK-001 / build"), "{}", shop.worklog());
    shop.project.write(&broken.replace("title: [Two", "title: Two, then"));
    let told = run.wait();
    assert_eq!(told.matches("waiting for the backlog").count(), 1, "{told}");
    assert!(shop.text().contains("title: Two, then"), "{}", shop.text());
    nothing_is_lost(&shop);
}

#[test]
fn a_run_that_is_ended_while_the_file_cannot_be_read_keeps_the_result() {
    let shop = Workshop::new(TWO, SCRIPT);
    let mut run = shop.start_told("run");
    shop.until("started");
    let broken = shop.text().replace("title: Two", "title: [Two");
    shop.project.write(&broken);
    shop.release("go");
    shop.until_that("the remark", || run.told().contains("waiting for the backlog"));
    run.signal(rustix::process::Signal::INT);
    let told = run.wait();
    assert_eq!(run.code(), Some(130), "{told}");
    assert_eq!(shop.text(), broken);
    shop.project.write(&broken.replace("title: [Two", "title: Two"));
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    assert!(!shop.exists(".orchestrator/runs/WRK-001/build/2"));
    nothing_is_lost(&shop);
}

/// A target that somebody takes away is not done.
#[test]
fn a_target_that_is_deleted_is_told_of() {
    let shop = Workshop::new(TWO, SCRIPT);
    let mut run = shop.start_told("run --target 1 --target WRK-002");
    shop.until("started");
    let second = shop.text().find("  - id: WRK-002").unwrap();
    shop.project.write(&shop.text()[..second]);
    shop.release("go");
    let told = run.wait();
    assert!(told.contains("there is no item WRK-002 any more, a target of this run"), "{told}");
    assert!(told.contains("stopped at a target"), "{told}");
}
