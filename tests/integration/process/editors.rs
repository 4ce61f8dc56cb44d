//! Editors against adding processes: no text that was saved is lost from disk, and
//! what was told is there, or told as lost and brought back.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Answer, Project, Race, Random, SaveAs, by_rename, count, in_place, program};

const START: &str = "schema_version: 2\nnext_item_id: 0\n# edits\nitems: []\n";

/// Again and again, reads the file and saves it with one comment more.
fn edit(path: &Path, save: SaveAs, race: &Race, edits: &AtomicU32) {
    race.edit(|| {
        let Ok(text) = fs::read_to_string(path) else { return };
        let Some(at) = text.find("items:") else { return };
        let n = edits.load(Ordering::Relaxed) + 1;
        save(path, &format!("{}# edit {n}.\n{}", &text[..at], &text[at..]));
        edits.store(n, Ordering::Relaxed);
    });
}

/// Adds in a loop, each time in a process of its own; kills some. Returns what was
/// told, and what was warned of.
fn add_all(project: &Project, race: &Race, mut kill: Option<Random>) -> (Vec<String>, String) {
    let (mut told, mut warnings) = (Vec::new(), String::new());
    while race.goes_on() {
        let mut command = program(project.root());
        command.args(["add", "added"]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_doomed = kill.as_mut().is_some_and(|random| random.below(2) == 0);
        if let Some(random) = kill.as_mut().filter(|_| is_doomed) {
            thread::sleep(Duration::from_micros(random.below(60_000) as u64));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        // A text that is half written, or never stands still, is not ours to save over.
        let code = output.status.code();
        let is_expected = matches!(code, Some(0 | 3 | 6 | 7)) || (is_doomed && code.is_none());
        assert!(is_expected, "{code:?}: {stderr}");
        assert!(code == Some(0) || is_doomed || stdout.is_empty(), "{stdout}");
        if let Some(id) = stdout.strip_suffix('\n') {
            told.push(id.to_owned());
            race.tell();
        }
        warnings.push_str(&stderr);
    }
    (told, warnings)
}

fn race(save: SaveAs, kill: bool) {
    let project = Project::with(START);
    let seconds = count("ORCHESTRATOR_RACE_SECONDS", 4) as u64;
    let edits = AtomicU32::new(0);
    let warnings = Mutex::new(String::new());
    let path = project.file();
    let race = Race::of_seconds(seconds);
    let mut seeds = Random::from_env("ORCHESTRATOR_RACE_SEED");
    let told: Vec<String> = thread::scope(|scope| {
        let adders: Vec<_> = (0..4)
            .map(|_| {
                let kill = kill.then(|| Random::new(seeds.next()));
                scope.spawn(|| add_all(&project, &race, kill))
            })
            .collect();
        scope.spawn(|| edit(&path, save, &race, &edits));
        let outcomes: Vec<_> = adders.into_iter().map(thread::ScopedJoinHandle::join).collect();
        // First of all, or an adder that fails leaves the editor at work for ever.
        race.end();
        let mut all = Vec::new();
        for outcome in outcomes {
            let (told, warned) = outcome.unwrap();
            all.extend(told);
            warnings.lock().unwrap().push_str(&warned);
        }
        all
    });
    let mut warnings = warnings.into_inner().unwrap();
    let distinct: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(distinct.len(), told.len(), "an ID was told twice: {told:?}");
    // How many depends on the disk: a save that takes longer than the editor waits
    // finds another edit each time, and goes forward again.
    assert!(!told.is_empty(), "no progress");
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(200));
        let after = project.sh("add after");
        warnings.push_str(&after.stderr);
        let id = after.ok().trim().to_owned();
        assert!(!distinct.contains(&id), "{id} was told twice");
    }
    let edits = edits.into_inner();
    println!("{} adds told, {edits} edits", told.len());
    assert_edits_are_there(&project, edits, &warnings, kill);
    assert_told_is_there(&project, &distinct);
}

/// Asserts that each edit is in the file, or in the backup, with a warning that
/// names it.
fn assert_edits_are_there(project: &Project, edits: u32, warnings: &str, kill: bool) {
    let backups = fs::read_dir(project.root().join(".orchestrator/backup")).into_iter().flatten();
    let backups: Vec<(String, String)> = backups
        .map(|entry| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect();
    let text = project.text();
    for n in 1..=edits {
        let wanted = format!("# edit {n}.\n");
        if text.contains(&wanted) {
            continue;
        }
        let named = backups.iter().filter(|(_, text)| text.contains(&wanted));
        // Where the program was killed, so was perhaps its warning.
        let is_told = |(name, _): &(String, String)| kill || warnings.contains(name.as_str());
        let names: Vec<_> = named.collect();
        assert!(!names.is_empty(), "edit {n} of {edits} is lost:\n{warnings}");
        assert!(names.into_iter().any(is_told), "edit {n}: no warning names its backup");
    }
}

fn assert_told_is_there(project: &Project, told: &BTreeSet<String>) {
    let found = project.sh("check --json").data("check");
    let lost: BTreeSet<String> = found["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["code"] == "lost_item")
        .map(|found| found["item"].as_str().unwrap().to_owned())
        .collect();
    for id in told {
        let is_there = project.text().contains(&format!("- id: {id}\n"));
        assert!(is_there || lost.contains(id), "{id} was told, and is neither there nor lost");
    }
    println!("{} of {} were dropped by the editor", lost.len(), told.len());
    for id in lost.intersection(told).take(5) {
        project.run(&["restore", id]).ok();
        assert!(project.text().contains(&format!("- id: {id}\n")), "{id} did not come back");
    }
}

#[test]
fn an_editor_that_saves_by_rename_loses_nothing() {
    race(by_rename, false);
}

#[test]
fn an_editor_that_truncates_and_writes_loses_nothing() {
    race(in_place, false);
}

#[test]
fn an_editor_that_saves_by_rename_loses_nothing_to_kills() {
    race(by_rename, true);
}

#[test]
fn an_editor_that_truncates_and_writes_loses_nothing_to_kills() {
    race(in_place, true);
}

#[test]
fn an_item_that_a_stale_save_dropped_is_told_and_restored() {
    let project = Project::with(START);
    let stale = project.text();
    assert_eq!(project.sh("add dropped --tag kept").ok(), "WRK-001\n");
    project.write(&stale);
    assert_eq!(project.sh("add other").ok(), "WRK-002\n");
    let lost = |answer: Answer| answer.data("check")["warnings"].to_string();
    let found = lost(project.sh("check --json"));
    assert!(found.contains("lost_item") && found.contains("WRK-001"), "{found}");
    project.sh("restore WRK-001").ok();
    let found = lost(project.sh("check --json"));
    assert!(!found.contains("lost_item"), "{found}");
    let text = project.text();
    assert!(text.contains("title: dropped") && text.contains("tags:"), "{text}");
}
