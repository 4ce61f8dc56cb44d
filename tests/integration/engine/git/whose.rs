//! Whose a change is, and with what it is committed.

use rustix::process::Signal;

use super::super::workshop::ids;
use super::*;

const FINE: &str = "\
*/build/*: write src/{item} x; set commit_summary \"Build it\"; result phase_complete Built {item}.
*/*/*: result phase_complete Fine.
";

#[test]
fn a_destructive_phase_is_committed_before_its_result_is_saved() {
    let shop = Shop::new(READY, FINE);
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    // The phases that changed nothing have no commit of their own.
    assert_eq!(shop.subjects(), ["[WRK-001][build] Build it", "[WRK-001][review] Fine."]);
    assert_eq!(shop.changed("HEAD~1"), ["src/WRK-001"]);
    let body = shop.git("log -1 --format=%b HEAD~1");
    assert_eq!(body.trim(), "Built WRK-001.\n\nOrchestrator-Attempt: WRK-001/build/1");
    // The item stood at the phase when its changes were committed.
    assert!(shop.git("show HEAD~1:BACKLOG.yaml").contains("phase: build"));
    let commit = shop.git("rev-parse HEAD~1");
    let worklog = shop.shop.worklog();
    assert!(has_last_commit(&worklog, &commit), "{worklog}");
    assert_eq!(shop.status(), "");
    assert!(!shop.shop.exists(".orchestrator/runs/git.json"));
}

#[test]
fn what_one_item_left_and_another_changed_too_is_committed_with_the_first() {
    let script = "\
WRK-001/build/1: write shared one; result failed No
WRK-002/build/*: write shared two; write own x; result phase_complete Built
*/*/*: result phase_complete x
";
    let shop = Shop::configured(BOTH_READY, script, "max_retries = 0\n");
    let told = shop.shop.run("run").stderr;
    assert!(told.contains("shared is not committed: a phase of another item"), "{told}");
    assert_eq!(shop.git("log --format=%H -- own").lines().count(), 1, "{told}");
    shop.shop.run("unblock 1").ok();
    shop.git("commit -q -m mine BACKLOG.yaml");
    shop.run();
    let commit = shop.git("log --format=%H -- shared");
    assert_eq!(commit.lines().count(), 1, "{}", shop.status());
    assert_eq!(shop.git(&format!("show {}:shared", commit.trim())), "two\n");
    assert_eq!(shop.status(), "");
}

#[test]
fn the_others_are_committed_together() {
    let script = "\
*/research/*: write notes/{item} x; result phase_complete Read.
*/build/*: write src/{item} x; result phase_complete Built.
*/*/*: result phase_complete Fine.
";
    let shop = Shop::configured(TWO, script, "max_concurrent = 2\nmax_wip = 2");
    shop.run();
    let subjects = shop.subjects();
    let together = ["[WRK-001][research] Read.", "[WRK-002][research] Read."];
    let either = [
        format!("{} | {}", together[0], together[1]),
        format!("{} | {}", together[1], together[0]),
    ];
    assert!(either.contains(&subjects[0]), "{subjects:?}");
    let first = shop.git("log --reverse --format=%H");
    let first = first.lines().nth(1).unwrap();
    assert_eq!(shop.changed(first), ["notes/WRK-001", "notes/WRK-002"]);
    assert_eq!(subjects[1..3].iter().filter(|line| line.contains("[build] Built.")).count(), 2);
    assert_eq!(shop.repeated(), [""; 0]);
    assert_eq!(shop.status(), "");
}

#[test]
fn what_others_changed_is_committed_at_the_end_of_the_run() {
    let script = "\
*/research/*: write notes/{item} x; result phase_complete Read.
*/*/*: result blocked Which way?
";
    let shop = Shop::new(TWO, script);
    shop.run();
    let all = shop.subjects();
    assert_eq!(shop.git("log --format=%H -- notes").lines().count(), 2, "{all:?}");
    assert_eq!(shop.status(), "");
}

#[test]
fn a_persons_half_done_edit_is_not_committed_under_the_phases_message() {
    let script = "\
*/build/*: append mine theirs; write src/new x; append staged theirs; result phase_complete x
*/*/*: result phase_complete x
";
    let shop = Shop::new(READY, script);
    for name in ["mine", "staged", "old name"] {
        shop.write(name, "one\n");
    }
    shop.commit_all();
    shop.write("mine", "half done\n");
    shop.write("loose", "x\n");
    shop.write("staged", "staged\n");
    shop.git("add staged");
    fs::rename(shop.top.join("old name"), shop.top.join("moved")).unwrap();
    shop.git("add -- old* moved");
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    assert_eq!(shop.changed("HEAD~1"), ["src/new"]);
    assert_eq!(shop.read("mine"), "half done\ntheirs\n");
    assert_eq!(
        shop.status(),
        " M mine\nA  moved\nD  \"old name\"\nMM staged\n?? loose\n",
        "what was staged stays staged"
    );
    assert_eq!(shop.git("show :staged"), "staged\n");
    assert_eq!(texts(&report["uncommitted"]), ["mine", "staged"]);
}

#[test]
fn the_backlog_is_left_to_a_person_who_was_editing_it() {
    let shop = Shop::new(READY, FINE);
    shop.shop.project.write(&READY.replace("One # mine", "One # better"));
    let report = shop.run();
    assert_eq!(texts(&report["uncommitted"]), ["BACKLOG.yaml"]);
    assert_eq!(shop.subjects(), ["[WRK-001][build] Build it", "[WRK-001][review] Fine."]);
    assert!(shop.status().starts_with(" M BACKLOG.yaml\n"), "{}", shop.status());
    assert!(shop.git("log --format=%H -- worklog").lines().count() > 0);
}

#[test]
fn a_backlog_that_is_half_typed_or_gone_is_not_committed() {
    let script = "*/build/*: write src/new x; await go; result phase_complete x\n*/*/*: result phase_complete x\n";
    for half in [Some("items:\n  - id: [WRK-001\n"), None] {
        let shop = Shop::new(READY, script);
        let mut run = shop.shop.start_told("run");
        shop.shop.until("src/new");
        match half {
            Some(half) => shop.shop.project.write(half),
            None => fs::remove_file(shop.shop.project.file()).unwrap(),
        }
        run.signal(Signal::INT);
        shop.shop.release("go");
        let told = run.wait();
        assert_eq!(run.code(), Some(130), "{told}");
        let why = "BACKLOG.yaml is not committed: it is missing, or cannot be read as a backlog";
        assert!(told.contains(why), "{told}");
        assert!(shop.git("show HEAD:BACKLOG.yaml").contains("title: One # mine"), "{told}");
        shop.shop.project.write(&shop.git("show HEAD:BACKLOG.yaml"));
        assert_eq!(ids(&shop.run()["completed"]), ["WRK-001"]);
        assert_eq!(shop.status(), "");
    }
}

#[test]
fn names_with_spaces_and_umlauts_deletions_and_a_staged_rename() {
    let script = "\
*/build/*: put x => src/neue Häuser/Zoë — 1.md; delete a file; git mv b c; result phase_complete Größer
*/*/*: result phase_complete x
";
    let shop = Shop::new(READY, script);
    shop.write("a file", "x\n");
    shop.write("b", "x\n");
    shop.commit_all();
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let mut changed = shop.changed("HEAD~1");
    changed.sort();
    assert_eq!(changed, ["a file", "b", "c", "src/neue Häuser/Zoë — 1.md"]);
    assert_eq!(shop.git("log -1 --format=%s HEAD~1"), "[WRK-001][build] Größer\n");
    assert_eq!(shop.status(), "");
}

#[test]
fn what_a_failed_attempt_left_is_committed_with_the_one_that_succeeds() {
    let script = "\
*/build/1: write src/first x; result failed The tests are red
*/build/2: write src/second x; exit 1
*/build/3: write src/third x; result phase_complete Green
*/*/*: result phase_complete x
";
    let shop = Shop::new(READY, script);
    shop.run();
    assert_eq!(shop.changed("HEAD~1"), ["src/first", "src/second", "src/third"]);
    let trailer = shop.git("log -1 --format=%(trailers) HEAD~1");
    assert_eq!(trailer.trim(), "Orchestrator-Attempt: WRK-001/build/3");
    assert_eq!(shop.status(), "");
}

#[test]
fn what_was_left_waits_for_its_item_and_for_nobody_else() {
    let script = "\
WRK-001/build/1: write src/one x; write src/mended x; result failed Stuck
*/build/*: write src/{item} x; result phase_complete Built
*/*/*: result phase_complete x
";
    let shop = Shop::configured(BOTH_READY, script, "max_retries = 0");
    let report = shop.run();
    assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
    assert_eq!(ids(&report["completed"]), ["WRK-002"]);
    assert_eq!(shop.status(), "?? src/mended\n?? src/one\n");
    // What a person has changed since is the person's.
    shop.write("src/mended", "by hand\n");
    shop.shop.run("unblock 1").ok();
    shop.git("commit --quiet -am backlog");
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    let commit = shop.git("log --format=%H --grep=WRK-001/build/2");
    assert_eq!(shop.changed(commit.trim()), ["src/WRK-001", "src/one"]);
    assert_eq!(shop.status(), "?? src/mended\n");
}

#[test]
fn an_agent_may_commit_by_itself() {
    let script = "\
*/build/*: write src/a x; git add src; git commit --quiet -m mine; result phase_complete x
*/polish/*: result blocked Why?
";
    let shop = Shop::new(READY, script);
    shop.run();
    let commit = shop.git("log --format=%H --grep=mine");
    assert!(shop.shop.text().contains(commit.trim()), "{}", shop.shop.text());
    assert_eq!(shop.subjects()[0], "mine");
    assert_eq!(shop.status(), "");
}

#[test]
fn git_off_and_no_repository() {
    let shop = Shop::configured(READY, FINE, "git = \"off\"");
    shop.run();
    assert_eq!(shop.subjects(), [""; 0]);
    assert!(shop.status().contains("?? src/WRK-001"));
    let shop = Workshop::with_pipeline(READY, FINE, "", PIPELINE);
    let (code, report) = shop.report("run");
    assert_eq!((code, ids(&report["completed"])), (0, vec!["WRK-001".to_owned()]));
    assert!(!shop.exists(".orchestrator/runs/git.json"));
}
