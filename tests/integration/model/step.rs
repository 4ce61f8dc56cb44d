//! One step of a sequence: a command, perhaps with a crash in it, or what others do.

use std::sync::Arc;

use orchestrator::fs::fault::{self, Crash};
use orchestrator::model::change::{Assign, ItemPatch, ListEdit, NewItem, PhaseCompletion};
use orchestrator::model::{
    Assessments, BacklogItem, Change, IdQuery, ItemStatus, ResultCode, Size,
};
use orchestrator::store::{BacklogStore, StoreError};
use orchestrator::yaml::parse_record;

use super::hand;
use super::oracle::notes;
use super::world::{Violation, World};
use crate::support::Random;

/// What a command told.
#[derive(Debug, Default)]
struct Told {
    items: Vec<Arc<BacklogItem>>,
    numbers: Vec<String>,
}

/// What is asked of a store.
enum Asked {
    Changes(Vec<Change>),
    Ingest,
    Restore(IdQuery),
    /// A key more in an item's own text, as `edit` leaves it.
    Edit(IdQuery, usize),
}

/// Takes one step, and checks everything after it.
pub(super) fn take(
    world: &mut World,
    random: &mut Random,
    log: &mut Vec<String>,
) -> Result<(), Violation> {
    let tree = random.below(world.trees.len());
    world.wait(random.below(3_000) as i64);
    let what = match random.below(24) {
        0..=4 => hand::edit(world, tree, random).to_owned(),
        5 => {
            hand::write_inbox(world, tree, random);
            "writes an inbox".to_owned()
        }
        6 => {
            hand::commit(world, tree);
            "commits".to_owned()
        }
        7 => {
            hand::checkout(world, tree, random);
            "checks out".to_owned()
        }
        8 if world.is_git => {
            hand::delete_state(world, tree);
            world.trees[tree].store = None;
            "deletes our folder".to_owned()
        }
        9 => {
            world.trees[tree].store = None;
            "ends the long run".to_owned()
        }
        _ => return command(world, tree, random, log),
    };
    log.push(format!("tree {tree}: a person {what}"));
    world.check(tree)
}

fn command(
    world: &mut World,
    tree: usize,
    random: &mut Random,
    log: &mut Vec<String>,
) -> Result<(), Violation> {
    let asked = choose(world, tree, random);
    let shown = match &asked {
        Asked::Changes(changes) => format!("{changes:?}"),
        Asked::Ingest => "ingest".to_owned(),
        Asked::Restore(query) => format!("restore {}", query.text()),
        Asked::Edit(query, n) => format!("edit {} {n}", query.text()),
    };
    let before = notes(&world.trees[tree].text());
    if random.below(5) == 0 {
        let crash = *random.pick(&[Crash::Before, Crash::Torn, Crash::After]);
        let n = random.below(70);
        log.push(format!("tree {tree}: {shown}, {crash:?} {n}"));
        crashed(world, tree, &asked, n, crash)?;
    } else {
        log.push(format!("tree {tree}: {shown}"));
        let mut store = world.store(tree)?;
        let told = ask(&mut store, &world.trees[tree].root, &asked)?;
        tell(world, tree, &told, false)?;
        if !matches!(asked, Asked::Ingest) {
            world.saved(tree)?;
        }
        if random.below(2) == 0 {
            world.trees[tree].store = Some(store);
        }
    }
    let after = notes(&(world.trees[tree].text() + &world.trees[tree].worklog()));
    if let Some(gone) = before.difference(&after).next() {
        let text = world.trees[tree].text();
        return Err(Violation(format!("a person's {gone} is gone\n{text}")));
    }
    world.check(tree)
}

/// A process that dies on the way: what it had told by then counts.
fn crashed(
    world: &mut World,
    tree: usize,
    asked: &Asked,
    n: usize,
    crash: Crash,
) -> Result<(), Violation> {
    world.trees[tree].store = None;
    let root = world.trees[tree].root.clone();
    let options = world.options(tree);
    let (told, struck) = fault::crash_at(n, crash, || {
        BacklogStore::open(options).and_then(|mut store| ask(&mut store, &root, asked))
    });
    match (told, struck) {
        (Ok(told), struck) => tell(world, tree, &told, struck.is_some()),
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(error.into()),
    }
}

fn tell(world: &mut World, tree: usize, told: &Told, unrecorded: bool) -> Result<(), Violation> {
    world.oracle.tell_items(tree, &told.items, unrecorded)?;
    told.numbers.iter().try_for_each(|id| world.oracle.tell(id))
}

