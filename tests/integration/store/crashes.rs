//! A failure or a crash at every single write, fsync, rename and exchange: the
//! backlog is the old one or the new one, and no number that was told comes back.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use orchestrator::fs::fault::{self, Crash, Op};
use orchestrator::model::change::{ItemPatch, NewItem, PhaseCompletion};
use orchestrator::model::{Assessments, Change, IdQuery, ItemId, Level, ResultCode};
use orchestrator::store::events::{self, Event, PHASE_DONE};
use orchestrator::store::worklog::PhaseEntry;
use orchestrator::store::{BacklogStore, PhaseLog, Planned, Request, StoreError};

use crate::support::Project;

const START: &str = "\
schema_version: 2
next_item_id: 2
items:
  # a comment
  - id: WRK-001
    title: One
  - id: WRK-002
    title: Two
    status: done
";

const V1: &str = "\
schema_version: 1
items:
  - id: WRK-001
    title: One # stays
    status: researching
  - id: WRK-002
    title: Two
    status: done
";

fn actions() -> Vec<(&'static str, &'static str, Change)> {
    let patch = ItemPatch { title: Some("Uno".into()), ..ItemPatch::default() };
    vec![
        ("add", START, Change::Add(vec![NewItem::titled("Three")])),
        ("update", START, Change::Update { item: IdQuery::new("1"), patch }),
        ("archive", START, Change::ArchiveDone),
        ("merge", START, Change::Merge { source: IdQuery::new("2"), target: IdQuery::new("1") }),
        ("phase", START, Change::CompletePhase(Box::new(triaged()))),
        ("migrate", V1, Change::ArchiveDone),
    ]
}

/// All that a phase can bring at once: an assessment, a follow-up, the next place.
fn triaged() -> PhaseCompletion {
    PhaseCompletion {
        id: "WRK-001".into(),
        phase: PhaseCompletion::TRIAGE.into(),
        result: ResultCode::PhaseComplete,
        summary: "clear".into(),
        assessments: Assessments { risk: Some(Level::Low), ..Assessments::default() },
        follow_ups: vec![NewItem::titled("And then")],
        duplicates: Vec::new(),
        description: None,
        pipeline_type: None,
        requires_human_review: false,
        commit: None,
        seen: None,
    }
}

/// What holds whatever happened: the file is one of two, what is told is durable,
/// and the next writer cleans up and goes on.
fn check(project: &Project, old: &str, new: &str, told: &BTreeSet<u32>, what: &str) {
    let text = project.text();
    assert!(text == old || text == new, "{what}: a third state:\n{text}");
    if !told.is_empty() {
        assert_eq!(text, new, "{what}: told, and not in the file");
        assert!(!new.is_empty(), "{what}: told, and not in the file");
    }
    let next = project.add("after");
    let number = ItemId::number_of(&next).unwrap();
    assert!(told.iter().all(|told| *told < number), "{what}: {next} after {told:?}");
    let mut store = project.store();
    let ids: Vec<String> =
        store.file().unwrap().items.iter().filter_map(|item| item.id.clone()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{what}");
    // An item that left the file is in the worklog.
    if !ids.contains(&"WRK-002".to_owned()) {
        assert!(store.find_archived(&IdQuery::new("WRK-002")).is_ok(), "{what}");
    }
    assert_no_leftovers(project.root(), what);
}

fn assert_no_leftovers(root: &Path, what: &str) {
    let expected = ["BACKLOG.yaml", "worklog", ".orchestrator"];
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(expected.iter().any(|own| *own == name), "{what}: {} is left over", name.display());
    }
    for entry in std::fs::read_dir(root.join(".orchestrator/tmp")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(name.starts_with("kept-"), "{what}: {name} is left over");
    }
}

/// Runs one action in a store of its own; returns the numbers that it told.
fn run(project: &Project, change: &Change) -> BTreeSet<u32> {
    let Ok(mut store) = BacklogStore::open(project.options()) else {
        return BTreeSet::new();
    };
    let saved = store.lock().and_then(|locked| locked.save(&[change.clone().into()]));
    let applied = saved.into_iter().flat_map(|saved| saved.outcomes).flatten();
    applied
        .flat_map(|applied| applied.added)
        .filter_map(|item| ItemId::number_of(item.id_or_dash()).ok())
        .collect()
}

