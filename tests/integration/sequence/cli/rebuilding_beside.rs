//! `id sync --rebuild` beside those who use the database, also in another language.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use super::rebuilding::REBUILD;
use super::workshop::{TASKS, Workshop};

#[test]
fn nobody_gets_a_number_twice_while_a_damaged_file_is_made_anew() {
    for _ in 0..4 {
        let workshop = Workshop::empty();
        workshop.damage();
        let told = thread::scope(|scope| {
            let next = || {
                let answers = (0..3).map(|_| workshop.id(&format!("next {TASKS}")));
                answers.collect::<Vec<_>>()
            };
            let nexts: Vec<_> = (0..8).map(|_| scope.spawn(next)).collect();
            let rebuild = scope.spawn(|| workshop.id(&REBUILD.replace("items/**/*.md", "none*")));
            let rebuilt = rebuild.join().unwrap();
            assert!(matches!(rebuilt.code, 0 | 4), "{rebuilt:?}");
            nexts.into_iter().flat_map(|next| next.join().unwrap()).collect::<Vec<_>>()
        });
        let mut numbers = std::collections::BTreeSet::new();
        for answer in told {
            // Until it is mended; there is always a file.
            assert!(matches!(answer.code, 0 | 6 | 8), "{answer:?}");
            for id in answer.stdout.lines() {
                let number: u32 = id.rsplit('-').next().unwrap().parse().unwrap();
                assert!(number > 40 && numbers.insert(number), "{id} was told twice");
            }
        }
        let next = workshop.id(&format!("next {TASKS}")).ok();
        let number: u32 = next.trim().rsplit('-').next().unwrap().parse().unwrap();
        assert!(numbers.last().is_none_or(|last| number > *last), "{next}");
    }
}

#[test]
fn several_rebuilds_at_once_make_one_database() {
    let workshop = Workshop::empty();
    (1..=5).for_each(|n| workshop.item(n));
    workshop.file("chunks.sqlite3", &"no database ".repeat(500));
    thread::scope(|scope| {
        let rebuild = || workshop.id(&format!("{REBUILD} --lock-timeout 60s"));
        let all: Vec<_> = (0..6).map(|_| scope.spawn(rebuild)).collect();
        for answer in all {
            answer.join().unwrap().ok();
        }
    });
    let kept = workshop.names().into_iter().filter(|name| name.contains(".damaged-")).count();
    assert_eq!(kept, 1, "{:?}", workshop.names());
    assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), "KABSD-TSK-0006\n");
}

/// A program of another language that takes numbers, connected all the while or each time
/// anew, until it is ended.
struct Theirs {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl Theirs {
    fn start(workshop: &Workshop, how: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut child = Command::new("python3")
            .arg(format!("{root}/tests/fixtures/sequence/upsert_without_end.py"))
            .arg(workshop.path("chunks.sqlite3"))
            .arg(how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed: scripts/setup installs it");
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, told }
    }

    /// Returns the next number that it is told.
    fn next(&mut self) -> u32 {
        self.told.next().unwrap().unwrap().parse().unwrap()
    }

    /// Lets it end, and returns the rest.
    fn end(mut self) -> Vec<u32> {
        drop(self.child.stdin.take());
        let rest = self.told.map(|line| line.unwrap().parse().unwrap()).collect();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

/// Whoever has the file open goes on with it: a number that was told by one that was put
/// aside would be told again.
#[test]
fn programs_that_have_the_file_open_get_no_number_twice() {
    for journal in ["wal", "delete"] {
        let spoils: [fn(&Workshop); 2] = [
            |workshop| workshop.overwrite("sqlite_autoindex_id_registry_1"),
            |workshop| workshop.overwrite_bytes(0, 100),
        ];
        for spoil in spoils {
            let workshop = Workshop::empty();
            workshop.file("known/KABSD-TSK-900000000.md", "");
            workshop.id(&format!("next {TASKS} --create --count 40")).ok();
            workshop.id("next --db sqlite:chunks.sqlite3 --project p --type US --create").ok();
            workshop.ask::<String>(&format!("PRAGMA journal_mode = {journal}"));
            let mut theirs = ["stay", "stay", "anew"].map(|how| Theirs::start(&workshop, how));
            let mut told: Vec<u32> = theirs.iter_mut().map(Theirs::next).collect();
            spoil(&workshop);
            let rebuild = REBUILD.replace("items/**/*.md", "known/*.md");
            let rebuilt = workshop.id(&format!("{rebuild} --lock-timeout 60s"));
            assert!(rebuilt.stderr.contains("was made anew"), "{rebuilt:?}");
            // Each goes on, with the file in which the sources count.
            for their in &mut theirs {
                let has_gone_on = (0..100_000).any(|_| {
                    told.push(their.next());
                    told.last().is_some_and(|number| *number > 900_000_000)
                });
                assert!(has_gone_on);
            }
            told.extend(theirs.into_iter().flat_map(Theirs::end));
            let distinct: BTreeSet<u32> = told.iter().copied().collect();
            assert_eq!(distinct.len(), told.len(), "with {journal}");
            let last = distinct.last().unwrap() + 1;
            assert_eq!(workshop.id(&format!("next {TASKS}")).ok(), format!("KABSD-TSK-{last}\n"));
            assert_eq!(workshop.ask::<String>("PRAGMA integrity_check"), "ok");
        }
    }
}

/// A program whose schema counts as the same, in whatever place its tables are now, would
/// write into another one: the next number of a new database must not be that of an old one.
#[test]
fn a_schema_of_one_table_is_never_taken_for_the_new_one() {
    let spoils: [fn(&Workshop); 3] = [
        |workshop| workshop.overwrite_bytes(0, 16),
        |workshop| workshop.overwrite_bytes(100, 3900),
        |workshop| {
            std::fs::write(workshop.path("chunks.sqlite3"), "").unwrap();
        },
    ];
    for spoil in spoils {
        let workshop = Workshop::empty();
        workshop.item(500);
        let table = "CREATE TABLE id_sequences (prefix TEXT, type_code TEXT, next_number INTEGER,
             PRIMARY KEY (prefix, type_code))";
        workshop.sql(&format!("{table}; INSERT INTO id_sequences VALUES ('KABSD', 'TSK', 100)"));
        let theirs = rusqlite::Connection::open(workshop.path("chunks.sqlite3")).unwrap();
        let upsert = "UPDATE id_sequences SET next_number = next_number + 1 RETURNING next_number";
        let next = || theirs.query_row(upsert, [], |row| row.get::<_, u32>(0));
        assert_eq!(next().unwrap(), 101);
        for number in [501, 503] {
            spoil(&workshop);
            workshop.id(REBUILD).ok();
            assert_eq!(next().unwrap(), number);
            assert_eq!(
                workshop.id(&format!("next {TASKS}")).ok(),
                format!("KABSD-TSK-{:04}\n", number + 1)
            );
            workshop.item(number + 1);
        }
    }
}
