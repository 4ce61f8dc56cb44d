//! The locked state: the only place from which a backlog is saved.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::backlog_store::{BacklogStore, State, floor_of, is_firm};
use super::events::Event;
use super::journal::{self, Save};
use super::load::{Loaded, load};
use super::made::Made;
use super::mark::MarkLock;
use super::planned::{self, Taken};
use super::replace::{self, Meanwhile, Put, Swap, Swapped};
use super::request::{Request, Saved};
use super::settle::read_displaced;
use super::told::{self, PhaseLog, Told};
use super::touched::{self, Touched, Work};
use super::worklog::ArchiveEntry;
use super::{Paths, StoreError, edits, late, lost};
use crate::fs::{self, FileLock, Unsynced};
use crate::model::change::Removal;
use crate::model::{Applied, BacklogFile, BacklogItem, Change, Code, Context, Diagnostic, revert};
use crate::yaml::Refused;

/// How often a save goes forward over edits that slip in, before it gives up.
const FORWARD: usize = 50;

/// A backlog under its lock, as fresh as the file.
pub struct LockedBacklog<'a> {
    store: &'a mut BacklogStore,
    _lock: FileLock,
    due: Vec<Swap>,
}

impl<'a> LockedBacklog<'a> {
    pub(super) fn take(store: &'a mut BacklogStore) -> Result<Self, StoreError> {
        store.paths.prepare()?;
        let lock = FileLock::acquire(
            &store.paths.lock(),
            store.options.lock_timeout,
            &store.options.holder,
        )?;
        if replace::is_link(&store.paths.file)? {
            return Err(StoreError::BecameLink { path: store.paths.shown.clone() });
        }
        let leftovers = replace::recover(&store.paths, &store.options.clock)?;
        store.warnings.extend(leftovers.warnings);
        if !store.is_swept {
            store.is_swept = true;
            replace::sweep(&store.paths, &store.options.clock)?;
        }
        if !store.is_unchanged()? {
            store.read_again()?;
        }
        let due = late::carry_forward(store, leftovers.kept)?;
        let mut locked = Self { store, _lock: lock, due };
        locked.check_writable()?;
        locked.note_lost()?;
        Ok(locked)
    }

    fn check_writable(&mut self) -> Result<(), StoreError> {
        if self.store.state()?.loaded.has_errors() { Err(self.store.invalid()?) } else { Ok(()) }
    }

    /// Writes down what a stale editor dropped, before our next save makes its text
    /// the one that we know.
    fn note_lost(&mut self) -> Result<(), StoreError> {
        if !self.store.state()?.is_foreign {
            return Ok(());
        }
        let lost = self.store.lost(true)?;
        lost::note(&self.store.paths, &lost)?;
        if let Some(state) = &mut self.store.state {
            // Once for each text that is not ours.
            state.is_foreign = false;
        }
        Ok(())
    }

    /// Returns the store, for what reads under the lock.
    pub fn store(&mut self) -> &mut BacklogStore {
        self.store
    }

    /// Makes the changes and saves once; a change that is refused is left out, and
    /// the others are made. Where nothing changed, nothing is written, unless a
    /// migration waits to be persisted; where every change is refused, never.
    ///
    /// Hand-written items get their IDs first. An edit that slips in while we save
    /// is carried forward: the same changes are made to it. IDs are durable in the
    /// mark before this returns.
    ///
    /// # Errors
    /// Where the disk refuses: then the outcome is unknown rather than undone, and
    /// the file is the old one or the new one.
    pub fn save(mut self, requests: &[Request]) -> Result<Saved, StoreError> {
        let result = self.try_save(requests);
        if result.is_err() {
            // Memory is what the file has: read it again.
            self.store.state = None;
        }
        result
    }

    /// Makes the changes in memory, shows what the text would be, and takes them
    /// back: for dry runs. Numbers are shown as they would be issued now; none is
    /// taken.
    ///
    /// # Errors
    /// Where the worklog or the mark cannot be read.
    pub fn rehearse<R>(
        mut self,
        requests: &[Request],
        show: impl FnOnce(&str, &BacklogFile, &Saved) -> R,
    ) -> Result<R, StoreError> {
        let now = self.store.options.clock.now_in_millis();
        self.store.worklog.refresh()?;
        let copy = self.store.marks.read()?.unwrap_or(0).max(self.store.worklog.highest());
        let floor = floor_of(&self.store.state()?.loaded).max(copy);
        let made = self.make(requests, now, floor)?;
        let loaded = &self.store.state()?.loaded;
        let shown = show(loaded.doc.text(), &loaded.file, &made.outcome);
        self.unmake(made);
        Ok(shown)
    }

