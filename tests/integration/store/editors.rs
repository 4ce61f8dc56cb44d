//! Editors take no lock: what they save must not be lost, and what we told must
//! not come back.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use orchestrator::model::change::NewItem;
use orchestrator::model::{Change, ItemId};
use orchestrator::store::{BacklogStore, StoreError};

use crate::support::{Project, Race, SaveAs, by_rename, in_place};

const START: &str = "schema_version: 2\nnext_item_id: 0\n# edits: 0\nitems: []\n";

/// Edits the counter in the comment, again and again, after reading the file anew.
fn edit(path: &Path, save: SaveAs, race: &Race, last: &AtomicU32) {
    race.edit(|| {
        let Ok(text) = fs::read_to_string(path) else { return };
        let Some(at) = text.find("# edits: ") else { return };
        let end = at + text[at..].find('\n').unwrap_or(text.len() - at);
        let n = last.load(Ordering::Relaxed) + 1;
        save(path, &format!("{}# edits: {n}{}", &text[..at], &text[end..]));
        last.store(n, Ordering::Relaxed);
    });
}

fn add_all(options: orchestrator::store::StoreOptions, race: &Race) -> Vec<u32> {
    let mut told = Vec::new();
    while race.goes_on() {
        let change = Change::Add(vec![NewItem::titled("added")]);
        let saved = BacklogStore::open(options.clone())
            .and_then(|mut store| store.lock()?.save(&[change.into()]));
        match saved {
            Ok(saved) => {
                let id = saved.outcomes[0].as_ref().unwrap().added[0].id.clone().unwrap();
                told.push(ItemId::number_of(&id).unwrap());
                race.tell();
            }
            // A text that is half written, or never stands still, is not ours to save over.
            Err(
                StoreError::Unsettled { .. }
                | StoreError::Invalid { .. }
                | StoreError::NotInitialised { .. }
                | StoreError::Lock(_),
            ) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    told
}

fn race(save: SaveAs) {
    let project = Project::with(START);
    let last = AtomicU32::new(0);
    let path: PathBuf = project.file();
    let race = Race::of_seconds(4);
    let told: Vec<u32> = thread::scope(|scope| {
        let adders: Vec<_> =
            (0..4).map(|_| scope.spawn(|| add_all(project.options(), &race))).collect();
        scope.spawn(|| edit(&path, save, &race, &last));
        let told: Vec<_> = adders.into_iter().map(thread::ScopedJoinHandle::join).collect();
        // First of all, or an adder that fails leaves the editor at work for ever.
        race.end();
        told.into_iter().flat_map(|told| told.unwrap()).collect()
    });
    let distinct: BTreeSet<u32> = told.iter().copied().collect();
    assert_eq!(distinct.len(), told.len(), "an ID was told twice");
    assert!(!told.is_empty());
    // The text saved last is in the file, or in the backup.
    thread::sleep(Duration::from_millis(200));
    let next = project.add("after");
    assert!(ItemId::number_of(&next).unwrap() > *distinct.last().unwrap());
    let wanted = format!("# edits: {}\n", last.load(Ordering::Relaxed));
    let backups = fs::read_dir(project.root().join(".orchestrator/backup"));
    let backups = backups
        .into_iter()
        .flatten()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let found = std::iter::once(project.text()).chain(backups).any(|text| text.contains(&wanted));
    assert!(found, "{wanted} is lost:\n{}", project.text());
    // What was told is in the file, or is told as lost and can be brought back.
    let mut store = project.store();
    let there: BTreeSet<u32> = store
        .file()
        .unwrap()
        .items
        .iter()
        .filter_map(|item| ItemId::number_of(item.id_or_dash()).ok())
        .collect();
    for number in distinct.difference(&there) {
        let id = format!("WRK-{number:03}");
        assert!(store.find_archived(&id.as_str().into()).is_ok(), "{id} is nowhere");
    }
}

#[test]
fn an_editor_that_saves_by_rename_loses_nothing() {
    race(by_rename);
}

#[test]
fn an_editor_that_truncates_and_writes_loses_nothing() {
    race(in_place);
}

#[test]
fn a_late_write_into_the_displaced_file_is_carried_forward() {
    let project = Project::with(
        "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n",
    );
    // An editor that holds the file open while we save, and writes after it.
    let mut open = fs::OpenOptions::new().write(true).open(project.file()).unwrap();
    assert_eq!(project.add("ours"), "WRK-002");
    open.set_len(0).unwrap();
    open.write_all(
        b"# hello\nschema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: Uno\n",
    )
    .unwrap();
    drop(open);
    assert_eq!(project.add("next"), "WRK-003");
    let text = project.text();
    assert!(text.starts_with("# hello\n") && text.contains("title: Uno"), "{text}");
    assert!(text.contains("id: WRK-002\n    title: ours") && text.contains("WRK-003"), "{text}");
}

/// A link that somebody put in the place of the file while it was saved.
#[test]
fn a_displaced_link_that_leads_nowhere_goes_into_the_backup() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    assert_eq!(project.add("one"), "WRK-001");
    let staged = project.root().join(".orchestrator/tmp/swap-aa-bb-1-1-x");
    std::os::unix::fs::symlink("nowhere", &staged).unwrap();
    assert_eq!(project.add("two"), "WRK-002");
    assert!(fs::symlink_metadata(&staged).is_err());
    let backup = fs::read_dir(project.root().join(".orchestrator/backup")).unwrap();
    let links = backup.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_symlink());
    assert_eq!(links.count(), 1);
}