fn settle(project: &Project) {
    // Old enough to be believed at once: the settle rule is tested elsewhere.
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options().write(true).open(project.file()).unwrap();
    file.set_modified(hour_ago).unwrap();
}

/// The text that the action makes, with the dates as they are in `like`.
fn same_but_dates(text: &str) -> String {
    text.lines()
        .filter(|line| !line.contains("updated:") && !line.contains("created:"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What holds after a failure or a crash: what stands is what was there, or all that
/// the change makes of it.
fn check_after(project: &Project, start: &str, change: &Change, told: &BTreeSet<u32>, what: &str) {
    let text = project.text();
    let new = if text == start { String::new() } else { text };
    if !new.is_empty() {
        assert_is_new(start, change, &new, what);
    }
    settle(project);
    check(project, start, &new, told, what);
}

#[test]
fn a_failure_at_any_point_leaves_the_old_file_or_the_new_one() {
    for (name, start, change) in actions() {
        for n in 0.. {
            let project = Project::with(start);
            settle(&project);
            let error = io::Error::from(io::ErrorKind::StorageFull);
            let (told, struck) = fault::fail_at(n, error, || run(&project, &change));
            let Some(point) = struck else {
                assert!(n > 10, "{name}: only {n} points");
                break;
            };
            let what = format!("{name}, failure {n} at {point:?}");
            check_after(&project, start, &change, &told, &what);
        }
    }
}

#[test]
fn a_crash_at_any_point_leaves_the_old_file_or_the_new_one() {
    for (name, start, change) in actions() {
        for crash in [Crash::Before, Crash::Torn, Crash::After] {
            for n in 0.. {
                let project = Project::with(start);
                settle(&project);
                let (told, struck) = fault::crash_at(n, crash, || run(&project, &change));
                let Some(point) = struck else { break };
                let what = format!("{name}, {crash:?} {n} at {point:?}");
                check_after(&project, start, &change, &told, &what);
            }
        }
    }
}

/// A person makes by hand what a save was about to make that was killed: what it had staged,
/// perhaps cut short, is no edit that slipped in.
#[test]
fn the_very_text_of_a_killed_save_can_be_written_by_hand() {
    let whole = Project::with(START);
    settle(&whole);
    run(&whole, &Change::ArchiveDone);
    let made = whole.text();
    for crash in [Crash::Before, Crash::Torn, Crash::After] {
        for n in 0.. {
            let project = Project::with(START);
            settle(&project);
            let (_, struck) = fault::crash_at(n, crash, || run(&project, &Change::ArchiveDone));
            let Some(point) = struck else {
                assert!(n > 10, "only {n} points");
                break;
            };
            std::fs::write(project.file(), &made).unwrap();
            settle(&project);
            let what = format!("{crash:?} {n} at {point:?}");
            assert_eq!(project.add("after"), "WRK-003", "{what}");
            let added = project.text();
            let made = made.replace("next_item_id: 2", "next_item_id: 3");
            assert!(added.starts_with(&made), "{what}:\n{added}");
            assert_no_leftovers(project.root(), &what);
        }
    }
}

#[test]
fn a_crash_at_any_point_of_a_long_save_leaves_the_old_file_or_the_new_one() {
    let start = format!("# {}\n{START}", "x".repeat(400_000));
    let (_, _, add) = actions().remove(0);
    for crash in [Crash::Before, Crash::Torn, Crash::After] {
        for n in 0.. {
            let project = Project::with(&start);
            settle(&project);
            let (told, struck) = fault::crash_at(n, crash, || run(&project, &add));
            let Some(point) = struck else {
                assert!(n > 10, "only {n} points");
                break;
            };
            check_after(&project, &start, &add, &told, &format!("{crash:?} {n} at {point:?}"));
        }
    }
}

#[test]
fn an_archive_that_is_repeated_after_a_crash_is_one_entry() {
    for n in 0.. {
        let project = Project::with(START);
        settle(&project);
        let (_, struck) = fault::crash_at(n, Crash::After, || run(&project, &Change::ArchiveDone));
        settle(&project);
        run(&project, &Change::ArchiveDone);
        let months = std::fs::read_dir(project.root().join("worklog")).unwrap();
        let text: String =
            months.map(|month| std::fs::read_to_string(month.unwrap().path()).unwrap()).collect();
        assert_eq!(text.matches("## WRK-002 ").count(), 1, "crash {n} at {struck:?}:\n{text}");
        assert!(!project.text().contains("WRK-002"), "crash {n} at {struck:?}");
        if struck.is_none() {
            assert!(n > 10, "only {n} points");
            break;
        }
    }
}

fn assert_is_new(start: &str, change: &Change, text: &str, what: &str) {
    let whole = Project::with(start);
    settle(&whole);
    run(&whole, change);
    assert_eq!(same_but_dates(text), same_but_dates(&whole.text()), "{what}");
}

/// What others do to the item between a save that failed and the next try at it.
const MEANWHILE: [&str; 3] = ["nothing", "update", "a number by hand"];

/// A phase that was saved and not told of is told of by the next process, and one that
/// was not saved is saved then; no effect comes twice and none is lost, whatever others
/// do to the item in between.
#[test]
fn a_phase_is_applied_and_told_of_once_whatever_happens_to_its_save() {
    for meanwhile in MEANWHILE {
        let all = [Some(Crash::After), None, Some(Crash::Before), Some(Crash::Torn)];
        // What others do makes a difference after it, however little was done.
        let crashes = if meanwhile == "nothing" { &all[..] } else { &all[..2] };
        for &crash in crashes {
            let points = (0..).take_while(|&n| end_twice(crash, n, meanwhile)).count();
            assert!(points > 15, "only {points} points");
        }
    }
}

/// Ends a phase with a fault at point `n`, and again without. Returns whether there is
/// such a point.
fn end_twice(crash: Option<Crash>, n: usize, meanwhile: &str) -> bool {
    let project = Project::with(START);
    settle(&project);
    let end = || end_phase(&project);
    let (ended, struck) = match crash {
        Some(crash) => fault::crash_at(n, crash, end),
        None => fault::fail_at(n, io::Error::from(io::ErrorKind::StorageFull), end),
    };
    let what = format!("{crash:?} {n} at {struck:?}, then {meanwhile}: {ended:?}");
    settle(&project);
    let plan = std::fs::read(project.root().join(PLAN)).unwrap_or_default();
    let planned: Option<Planned> = serde_json::from_slice(&plan).ok();
    let mut number = planned.map(|planned| planned.ids[0].clone());
    if meanwhile == "a number by hand" && !project.text().contains("And then") {
        let text = project.text() + "  - id: WRK-003\n    title: By hand\n";
        std::fs::write(project.file(), text).unwrap();
        settle(&project);
        number = None;
    }
    if meanwhile != "nothing" {
        let patch = ItemPatch { title: Some("Uno".into()), ..ItemPatch::default() };
        run(&project, &Change::Update { item: IdQuery::new("1"), patch });
    }
    // Whoever was told that all is well need not look again.
    if crash.is_some() || ended.is_err() {
        end_phase(&project).unwrap();
    }
    let text = project.text();
    assert_eq!(text.matches("title: And then").count(), 1, "{what}:\n{text}");
    assert!(text.contains("status: scoping"), "{what}:\n{text}");
    assert_eq!(text.contains("title: Uno"), meanwhile != "nothing", "{what}:\n{text}");
    if let Some(number) = number {
        let follow_up = format!("- id: {number}\n    title: And then");
        assert!(text.contains(&follow_up), "{what}:\n{text}");
    }
    let months = std::fs::read_dir(project.root().join("worklog")).unwrap();
    let log: String =
        months.map(|month| std::fs::read_to_string(month.unwrap().path()).unwrap()).collect();
    assert_eq!(log.matches("clear\n").count(), 1, "{what}:\n{log}");
    let story = events::read(project.store().paths(), Some("WRK-001")).unwrap();
    let told = story.iter().filter(|event| event.event == PHASE_DONE).count();
    assert_eq!(told, 1, "{what}: {story:?}");
    struck.is_some()
}

/// However much is saved since, and the journal shortened, it is known.
#[test]
fn a_save_that_was_killed_is_known_long_after() {
    let after = |n: usize, title: &str, times: usize| {
        let project = Project::with(START);
        settle(&project);
        let (_, struck) = fault::crash_at(n, Crash::After, || end_phase(&project));
        settle(&project);
        for time in 0..times {
            let title = Some(format!("{time} {title}"));
            let patch = ItemPatch { title, ..ItemPatch::default() };
            run(&project, &Change::Update { item: IdQuery::new("1"), patch });
        }
        (project.store().was_made(&project.root().join(PLAN)).unwrap(), struck)
    };
    let is_exchange = |n: &usize| after(*n, "", 0).1.is_some_and(|(op, _)| op == Op::Exchange);
    let exchange = (0..60).find(is_exchange).expect("there is an exchange");
    // More than there are displaced texts kept, and than the journal keeps lines of.
    assert!(after(exchange, &"x".repeat(20_000), 90).0);
    for n in exchange.. {
        let (was_made, struck) = after(n, "", 70);
        assert!(was_made, "{n}: {struck:?}");
        if struck.is_none() {
            break;
        }
    }
}

/// Where names cannot be exchanged, as on some file systems, there is a rename.
#[test]
fn without_an_exchange_a_save_is_known_and_a_late_write_is_carried_forward() {
    let project = Project::with(START);
    settle(&project);
    let mut open = std::fs::OpenOptions::new().write(true).open(project.file()).unwrap();
    let unsupported = |op: Op, _: &Path| op == Op::Exchange;
    let end = || end_phase(&project);
    let (ended, struck) = fault::fail_when(io::ErrorKind::Unsupported, unsupported, end);
    ended.unwrap();
    assert!(struck.is_some() && project.text().contains("And then"), "{struck:?}");
    assert!(project.store().was_made(&project.root().join(PLAN)).unwrap());
    io::Write::write_all(&mut open, START.replace("Two", "Duo").as_bytes()).unwrap();
    drop(open);
    project.add("next");
    let text = project.text();
    assert!(text.contains("title: Duo") && text.contains("And then"), "{text}");
    let left = std::fs::read_dir(project.root().join(".orchestrator/tmp")).unwrap();
    let is_swap = |name: &str| name.starts_with("swap-");
    assert!(!left.into_iter().any(|file| is_swap(file.unwrap().file_name().to_str().unwrap())));
}

const PLAN: &str = ".orchestrator/runs/WRK-001/triage/1/plan.json";

/// Ends the phase as a run does: a record that is there says whether it was saved.
fn end_phase(project: &Project) -> Result<(), StoreError> {
    let record = project.root().join(PLAN);
    let at = "2026-11-26T12:00:00Z";
    let entry = PhaseEntry {
        id: "WRK-001".into(),
        title: "One".into(),
        phase: PhaseCompletion::TRIAGE.into(),
        attempt: 1,
        outcome: "phase_complete".into(),
        seconds: 0,
        summary: "clear".into(),
        at: at.parse().unwrap(),
    };
    let event = Event {
        time: at.to_owned(),
        event: PHASE_DONE.to_owned(),
        item: Some("WRK-001".into()),
        detail: Some("triage: clear".into()),
    };
    let log = PhaseLog { entry, event };
    let mut store = BacklogStore::open(project.options())?;
    if store.was_made(&record)? {
        return store.log_again(&log);
    }
    let change = Change::CompletePhase(Box::new(triaged()));
    let request = Request { change, record: Some(record), log: Some(Box::new(log)) };
    let saved = store.lock()?.save(&[request])?;
    saved.told?.sync()
}