fn ask(
    store: &mut BacklogStore,
    root: &std::path::Path,
    asked: &Asked,
) -> Result<Told, StoreError> {
    let changes = match asked {
        Asked::Changes(changes) => changes.clone(),
        Asked::Ingest => {
            let ingested = store.ingest(&root.join("BACKLOG_INBOX.yaml"))?;
            return Ok(Told { items: ingested.added, numbers: Vec::new() });
        }
        Asked::Restore(query) => match store.find_archived(query) {
            Ok(archived) => {
                let mapping = parse_record(&archived.text).expect("what is archived can be read");
                let item = Arc::new(BacklogItem::from_mapping(mapping).0);
                vec![Change::Restore { item, text: archived.text }]
            }
            Err(StoreError::NotArchived { .. }) => Vec::new(),
            Err(error) => return Err(error),
        },
        Asked::Edit(query, n) => edited(store, query, *n)?,
    };
    let is_restore = matches!(asked, Asked::Restore(_));
    let requests: Vec<_> = changes.into_iter().map(Into::into).collect();
    let saved = store.lock()?.save(&requests)?;
    let mut told = Told { items: saved.named, numbers: Vec::new() };
    for applied in saved.outcomes.into_iter().flatten() {
        if !is_restore {
            told.items.extend(applied.added);
        }
        told.numbers.extend(applied.numbers);
    }
    Ok(told)
}

/// What `edit` asks for, where the item is there and its text can take a line more.
fn edited(store: &mut BacklogStore, query: &IdQuery, n: usize) -> Result<Vec<Change>, StoreError> {
    let items: Vec<_> = store.file()?.items.iter().cloned().collect();
    let is_named = |item: &Arc<BacklogItem>| item.id.as_deref().is_some_and(|id| query.names(id));
    let Some(index) = items.iter().position(is_named) else { return Ok(Vec::new()) };
    let text = format!("{}  edited_{n}: \"yes\"\n", store.item_text(index)?);
    let Ok(mapping) = parse_record(&text) else { return Ok(Vec::new()) };
    let after = Box::new(BacklogItem::from_mapping(mapping).0);
    let before = Arc::clone(&items[index]);
    let id = before.id_or_dash().to_owned();
    Ok(vec![Change::Replace { id, before, after, text }])
}

/// What a phase of an item brings, as a run or a triage has it.
fn completed(random: &mut Random, item: &IdQuery, n: usize) -> Change {
    let results = [ResultCode::PhaseComplete, ResultCode::SubphaseComplete, ResultCode::Blocked];
    Change::CompletePhase(Box::new(PhaseCompletion {
        id: item.text().to_owned(),
        phase: (*random.pick(&["triage", "research", "prd", "build"])).to_owned(),
        result: *random.pick(&results),
        summary: format!("summary {n}"),
        assessments: Assessments::default(),
        follow_ups: vec![NewItem::titled(&format!("follow-up {n}"))],
        duplicates: Vec::new(),
        description: None,
        pipeline_type: None,
        requires_human_review: random.below(4) == 0,
        commit: None,
        seen: None,
    }))
}

fn choose(world: &mut World, tree: usize, random: &mut Random) -> Asked {
    let item = some_item(world, tree, random);
    let other = some_item(world, tree, random);
    let n = world.fresh();
    Asked::Changes(match random.below(20) {
        0 => vec![Change::Add(vec![NewItem::titled(&format!("added {n}"))])],
        1 => {
            let new = |part| NewItem::titled(&format!("added {n} {part}"));
            vec![Change::Add(vec![new(1), new(2)]), Change::Add(vec![new(3)])]
        }
        2 | 3 => vec![Change::Update { item, patch: patch(random, &other, n) }],
        4 => vec![Change::Advance { item, to: None }],
        5 => vec![Change::Block { item, reason: format!("because {n}"), kind: None }],
        6 => vec![Change::Unblock { item, notes: None }],
        7 | 8 => vec![Change::Done { item }],
        9 => vec![Change::Archive { items: vec![item], reason: Some(format!("reason {n}")) }],
        10 => vec![Change::ArchiveDone],
        11 => return Asked::Restore(item),
        12 => vec![Change::Merge { source: item, target: other }],
        13 | 14 => return Asked::Ingest,
        15 => vec![Change::TakeNumbers { count: 1 + random.below(3) as u32 }],
        16 | 17 => vec![completed(random, &item, n)],
        18 => return Asked::Edit(item, n),
        // Migrates, names items, raises the mark, and nothing else.
        _ => vec![Change::Renumber],
    })
}

/// An item of the file, or any that was told.
fn some_item(world: &World, tree: usize, random: &mut Random) -> IdQuery {
    let text = world.trees[tree].text();
    let ids: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- id: ")).collect();
    let any = world.oracle.some_id(random.below(1_000));
    match (ids.as_slice(), any) {
        ([], None) => IdQuery::new("1"),
        ([], Some(id)) => IdQuery::new(id),
        (_, Some(id)) if random.below(4) == 0 => IdQuery::new(id),
        (ids, _) => IdQuery::new(random.pick::<&str>(ids)),
    }
}

fn patch(random: &mut Random, other: &IdQuery, n: usize) -> ItemPatch {
    let mut patch = ItemPatch::default();
    match random.below(7) {
        0 => patch.size = Assign::To(Size::Small),
        1 => patch.tags = vec![ListEdit::Add(format!("tag{n}")), ListEdit::Add("all".into())],
        2 => patch.tags = vec![ListEdit::Remove("all".into())],
        3 => patch.dependencies = vec![ListEdit::Add(other.text().to_owned())],
        4 => patch.description = Assign::To(format!("first line {n}\n\nlast line\n")),
        5 => patch.set = vec![(format!("own_{n}"), n.into())],
        _ => {
            patch.status = Some(ItemStatus::Done);
            patch.force = true;
        }
    }
    patch
}
