//! Texts that came too late: written by a program that had the file open when a
//! save displaced it.
//!
//! Such a text is what a person saved last. It is carried forward: the saves made
//! since are made to it again, from the journal. Where that cannot be done safely,
//! it goes into the backup, with a warning that names it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::backlog_store::{BacklogStore, RACY_NS};
use super::journal::{self, Save};
use super::load::{self, Loaded};
use super::replace::{self, Meanwhile, NOBODYS, Put, Swap};
use super::settle::read_settled;
use super::{StoreError, edits};
use crate::fs::{self, Stamp};
use crate::model::{BacklogItem, IdQuery};
use crate::yaml::{Edit, parse_record};

/// How many of the displaced texts are looked at with each save. In a storm of saves there
/// are more, and to look at all would be a good part of each: the others were looked at
/// before, and are once more before they go.
const YOUNG: usize = 16;

/// Looks at displaced texts that are kept, and carries forward what was written into
/// one. Under the lock, with the file read. Returns those that need no longer be kept
/// after the next save.
pub(super) fn carry_forward(
    store: &mut BacklogStore,
    mut kept: Vec<Swap>,
) -> Result<Vec<Swap>, StoreError> {
    let mut late = Vec::new();
    let due = replace::are_due(&kept, &store.looked_at, &store.options.clock)?;
    let between = due..kept.len().saturating_sub(YOUNG);
    forget_others(store, &kept);
    for (place, swap) in kept.iter().enumerate() {
        let is_known = between.contains(&place) && store.looked_at.contains_key(&swap.path);
        if !is_known && is_late(store, swap)? {
            late.push(swap.clone());
        }
    }
    let mut due = kept[..due].to_vec();
    put_aside_slipped_in(store, &mut kept, &late)?;
    // The last one is what the person means; earlier ones are theirs all the same.
    while let Some(swap) = late.pop() {
        kept.retain(|other| *other != swap);
        if late.is_empty() && take_forward(store, &swap)? {
            fs::remove_if_exists(&swap.path)?;
            continue;
        }
        if fs::stamp(&swap.path)?.is_none_or(|stamp| stamp.len == 0) {
            fs::remove_if_exists(&swap.path)?;
            continue;
        }
        let backup = replace::back_up(&store.paths, &swap.path, &store.options.clock)?;
        store.warnings.push(format!(
            "a text that was saved into {} while it was replaced lies in {}",
            store.paths.shown.display(),
            backup.display()
        ));
    }
    due.retain(|swap| kept.contains(swap));
    Ok(due)
}

/// Forgets the stamps of texts that other processes have removed.
fn forget_others(store: &mut BacklogStore, kept: &[Swap]) {
    if store.looked_at.len() > 2 * kept.len() {
        let is_kept: HashSet<&Path> = kept.iter().map(|swap| swap.path.as_path()).collect();
        store.looked_at.retain(|path, _| is_kept.contains(path.as_path()));
    }
}

/// Removes texts that need no longer be kept.
pub(super) fn forget(store: &mut BacklogStore, due: &[Swap]) -> Result<(), StoreError> {
    for swap in due {
        fs::remove_if_exists(&swap.path)?;
        store.looked_at.remove(&swap.path);
    }
    Ok(())
}

/// Puts edits into the backup that slipped into our last saves, where somebody has
/// saved over those since: for a moment such an edit was not in the file, and who
/// read it then knows nothing of it.
fn put_aside_slipped_in(
    store: &mut BacklogStore,
    kept: &mut Vec<Swap>,
    late: &[Swap],
) -> Result<(), StoreError> {
    if !store.state()?.is_foreign {
        return Ok(());
    }
    let is_one = |swap: &Swap| swap.slipped_in && swap.ours != NOBODYS && !late.contains(swap);
    for swap in kept.extract_if(.., |swap| is_one(swap)) {
        let backup = replace::back_up(&store.paths, &swap.path, &store.options.clock)?;
        store.warnings.push(replace::saved_over(&backup));
    }
    Ok(())
}

fn is_late(store: &mut BacklogStore, swap: &Swap) -> Result<bool, StoreError> {
    // The stamp first: what changes after it is noticed by the next look.
    let Some(stamp) = fs::stamp(&swap.path)? else {
        return Ok(false);
    };
    if store.looked_at.get(&swap.path) == Some(&stamp) {
        return Ok(false);
    }
    let is_late = match fs::hash_file(&swap.path) {
        Err(error) if error.is_not_found() => false,
        hash => hash? != swap.base,
    };
    if !is_late {
        remember(store, swap.path.clone(), &stamp, stamp);
    }
    Ok(is_late)
}

/// Remembers the stamp of a displaced text that was found as it was displaced, so
/// that it need not be read again. `before` is the stamp it had before that look.
pub(super) fn remember(store: &mut BacklogStore, path: PathBuf, before: &Stamp, stamp: Stamp) {
    // A text that was written within the clock's last tick may be written once more
    // without another stamp.
    let age = store.options.clock.now().as_nanosecond() - before.mtime_ns;
    // A new name is another `ctime`, and no other text.
    let is_same = Stamp { ctime_ns: stamp.ctime_ns, ..*before } == stamp;
    if is_same && age > RACY_NS {
        store.looked_at.insert(path, stamp);
    }
}

