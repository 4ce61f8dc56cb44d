//! What a save changes, and what it must leave alone.

use orchestrator::fs::fault;
use orchestrator::model::change::{ItemPatch, NewItem};
use orchestrator::model::{BacklogItem, Change, Description, IdQuery};
use orchestrator::store::StoreError;
use orchestrator::yaml;

use crate::support::{Project, titles};

const COMMENTED: &str = "\
# The backlog of everything.
schema_version: 2   # do not touch
next_item_id: 2
team: red

items:
  # --- now ---
  - id: WRK-001
    title: \"First\"   # quoted on purpose
    status: new
    owner: ann        # unknown key

  # --- later ---
  - id: WRK-002
    title: Second
    status: done
# the end
";

#[test]
fn an_add_touches_the_mark_and_adds_its_lines() {
    let project = Project::with(COMMENTED);
    project.add("Third: with a colon");
    let text = project.text();
    let (before, after): (Vec<&str>, Vec<&str>) =
        (COMMENTED.lines().collect(), text.lines().collect());
    let gone: Vec<&&str> = before.iter().filter(|line| !after.contains(line)).collect();
    assert_eq!(gone, [&"next_item_id: 2"]);
    assert!(
        text.contains("next_item_id: 3\n") && text.contains("title: \"Third: with a colon\""),
        "{text}"
    );
    assert!(text.ends_with("# the end\n"), "{text}");
}

#[test]
fn an_update_touches_one_line_and_the_date() {
    let project = Project::with(COMMENTED);
    let patch = ItemPatch { title: Some("Erst".into()), ..ItemPatch::default() };
    project.change(Change::Update { item: IdQuery::new("1"), patch }).unwrap();
    let text = project.text();
    assert!(text.contains("    title: \"Erst\"   # quoted on purpose\n"), "{text}");
    let kept = COMMENTED.lines().filter(|line| text.lines().any(|own| own == *line)).count();
    assert_eq!(kept, COMMENTED.lines().count() - 1);
}

#[test]
fn nothing_to_change_writes_nothing() {
    let project = Project::with(COMMENTED);
    let before = std::fs::metadata(project.file()).unwrap().modified().unwrap();
    let saved = project
        .try_change(vec![Change::ArchiveDone, Change::Done { item: IdQuery::new("77") }])
        .unwrap();
    assert!(saved.is_written);
    let text = project.text();
    let saved = project.try_change(vec![Change::ArchiveDone]).unwrap();
    assert!(!saved.is_written);
    assert_eq!(project.text(), text);
    assert!(std::fs::metadata(project.file()).unwrap().modified().unwrap() > before);
}

#[test]
fn an_archived_item_is_in_the_worklog_as_it_stood_and_comes_back() {
    let project = Project::with(COMMENTED);
    project.change(Change::ArchiveDone).unwrap();
    assert!(!project.text().contains("Second"));
    let mut store = project.store();
    let archived = store.find_archived(&IdQuery::new("wrk-2")).unwrap();
    assert_eq!(archived.text, "- id: WRK-002\n  title: Second\n  status: done\n");
    let item = orchestrator::yaml::parse_record(&archived.text).unwrap();
    let item = std::sync::Arc::new(BacklogItem::from_mapping(item).0);
    project.change(Change::Restore { item, text: archived.text }).unwrap();
    assert!(
        project.text().contains("  - id: WRK-002\n    title: Second\n    status: done\n"),
        "{}",
        project.text()
    );
}

#[test]
fn a_refused_change_leaves_the_others() {
    let project = Project::with(COMMENTED);
    let add = |title: &str| Change::Add(vec![NewItem::titled(title)]);
    let saved = project
        .try_change(vec![add("a"), add(" "), Change::Done { item: IdQuery::new("50") }, add("b")])
        .unwrap();
    assert_eq!(
        saved.outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    assert_eq!(titles(&mut project.store()), ["First", "Second", "a", "b"]);
}

#[test]
fn files_that_cannot_be_read_are_never_written() {
    for (text, code) in [
        ("", "empty_file"),
        ("# only a comment\n", "empty_file"),
        ("items:\n\t- title: x\n", "syntax"),
        ("items: []\nitems: []\n", "duplicate_key"),
        ("a: 1\n---\nb: 2\n", "multiple_documents"),
        ("- x\n", "wrong_shape"),
        ("items:\n  - status: nwe\n    title: x\n", "unknown_value"),
        ("schema_version: 99\nitems: []\n", "newer_version"),
        ("schema_version: two\nitems: []\n", "wrong_type"),
    ] {
        let project = Project::with(text);
        match project.try_change(vec![Change::Add(vec![NewItem::titled("x")])]) {
            Err(StoreError::Invalid { diagnostics, .. }) => {
                let codes: Vec<&str> =
                    diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.as_str()).collect();
                assert_eq!(codes, [code], "{text:?}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
        assert_eq!(project.text(), text);
    }
}

#[test]
fn an_item_that_ends_in_kept_line_breaks_comes_back() {
    // Behind the last item stands a blank line that its text must not take in.
    let item = "  - id: WRK-001\n    title: One\n    description: |+\n      text\n\n";
    let other = "  - id: WRK-002\n    title: Two\n";
    for tail in ["\n# end\n", "\n\nother: 1\n", "\n", ""] {
        let text = format!("schema_version: 2\nnext_item_id: 2\nitems:\n{item}{other}{tail}");
        let project = Project::with(&text);
        let change =
            Change::Archive { items: vec![IdQuery::new("1")], reason: Some("for a while".into()) };
        project.change(change).unwrap();
        let archived = project.store().find_archived(&IdQuery::new("1")).unwrap();
        let mapping = yaml::parse_record(&archived.text).unwrap();
        let (read, _) = BacklogItem::from_mapping(mapping);
        assert_eq!(read.description, Some(Description::Text("text\n\n".into())));
        project.change(Change::Restore { item: read.clone().into(), text: archived.text }).unwrap();
        let store = &mut project.store();
        assert_eq!(*store.file().unwrap().items[1], read, "{tail:?}: {}", project.text());
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&project.text()), lines(&text), "{tail:?}");
    }
}

#[test]
fn items_archived_together_are_one_append() {
    let items: String =
        (1..=300).map(|n| format!("  - {{id: WRK-{n:03}, title: t, status: done}}\n")).collect();
    let project = Project::with(&format!("schema_version: 2\nnext_item_id: 300\nitems:\n{items}"));
    let (applied, points) = fault::count(|| project.change(Change::ArchiveDone));
    assert_eq!(applied.unwrap().removed.len(), 300);
    assert!(points.len() < 60, "{points:?}");
    let store = &mut project.store();
    assert!(store.file().unwrap().items.is_empty());
    assert!(store.find_archived(&IdQuery::new("300")).is_ok());
}
