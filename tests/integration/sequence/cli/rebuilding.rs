//! `id sync --rebuild`: a database that was lost or damaged.

use std::fs;

use orchestrator::fs::{FileLock, Holder};
use serde_json::json;

use super::workshop::{TASKS, Workshop};

pub(super) const REBUILD: &str =
    "sync --db sqlite:chunks.sqlite3 --layout prefix-type --rebuild --from-files items/**/*.md";

/// What we put at the end of a name while a file is being made.
const ID: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_lost_database_is_made_with_the_ids_that_exist() {
    let workshop = Workshop::empty();
    (1..=5).for_each(|n| workshop.item(n));
    assert_eq!(workshop.id(&format!("{REBUILD} --dry-run")).ok(), "KABSD/TSK\t-\t5\tnew\n");
    assert_eq!(workshop.names(), ["items"]);
    let report = workshop.id(&format!("{REBUILD} --json")).data("id_sync");
    assert_eq!((&report["rebuilt"], &report["kept"]), (&json!(true), &json!(null)));
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
    // Nothing is left of the making.
    let names: Vec<String> =
        workshop.names().into_iter().filter(|name| !name.starts_with("chunks.sqlite3")).collect();
    assert_eq!(names, ["items"]);
    assert!(
        !workshop.names().iter().any(|name| name.contains(".new-") || name.contains("rebuild"))
    );
}

#[test]
fn what_one_that_was_killed_had_begun_is_removed_and_nothing_else() {
    let create = format!("sync {TASKS} --create --from-files items/**/*.md");
    for makes in [REBUILD, &create] {
        let workshop = Workshop::empty();
        workshop.item(5);
        for more in ["new", "rebuilding"] {
            for end in ["", "-wal", "-shm", "-journal"] {
                workshop.file(&format!("chunks.sqlite3.{more}-{ID}{end}"), "half");
            }
        }
        let theirs = [
            format!("chunks.sqlite3.new-{ID}.bak"),
            "chunks.sqlite3.new-and-old".to_owned(),
            format!("other.sqlite3.new-{ID}"),
        ];
        theirs.iter().for_each(|name| workshop.file(name, "theirs"));
        assert_eq!(workshop.id(makes).ok(), "KABSD/TSK\t-\t5\tnew\n");
        let mut names = workshop.names();
        names.retain(|name| name.contains("sqlite3."));
        assert_eq!(names, theirs);
    }
}

#[test]
fn what_another_one_is_making_is_left_alone() {
    let workshop = Workshop::empty();
    workshop.item(5);
    let new = format!("chunks.sqlite3.new-{ID}");
    workshop.file(&new, "half");
    let me = Holder::this_process(None, "a test", "now");
    let lock = workshop.path("chunks.sqlite3.rebuild");
    let lock = FileLock::try_acquire(&lock, &me).unwrap();
    let create = format!("sync {TASKS} --create --from-files items --lock-timeout 100ms");
    workshop.id(&create).fails(6);
    assert!(workshop.path(&new).exists());
    drop(lock);
    workshop.id(&create).ok();
    assert!(!workshop.path(&new).exists());
}

#[test]
fn a_copy_of_a_damaged_database_is_kept() {
    let workshop = Workshop::empty();
    workshop.item(5);
    let damaged = "not a database ".repeat(1000);
    workshop.file("chunks.sqlite3", &damaged);
    workshop.id(&format!("sync {TASKS} --from-files items --create")).fails(8);
    assert_eq!(fs::read_to_string(workshop.path("chunks.sqlite3")).unwrap(), damaged);
    let answer = workshop.id(&format!("{REBUILD} --json"));
    assert!(answer.stderr.contains("not all numbers could be read"), "{answer:?}");
    let report = answer.data("id_sync");
    let kept = report["kept"].as_str().unwrap();
    assert!(kept.contains("chunks.sqlite3.damaged-2"), "{kept}");
    assert_eq!(fs::read_to_string(kept).unwrap(), damaged);
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
}

