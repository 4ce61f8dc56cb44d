//! Forty processes at once on one file, some of them killed, and a table that another
//! program makes meanwhile.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use super::workshop::{TASKS, Workshop};
use crate::support::{Random, count, program};

const TOGETHER: usize = 40;

/// Starts `id` with arguments that are apart by spaces.
fn start(workshop: &Workshop, line: &str) -> Child {
    let mut command = program(workshop.project.root());
    command.arg("id").args(line.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The lines that were told as a whole.
fn told(child: &mut Child) -> Vec<String> {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn seed_000_forty_processes_at_once_get_forty_ids() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    let line = format!("next {TASKS} --lock-timeout 120s");
    let all: Vec<Child> = (0..TOGETHER).map(|_| start(&workshop, &line)).collect();
    let mut ids = BTreeSet::from(["KABSD-TSK-0001".to_owned()]);
    for child in all {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(ids.insert(id.clone()), "{id} was told twice");
    }
    let expected: BTreeSet<String> =
        (1..=TOGETHER + 1).map(|n| format!("KABSD-TSK-{n:04}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(workshop.ask::<i64>("SELECT next_number FROM id_sequences"), 41);
}

#[test]
fn kills_at_random_moments_leave_gaps_and_nothing_else() {
    let workshop = Workshop::with_chunks();
    workshop.id(&format!("next {TASKS} --create")).ok();
    let mut random = Random::from_env("ORCHESTRATOR_SEQUENCE_SEED");
    let line = format!("next {TASKS} --lock-timeout 120s");
    let mut ids = BTreeSet::from(["KABSD-TSK-0001".to_owned()]);
    let mut started = 1;
    let (mut kills, wanted) = (0, count("ORCHESTRATOR_SEQUENCE_KILLS", 40));
    while kills < wanted {
        let all: Vec<Child> = (0..TOGETHER).map(|_| start(&workshop, &line)).collect();
        started += all.len();
        for mut child in all {
            if random.below(3) > 0 {
                thread::sleep(Duration::from_micros(random.below(4000) as u64));
                child.kill().unwrap();
            }
            let lines = told(&mut child);
            kills += usize::from(child.wait().unwrap().code().is_none());
            for id in lines {
                assert!(ids.insert(id.clone()), "{id} was told twice");
            }
        }
    }
    let last: i64 = workshop.ask("SELECT next_number FROM id_sequences");
    let highest = ids.iter().max().unwrap();
    let highest: i64 = highest.rsplit('-').next().unwrap().parse().unwrap();
    // Each number that was taken was told, or is a gap of a process that was killed.
    assert!(highest <= last && last <= started as i64, "{highest} {last} {started}");
    assert!(last as usize >= ids.len() && last as usize <= ids.len() + kills, "{last} {kills}");
    let next = workshop.id(&line).ok();
    assert_eq!(next, format!("KABSD-TSK-{:04}\n", last + 1));
}

#[test]
fn nobody_gets_an_old_number_while_files_are_taken_over() {
    for _ in 0..5 {
        let workshop = Workshop::with_chunks();
        (1..=30).for_each(|n| workshop.item(n));
        let sync = "sync --db sqlite:chunks.sqlite3 --layout prefix-type --create \
                    --lock-timeout 120s --from-files items/**/*.md";
        let mut all: Vec<Child> = (0..4).map(|_| start(&workshop, sync)).collect();
        let line = format!("next {TASKS} --lock-timeout 120s");
        // Before the tables are there they fail; from then on they know of all files.
        all.extend((0..12).map(|_| start(&workshop, &line)));
        for (n, mut child) in all.into_iter().enumerate() {
            let lines = told(&mut child);
            let code = child.wait().unwrap().code();
            if n < 4 {
                assert_eq!(code, Some(0));
                continue;
            }
            assert!(matches!(code, Some(0 | 3)), "{code:?}");
            for id in lines {
                let number: u32 = id.rsplit('-').next().unwrap().parse().unwrap();
                assert!(number > 30, "{id} exists");
            }
        }
    }
}

#[test]
fn a_sync_that_is_killed_leaves_no_database_that_begins_anew() {
    let mut random = Random::from_env("ORCHESTRATOR_SEQUENCE_SEED");
    let from = "--db sqlite:chunks.sqlite3 --layout prefix-type --from-files items/**/*.md";
    let next = format!("next {TASKS}");
    let (mut kills, wanted) = (0, count("ORCHESTRATOR_SEQUENCE_KILLS", 40));
    let mut round = 0;
    while kills < wanted {
        round += 1;
        let workshop = Workshop::empty();
        (1..=30).for_each(|n| workshop.item(n));
        // A file that is lost, one that is damaged, one of another program.
        match round % 3 {
            0 => workshop.file("chunks.sqlite3", &"no database ".repeat(500)),
            1 => workshop.sql("CREATE TABLE chunks (text TEXT)"),
            _ => {}
        }
        for how in ["--rebuild", "--rebuild", "--create"] {
            let mut child = start(&workshop, &format!("sync {from} {how}"));
            thread::sleep(Duration::from_micros(random.below(60_000) as u64));
            child.kill().unwrap();
            kills += usize::from(child.wait().unwrap().code().is_none());
            let answer = workshop.id(&next);
            match answer.code {
                0 => {
                    let number = answer.stdout.trim().rsplit('-').next().unwrap().parse::<u32>();
                    assert!(number.unwrap() > 30, "{answer:?}");
                }
                code => assert!(matches!(code, 3 | 8), "{answer:?}"),
            }
        }
        workshop.id(&format!("sync {from} --rebuild")).ok();
        let number: u32 =
            workshop.id(&next).ok().trim().rsplit('-').next().unwrap().parse().unwrap();
        assert!(number > 30, "{number}");
    }
}
