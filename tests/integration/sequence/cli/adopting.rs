//! Sequences that take over what exists: `id sync` and `id status`.

use serde_json::json;

use super::workshop::{TASKS, Workshop};

const SYNC: &str = "sync --db sqlite:chunks.sqlite3 --layout prefix-type";
const STATUS: &str = "status --db sqlite:chunks.sqlite3 --layout prefix-type";

#[test]
fn seed_001_five_files_and_the_next_is_six() {
    let workshop = Workshop::with_chunks();
    (1..=5).for_each(|n| workshop.item(n));
    let text = workshop.id(&format!("{SYNC} --create --from-files items/**/*.md")).ok();
    assert_eq!(text, "KABSD/TSK\t-\t5\tnew\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
    assert_eq!(workshop.ask::<String>("SELECT text FROM chunks"), "theirs");
}

#[test]
fn seed_001_gaps_do_not_bring_numbers_back() {
    let workshop = Workshop::with_chunks();
    [1, 2, 309].into_iter().for_each(|n| workshop.item(n));
    workshop.file("items/feature/KABSD-FTR-0060_x.md", "---\ntags: []\nid: KABSD-FTR-0060\n---\n");
    workshop.file("items/.trash/KABSD-TSK-00310_old.md", "---\nid: KABSD-TSK-00310\n---\n");
    workshop.file("items/archive/2025/KABSD-TSK-311.md", "no front matter");
    workshop.file("items/task/KABSD-TSK-0312_broken.md", "---\nid: [\n");
    let answer = workshop.id(&format!("{SYNC} --create --from-files items/**/*.md --json"));
    let report = answer.data("id_sync");
    let key = |kind: &str| json!({"prefix": "KABSD", "type": kind});
    assert_eq!(
        report["sequences"],
        json!([
            {"key": key("FTR"), "found": 60, "before": null, "now": 60},
            {"key": key("TSK"), "found": 312, "before": null, "now": 312},
        ])
    );
    assert_eq!(report["malformed"][0]["path"], "items/task/KABSD-TSK-0312_broken.md");
    assert!(answer.stderr.contains("its front matter has no end"), "{answer:?}");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0313\n");
}

#[test]
fn syncing_again_changes_nothing_and_never_lowers() {
    let workshop = Workshop::with_chunks();
    (1..=3).for_each(|n| workshop.item(n));
    let sync = format!("{SYNC} --create --from-files items/**/*.md");
    workshop.id(&sync).ok();
    let before: i64 = workshop.ask("SELECT sum(next_number) FROM id_sequences");
    for _ in 0..3 {
        assert_eq!(workshop.id(&sync).ok(), "KABSD/TSK\t3\t3\tunchanged\n");
    }
    assert_eq!(workshop.ask::<i64>("SELECT sum(next_number) FROM id_sequences"), before);
    workshop.id(&format!("next {TASKS} --count 10")).ok();
    assert_eq!(workshop.id(&sync).ok(), "KABSD/TSK\t13\t13\tunchanged\n");
    workshop.item(20);
    assert_eq!(workshop.id(&sync).ok(), "KABSD/TSK\t13\t20\traised\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0021\n");
}

#[test]
fn a_dry_run_shows_all_and_changes_nothing() {
    let workshop = Workshop::with_chunks();
    let bytes = || std::fs::read(workshop.path("chunks.sqlite3")).unwrap();
    workshop.item(5);
    let dry = format!("{SYNC} --create --from-files items/**/*.md --dry-run");
    let before = bytes();
    let answer = workshop.id(&dry);
    assert_eq!(answer.stdout, "KABSD/TSK\t-\t5\tnew\n");
    assert!(answer.stderr.contains("nothing was changed"), "{answer:?}");
    assert_eq!(bytes(), before);
    // What would fail fails in a dry run, too.
    workshop.id(&format!("{SYNC} --from-files items/**/*.md --dry-run")).fails(3);
    workshop.id(&dry.replace(" --dry-run", "")).ok();
    workshop.item(7);
    let before = bytes();
    assert_eq!(workshop.id(&dry).ok(), "KABSD/TSK\t5\t7\traised\n");
    let report = workshop.id(&format!("{dry} --json")).data("id_sync");
    assert_eq!((&report["dry_run"], &report["sequences"][0]["now"]), (&json!(true), &json!(7)));
    assert_eq!(bytes(), before);
    let gone = workshop.id(&dry.replace("chunks", "other"));
    assert_eq!(gone.ok(), "KABSD/TSK\t-\t7\tnew\n");
    assert_eq!(workshop.names(), ["chunks.sqlite3", "items"]);
}

#[test]
fn status_tells_ok_missing_and_stale() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.id(&format!("{SYNC} --create --from-files items/**/*.md")).ok();
    let against = format!("{STATUS} --from-files items/**/*.md");
    assert_eq!(workshop.id(&against).ok(), "KABSD/TSK\tOK\t5\t5\tKABSD-TSK-0006\n");
    workshop.item(6);
    let stale = workshop.id(&against);
    assert_eq!(
        (stale.code, stale.stdout.as_str()),
        (1, "KABSD/TSK\tSTALE\t5\t6\tKABSD-TSK-0006\n")
    );
    workshop.file("items/KABSD-FTR-0001.md", "");
    let missing = workshop.id(&format!("{against} --json"));
    assert_eq!(missing.code, 1);
    let report = missing.data("id_status");
    let states: Vec<&str> = report["sequences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["missing", "stale"]);
    assert_eq!(report["sequences"][0]["last"], json!(null));
    // Without files there is nothing to be behind of.
    assert_eq!(workshop.id(STATUS).ok(), "KABSD/TSK\tOK\t5\t-\tKABSD-TSK-0006\n");
    workshop.id(&format!("{SYNC} --from-files items/**/*.md")).ok();
    workshop.id(&against).ok();
    for counter in [-3, 1_i64 << 33] {
        workshop.sql(&format!(
            "UPDATE id_sequences SET next_number = {counter} WHERE type_code = 'FTR'"
        ));
        let invalid = workshop.id(&against);
        assert_eq!(invalid.code, 8);
        assert!(invalid.stdout.starts_with("KABSD/FTR\tINVALID\t-\t1\t-\n"), "{invalid:?}");
        assert!(invalid.stderr.contains(&counter.to_string()), "{invalid:?}");
    }
}

#[test]
fn duplicates_are_told_with_both_paths() {
    let workshop = Workshop::with_chunks();
    workshop.item(302);
    workshop.file("items/other/two.md", "---\nid: KABSD-TSK-302\n---\n");
    let sync = workshop.id(&format!("{SYNC} --create --from-files items/**/*.md"));
    assert!(sync.stderr.contains("KABSD-TSK-0302 is the ID of items/other/two.md and items/task/"));
    assert_eq!(sync.ok(), "KABSD/TSK\t-\t302\tnew\n");
    let status = workshop.id(&format!("{STATUS} --from-files items/**/*.md --json"));
    assert_eq!(status.code, 5);
    let paths = json!(["items/other/two.md", "items/task/KABSD-TSK-0302_a-title.md"]);
    assert_eq!(
        status.data("id_status")["duplicates"],
        json!([{"id": "KABSD-TSK-0302", "paths": paths}])
    );
}

#[test]
fn seed_003_an_empty_database_and_a_populated_one_are_migrated() {
    let workshop = Workshop::with_chunks();
    workshop.sql(
        "CREATE TABLE credit_lines (id TEXT PRIMARY KEY, amount INTEGER);
         CREATE TABLE fixed_advances (id TEXT PRIMARY KEY)",
    );
    let sync = |table: &str| {
        let line = format!("--name {table} --from-column {table}.id --create");
        workshop.id(&format!("sync --db sqlite:chunks.sqlite3 {line}"))
    };
    let next = |name: &str| workshop.id(&format!("next --db sqlite:chunks.sqlite3 --name {name}"));
    assert_eq!(sync("credit_lines").ok(), "credit_lines\t-\t0\tnew\n");
    assert_eq!(next("credit_lines").ok(), "CL001\n");
    workshop
        .sql("INSERT INTO credit_lines VALUES ('CL007', 5), ('CL041', 6), ('old', 7), (NULL, 8)");
    workshop.sql("INSERT INTO fixed_advances VALUES ('FV0999')");
    let answer = sync("credit_lines");
    assert!(answer.stderr.contains("1 of 3 values of credit_lines.id"), "{answer:?}");
    assert_eq!(answer.ok(), "credit_lines\t1\t41\traised\n");
    assert_eq!(sync("fixed_advances").ok(), "fixed_advances\t-\t999\tnew\n");
    assert_eq!(
        (next("credit_lines").ok(), next("fixed_advances").ok()),
        ("CL042\n".into(), "FV1000\n".into())
    );
    // Existing rows are as they were.
    assert_eq!(workshop.ask::<i64>("SELECT sum(amount) FROM credit_lines"), 26);
    workshop
        .id("sync --db sqlite:chunks.sqlite3 --name credit_lines --from-column credit_lines.nr")
        .fails(8);
    workshop.id("sync --db sqlite:chunks.sqlite3 --name credit_lines --from-column id").fails(2);
}

#[test]
fn seed_003_all_names_are_checked_and_raised_at_once() {
    let workshop = Workshop::empty();
    workshop.sql(
        "CREATE TABLE id_sequences (name TEXT PRIMARY KEY, last_value INTEGER NOT NULL);
         INSERT INTO id_sequences VALUES ('credit_lines', 8), ('fixed_advances', 999), ('orders', 1)",
    );
    let orders = "[sequences.orders]\nname = \"orders\"\nformat = \"ORD{n:05}\"\n";
    workshop.file("orchestrator.toml", orders);
    workshop.file("docs/CL009_x.md", "");
    workshop.file("docs/a.md", "---\nid: FV1000\n---\n");
    workshop.file("docs/b.md", "---\nid: FV1000\n---\n");
    workshop.file("docs/ORD00004.md", "");
    let status = workshop.id("status --db sqlite:chunks.sqlite3 --from-files docs");
    assert!(status.stderr.contains("FV1000 is the ID of docs/a.md and docs/b.md"), "{status:?}");
    assert_eq!(
        (status.code, status.stdout.as_str()),
        (
            5,
            "credit_lines\tSTALE\t8\t9\tCL009\nfixed_advances\tSTALE\t999\t1000\tFV1000\n\
             orders\tSTALE\t1\t4\tORD00002\n"
        )
    );
    let sync = workshop.id("sync --db sqlite:chunks.sqlite3 --from-files docs").ok();
    let raised = "credit_lines\t8\t9\traised\nfixed_advances\t999\t1000\traised\n\
                  orders\t1\t4\traised\n";
    assert_eq!(sync, raised);
    let next = workshop.id("next --db sqlite:chunks.sqlite3 --name fixed_advances");
    assert_eq!(next.ok(), "FV1001\n");
}

#[test]
fn a_prefix_with_digits_is_known_by_its_other_files() {
    let workshop = Workshop::with_chunks();
    workshop.file("items/a.md", "---\nid: ACME-SHOP-2026-TSK-0001\n---\n");
    workshop.file("items/.trash/ACME-SHOP-2026-TSK-0007_x.md", "");
    let text = workshop.id(&format!("{SYNC} --create --from-files items/**")).ok();
    assert_eq!(text, "ACME-SHOP-2026/TSK\t-\t7\tnew\n");
}

#[test]
fn what_was_raised_is_told_where_another_sequence_could_not_be() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.file("items/KABSD-FTR-0003.md", "");
    workshop.id(&format!("{SYNC} --create --from-files items")).ok();
    workshop.sql("UPDATE id_sequences SET next_number = -1 WHERE type_code = 'FTR'");
    workshop.item(8);
    let failed = workshop.id(&format!("{SYNC} --from-files items")).fails(8);
    assert!(failed.contains("KABSD/TSK was raised to 8"), "{failed}");
    workshop.item(9);
    for dry in ["--dry-run", ""] {
        let answer = workshop.id(&format!("{SYNC} --from-files items --json {dry}"));
        assert_eq!((answer.code, answer.stderr.as_str()), (8, ""));
        let report = answer.data("id_sync");
        let task = json!({"prefix": "KABSD", "type": "TSK"});
        let raised = json!([{"key": task, "found": 9, "before": 8, "now": 9}]);
        assert_eq!(report["sequences"], raised);
        let failed = report["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{report}");
        assert_eq!(failed[0]["key"], json!({"prefix": "KABSD", "type": "FTR"}));
        assert_eq!(failed[0]["error"]["code"], "database");
        assert!(failed[0]["error"]["message"].as_str().unwrap().contains("-1"), "{report}");
    }
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0010\n");
}