/// Puts a late text, with the saves since made to it, in the place of the file.
/// Returns whether that was possible.
fn take_forward(store: &mut BacklogStore, swap: &Swap) -> Result<bool, StoreError> {
    let saves = journal::read(&store.paths)?;
    let Some(first) = saves.iter().rposition(|save| save.ours == swap.ours) else {
        return Ok(false);
    };
    let state = store.state()?;
    if saves.last().is_none_or(|save| save.ours != state.hash) {
        // Somebody wrote the file since: two texts, of which one must give way.
        return Ok(false);
    }
    let base = state.hash.clone();
    let rules = store.options.rules.clone();
    let count = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(load::load(text.to_owned(), &rules).ok()?.file.items.len())
    };
    let settled = match read_settled(&swap.path, &store.options.clock, 0, |_| false, count) {
        Ok(settled) => settled,
        Err(StoreError::Unsettled { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let Some(mut loaded) =
        String::from_utf8(settled.bytes).ok().and_then(|text| load::load(text, &rules).ok())
    else {
        return Ok(false);
    };
    if loaded.has_errors() || loaded.original.is_some() || !replay(&mut loaded, &saves[first..]) {
        return Ok(false);
    }
    let text = loaded.doc.text().as_bytes();
    let line = Save { ours: fs::hash(text), ..saves[saves.len() - 1].clone() };
    journal::append(&store.paths, &line)?;
    let swap = Swap::new(&base, &line.ours, loaded.file.items.len(), &store.options.clock);
    let meanwhile = Meanwhile { records: Vec::new(), copy: || (), tell: || () };
    match replace::put(&store.paths, text, &swap, meanwhile)?.put {
        Put::Done { .. } => {
            store.state = None;
            store.read_again()?;
            Ok(true)
        }
        Put::SlippedIn { path, exchanged } => {
            if exchanged
                && let Some(backup) =
                    replace::put_back(&store.paths, &path, &line.ours, &store.options.clock)?
            {
                store.warnings.push(replace::saved_over(&backup));
            }
            store.state = None;
            store.read_again()?;
            Ok(false)
        }
    }
}

/// Makes the saves to another text again. Returns whether all could be made.
fn replay(loaded: &mut Loaded, saves: &[Save]) -> bool {
    saves.iter().all(|save| replay_one(loaded, save))
}

fn replay_one(loaded: &mut Loaded, save: &Save) -> bool {
    let mut mark = loaded.file.next_item_id.max(save.mark);
    for entry in &save.added {
        if loaded.file.get(&entry.id).is_none() {
            let edit = Edit::AppendText { text: entry.text.clone() };
            if loaded.doc.apply(&[edit]).is_err() || !read_back(loaded) {
                return false;
            }
        }
    }
    for altered in &save.changed {
        let (Some(before), Some(after)) = (item(&altered.before), item(&altered.after)) else {
            return false;
        };
        // By the ID it had, for one that got its ID by that save.
        let Some(index) = index_of(loaded, &before, &after) else {
            continue;
        };
        let has_id = || loaded.doc.locate_key(Some(index), "id").is_some();
        let edits = edits::item_edits(index, &before, &after, has_id);
        if loaded.doc.apply(&edits).is_err() || !read_back(loaded) {
            return false;
        }
    }
    for id in &save.removed {
        if let [index] = loaded.file.find(&IdQuery::new(id)).as_slice() {
            let edit = Edit::RemoveRecord { record: *index };
            if loaded.doc.apply(&[edit]).is_err() || !read_back(loaded) {
                return false;
            }
        }
    }
    mark = mark.max(loaded.file.highest_number());
    let is_set = loaded.has_mark && loaded.file.next_item_id == mark;
    is_set || (loaded.doc.apply(&[edits::set_mark(mark)]).is_ok() && read_back(loaded))
}

/// Reads the model from the text again: rare enough not to be clever about.
fn read_back(loaded: &mut Loaded) -> bool {
    let text = loaded.doc.text().to_owned();
    match load::load(text, &crate::model::Rules::default()) {
        Ok(again) => {
            *loaded = again;
            !loaded.has_errors()
        }
        Err(_) => false,
    }
}

fn item(text: &str) -> Option<BacklogItem> {
    parse_record(text).ok().map(|mapping| BacklogItem::from_mapping(mapping).0)
}

fn index_of(loaded: &Loaded, before: &BacklogItem, after: &BacklogItem) -> Option<usize> {
    let items = &loaded.file.items;
    match &before.id {
        Some(id) => items.position(id),
        None => {
            let named = after.id.as_ref().and_then(|id| items.position(id));
            named.or_else(|| {
                items.iter().position(|item| item.id.is_none() && item.title == before.title)
            })
        }
    }
}
