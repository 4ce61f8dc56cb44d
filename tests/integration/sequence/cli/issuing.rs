//! Numbers from a database: what the first two seeds ask for.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::workshop::{TASKS, Workshop};

#[test]
fn seed_000_sequential_ids() {
    let workshop = Workshop::with_chunks();
    let first = workshop.id(&format!("next {TASKS} --create")).ok();
    assert_eq!(first, "KABSD-TSK-0001\n");
    for n in 2..=5 {
        assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), format!("KABSD-TSK-{n:04}\n"));
    }
    let several = workshop.id(&format!("next {TASKS} --count 3")).ok();
    assert_eq!(several, "KABSD-TSK-0006\nKABSD-TSK-0007\nKABSD-TSK-0008\n");
    assert_eq!(workshop.ask::<i64>("SELECT next_number FROM id_sequences"), 8);
}

#[test]
fn seed_000_a_new_prefix_and_type_starts_at_1() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create --count 7")).ok();
    let other = "next --db sqlite:chunks.sqlite3 --prefix KABSD --type FTR";
    assert_eq!(workshop.id(other).ok(), "KABSD-FTR-0001\n");
    let other = "next --db sqlite:chunks.sqlite3 --prefix P2 --type TSK";
    assert_eq!(workshop.id(other).ok(), "P2-TSK-0001\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0008\n");
}

#[test]
fn seed_000_the_lock_is_taken_before_anything_is_read() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    let mut conn = Connection::open(workshop.path("chunks.sqlite3")).unwrap();
    conn.busy_timeout(Duration::from_secs(60)).unwrap();
    let immediate = rusqlite::TransactionBehavior::Immediate;
    let held = conn.transaction_with_behavior(immediate).unwrap();
    let error = workshop.id(&format!("next {TASKS} --json --lock-timeout 200ms")).error(6);
    assert_eq!(error["code"], "busy");
    held.commit().unwrap();
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0002\n");
}

#[test]
fn seed_001_the_table_has_the_schema_of_the_seed() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    // The seed's own statements find what they expect.
    workshop.sql(
        "CREATE TABLE IF NOT EXISTS id_sequences (prefix TEXT NOT NULL, type_code TEXT NOT NULL, \
         next_number INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (prefix, type_code));
         BEGIN IMMEDIATE;
         INSERT INTO id_sequences (prefix, type_code, next_number) VALUES ('KABSD', 'TSK', 1)
         ON CONFLICT(prefix, type_code) DO UPDATE SET next_number = next_number + 1;
         COMMIT",
    );
    let columns: String = workshop.ask(
        "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk, ', ') \
         FROM pragma_table_info('id_sequences')",
    );
    assert_eq!(columns, "prefix TEXT 1 1, type_code TEXT 1 2, next_number INTEGER 1 0");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0003\n");
    // What was there is as it was.
    assert_eq!(workshop.ask::<String>("SELECT text FROM chunks"), "theirs");
    assert_eq!(workshop.ask::<String>("PRAGMA journal_mode"), "delete");
}

#[test]
fn seed_001_ids_come_from_the_database_by_default() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    workshop.item(99);
    // Files are looked at where that was asked for, and only without a database.
    let line = format!("next {TASKS} --fallback scan --from-files items/**/*.md");
    let answer = workshop.id(&line);
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("KABSD-TSK-0002\n", ""));
}

