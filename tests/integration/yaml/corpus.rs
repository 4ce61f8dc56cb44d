//! Real files of a public project: each parses, and an edit changes only what it
//! should. They are not part of the repository; without them nothing is checked.

use std::path::Path;

use orchestrator::yaml::{Document, Edit, Step};
use serde_yaml::Value;

use super::files::{fixtures, texts};

#[expect(clippy::print_stdout, reason = "a test that checks nothing says so")]
fn corpus() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let found = texts(&folder);
    if found.is_empty() {
        println!("skipped: no real files in {}", folder.display());
    }
    found
}

fn parse(name: &str, text: &str) -> Document {
    let read = Document::parse(text.to_owned(), "items", &mut |_, _| {});
    read.unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
}

/// Returns the lines of `new` between those that it shares with `old` at its
/// beginning and end.
fn new_lines<'t>(old: &str, new: &'t str) -> Vec<&'t str> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let first = old.iter().zip(&new).take_while(same).count();
    let (old, new) = (&old[first..], &new[first..]);
    let last = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    new[..new.len() - last].to_vec()
}

#[test]
fn an_append_adds_its_lines_and_no_others() {
    for (name, text) in corpus() {
        if text.starts_with("- ") {
            // An inbox is a bare sequence, which is for another reader.
            continue;
        }
        let mut document = parse(&name, &text);
        let fields =
            [("id", "WRK-999"), ("title", "A title"), ("created", "2026-03-01T10:00:00+00:00")];
        let fields = fields.map(|(key, value)| (key.to_owned(), Value::from(value)));
        let undo = document.apply(&[Edit::Append { fields: fields.to_vec() }]).unwrap();
        // Where there was no record, the line of the list's key changes too.
        let had_records = !parse(&name, &text).is_empty();
        // Records that a blank line parts from each other are parted from a new one too.
        let mut added = new_lines(&text, document.text());
        added.retain(|line| !line.trim().is_empty());
        assert_eq!(added.len(), if had_records { 3 } else { 4 }, "{name}: {added:?}");
        assert!(
            added[added.len() - 3].trim_start().starts_with("- id: WRK-999"),
            "{name}: {added:?}"
        );
        document.undo(undo);
        assert_eq!(document.text(), text, "{name}");
    }
}

#[test]
fn a_status_set_on_each_record_changes_one_line_each() {
    for (name, text) in corpus().into_iter().chain(fixtures()) {
        let Ok(mut document) = Document::parse(text.clone(), "items", &mut |_, _| {}) else {
            continue;
        };
        for record in 0..document.len() {
            let has_status = document.locate_key(Some(record), "status").is_some();
            let before = document.text().to_owned();
            let path = vec![Step::Key("status".to_owned())];
            let edit = Edit::Set { record: Some(record), path, value: Value::from("a new status") };
            if document.apply(&[edit]).is_err() {
                assert_eq!(document.text(), before, "{name}");
                continue;
            }
            let changed = new_lines(&before, document.text()).len();
            assert!(changed <= 1, "{name}, record {record}: {changed} lines changed");
            let in_braces = document.record_text(record).starts_with("- {");
            let added = usize::from(!has_status && !in_braces);
            let count = |text: &str| text.lines().count();
            assert_eq!(count(document.text()), count(&before) + added, "{name}, record {record}");
        }
        let after = parse(&name, document.text());
        assert_eq!(after.len(), document.len(), "{name}");
    }
}