#[test]
fn what_a_damaged_database_still_says_counts() {
    let workshop = Workshop::empty();
    workshop.id(&format!("next {TASKS} --create --count 40")).ok();
    workshop.id("next --db sqlite:chunks.sqlite3 --prefix OLD --type X --count 3").ok();
    workshop.damage_a_page();
    workshop.item(5);
    let text = workshop.id(REBUILD).ok();
    assert_eq!(text, "KABSD/TSK\t-\t40\tnew\nOLD/X\t-\t3\tnew\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0041\n");
}

#[test]
fn a_damaged_schema_hides_no_number() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create --count 40")).ok();
    workshop.item(5);
    let path = workshop.path("chunks.sqlite3");
    let mut bytes = fs::read(&path).unwrap();
    let table = b"CREATE TABLE chunks";
    let place = bytes.windows(table.len()).position(|found| found == table).unwrap();
    bytes[place + 9] = b'X';
    fs::write(&path, &bytes).unwrap();
    workshop.id(&format!("next {TASKS}")).fails(8);
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t40\tnew\n");
}

/// What is wrong with another program's tables is no reason to take them away.
#[test]
fn damage_of_other_tables_is_their_programs() {
    type Spoil = fn(&Workshop);
    let spoils: [Spoil; 3] = [
        |workshop| {
            workshop.sql(
                "CREATE TABLE notes (id INTEGER, kind TEXT NOT NULL, CHECK (id > 0));
                 PRAGMA ignore_check_constraints = 1;
                 INSERT INTO notes VALUES (-1, 'x');
                 PRAGMA writable_schema = 1;
                 UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER', 'INTEGER NOT NULL');",
            );
        },
        |workshop| {
            workshop.sql(
                "CREATE TABLE notes (id INTEGER, kind TEXT);
                 CREATE INDEX by_kind ON notes (kind);
                 INSERT INTO notes VALUES (1, 'x');
                 PRAGMA writable_schema = 1;
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX by_kind ON notes (id)'
                 WHERE name = 'by_kind';",
            );
        },
        |workshop| workshop.overwrite("chunks"),
    ];
    for spoil in spoils {
        let workshop = Workshop::with_chunks();
        workshop.item(5);
        workshop.id(&format!("next {TASKS} --create --count 3")).ok();
        spoil(&workshop);
        let dry = workshop.id(&format!("{REBUILD} --dry-run"));
        assert_eq!(dry.ok(), "KABSD/TSK\t3\t5\traised\n");
        let answer = workshop.id(REBUILD);
        assert!(answer.stderr.contains("the database is sound"), "{answer:?}");
        assert_eq!(answer.ok(), "KABSD/TSK\t3\t5\traised\n");
        assert!(!workshop.names().iter().any(|name| name.contains("damaged")));
        assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
    }
}

/// Nor is a damaged table of sequences that lies among them, until somebody puts the
/// database away.
#[test]
fn a_database_with_other_tables_is_never_made_anew() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.id(&format!("next {TASKS} --create --count 40")).ok();
    workshop.damage_a_page();
    for line in [REBUILD.to_owned(), format!("{REBUILD} --dry-run")] {
        let told = workshop.id(&line).fails(8);
        assert!(told.contains("the table id_sequences is damaged"), "{told}");
        assert_eq!(workshop.ask::<String>("SELECT text FROM chunks"), "theirs");
    }
    let path = workshop.path("chunks.sqlite3");
    fs::rename(&path, workshop.path("chunks.sqlite3.damaged-1")).unwrap();
    // What is known of it is not forgotten by a new one either.
    workshop.id(&format!("next {TASKS} --create")).fails(3);
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t40\tnew\n");
}

/// Who holds numbers was told them, also where the sequence is lost.
#[test]
fn what_is_reserved_counts() {
    let registry = "--db sqlite:chunks.sqlite3 --project p --type TSK";
    let rebuild = format!("sync {registry} --rebuild --from-files items");
    for (sequence, table, rebuild) in
        [(TASKS, "id_sequences", REBUILD), (registry, "id_registry", rebuild.as_str())]
    {
        let workshop = Workshop::with_chunks();
        workshop.file("items/TSK-1.md", "");
        workshop.item(1);
        workshop.id(&format!("next {sequence} --create --count 7")).ok();
        workshop.id(&format!("reserve {sequence} --create --count 3")).ok();
        workshop.sql(&format!("DROP TABLE {table}"));
        assert!(workshop.id(rebuild).ok().ends_with("\t-\t10\tnew\n"), "{table}");
    }
}