    fn try_save(&mut self, requests: &[Request]) -> Result<Saved, StoreError> {
        let now = self.store.options.clock.now_in_millis();
        let mut displaced: Vec<(PathBuf, String)> = Vec::new();
        let mut taken = planned::taken_before(requests)?;
        for _ in 0..FORWARD {
            let mut made = self.make_all(requests, now, &mut taken)?;
            let story = made.story();
            let phases = made.phases(requests);
            if !made.is_needed {
                let store = &mut *self.store;
                let told = told::tell(&store.paths, &mut store.worklog, story, &phases);
                made.outcome.told = told;
                return Ok(made.outcome);
            }
            let touched = std::mem::take(&mut made.touched);
            let ours = fs::hash(self.store.state()?.loaded.doc.text().as_bytes());
            let records = self.before_save(requests, &made, &touched, &ours)?;
            let line = made.line(touched, ours);
            let Swapped { put, copied, told } = self.put(&line, records, story, &phases)?;
            let ours = line.ours;
            match put {
                Put::Done { kept } => {
                    if let Some((path, before)) = kept
                        && let Some(stamp) = fs::stamp(&path)?
                    {
                        late::remember(self.store, path, &before, stamp);
                    }
                    for (path, read) in displaced {
                        replace::keep_as(&path, &read, &ours)?;
                    }
                    let (told, journalled) = told.unwrap_or((Ok(Told::default()), Ok(())));
                    match told {
                        Err(error) if phases.is_empty() => self.warn_after_save(&error),
                        told => made.outcome.told = told,
                    }
                    self.after_save(ours, copied, journalled)?;
                    return Ok(made.outcome);
                }
                Put::SlippedIn { path, exchanged } => {
                    // Whoever made the second edit may have read the file while the
                    // first was out of it.
                    for (earlier, _) in displaced.drain(..) {
                        self.back_up(&earlier)?;
                    }
                    let read = self.read_slipped_in(&path, exchanged, ours)?;
                    if exchanged {
                        displaced.push((path, read));
                    }
                }
            }
        }
        let waited = std::time::Duration::ZERO;
        Err(StoreError::Unsettled { path: self.store.paths.shown.clone(), waited })
    }

    /// Makes every change, in memory, with numbers that are durable in the mark.
    fn make_all(
        &mut self,
        requests: &[Request],
        now: Timestamp,
        taken: &mut Option<Taken>,
    ) -> Result<Made, StoreError> {
        self.store.worklog.refresh()?;
        let copy = self.store.marks.read()?.unwrap_or(0);
        let worklog = self.store.worklog.highest();
        let loaded = &self.store.state()?.loaded;
        let own = floor_of(loaded).max(worklog);
        let highest = loaded.file.highest_number().max(worklog);
        // Numbers taken for an earlier try are ours still, where nothing has one of them
        // or a higher one; the mark may be theirs already.
        if let Some(taken) = taken.filter(|taken| highest <= taken.above && own <= taken.to) {
            let made = self.make(requests, now, taken.above)?;
            if (own..=taken.to).contains(&made.mark) {
                return Ok(made);
            }
            self.unmake(made);
        }
        let takes = requests.iter().any(|request| request.change.may_take_numbers());
        let names = self.store.state()?.loaded.file.items.has_unnamed();
        if !takes && !names && copy >= own {
            return self.make(requests, now, copy.max(own));
        }
        let mut lock = self.lock_mark()?;
        let above = self.store.marks.read()?.unwrap_or(0).max(own);
        let made = self.make(requests, now, above)?;
        if made.mark > copy {
            lock.write(made.mark)?;
            if lock.fell_back {
                self.warn_of_fallback();
            }
        }
        *taken = Some(Taken { above, to: made.mark });
        Ok(made)
    }

    fn lock_mark(&mut self) -> Result<MarkLock, StoreError> {
        let options = &self.store.options;
        self.store.marks.lock(options.lock_timeout, &options.holder)
    }

    fn warn_of_fallback(&mut self) {
        self.store.warnings.push(format!(
            "git's folder cannot be written: the high-water mark is kept in {}, which other worktrees do not see",
            self.store.paths.mark().display()
        ));
    }

