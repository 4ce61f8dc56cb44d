//! `log`: what happened to an item, also once it is archived and the story is gone.

use serde_json::Value;

use super::workshop::Workshop;

const READY: &str = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One
    status: ready
";

const SCRIPT: &str = "\
*/build/1: result failed Red
*/build/*: follow-up More; result phase_complete Green
WRK-001/*/*: result phase_complete Fine
*/*/*: result blocked Which way?
";

fn words(data: &Value) -> Vec<String> {
    let word = |entry: &Value| {
        let phase = entry["phase"].as_str().map(|phase| format!(" {phase}")).unwrap_or_default();
        format!("{}{phase}", entry["event"].as_str().unwrap())
    };
    data.as_array().unwrap().iter().map(word).collect()
}

#[test]
fn the_history_of_an_item_outlives_it() {
    let shop = Workshop::new(READY, SCRIPT);
    shop.report("run");
    let history = shop.run("log 1 --json").data("log");
    let all = words(&history);
    assert_eq!(
        all,
        [
            "moved",
            "phase_started build",
            "phase_retried build",
            "phase_started build",
            "phase_done build",
            "updated",
            "phase_started review",
            "phase_done review",
            "moved",
            "archived"
        ]
    );
    assert_eq!(all.last().map(String::as_str), Some("archived"), "{all:?}");
    let of_build = || history.as_array().unwrap().iter().filter(|entry| entry["phase"] == "build");
    let attempts: Vec<&Value> = of_build().map(|entry| &entry["attempt"]).collect();
    assert_eq!(attempts, [&Value::from(1), &Value::Null, &2.into(), &2.into()], "{history}");
    let build = of_build().next_back().unwrap();
    assert_eq!((&build["attempt"], &build["detail"]), (&2.into(), &"Green".into()), "{build}");
    assert_eq!(build["outcome"], "phase_complete");
    // The worklog alone has less to tell, and nothing twice.
    std::fs::remove_file(shop.project.root().join(".orchestrator/events.jsonl")).unwrap();
    let all = words(&shop.run("log wrk-001 --json").data("log"));
    assert_eq!(all, ["phase_done build", "phase_done review", "archived"]);
}

#[test]
fn a_table_of_what_happened_and_an_error_where_nothing_did() {
    let shop = Workshop::new(READY, SCRIPT);
    shop.report("run");
    let lines = shop.run("log 2").ok();
    assert!(lines.lines().next().unwrap().contains("\tadded\t-\t-\tMore"), "{lines}");
    assert!(lines.contains("\tphase_failed\ttriage\t0\tWhich way?"), "{lines}");
    assert!(lines.contains("\tmoved\t"), "{lines}");
    assert_eq!(shop.run("log 99 --json").error(4)["code"], "no_such_item");
}