/// As far as a table can be read, what it says counts; that it is not all is told.
#[test]
fn what_lies_around_a_damaged_page_counts() {
    let workshop = Workshop::empty();
    workshop.item(5);
    workshop.id(&format!("next {TASKS} --create")).ok();
    workshop.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO id_sequences SELECT printf('P%05d', i), 'T', 1000 + i FROM n;
         PRAGMA wal_checkpoint(TRUNCATE)",
    );
    let leaf = "SELECT pageno FROM dbstat WHERE name = 'id_sequences' AND pagetype = 'leaf'";
    let leaf = workshop.try_ask::<i64>(&format!("{leaf} LIMIT 1 OFFSET 9")).unwrap_or(20);
    workshop.overwrite_page(leaf);
    let answer = workshop.id(REBUILD);
    assert!(answer.stderr.contains("not all numbers could be read"), "{answer:?}");
    let told = answer.ok();
    for line in ["P00001/T\t-\t1001\tnew\n", "P03000/T\t-\t4000\tnew\n"] {
        assert!(told.contains(line), "{} lines without {line}", told.lines().count());
    }
}

/// Leaves nothing of a database but its log, which knows all that was in it.
fn leave_a_log(workshop: &Workshop) -> Vec<u8> {
    let (path, log) = (workshop.path("chunks.sqlite3"), workshop.path("chunks.sqlite3-wal"));
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    conn.execute_batch(
        "CREATE TABLE id_sequences (prefix TEXT, type_code TEXT, next_number INTEGER,
         PRIMARY KEY (prefix, type_code)); INSERT INTO id_sequences VALUES ('KABSD', 'TSK', 40)",
    )
    .unwrap();
    let bytes = fs::read(&log).unwrap();
    drop(conn);
    fs::remove_file(&path).unwrap();
    fs::write(&log, &bytes).unwrap();
    bytes
}

/// A database of ours that was cut to nothing is not sound, and its log knows more.
#[test]
fn a_log_behind_an_empty_file_or_none_counts() {
    for left in
        ["an empty file", "no file", "no file, and the log put aside by one that was killed"]
    {
        let workshop = Workshop::empty();
        workshop.item(5);
        let before = leave_a_log(&workshop);
        let (path, log) = (workshop.path("chunks.sqlite3"), workshop.path("chunks.sqlite3-wal"));
        fs::remove_file(&log).unwrap();
        let log = match left {
            "an empty file" => {
                fs::write(&path, "").unwrap();
                log
            }
            "no file" => log,
            _ => workshop.path(&format!("chunks.sqlite3.damaged-lost-{ID}-wal")),
        };
        fs::write(&log, &before).unwrap();
        let dry = workshop.id(&format!("{REBUILD} --dry-run")).ok();
        assert_eq!(fs::read(&log).unwrap(), before, "a dry run changes nothing");
        assert_eq!(
            (dry.as_str(), workshop.id(REBUILD).ok()),
            ("KABSD/TSK\t-\t40\tnew\n", dry.clone())
        );
        assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0041\n");
    }
}

#[test]
fn a_sound_database_of_another_program_gets_no_table() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.sql(
        "CREATE TABLE id_sequences (prefix TEXT, type_code TEXT, next_number INTEGER,
         PRIMARY KEY (prefix, type_code)); INSERT INTO id_sequences VALUES ('KABSD', 'TSK', 4)",
    );
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t4\t5\traised\n");
    let tables = "SELECT group_concat(name, ' ') FROM sqlite_schema WHERE type = 'table'";
    assert_eq!(workshop.ask::<String>(tables), "chunks id_sequences");
}