    /// Takes back what [`Self::make`] did, latest change first.
    fn unmake(&mut self, made: Made) {
        let Some(State { loaded, .. }) = &mut self.store.state else {
            return;
        };
        for undo in made.touched.undo.into_iter().rev() {
            loaded.doc.undo(undo);
        }
        let outcomes = made.outcome.outcomes.iter().flatten().rev();
        for applied in outcomes.chain(&made.naming) {
            revert(&mut loaded.file, &applied.deltas);
        }
        (loaded.has_mark, loaded.file.next_item_id) = made.had;
        loaded.problems = made.problems;
    }

    fn make(
        &mut self,
        requests: &[Request],
        now: Timestamp,
        floor: u32,
    ) -> Result<Made, StoreError> {
        let store = &mut *self.store;
        let worklog = &store.worklog;
        let archived = |id: &str| worklog.ended_of(id);
        let context = Context { rules: &store.options.rules, now, archived: &archived };
        let Some(State { loaded, copy, .. }) = &mut store.state else {
            return Err(StoreError::NotInitialised { path: store.options.path.clone() });
        };
        *copy = None;
        let had = (loaded.has_mark, loaded.file.next_item_id);
        let problems = loaded.problems.clone();
        let is_migrated = loaded.original.is_some();
        let mut work = Work::on(loaded);
        work.file.next_item_id = floor;
        let mut touched = Touched::default();
        let naming = name_items(&mut work, &context, &mut touched, &mut store.warnings);
        let outcomes: Vec<_> = requests
            .iter()
            .map(|request| touched::make(&mut work, &request.change, &context, &mut touched))
            .collect();
        let mark = work.file.next_item_id;
        if !requests.is_empty() && outcomes.iter().all(Result::is_err) {
            // Who is refused finds the file as it was.
            drop(work);
            let mut made = Made { naming, ..Made::nothing(Vec::new(), had, problems, now) };
            made.touched = touched;
            let nothing = Made::nothing(outcomes, had, made.problems.clone(), now);
            self.unmake(made);
            return Ok(nothing);
        }
        let mut applied = naming.iter().chain(outcomes.iter().flatten());
        let is_needed = applied.any(|applied| !applied.deltas.is_empty())
            || is_migrated
            || (had.0 && had.1 < mark);
        if !is_needed {
            work.file.next_item_id = had.1;
        } else if had != (true, mark) {
            let marked = work.text.apply(&[edits::set_mark(mark)]);
            drop(work);
            let marked = marked.map_err(|refused| no_mark(&store.paths, loaded, &refused));
            touched.undo.push(marked?);
            loaded.has_mark = true;
        }
        let named = naming.as_ref().map(|applied| applied.changed.clone()).unwrap_or_default();
        let outcome = Saved { outcomes, named, is_written: is_needed, told: Ok(Told::default()) };
        Ok(Made { outcome, touched, naming, had, problems, mark, now, is_needed })
    }

    /// Does what must be durable, or at least there, before the file changes.
    fn before_save(
        &mut self,
        requests: &[Request],
        made: &Made,
        touched: &Touched,
        ours: &str,
    ) -> Result<Vec<Unsynced>, StoreError> {
        let now = made.now;
        let store = &mut *self.store;
        let pairs = requests.iter().zip(&made.outcome.outcomes);
        let plans = pairs.filter_map(|(request, outcome)| {
            Some((request.record.as_deref()?, outcome.as_ref().ok()?))
        });
        let records = planned::write(plans, &now.to_string(), ours)?;
        if !touched.removed.is_empty() {
            let story = &mut store.story;
            let mut entry = |(removal, text): &(Removal, String)| {
                Ok::<_, StoreError>(ArchiveEntry {
                    id: removal.item.id_or_dash().to_owned(),
                    title: removal.item.title.clone(),
                    ended: removal.ended,
                    reason: removal.reason.clone(),
                    phases: story.phases(removal.item.id_or_dash())?,
                    text: text.clone(),
                    at: now,
                })
            };
            let entries: Vec<_> =
                touched.removed.iter().map(&mut entry).collect::<Result<_, _>>()?;
            store.worklog.append_archived(&entries)?;
        }
        if let Some(original) =
            store.state.as_ref().and_then(|state| state.loaded.original.as_ref())
        {
            let backup = replace::backup_path(&store.paths, &store.options.clock)?;
            fs::create_new(&backup, original.as_bytes())?;
        }
        Ok(records)
    }

