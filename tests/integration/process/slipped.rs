//! Edits that slip in between our look at the file and the exchange, and a process
//! that dies there.

use std::cell::Cell;
use std::fs;
use std::io;
use std::rc::Rc;

use orchestrator::fs::fault::{self, Op};
use orchestrator::model::Change;
use orchestrator::model::change::NewItem;
use orchestrator::store::Saved;

use crate::support::Project;

const START: &str = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n";

/// Adds an item while somebody saves another text just before the n-th exchange,
/// for each of the texts; with `dies`, nothing is done after the last of them.
fn add_while(project: &Project, edits: &'static [&'static str], dies: bool) -> Option<Saved> {
    let path = project.file();
    let passed = Rc::new(Cell::new(0));
    let is_dead = Rc::new(Cell::new(false));
    let predicate = {
        let (passed, is_dead) = (Rc::clone(&passed), Rc::clone(&is_dead));
        move |op: Op, _: &std::path::Path| {
            if is_dead.get() {
                return true;
            }
            if op == Op::Exchange {
                if let Some(edit) = edits.get(passed.get()) {
                    let temp = path.with_extension("swp");
                    fs::write(&temp, edit).unwrap();
                    fs::rename(&temp, &path).unwrap();
                }
                passed.set(passed.get() + 1);
                // The exchange itself is still done.
                is_dead.set(dies && passed.get() == edits.len());
            }
            false
        }
    };
    let (saved, _) = fault::fail_when(io::ErrorKind::Other, predicate, || {
        project.try_change(vec![Change::Add(vec![NewItem::titled("ours")])])
    });
    assert!(passed.get() >= edits.len(), "no exchange was reached");
    saved.ok()
}

const EDITED: &str =
    "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: Uno # by hand\n";
const AGAIN: &str =
    "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: Un # again\n";

fn backups(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.root().join(".orchestrator/backup")).into_iter().flatten();
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn an_edit_that_slips_in_is_carried_forward() {
    let project = Project::with(START);
    assert!(add_while(&project, &[EDITED], false).is_some());
    let text = project.text();
    assert!(text.contains("title: Uno # by hand\n") && text.contains("title: ours\n"), "{text}");
}

#[test]
fn of_two_edits_that_slip_in_the_first_is_in_the_backup() {
    let project = Project::with(START);
    assert!(add_while(&project, &[EDITED, AGAIN], false).is_some());
    let text = project.text();
    assert!(text.contains("title: Un # again\n") && text.contains("title: ours\n"), "{text}");
    assert_eq!(backups(&project), [EDITED]);
}

#[test]
fn a_death_between_exchange_and_look_loses_nothing() {
    for edits in [&[EDITED][..], &[EDITED, AGAIN]] {
        let project = Project::with(START);
        assert!(add_while(&project, edits, true).is_none());
        // What nobody was told stands in the file; who comes next puts that right.
        let last = edits[edits.len() - 1];
        let next = project.sh("add next");
        assert!(next.stderr.contains(".orchestrator/backup/"), "{}", next.stderr);
        assert_ne!(next.ok(), "WRK-002\n", "that number was taken");
        let text = project.text();
        let line = last.lines().last().unwrap();
        assert!(text.contains(line) && text.contains("title: next"), "{text}");
        let all = backups(&project).concat() + &text;
        for edit in edits {
            assert!(all.contains(edit.lines().last().unwrap()), "{edit} is lost");
        }
    }
}

#[test]
fn a_late_write_into_an_edit_that_slipped_in_is_found() {
    let project = Project::with(START);
    let held = {
        // Somebody has the edit's file open when we take it out.
        let path = project.file();
        let holder: Rc<Cell<Option<fs::File>>> = Rc::default();
        let predicate = {
            let (path, holder) = (path.clone(), Rc::clone(&holder));
            move |op: Op, _: &std::path::Path| {
                let open = holder.take();
                if op == Op::Exchange && open.is_none() {
                    fs::write(&path, EDITED).unwrap();
                    holder.set(Some(fs::OpenOptions::new().write(true).open(&path).unwrap()));
                } else {
                    holder.set(open);
                }
                false
            }
        };
        let add = || project.try_change(vec![Change::Add(vec![NewItem::titled("ours")])]);
        fault::fail_when(io::ErrorKind::Other, predicate, add).0.unwrap();
        holder.take().unwrap()
    };
    held.set_len(0).unwrap();
    io::Write::write_all(&mut { held }, AGAIN.as_bytes()).unwrap();
    project.sh("add next").ok();
    let all = backups(&project).concat() + &project.text();
    assert!(all.contains("title: Un # again\n"), "{all}");
    assert!(project.text().contains("title: ours\n"));
}
