//! The inbox: each entry once, whatever dies in between.

use std::fs;
use std::path::PathBuf;

use orchestrator::fs::fault::{self, Crash};
use orchestrator::store::{BacklogStore, StoreError};

use crate::support::{Project, titles};

const START: &str = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n";
const INBOX: &str =
    "- Just a title\n- title: With more\n  size: small\n  owner: ann\n  id: WRK-999\n";

fn inbox(project: &Project) -> PathBuf {
    project.root().join("BACKLOG_INBOX.yaml")
}

#[test]
fn entries_become_items_and_the_inbox_goes() {
    let project = Project::with(START);
    fs::write(inbox(&project), INBOX).unwrap();
    let ingested = project.store().ingest(&inbox(&project)).unwrap();
    let ids: Vec<&str> = ingested.added.iter().map(|item| item.id_or_dash()).collect();
    assert_eq!(ids, ["WRK-002", "WRK-003"]);
    assert_eq!(ingested.notes.len(), 1, "{:?}", ingested.notes);
    assert!(!inbox(&project).exists());
    let text = project.text();
    assert!(
        text.contains("owner: ann") && text.contains("origin: inbox") && !text.contains("999"),
        "{text}"
    );
    assert!(project.store().ingest(&inbox(&project)).unwrap().added.is_empty());
}

#[test]
fn a_late_writer_into_the_claimed_copy_is_not_lost() {
    let project = Project::with(START);
    fs::write(inbox(&project), "- first\n").unwrap();
    let mut open = fs::OpenOptions::new().append(true).open(inbox(&project)).unwrap();
    project.store().ingest(&inbox(&project)).unwrap();
    std::io::Write::write_all(&mut open, b"- second\n").unwrap();
    let again = project.store().ingest(&inbox(&project)).unwrap();
    assert_eq!(again.added.len(), 1);
    assert_eq!(titles(&mut project.store()), ["One", "first", "second"]);
}

#[test]
fn a_malformed_inbox_stays_and_is_told_with_its_line() {
    let project = Project::with(START);
    for (text, line) in [
        ("- a\n- [\n", 3),
        ("- a\n- title: b\n- title:\n", 3),
        ("items: x\n", 1),
        ("- size: huge\n  title: t\n", 1),
    ] {
        fs::write(inbox(&project), text).unwrap();
        match project.store().ingest(&inbox(&project)) {
            Err(StoreError::Invalid { diagnostics, .. }) => {
                assert_eq!(diagnostics[0].line, line, "{text:?}: {diagnostics:?}")
            }
            other => panic!("{text:?}: {other:?}"),
        }
        assert_eq!(fs::read_to_string(inbox(&project)).unwrap(), text);
    }
    assert_eq!(project.text(), START);
}

#[test]
fn a_crash_at_any_point_adds_each_entry_once() {
    for crash in [Crash::Before, Crash::Torn, Crash::After] {
        for n in 0.. {
            let project = Project::with(START);
            fs::write(inbox(&project), INBOX).unwrap();
            let ingest = || {
                BacklogStore::open(project.options())
                    .and_then(|mut store| store.ingest(&inbox(&project)))
            };
            let (_, struck) = fault::crash_at(n, crash, || ingest().is_ok());
            let Some(point) = struck else { break };
            // Twice: what is claimed must not be taken in again either.
            ingest().unwrap();
            ingest().unwrap();
            let titles = titles(&mut project.store());
            assert_eq!(titles, ["One", "Just a title", "With more"], "{crash:?} {n} at {point:?}");
            assert!(!inbox(&project).exists());
        }
    }
}