    /// Puts the text in its place and tells of it. On the way the items are copied for
    /// the next snapshot.
    fn put(
        &mut self,
        line: &Save,
        records: Vec<Unsynced>,
        story: Vec<Event>,
        phases: &[&PhaseLog],
    ) -> Result<Placed, StoreError> {
        let store = &mut *self.store;
        let Some(state) = &store.state else {
            return Err(StoreError::NotInitialised { path: store.options.path.clone() });
        };
        let loaded = &state.loaded;
        let text = loaded.doc.text().as_bytes();
        let clock = &store.options.clock;
        let items = &loaded.file.items;
        let swap = Swap::new(&state.hash, &line.ours, items.len(), clock);
        let meanwhile = Meanwhile {
            records,
            copy: || items.to_vec(),
            // The journal first: by it is known that the text stood, whatever comes.
            tell: || {
                let journalled = journal::append(&store.paths, line);
                (told::tell(&store.paths, &mut store.worklog, story, phases), journalled)
            },
        };
        replace::put(&store.paths, text, &swap, meanwhile)
    }

    fn back_up(&mut self, text: &Path) -> Result<(), StoreError> {
        let store = &mut *self.store;
        let backup = replace::back_up(&store.paths, text, &store.options.clock)?;
        store.warnings.push(replace::saved_over(&backup));
        Ok(())
    }

    /// Makes a text that slipped in the state, and ours what is to be displaced
    /// next. A text that is no backlog goes back where it was. Returns the hash of
    /// what was read.
    fn read_slipped_in(
        &mut self,
        path: &Path,
        exchanged: bool,
        ours: String,
    ) -> Result<String, StoreError> {
        let store = &mut *self.store;
        let rules = &store.options.rules;
        let read = read_displaced(path, &store.options.clock, |bytes| {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(load(text.to_owned(), rules).ok()?.file.items.len())
        });
        let mut hash = String::new();
        let result = read
            .and_then(|settled| {
                hash.clone_from(&settled.hash);
                store.take_in(settled, None, true)
            })
            .and_then(|()| self.check_writable());
        let store = &mut *self.store;
        if let Err(error) = result {
            if exchanged
                && let Some(backup) =
                    replace::put_back(&store.paths, path, &ours, &store.options.clock)?
            {
                store.warnings.push(replace::saved_over(&backup));
            }
            return Err(error);
        }
        if exchanged && let Some(state) = &mut store.state {
            // What our next exchange must bring out is what we put in now.
            state.hash = ours;
        }
        Ok(hash)
    }

    /// Takes in what was just written; what fails here undoes nothing.
    fn after_save(
        &mut self,
        ours: String,
        copied: Items,
        journalled: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let store = &mut *self.store;
        let stamp = fs::stamp(&store.paths.file)?;
        if let (Some(state), Some(stamp)) = (&mut store.state, stamp) {
            state.hash = ours;
            state.stamp = stamp;
            state.is_firm = is_firm(&stamp, &store.options.clock);
            state.is_foreign = false;
            state.copy = Some(copied);
            if state.loaded.original.take().is_some() {
                state.loaded.read_root();
            }
            state.loaded.notes.clear();
        }
        let forgotten = late::forget(store, &self.due);
        if let Err(error) = journalled.and(forgotten) {
            self.warn_after_save(&error);
        }
        Ok(())
    }

    /// The save stands and must be told as what it is.
    fn warn_after_save(&mut self, error: &StoreError) {
        self.store.warnings.push(format!("after the save: {}", chain(error)));
    }
}

/// Gives hand-written items their IDs; where the text cannot be edited so, they stay
/// without, and nothing else is held up.
fn name_items(
    work: &mut Work<'_>,
    context: &Context<'_>,
    touched: &mut Touched,
    warnings: &mut Vec<String>,
) -> Option<Applied> {
    if !work.file.items.has_unnamed() {
        return None;
    }
    touched::make(work, &Change::AssignIds, context, touched)
        .inspect_err(|error| {
            warnings.push(format!("items without an ID stay so: {}", chain(error)));
        })
        .ok()
}

fn no_mark(paths: &Paths, loaded: &Loaded, refused: &Refused) -> StoreError {
    let problem = Diagnostic {
        code: Code::WrongShape,
        message: format!("the high-water mark cannot be written: {refused}"),
        file: paths.shown.clone(),
        line: 0,
        column: 0,
        span: None,
        item: None,
        hint: Some("write `next_item_id: 0` on a line of its own above `items:`".into()),
    };
    StoreError::Invalid { diagnostics: vec![problem], text: loaded.doc.text().to_owned() }
}

/// The items, for the next snapshot.
type Items = Vec<Arc<BacklogItem>>;
/// What was told, and whether the journal has it.
type Placed = Swapped<Items, (Result<Told, StoreError>, Result<(), StoreError>)>;

/// Returns an error with everything that caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
