//! Real files of a public project, where they are at hand.

use std::fs;
use std::path::PathBuf;

use orchestrator::model::ItemStatus;
use orchestrator::store::{BacklogStore, StoreError};

use crate::support::Project;

#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn corpus() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_add_changes_the_mark_and_adds_its_lines() {
    for (name, text) in corpus().into_iter().filter(|(name, _)| {
        !name.contains("INBOX") && !name.contains("v1") && !name.contains("wrong")
    }) {
        let project = Project::with(&text);
        let id = project.add("A new one");
        let after = project.text();
        let diff = similar::TextDiff::from_lines(&text, &after);
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for change in diff.iter_all_changes() {
            match change.tag() {
                similar::ChangeTag::Delete => gone.push(change.value().to_owned()),
                similar::ChangeTag::Insert => come.push(change.value().to_owned()),
                similar::ChangeTag::Equal => {}
            }
        }
        assert!(gone.iter().all(|line| line.starts_with("next_item_id:")), "{name}: {gone:?}");
        let marks = come.iter().filter(|line| line.starts_with("next_item_id:")).count();
        assert_eq!(marks, 1, "{name}: {come:?}");
        assert!(come.iter().any(|line| line.contains(&id)), "{name}");
        // Items that a blank line parts from each other are parted from a new one too.
        come.retain(|line| !line.trim().is_empty());
        let own = ["- id:", "title:", "status:", "created:", "updated:", "next_item_id:"];
        assert!(
            come.iter().all(|line| own.iter().any(|key| line.trim_start().starts_with(key))),
            "{name}: {come:?}"
        );
    }
}

#[test]
fn version_1_migrates_with_nobody_stuck() {
    for (name, text) in corpus().into_iter().filter(|(name, _)| name.contains("v1")) {
        let text = text.replace("  - id: WRK-004", "  # a comment\n  - id: WRK-004 # mine");
        let project = Project::with(&text);
        assert!(project.store().migrated_text().unwrap().is_some(), "{name}");
        assert_eq!(project.text(), text, "reading writes nothing");
        assert_eq!(project.add("next"), "WRK-006");
        let after = project.text();
        assert!(
            after.contains("schema_version: 2\n")
                && after.contains("  # a comment\n  - id: WRK-004 # mine\n"),
            "{after}"
        );
        assert!(!after.contains("researching") && !after.contains("scoped"), "{after}");
        let mut store = project.store();
        let file = store.file().unwrap();
        let four = file.get("WRK-004").unwrap();
        assert_eq!(
            (four.status, four.phase.as_deref(), four.phase_pool.is_some()),
            (ItemStatus::Scoping, Some("research"), true)
        );
        let three = file.get("WRK-003").unwrap();
        assert_eq!(
            (three.blocked_from_status, three.phase.as_deref()),
            (Some(ItemStatus::Scoping), Some("research"))
        );
        assert_eq!(file.get("WRK-005").unwrap().status, ItemStatus::Ready);
        let backups: Vec<_> =
            fs::read_dir(project.root().join(".orchestrator/backup")).unwrap().collect();
        assert_eq!(backups.len(), 1);
        let backup = backups.into_iter().next().unwrap().unwrap().path();
        assert_eq!(fs::read_to_string(backup).unwrap(), text);
    }
}

#[test]
fn a_version_from_the_future_is_read_and_not_written() {
    for (name, text) in corpus().into_iter().filter(|(name, _)| name.contains("wrong")) {
        let project = Project::with(&text);
        assert!(project.store().file().unwrap().items.is_empty(), "{name}");
        assert!(matches!(project.try_change(vec![]), Err(StoreError::Invalid { .. })), "{name}");
        assert_eq!(project.text(), text);
    }
}

#[test]
fn the_inbox_is_taken_in() {
    for (name, text) in corpus().into_iter().filter(|(name, _)| name.contains("INBOX")) {
        let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
        let inbox = project.root().join("BACKLOG_INBOX.yaml");
        fs::write(&inbox, &text).unwrap();
        let added = BacklogStore::open(project.options()).unwrap().ingest(&inbox).unwrap().added;
        assert_eq!(added.len(), 1, "{name}");
        assert!(added[0].title.starts_with("Replace default feature pipeline"), "{name}");
    }
}
