//! Git fails, or what a phase builds on is gone: the item waits, the run goes on.

use super::super::workshop::ids;
use super::*;

const SCRIPT: &str = "\
*/build/*: write src/{item} x; follow-up After {item}; result phase_complete Built
WRK-001/*/*: result phase_complete x
WRK-002/*/*: result phase_complete x
*/*/*: result blocked Later
";

/// A hook that refuses what belongs to the first item.
const REFUSE: &str = "git diff --cached --name-only | grep -q src/WRK-001 || exit 0\n\
                      grep -q mended src/WRK-001 && exit 0\necho 'Der Stil stimmt nicht' >&2\nexit 1";

#[test]
fn a_refused_commit_blocks_the_item_and_keeps_its_result() {
    let shop = Shop::new(BOTH_READY, SCRIPT);
    shop.hook("pre-commit", REFUSE);
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-002"]);
    assert!(ids(&report["blocked"]).contains(&"WRK-001".to_owned()));
    let text = shop.shop.text();
    assert!(text.contains("Der Stil stimmt nicht") && text.contains("is kept"), "{text}");
    assert!(!text.contains("After WRK-001"), "{text}");
    let result = ".orchestrator/runs/WRK-001/build/1/result.json";
    assert!(shop.shop.exists(result));
    // Another run leaves it alone, for as long as nobody lets the item go on.
    shop.run();
    assert!(shop.shop.exists(result) && shop.status().contains("?? src/WRK-001"));
    shop.write("src/WRK-001", "mended\n");
    shop.shop.run("unblock 1").ok();
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/build/2"), "no agent ran again");
    assert_eq!(shop.shop.text().matches("title: After WRK-001").count(), 1);
    let commit = shop.git("log --format=%H --grep=WRK-001/build/1");
    assert_eq!(shop.changed(commit.trim()), ["src/WRK-001"]);
    assert_eq!(shop.git(&format!("show {}:src/WRK-001", commit.trim())), "mended\n");
    assert_eq!(shop.repeated(), [""; 0]);
    assert!(!shop.status().contains("src"), "{}", shop.status());
}

/// What the program itself has changed is not taken for a person's since a hook refused.
#[test]
fn a_last_commit_that_was_refused_is_made_by_the_next_run() {
    let shop = Shop::new(READY, "*/*/*: result phase_complete x\n");
    shop.hook("pre-commit", "test -e .git/free");
    shop.run();
    assert!(shop.status().contains(" M BACKLOG.yaml"), "{}", shop.status());
    shop.write(".git/free", "");
    shop.shop.run("add Another").ok();
    let (_, report) = shop.shop.report("run --only tag=none");
    assert_eq!(report["uncommitted"], serde_json::Value::Null, "{report}");
    assert_eq!(shop.status(), "");
}

#[test]
fn a_person_lets_it_go_on_while_the_run_lasts() {
    let script = "\
WRK-002/build/*: write waiting x; await go; result phase_complete x
*/build/*: write src/{item} x; result phase_complete Built
*/*/*: result phase_complete x
";
    let shop = Shop::new(BOTH_READY, script);
    shop.hook("pre-commit", REFUSE);
    let mut run = shop.shop.start("run");
    shop.shop.until("waiting");
    shop.write("src/WRK-001", "mended\n");
    shop.shop.run("unblock 1").ok();
    shop.shop.release("go");
    assert!(run.wait().unwrap().success());
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/build/2"));
    let worklog = shop.shop.worklog();
    assert_eq!(worklog.matches("## WRK-001 — One").count(), 1, "{worklog}");
    assert_eq!(shop.git("log --format=%H --grep=WRK-001/build/1").lines().count(), 1);
}

#[test]
fn nobody_to_commit_as_and_a_merge_under_way() {
    type Act = fn(&Shop);
    let cases: [(Act, Act, &str); 2] = [
        (|shop| rename_to(shop, ""), |shop| rename_to(shop, "Test"), "empty ident name"),
        (
            |shop| shop.write(".git/MERGE_HEAD", &shop.git("rev-parse HEAD")),
            |shop| drop(shop.git("merge --quit")),
            "a merge is under way",
        ),
    ];
    let script =
        "*/build/*: write src x; result phase_complete x\n*/*/*: result phase_complete x\n";
    for (spoil, mend, why) in cases {
        let shop = Shop::new(READY, script);
        spoil(&shop);
        let report = shop.run();
        assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
        assert!(shop.shop.text().contains(why), "{}", shop.shop.text());
        assert_eq!(shop.subjects(), [""; 0]);
        mend(&shop);
        shop.shop.run("unblock WRK-001").ok();
        let report = shop.run();
        assert_eq!(ids(&report["completed"]), ["WRK-001"]);
        assert_eq!(shop.git("log --format=%H -- src").lines().count(), 1);
    }
}

/// Gives the person another name, which may be none.
fn rename_to(shop: &Shop, name: &str) {
    let args = ["config", "user.name", name];
    let status = Command::new("git").current_dir(&shop.top).args(args).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_item_that_is_deleted_meanwhile_loses_no_follow_up_to_git() {
    let script = "*/build/*: write src/{item} x; await go; follow-up Saved; result phase_complete x\n*/*/*: result blocked x\n";
    let shop = Shop::new(READY, script);
    shop.hook("pre-commit", REFUSE);
    let mut run = shop.shop.start("run");
    shop.shop.until("src/WRK-001");
    let text = shop.shop.text();
    shop.shop.project.write(&text[..text.find("  - id: WRK-001").unwrap()]);
    shop.shop.release("go");
    run.wait().unwrap();
    assert!(shop.shop.text().contains("title: Saved"), "{}", shop.shop.text());
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/build/1/result.json"));
}

/// The commit of the first phase is taken back before the second begins.
fn taken_back(phase: &str) -> Shop {
    let script = "\
*/build/*: write src/a x; result phase_complete Built
*/polish/1: result blocked Which?
*/polish/*: write src/b x; result phase_complete Polished
*/*/*: result phase_complete x
";
    let shop = Shop::new(READY, script);
    shop.run();
    let commit = shop.git("log --format=%H --grep=WRK-001/build/1");
    shop.shop.run("unblock 1").ok();
    if phase == "build" {
        shop.shop.run("advance 1 --to build").ok();
    }
    let text = shop.shop.text();
    shop.git("reset --quiet --hard main~2");
    assert!(!shop.shop.text().contains(commit.trim()));
    shop.shop.project.write(&text);
    shop
}

#[test]
fn a_phase_that_builds_on_a_lost_commit_asks_once() {
    let shop = taken_back("polish");
    let report = shop.run();
    assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
    assert!(shop.shop.text().contains("stale: "), "{}", shop.shop.text());
    assert!(!shop.shop.exists(".orchestrator/runs/WRK-001/polish/2"), "no agent was started");
    shop.shop.run("unblock 1").ok();
    let report = shop.run();
    assert_eq!(ids(&report["completed"]), ["WRK-001"]);
    assert_eq!(shop.git("log --format=%H -- src/b").lines().count(), 1);
}

#[test]
fn a_phase_that_only_warns_goes_on() {
    let shop = taken_back("build");
    let answer = shop.shop.run("run");
    assert!(answer.stderr.contains("is not in HEAD's history"), "{answer:?}");
    assert_eq!(shop.git("log --format=%H -- src/a").lines().count(), 1);
    assert!(shop.shop.worklog().contains("## WRK-001"), "{}", shop.shop.worklog());
}

/// Another program's lock in what a hook says is no reason to commit again and again.
#[test]
fn a_hook_that_speaks_of_a_lock_is_asked_once() {
    let shop = Shop::new(BOTH_READY, SCRIPT);
    let hook = "git diff --cached --name-only | grep -q src/WRK-001 || exit 0\n\
                echo x >>.git/asked\necho \"cannot take '/srv/yarn.lock'\" >&2\nexit 1";
    shop.hook("pre-commit", hook);
    let answer = shop.shop.run("--json run");
    assert_eq!(shop.read(".git/asked"), "x\n", "{answer:?}");
    let is_kept = |line: &&str| line.contains(r#""event":"phase_kept""#);
    let kept: Vec<&str> = answer.stdout.lines().filter(is_kept).collect();
    assert!(kept.len() == 1 && kept[0].contains("yarn.lock"), "{answer:?}");
}

#[test]
fn what_git_waits_for_is_told() {
    let script = "WRK-001/build/*: write .git/index.lock x; write one x; result phase_complete x\n\
                  */*/*: write two x; result phase_complete x\n";
    let shop = Shop::new(READY, script);
    let mut run = shop.shop.start_told("run");
    let lock = shop.top.join(".git/index.lock");
    let is_told = || run.told().contains(&format!("has {}", lock.display()));
    shop.shop.until_that("what is waited for", is_told);
    fs::remove_file(&lock).unwrap();
    let told = run.wait();
    assert_eq!(run.code(), Some(0), "{told}");
    assert_eq!(shop.status(), "", "{told}");
    // A hook is no reason to look for locks, and is told of once.
    shop.hook("pre-commit", "sleep 3.5");
    shop.shop.run("add Two").ok();
    let told = shop.shop.run("run").stderr;
    assert_eq!(told.matches("git takes its time").count(), 1, "{told}");
    assert!(!told.contains("index.lock"), "{told}");
}