#[test]
fn seed_001_without_the_database_files_are_scanned_with_a_warning() {
    let workshop = Workshop::empty();
    (1..=5).for_each(|n| workshop.item(n));
    let scan = format!("next {TASKS} --fallback scan --from-files items/**/*.md");
    for quiet in ["", " -q"] {
        let answer = workshop.id(&format!("{scan}{quiet}"));
        assert_eq!((answer.code, answer.stdout.as_str()), (0, "KABSD-TSK-0006\n"));
        assert!(answer.stderr.starts_with("warning: the database is not there"), "{answer:?}");
    }
    let answer = workshop.id(&format!("{scan} --count 2 --json"));
    assert_eq!(answer.data("ids")[1]["id"], "KABSD-TSK-0007");
    assert!(answer.stderr.contains(r#""kind":"warning""#), "{answer:?}");
    // Nothing was made, and without being asked nothing is scanned.
    assert_eq!(workshop.names(), ["items"]);
    workshop.id(&format!("next {TASKS}")).fails(3);
    let without = "next --prefix KABSD --type FTR --fallback scan --from-files items/**/*.md";
    assert_eq!(workshop.id(without).ok(), "KABSD-FTR-0001\n");
    workshop.id(&format!("next {TASKS} --fallback scan")).fails(2);
}

#[test]
fn a_damaged_database_is_no_reason_to_scan() {
    let workshop = Workshop::empty();
    workshop.item(1);
    workshop.file("chunks.sqlite3", &"no database ".repeat(500));
    let line = format!("next {TASKS} --fallback scan --from-files items --json");
    let error = workshop.id(&line).error(8);
    assert_eq!(error["code"], "database");
    assert!(error["hint"].as_str().unwrap().contains("id sync --rebuild"), "{error}");
}

#[test]
fn a_lost_database_is_never_made_in_silence() {
    let workshop = Workshop::empty();
    for line in [
        format!("next {TASKS}"),
        format!("reserve --count 1 {TASKS}"),
        format!("status {TASKS}"),
        "confirm 67e55044-10b1-426f-9247-bb680e5fe0c8 --db sqlite:chunks.sqlite3".to_owned(),
        "expire --db sqlite:chunks.sqlite3".to_owned(),
        format!("sync {TASKS} --from-files ."),
    ] {
        let error = workshop.id(&format!("{line} --json")).error(3);
        assert_eq!(error["code"], "not_initialised", "{line}");
        let text = error.to_string();
        assert!(text.contains("--create") && text.contains("id sync --rebuild"), "{text}");
        assert_eq!(workshop.names(), [""; 0], "{line}");
    }
}

#[test]
fn ids_are_never_narrower_than_their_format_and_may_be_wider() {
    let workshop = Workshop::with_chunks();
    workshop.sql(
        "CREATE TABLE id_sequences (name TEXT PRIMARY KEY, last_value INTEGER NOT NULL);
         INSERT INTO id_sequences VALUES ('credit_lines', 9), ('fixed_advances', 999)",
    );
    let next = |name: &str| workshop.id(&format!("next --db sqlite:chunks.sqlite3 --name {name}"));
    assert_eq!(next("credit_lines").ok(), "CL010\n");
    assert_eq!(next("fixed_advances").ok(), "FV1000\n");
    workshop.sql("UPDATE id_sequences SET last_value = 999 WHERE name = 'credit_lines'");
    assert_eq!(next("credit_lines").ok(), "CL1000\n");
    let missing = next("orders").fails(4);
    assert!(missing.contains("id sync"), "{missing}");
}

#[test]
fn the_end_of_all_numbers_is_an_error() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    workshop.sql("UPDATE id_sequences SET next_number = 4294967294");
    let last = workshop.id(&format!("next {TASKS} --json")).data("id");
    let previous = "KABSD-TSK-4294967294";
    let expected =
        json!({"id": "KABSD-TSK-4294967295", "number": 4_294_967_295_u32, "previous": previous});
    assert_eq!(last, expected);
    let error = workshop.id(&format!("next {TASKS} --json")).error(1);
    assert_eq!(error["code"], "id_space_exhausted");
    for bad in ["-1", "9223372036854775807", "'x'", "1.5"] {
        workshop.sql(&format!("UPDATE id_sequences SET next_number = {bad}"));
        let answer = workshop.id(&format!("next {TASKS}"));
        assert!(matches!(answer.code, 1 | 8) && answer.stdout.is_empty(), "{bad}: {answer:?}");
    }
}

#[test]
fn reservations_are_held_confirmed_and_expire() {
    let workshop = Workshop::empty();
    let db = "--db sqlite:ids.db";
    let us = format!("{db} --project shop --type US");
    let held = workshop.id(&format!("reserve --count 6 {us} --create --json")).data("reservation");
    assert_eq!(held["ids"][0], "US-001");
    assert_eq!(held["ids"][5], "US-006");
    assert!(held["expires_at"].as_str().unwrap().ends_with('Z'), "{held}");
    let id = held["reservation_id"].as_str().unwrap();
    for _ in 0..2 {
        let confirmed = workshop.id(&format!("confirm {id} {db} --json")).data("id_confirm");
        assert_eq!(confirmed, json!({"reservation_id": id, "confirmed": true}));
    }
    let text = workshop.id(&format!("reserve --count 2 --ttl 0s {us}")).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1..], ["US-007", "US-008"]);
    let late = lines[0].split(' ').nth(1).unwrap();
    let error = workshop.id(&format!("confirm {late} {db} --json")).error(4);
    assert_eq!(error["message"], "reservation expired or not found");
    // What expired is deleted, what was confirmed is not, and no number comes back.
    let mut deleted = 0;
    let begin = std::time::Instant::now();
    while deleted == 0 && begin.elapsed() < Duration::from_secs(60) {
        let answer = workshop.id(&format!("expire {db} --json")).data("id_expire");
        deleted = answer["deleted_count"].as_u64().unwrap();
    }
    assert_eq!(deleted, 1);
    assert_eq!(workshop.id(&format!("expire {db}")).ok(), "0 deleted\n");
    workshop.id(&format!("confirm {id} {db}")).ok();
    assert_eq!(workshop.id(&format!("next {us}")).ok(), "US-009\n");
    // In another layout they lie in a table of ours.
    let held = workshop.id(&format!("reserve --count 1 {db} --prefix K --type T --create"));
    let id = held.ok().split(' ').nth(1).unwrap().to_owned();
    assert_eq!(workshop.id(&format!("confirm {id} {db}")).ok(), format!("{id} confirmed\n"));
}

/// What must exist already is not made: a name that is mistyped leaves nothing behind.
#[test]
fn nothing_is_made_for_a_sequence_that_must_be_there() {
    let mistyped = ["--name CLL", "--table sequnces --value-column last --key name=CL"];
    for sequence in mistyped {
        for command in ["next", "reserve --count 1"] {
            let line = format!("{command} --db sqlite:chunks.sqlite3 --create {sequence}");
            let workshop = Workshop::empty();
            workshop.id(&line).fails(4);
            assert_eq!(workshop.names(), [""; 0], "{line}");
            let workshop = Workshop::with_chunks();
            workshop.id(&line).fails(4);
            let tables = "SELECT group_concat(name) FROM sqlite_schema";
            assert_eq!(workshop.ask::<String>(tables), "chunks", "{line}");
        }
    }
    // One that is there may lack what reservations are kept in.
    let workshop = Workshop::with_chunks();
    workshop.sql(
        "CREATE TABLE id_sequences (name TEXT PRIMARY KEY COLLATE NOCASE, last_value INTEGER);
         INSERT INTO id_sequences VALUES ('CL', 9)",
    );
    let held = workshop.id("reserve --count 1 --db sqlite:chunks.sqlite3 --create --name cl").ok();
    assert!(held.ends_with("\ncl-010\n"), "{held}");
}
