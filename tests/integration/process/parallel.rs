//! Twenty processes at once, on a backlog that nobody has written yet.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::support::{Answer, Project, program};

fn start(folder: &Path, args: &[&str]) -> Child {
    let mut command = program(folder);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(child: Child) -> Answer {
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn twenty_adds_at_once_tell_twenty_ids_that_are_in_the_file() {
    // Anew each time: the first writers also make the folder of our state.
    for round in 0..3 {
        let project = Project::with("schema_version: 2\nitems: []\n");
        let adds: Vec<Child> =
            (0..20).map(|n| start(project.root(), &["add", &format!("Item {n}")])).collect();
        let told: BTreeSet<String> =
            adds.into_iter().map(|add| end(add).ok().trim().to_owned()).collect();
        assert_eq!(told.len(), 20, "round {round}: {told:?}");
        let text = project.text();
        let there: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("- id: "))
            .map(str::to_owned)
            .collect();
        assert_eq!(there, told, "round {round}");
        let titles: BTreeSet<&str> =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("title: ")).collect();
        assert_eq!(titles.len(), 20, "round {round}");
        assert!(text.contains("next_item_id: 20\n"), "{text}");
    }
}

#[test]
fn two_backlogs_of_one_repository_do_not_disturb_each_other() {
    let project = Project::with("items: []\n");
    let other = project.root().join("OTHER.yaml");
    std::fs::write(&other, "items: []\n").unwrap();
    project.commit_all();
    let adds: Vec<Child> = (0..20)
        .map(|n| {
            let file = if n % 2 == 0 { "BACKLOG.yaml" } else { "OTHER.yaml" };
            start(project.root(), &["--file", file, "add", &format!("Item {n}"), "--tag", file])
        })
        .collect();
    for add in adds {
        end(add).ok();
    }
    for text in [project.text(), std::fs::read_to_string(other).unwrap()] {
        assert!(text.contains("next_item_id: 10\n"), "{text}");
        assert_eq!(text.matches("title:").count(), 10, "{text}");
    }
}

#[test]
fn two_ingestions_at_once_take_each_entry_in_once() {
    let project = Project::with("items: []\n");
    let mut wanted = BTreeSet::new();
    for round in 0..15 {
        let entries: Vec<String> = (0..4).map(|n| format!("Entry {round}.{n}")).collect();
        let inbox: String = entries.iter().map(|title| format!("- {title}\n")).collect();
        std::fs::write(project.root().join("BACKLOG_INBOX.yaml"), inbox).unwrap();
        wanted.extend(entries);
        let all: Vec<Child> = (0..4).map(|_| start(project.root(), &["ingest"])).collect();
        for ingest in all {
            end(ingest).ok();
        }
    }
    let text = project.text();
    for title in &wanted {
        let count = text.lines().filter(|line| line.trim_end().ends_with(title.as_str())).count();
        assert_eq!(count, 1, "{title}:\n{text}");
    }
}

/// What a save has written of itself is no warning for those who look in between.
#[test]
fn a_check_beside_adds_finds_nothing() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    let add = || (0..25).for_each(|n| drop(project.run(&["add", &format!("Item {n}")]).ok()));
    std::thread::scope(|scope| {
        let adds: Vec<_> = (0..3).map(|_| scope.spawn(add)).collect();
        while !adds.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            project.run(&["check", "--strict"]).ok();
        }
    });
}