#[test]
fn sequences_of_other_layouts_are_taken_over_too() {
    let workshop = Workshop::empty();
    workshop.damage();
    workshop.item(5);
    let before = workshop.names();
    let dry = workshop.id(&format!("{REBUILD} --dry-run"));
    assert!(dry.stderr.contains("chunks.sqlite3 is damaged"), "{dry:?}");
    assert_eq!(dry.ok(), "KABSD/TSK\t-\t40\tnew\n");
    assert_eq!(workshop.names(), before);
    // As another one has left it that was killed.
    workshop.file(&format!("chunks.sqlite3.rebuilding-{ID}"), "half");
    let answer = workshop.id(REBUILD);
    assert!(answer.stderr.contains("of layout registry were taken over"), "{answer:?}");
    assert_eq!(answer.ok(), "KABSD/TSK\t-\t40\tnew\n");
    let next = workshop.id("next --db sqlite:chunks.sqlite3 --project p --type US");
    assert_eq!(next.ok(), "US-004\n");
    assert!(!workshop.names().iter().any(|name| name.contains("rebuilding")));
}

#[test]
fn a_database_behind_a_link_stays_behind_it() {
    use std::os::unix::fs::symlink;
    let workshop = Workshop::empty();
    workshop.item(5);
    workshop.file("data/real.db", &"no database ".repeat(500));
    symlink("data/real.db", workshop.path("chunks.sqlite3")).unwrap();
    workshop.id(REBUILD).ok();
    let create = format!("sync {TASKS} --create --from-files items/**/*.md");
    for makes in [REBUILD, &create] {
        assert!(workshop.path("chunks.sqlite3").is_symlink());
        assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
        assert!(workshop.path("data/real.db").is_file());
        assert_eq!(workshop.names(), ["chunks.sqlite3", "data", "items"]);
        // Now the link leads nowhere.
        fs::remove_file(workshop.path("data/real.db")).unwrap();
        workshop.id(&format!("next {TASKS}")).fails(3);
        workshop.id(makes).ok();
    }
}

#[test]
fn a_rebuild_that_was_killed_in_the_middle_is_taken_up() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create --count 40")).ok();
    workshop.item(5);
    // As by an earlier version, which renamed the damaged file first.
    let kept = workshop.path("chunks.sqlite3.damaged-20260101T000000000Z");
    fs::rename(workshop.path("chunks.sqlite3"), &kept).unwrap();
    workshop.id(&format!("next {TASKS}")).fails(3);
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t40\tnew\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0041\n");
    assert!(kept.exists());
}

/// What another layout's table has lost would begin anew.
#[test]
fn a_layout_that_cannot_be_read_issues_nothing_before_its_own_rebuild() {
    let workshop = Workshop::empty();
    workshop.damage();
    workshop.overwrite("id_registry");
    workshop.item(5);
    let answer = workshop.id(REBUILD);
    assert!(answer.stderr.contains("not all sequences of layout registry"), "{answer:?}");
    assert_eq!(answer.ok(), "KABSD/TSK\t-\t40\tnew\n");
    let stories = "--db sqlite:chunks.sqlite3 --project p --type US";
    for line in [format!("next {stories}"), format!("next {stories} --create")] {
        assert!(workshop.id(&line).fails(3).contains("id sync --rebuild"), "{line}");
    }
    workshop.file("stories/US-009.md", "");
    let rebuild = format!("sync {stories} --layout registry --rebuild --from-files stories");
    assert_eq!(workshop.id(&rebuild).ok(), "US/p\t-\t9\tnew\n");
    assert_eq!(workshop.id(&format!("next {stories}")).ok(), "US-010\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0041\n");
}

/// One that was cut to nothing is not a new one, where a copy or a log says more.
#[test]
fn an_emptied_database_begins_nothing_anew() {
    let workshop = Workshop::empty();
    workshop.damage();
    workshop.item(5);
    workshop.id(REBUILD).ok();
    fs::write(workshop.path("chunks.sqlite3"), "").unwrap();
    let create = format!("sync {TASKS} --create --from-files items/**/*.md");
    workshop.id(&format!("next {TASKS} --create")).fails(3);
    workshop.id(&create).fails(3);
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t40\tnew\n");

    let workshop = Workshop::empty();
    workshop.item(5);
    let before = leave_a_log(&workshop);
    let (path, log) = (workshop.path("chunks.sqlite3"), workshop.path("chunks.sqlite3-wal"));
    fs::write(&path, "").unwrap();
    // Neither of these may take the log away.
    fs::hard_link(&path, workshop.path("other")).unwrap();
    workshop.id(REBUILD).fails(8);
    fs::remove_file(workshop.path("other")).unwrap();
    workshop.id(&create).fails(3);
    assert_eq!(fs::read(&log).unwrap(), before);
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t40\tnew\n");
}