/// A link is not replaced by a file: where the backlog lies is found out anew.
#[test]
fn a_link_that_is_put_in_the_place_of_the_file_stays() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    assert_eq!(project.add("one"), "WRK-001");
    let mut store = project.store();
    let real = project.root().join("real.yaml");
    let add = |title: &str| Change::Add(vec![NewItem::titled(title)]).into();
    store.lock().unwrap().save(&[add("two")]).unwrap();
    let locked = store.lock().unwrap();
    fs::rename(project.file(), &real).unwrap();
    std::os::unix::fs::symlink("real.yaml", project.file()).unwrap();
    let during = locked.save(&[add("three")]).map(drop);
    let after = store.lock().map(drop);
    for error in [during.unwrap_err(), after.unwrap_err()] {
        assert!(matches!(error, StoreError::BecameLink { .. }), "{error}");
        assert!(fs::symlink_metadata(project.file()).unwrap().is_symlink());
    }
    assert_eq!(project.add("four"), "WRK-004");
    assert!(fs::symlink_metadata(project.file()).unwrap().is_symlink());
    let text = fs::read_to_string(&real).unwrap();
    assert!(text.contains("two") && text.contains("four") && !text.contains("three"), "{text}");
}

/// The same, where the save was killed before it could see it.
#[test]
fn a_link_that_a_killed_save_took_out_goes_back() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    assert_eq!(project.add("one"), "WRK-001");
    let ours = orchestrator::fs::hash(project.text().as_bytes());
    let staged = project.root().join(format!(".orchestrator/tmp/swap-aa-{ours}-1-1-x"));
    fs::copy(project.file(), project.root().join("real.yaml")).unwrap();
    std::os::unix::fs::symlink("real.yaml", &staged).unwrap();
    let mut store = project.store();
    drop(store.lock());
    assert!(fs::symlink_metadata(project.file()).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&staged).is_err());
    assert_eq!(project.add("two"), "WRK-002");
}

/// In a storm not every text is looked at with every save; each is before it goes.
#[test]
fn a_late_write_that_comes_many_saves_later_is_carried_forward() {
    let project = Project::with(
        "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n",
    );
    let mut open = fs::OpenOptions::new().write(true).open(project.file()).unwrap();
    let mut store = project.store();
    let mut add = |title: &str| {
        let add = Change::Add(vec![NewItem::titled(title)]);
        store.lock().unwrap().save(&[add.into()]).unwrap();
    };
    for _ in 0..30 {
        add("ours");
    }
    open.set_len(0).unwrap();
    open.write_all(
        b"# hello\nschema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: Uno\n",
    )
    .unwrap();
    drop(open);
    // As many as are kept.
    for _ in 0..70 {
        add("ours");
    }
    let text = project.text();
    assert!(text.starts_with("# hello\n") && text.contains("title: Uno"), "{text}");
    assert_eq!(text.matches("title: ours").count(), 100, "{text}");
    assert_eq!(project.add("next"), "WRK-102");
}

#[test]
fn an_item_that_a_stale_save_dropped_is_told_and_brought_back() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    let stale = project.text();
    let id = project.add("dropped");
    project.write(&stale);
    let lost = |project: &Project| -> Vec<String> {
        let found = project.store().diagnostics().unwrap();
        found
            .into_iter()
            .filter(|d| d.code.as_str() == "lost_item")
            .filter_map(|d| d.item)
            .collect()
    };
    assert_eq!(lost(&project), [id.as_str()]);
    assert_eq!(project.add("other"), "WRK-002");
    assert_eq!(lost(&project), [id.as_str()], "also after we saved");
    let archived = project.store().find_archived(&id.as_str().into()).unwrap();
    let item = orchestrator::yaml::parse_record(&archived.text).unwrap();
    let item = std::sync::Arc::new(orchestrator::model::BacklogItem::from_mapping(item).0);
    project.change(Change::Restore { item, text: archived.text }).unwrap();
    assert_eq!(lost(&project), Vec::<String>::new());
}
