//! Killed at any moment: one commit for each attempt, and nothing of anybody is lost.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::super::workshop::{Told, ids};
use super::*;
use crate::support::Random;

/// Kills the run that goes on, once, as a hook can: at a moment of our choice.
const KILL: &str = "test -e .git/killed && exit 0\ntouch .git/killed\n\
    kill -9 $(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' .orchestrator/run.lock)";

const SCRIPT: &str = "\
*/build/*: write src/{item} x; follow-up More; result phase_complete Built
WRK-001/*/*: result phase_complete x
*/*/*: result blocked Later
";

/// A phase whose first attempt does not end.
const HANGS: &str = "\
*/build/1: write src/first x; write started x; hang
*/build/*: write src/second x; result phase_complete Built
*/*/*: result phase_complete x
";

/// Runs again: what the first attempt did is used, each of its effects once. Returns its
/// commit.
#[track_caller]
fn taken_up_once(shop: &Shop, hook: &str) -> String {
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"], "{hook}");
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/build/2"), "{hook}: an agent ran again");
    assert_eq!(shop.shop.text().matches("title: More").count(), 1, "{hook}");
    let commit = shop.git("log --format=%H --grep=WRK-001/build/1");
    assert_eq!(commit.lines().count(), 1, "{hook}");
    assert_eq!(shop.changed(commit.trim()), ["src/WRK-001"], "{hook}");
    commit
}

/// Kills a run, and waits until it is gone.
fn kill(run: &mut Child) {
    kill_process(Pid::from_child(run), Signal::KILL).unwrap();
    run.wait().unwrap();
}

fn killed_in(hook: &str) {
    let shop = Shop::new(READY, SCRIPT);
    shop.write("mine", "one\n");
    shop.commit_all();
    shop.write("mine", "staged\n");
    shop.git("add mine");
    shop.write("loose", "x\n");
    shop.hook(hook, KILL);
    let answer = shop.shop.run("run");
    assert!(answer.code != 0 && shop.shop.exists(".git/killed"), "{answer:?}");
    // A person goes on with their own.
    shop.write("loose", "more\n");
    let commit = taken_up_once(&shop, hook);
    let worklog = shop.shop.worklog();
    assert!(has_last_commit(&worklog, &commit), "{worklog}");
    assert_eq!(shop.status(), "M  mine\n?? loose\n", "{hook}");
}

#[test]
fn between_the_commit_and_the_save() {
    killed_in("post-commit");
}

#[test]
fn while_the_commit_is_made() {
    killed_in("pre-commit");
    killed_in("commit-msg");
}

/// The first time it goes on until it may end, the second time until the commit is made.
const OUTLIVE: &str = "case $(cat .git/begun 2>/dev/null) in\n\
    '') echo 1 >.git/begun; until test -e .git/free; do sleep 0.05; done;;\n\
    1) echo 2 >.git/begun\n\
       until git log -1 --format=%B | grep -q WRK-001/build/1; do sleep 0.05; done;;\n\
    esac";

/// Kills a run while it commits that phase of the first item, and begins another one,
/// which comes to its commit before that one is made. Returns what the second one told.
fn outlived(shop: &Shop, phase: &str, runs: [&str; 2]) -> String {
    shop.hook("pre-commit", &OUTLIVE.replace("build", phase));
    let begun = |n: &str| fs::read_to_string(shop.top.join(".git/begun")).is_ok_and(|t| t == n);
    let mut killed = shop.shop.start(runs[0]);
    shop.shop.until_that("the first hook", || begun("1\n"));
    kill(&mut killed);
    let mut run = shop.shop.start_told(runs[1]);
    shop.shop.until_that("the second hook", || begun("2\n"));
    shop.write(".git/free", "");
    let told = run.wait();
    assert_eq!(run.code(), Some(0), "{told}");
    told
}

#[test]
fn a_commit_that_outlives_its_run_is_the_commit() {
    let shop = Shop::new(READY, SCRIPT);
    let told = outlived(&shop, "build", ["run", "run"]);
    assert!(told.contains("WRK-001 done"), "{told}");
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/build/2"), "{told}");
    assert_eq!(shop.git("log --format=%H --grep=WRK-001/build/1").lines().count(), 1, "{told}");
    assert_eq!(shop.status(), "", "{told}");
}

#[test]
fn what_came_since_a_commit_that_outlives_its_run_is_committed_too() {
    let script = "*/research/*: write notes/{item} x; result phase_complete Read\n";
    let shop = Shop::new(TWO, script);
    let told = outlived(&shop, "research", ["run --target 1 --cap 1", "run --target 2 --cap 1"]);
    for id in ["WRK-001", "WRK-002"] {
        let commits = shop.git(&format!("log --format=%H --grep={id}/research/1"));
        assert_eq!(commits.lines().count(), 1, "{id}: {told}");
        let commits = shop.git(&format!("log --format=%H -- notes/{id}"));
        assert_eq!(commits.lines().count(), 1, "{id}: {told}");
    }
    assert_eq!(shop.status(), "", "{told}");
}

/// A hook that hears no SIGTERM, and does not end while nobody lets it.
const HANG: &str = "test -e .git/free && exit 0\ntrap '' TERM\necho $$ >.git/hook\nsleep 600";

/// Tells a run to end, twice, and waits for that; returns what it told.
#[track_caller]
fn told_to_end_twice(shop: &Shop, run: &mut Told, within: Duration) -> String {
    run.signal(Signal::INT);
    shop.shop.until_that("the remark", || run.told().contains("letting 1 phase end"));
    let begin = Instant::now();
    run.signal(Signal::INT);
    let told = run.wait();
    assert_eq!(run.code(), Some(130), "{told}");
    assert!(begin.elapsed() < within, "{:?}", begin.elapsed());
    told
}

#[test]
fn a_second_signal_ends_a_hook_that_hangs() {
    let shop = Shop::new(READY, SCRIPT);
    shop.hook("pre-commit", HANG);
    let mut run = shop.shop.start_told("run");
    let hook = || fs::read_to_string(shop.top.join(".git/hook")).ok()?.trim().parse().ok();
    shop.shop.until_that("the hook", || hook().is_some());
    let told = told_to_end_twice(&shop, &mut run, Duration::from_secs(20));
    assert!(told.contains("WRK-001 build: git commit was ended before it was done"), "{told}");
    let hook = Pid::from_raw(hook().unwrap()).unwrap();
    shop.shop.until_that("the end of the hook", || test_kill_process(hook) == Err(Errno::SRCH));
    let text = shop.shop.text();
    assert!(text.contains("status: in_progress") && !text.contains("title: More"), "{text}");
    shop.write(".git/free", "");
    taken_up_once(&shop, "pre-commit");
    assert_eq!(shop.status(), "");
}

#[test]
fn the_last_commit_of_a_run_is_not_waited_for_either() {
    let new = READY.replace("ready", "new");
    let shop = Shop::new(&new, "*/*/*: write notes x; result blocked Later\n");
    shop.hook("pre-commit", HANG);
    let mut run = shop.shop.start_told("run");
    shop.shop.until_that("the hook", || shop.top.join(".git/hook").exists());
    run.signal(Signal::INT);
    shop.shop.until_that("the answer", || run.told().contains("ending; once more ends a commit"));
    run.signal(Signal::TERM);
    let told = run.wait();
    assert_eq!(run.code(), Some(130), "{told}");
    assert!(told.contains("git commit was ended before it was done"), "{told}");
    shop.write(".git/free", "");
    shop.run();
    assert_eq!(shop.git("log --format=%s -- notes").lines().count(), 1);
}

#[test]
fn what_a_killed_attempt_left_is_its_items() {
    let shop = Shop::new(READY, HANGS);
    shop.write("loose", "x\n");
    let mut run = shop.shop.start("run");
    shop.shop.until("started");
    kill(&mut run);
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let commit = shop.git("log --format=%H --grep=WRK-001/build/");
    assert_eq!(shop.changed(commit.trim()), ["src/first", "src/second", "started"]);
    assert_eq!(shop.status(), "?? loose\n");
}

/// What somebody changes between a run that was killed and the next one is theirs.
#[test]
fn what_a_person_changes_after_the_kill_is_theirs() {
    for has_result in [true, false] {
        let script = if has_result {
            HANGS.replace("hang", "result phase_complete Built").replace("build/*", "build/9")
        } else {
            HANGS.to_owned()
        };
        let shop = Shop::new(READY, &script);
        shop.write("tracked", "x\n");
        shop.commit_all();
        if has_result {
            shop.hook("pre-commit", KILL);
        }
        let mut run = shop.shop.start("run");
        shop.shop.until("started");
        if !has_result {
            kill_process(Pid::from_child(&run), Signal::KILL).unwrap();
        }
        run.wait().unwrap();
        // Until the agent has ended too, nobody can tell.
        let runs = shop.shop.project.root().join(".orchestrator/runs");
        shop.shop.until_that("the agent's end", || {
            orchestrator::runner::underway(&runs).is_ok_and(|phases| phases.is_empty())
        });
        std::thread::sleep(Duration::from_millis(50));
        shop.write("loose", "x\n");
        shop.write("tracked", "mine\n");
        let report = shop.run();
        assert_eq!(ids(&report["completed"]), ["WRK-001"], "{report}");
        let commit = shop.git("log --format=%H --grep=WRK-001/build/");
        let changed = shop.changed(commit.trim());
        assert!(changed.contains(&"src/first".to_owned()), "{has_result}: {changed:?}");
        assert_eq!(shop.status(), " M tracked\n?? loose\n", "{has_result}: {report}");
    }
}

#[test]
fn what_an_interrupted_attempt_left_is_its_items() {
    let shop = Shop::new(READY, HANGS);
    let mut run = shop.shop.start("run");
    shop.shop.until("started");
    for _ in 0..2 {
        kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(shop.status(), "?? src/first\n?? started\n");
    shop.run();
    let commit = shop.git("log --format=%H --grep=WRK-001/build/");
    assert_eq!(shop.changed(commit.trim()), ["src/first", "src/second", "started"]);
    assert_eq!(shop.status(), "");
}

#[test]
fn what_interrupted_attempts_left_beside_each_other_is_their_items() {
    let script = "\
WRK-001/research/1: write notes/{item} x; write started-{item} x; await .git/gate; exit 1
*/research/1: write notes/{item} x; write started-{item} x; hang
*/research/*: write notes/{item} y; result phase_complete Read
*/*/*: result blocked Later
";
    let shop = Shop::configured(TWO, script, "max_concurrent = 2\n");
    let mut run = shop.shop.start("run --only status=scoping");
    shop.shop.until("started-WRK-001");
    shop.shop.until("started-WRK-002");
    let term = || kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    term();
    // The one that is begun first the next time ends first now.
    shop.shop.release(".git/gate");
    std::thread::sleep(Duration::from_millis(700));
    term();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    shop.run();
    let left = ["notes/WRK-001", "notes/WRK-002", "started-WRK-001", "started-WRK-002"];
    for path in left {
        let commits = shop.git(&format!("log --format=%H -- {path}"));
        assert_eq!(commits.lines().count(), 1, "{path}: {}", shop.status());
    }
    assert_eq!(shop.status(), "");
}

#[test]
fn what_failed_attempts_left_is_their_items_also_where_they_go_on_beside_others() {
    let script = "\
*/research/1: write notes/{item} x; result failed No
*/research/*: write notes/{item} y; result phase_complete Read
*/*/*: result blocked Later
";
    let shop = Shop::configured(TWO, script, "max_concurrent = 2\nmax_retries = 0\n");
    for nth in 1..=2 {
        shop.shop.run(&format!("run --target {nth}"));
        shop.shop.run(&format!("unblock {nth}")).ok();
    }
    shop.git("commit -q -m mine BACKLOG.yaml");
    shop.run();
    for path in ["notes/WRK-001", "notes/WRK-002"] {
        let commits = shop.git(&format!("log --format=%H -- {path}"));
        assert_eq!(commits.lines().count(), 1, "{path}: {}", shop.status());
    }
}

#[test]
fn a_second_signal_ends_the_wait_for_a_lock() {
    let shop = Shop::new(READY, &SCRIPT.replace("x; follow", "x; write .git/index.lock x; follow"));
    let mut run = shop.shop.start_told("run");
    shop.shop.until(".git/index.lock");
    told_to_end_twice(&shop, &mut run, Duration::from_secs(15));
    let text = shop.shop.text();
    assert!(text.contains("status: in_progress") && !text.contains("title: More"), "{text}");
    fs::remove_file(shop.top.join(".git/index.lock")).unwrap();
    taken_up_once(&shop, "index.lock");
}

#[test]
fn what_waits_to_be_committed_together_outlives_a_kill() {
    let script = "\
WRK-002/research/1: write notes/two x; write started x; hang
*/research/*: write notes/{item} x; result phase_complete Read
*/*/*: result blocked Later
";
    let shop = Shop::new(TWO, script);
    let mut run = shop.shop.start("run --only status=scoping");
    shop.shop.until("started");
    kill(&mut run);
    shop.run();
    let subjects = shop.subjects();
    assert!(subjects[0].contains("[WRK-001][research] Read"), "{subjects:?}");
    assert_eq!(shop.repeated(), [""; 0]);
    assert!(shop.git("log --format=%H -- notes/WRK-001").lines().count() == 1);
    assert_eq!(shop.status(), "");
}

/// Kills the run at random moments until it is through.
#[test]
fn at_random_moments() {
    let backlog = "\
schema_version: 2
next_item_id: 3
items:
  - {id: WRK-001, title: One, status: ready}
  - {id: WRK-002, title: Two, status: ready}
  - {id: WRK-003, title: Three, status: ready}
";
    let script = "\
*/build/*: append src/{item} built; result phase_complete Built
*/polish/*: append src/{item} polished; write docs/{item} x; result phase_complete Polished
*/*/*: write notes/{item} x; result phase_complete Fine
";
    let mut random = Random::from_env("ORCHESTRATOR_TEST_SEED");
    let shop = Shop::configured(backlog, script, "max_wip = 3\nmax_concurrent = 2");
    shop.write("src/keep", "x\n");
    shop.write("mine", "one\n");
    shop.commit_all();
    shop.write("mine", "half done\n");
    for _ in 0..12 {
        let mut run = shop.shop.start("run");
        std::thread::sleep(Duration::from_millis(random.next() % 900));
        kill(&mut run);
    }
    let report = shop.run();
    assert!(report["halt"] != "circuit_breaker", "{report}");
    let worklog = shop.shop.worklog();
    for id in ["WRK-001", "WRK-002", "WRK-003"] {
        assert_eq!(worklog.matches(&format!("## {id} — ")).count(), 1, "{worklog}");
        for phase in ["build", "polish"] {
            let commits = shop.git(&format!("log --format=%H --grep={id}/{phase}/"));
            assert_eq!(commits.lines().count(), 1, "{id} {phase}: {commits}");
        }
    }
    assert_eq!(shop.repeated(), [""; 0]);
    assert_eq!(shop.status(), " M mine\n");
    shop.git("fsck --strict");
}
