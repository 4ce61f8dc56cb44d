//! What agents do to the repository by themselves.

use super::super::workshop::ids;
use super::*;

const NEW: &str = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One # mine
";

#[test]
fn an_item_that_its_agent_puts_back_each_time_is_blocked() {
    let script = "\
*/research/*: git reset --quiet --hard; result phase_complete x
*/*/*: result phase_complete x
";
    let shop = Shop::new(NEW, script);
    let report = shop.run();
    assert_eq!(
        (ids(&report["blocked"]), &report["phases_executed"]),
        (ids_of(&["WRK-001"]), &4.into())
    );
    let text = shop.shop.text();
    assert!(text.contains("research ended twice") && text.contains("git reset"), "{text}");
    // Who has mended the agent lets it go on.
    shop.script("*/*/*: result phase_complete x\n");
    shop.shop.run("unblock 1").ok();
    assert_eq!(ids(&shop.run()["completed"]), ["WRK-001"]);
}

#[test]
fn a_switched_branch_and_repositories_inside_are_told() {
    let identity = "-c user.name=T -c user.email=t@example.invalid";
    let script = format!(
        "*/build/*: git init -q nest; git -C nest {identity} commit -q --allow-empty -m z; \
         git switch -q -c side; result phase_complete x\n*/*/*: result phase_complete x\n"
    );
    let shop = Shop::new(NEW, &script);
    let was = git(shop.shop.project.root(), "branch --show-current");
    let mut run = shop.shop.start_told("run");
    let told = run.wait();
    assert!(told.contains("nest/ is not committed: it is a repository of its own"), "{told}");
    let switched = format!("{} was checked out when the run began, and side is now", was.trim());
    assert!(told.contains(&switched), "{told}");
    // What was there before is nobody's doing now.
    let mut run = shop.shop.start_told("run");
    let told = run.wait();
    assert!(!told.contains("nest") && !told.contains("side"), "{told}");
}

fn ids_of(list: &[&str]) -> Vec<String> {
    list.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_clean_that_takes_our_folder_ends_nothing() {
    let script = "\
*/research/*: git clean -qfdx; write .orchestrator/runs/WRK-001/research/1/x y; result phase_complete x
*/build/*: write started x; await go; result phase_complete x
*/*/*: result phase_complete x
";
    let shop = Shop::new(NEW, script);
    let mut run = shop.shop.start_told("run");
    shop.shop.until("started");
    // The lock went with it, and is there again: a second run sees the first.
    let refused = shop.shop.run("run --json").error(6);
    assert_eq!(refused["code"], "busy");
    shop.shop.release("go");
    let told = run.wait();
    assert!(told.contains(".orchestrator was deleted"), "{told}");
    assert_eq!(run.code(), Some(0), "{told}");
    assert!(shop.shop.worklog().contains("## WRK-001 — One"), "{told}");
}

#[test]
fn a_clean_that_takes_the_result_is_a_failure_of_that_phase() {
    let script = "\
*/research/*: git clean -qfdx
*/*/*: result phase_complete x
";
    let shop = Shop::new(NEW, script);
    let report = shop.run();
    assert_eq!(ids(&report["blocked"]), ["WRK-001"]);
    assert!(shop.shop.text().contains("the folder of the attempt is gone"), "{}", shop.shop.text());
}