/// A database that is made where one was lost goes on from what is left of that.
#[test]
fn what_is_left_of_a_lost_one_counts_where_one_is_made() {
    let workshop = Workshop::empty();
    workshop.damage();
    workshop.item(5);
    let lost = "chunks.sqlite3.damaged-20260101T000000000Z";
    fs::rename(workshop.path("chunks.sqlite3"), workshop.path(lost)).unwrap();
    workshop.id(&format!("next {TASKS} --create")).fails(3);
    let create = format!("sync {TASKS} --create --from-files items/**/*.md");
    let dry = workshop.id(&format!("{create} --dry-run")).ok();
    assert_eq!(dry, "KABSD/TSK\t-\t40\tnew\n");
    assert_eq!(workshop.id(&create).ok(), dry);
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0041\n");
    let next = workshop.id("next --db sqlite:chunks.sqlite3 --project p --type US");
    assert_eq!(next.ok(), "US-004\n");
}

#[test]
fn a_sound_database_is_raised_and_not_made_anew() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.id(&format!("next {TASKS} --create --count 9")).ok();
    let answer = workshop.id(REBUILD);
    assert!(answer.stderr.contains("the database is sound"), "{answer:?}");
    assert_eq!(answer.ok(), "KABSD/TSK\t9\t9\tunchanged\n");
    assert_eq!(workshop.ask::<String>("SELECT text FROM chunks"), "theirs");
    assert_eq!(workshop.names(), ["chunks.sqlite3", "items"]);
}

#[test]
fn a_lost_table_comes_back_with_its_numbers_only() {
    let workshop = Workshop::with_chunks();
    workshop.item(5);
    workshop.id(&format!("next {TASKS} --create --count 5")).ok();
    workshop.sql("DROP TABLE id_sequences");
    for line in [format!("next {TASKS}"), format!("next {TASKS} --create")] {
        assert!(workshop.id(&line).fails(3).contains("id sync --rebuild"), "{line}");
    }
    assert_eq!(workshop.id(REBUILD).ok(), "KABSD/TSK\t-\t5\tnew\n");
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
    assert_eq!(workshop.ask::<String>("SELECT text FROM chunks"), "theirs");
}

#[test]
fn from_nothing_nothing_is_made() {
    let workshop = Workshop::empty();
    workshop.file("items/notes.md", "no ID here");
    let error = workshop.id(&format!("{REBUILD} --json")).error(4);
    assert!(error["hint"].as_str().unwrap().contains("more sources"), "{error}");
    assert_eq!(workshop.names(), ["items"]);
    let named = workshop.id(&format!("sync {TASKS} --rebuild --from-files items"));
    named.fails(4);
    assert_eq!(workshop.names(), ["items"]);
}

/// Leaves nothing of the database but its log, in which the counter stands at 3.
fn lose_all_but_the_log(workshop: &Workshop) {
    let log = workshop.path("chunks.sqlite3-wal");
    let conn = rusqlite::Connection::open(workshop.path("chunks.sqlite3")).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    conn.execute_batch("UPDATE id_sequences SET next_number = 3").unwrap();
    let bytes = fs::read(&log).unwrap();
    drop(conn);
    fs::remove_file(workshop.path("chunks.sqlite3")).unwrap();
    fs::write(&log, bytes).unwrap();
}

#[test]
fn the_log_of_a_lost_database_is_not_played_into_the_new_one() {
    let create = format!("sync {TASKS} --create --from-files items/**/*.md");
    for makes in [REBUILD, &create] {
        let workshop = Workshop::with_chunks();
        (1..=5).for_each(|n| workshop.item(n));
        workshop.id(&format!("next {TASKS} --create --count 2")).ok();
        lose_all_but_the_log(&workshop);
        // It is not made anew in silence either.
        workshop.id(&format!("next {TASKS} --create")).fails(3);
        assert_eq!(workshop.id(makes).ok(), "KABSD/TSK\t-\t5\tnew\n");
        assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
        let is_kept = |name: &String| name.contains(".damaged-lost-") && name.ends_with("-wal");
        assert_eq!(workshop.names().iter().filter(|name| is_kept(name)).count(), 1);
    }
}
