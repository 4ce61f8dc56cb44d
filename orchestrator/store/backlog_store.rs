//! The backlog on disk, as one process sees it: read, and locked to be written.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::cache;
use super::diagnostics::{self, Around};
use super::events::{self, Event, PHASE_DONE, PHASE_FAILED};
use super::journal::Entry;
use super::links::Links;
use super::load::{self, Loaded, Unreadable};
use super::mark::MarkFiles;
use super::options::StoreOptions;
use super::reload::reload;
use super::settle::{Settled, read_settled};
use super::story::Story;
use super::told::PhaseLog;
use super::worklog::{Archived, Worklog};
use super::{LockedBacklog, Paths, StoreError, lost, replace};
use crate::fs::{self, Stamp};
use crate::model::{
    BacklogFile, BacklogItem, BacklogSnapshot, Code, Diagnostic, Ended, IdQuery, ItemId, Rules,
};

/// For how long after a change a file's stamp cannot tell it from a second one: a
/// tick of the kernel's clock, with room to spare.
pub(super) const RACY_NS: i128 = 20_000_000;

/// How often all is looked at again, where somebody saves at the same time.
const LOOKS: usize = 5;

/// How long those who save are given, where what they do is only half to be seen, and how
/// often it is looked whether all is.
const SAVING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// The backlog of one file.
///
/// Reading takes no lock and writes nothing. Writing goes through
/// [`BacklogStore::lock`]: nothing else can save.
///
/// ```
/// use orchestrator::model::{Change, change::NewItem};
/// use orchestrator::store::{BacklogStore, Request, StoreOptions};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("BACKLOG.yaml");
/// orchestrator::store::init(&StoreOptions::new(&path))?;
/// let mut store = BacklogStore::open(StoreOptions::new(&path))?;
/// let add = Request::from(Change::Add(vec![NewItem::titled("Write it down")]));
/// let saved = store.lock()?.save(&[add])?;
/// let added = &saved.outcomes[0].as_ref().unwrap().added;
/// assert_eq!(added[0].id.as_deref(), Some("WRK-001"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BacklogStore {
    pub(super) options: StoreOptions,
    pub(super) paths: Paths,
    pub(super) marks: MarkFiles,
    pub(super) worklog: Worklog,
    pub(super) state: Option<State>,
    /// What a person must be told, and was not yet.
    pub(super) warnings: Vec<String>,
    /// Whether the folders of our state were rid of what others left there.
    pub(super) is_swept: bool,
    pub(super) story: Story,
    /// Displaced texts that nobody had written into, with the stamp they had then.
    pub(super) looked_at: HashMap<PathBuf, Stamp>,
}

/// The file as it was last read or written.
pub(super) struct State {
    pub loaded: Loaded,
    /// The hash of the text on disk.
    pub hash: String,
    pub stamp: Stamp,
    /// Whether the stamp is old enough to tell this text from any later one.
    pub is_firm: bool,
    /// Whether somebody else wrote the file since we last did, as far as we know.
    pub is_foreign: bool,
    /// A copy of the items for the next snapshot, made while they went to the disk.
    pub copy: Option<Vec<Arc<BacklogItem>>>,
}

impl BacklogStore {
    /// Opens the backlog of a file. Nothing is read yet but where things lie.
    ///
    /// # Errors
    /// [`StoreError::NotInitialised`] where there is no such file; where `.git` is
    /// broken.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let missing = || StoreError::NotInitialised { path: options.path.clone() };
        let paths = match Paths::new(&options.path, &options.worklog) {
            Err(StoreError::Fs(error)) if error.is_not_found() => return Err(missing()),
            other => other?,
        };
        if fs::stamp(&paths.file)?.is_none() {
            return Err(missing());
        }
        let marks = MarkFiles::find(&paths)?;
        let worklog = Worklog::new(&paths);
        let story = Story::new(&paths);
        Ok(Self {
            options,
            paths,
            marks,
            worklog,
            state: None,
            warnings: Vec::new(),
            story,
            is_swept: false,
            looked_at: HashMap::new(),
        })
    }

    /// Returns where everything lies.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Returns the options, with the prefix that holds for the file as last read.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Returns what a person should be told, once.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Reads the file where it changed since it was last read. Nothing is written
    /// and no lock is taken. Returns whether anything changed.
    ///
    /// A file of a newer schema is read as far as it parses.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] with everything that is wrong,
    /// [`StoreError::Unsettled`] where it keeps changing.
    pub fn refresh(&mut self) -> Result<bool, StoreError> {
        if self.state.as_ref().is_some_and(|state| state.is_firm) && self.is_unchanged()? {
            return Ok(false);
        }
        self.read_again()
    }

    pub(super) fn is_unchanged(&self) -> Result<bool, StoreError> {
        let stamp = fs::stamp(&self.paths.file)?;
        Ok(self.state.as_ref().is_some_and(|state| Some(state.stamp) == stamp))
    }

    pub(super) fn read_again(&mut self) -> Result<bool, StoreError> {
        let kept = replace::kept(&self.paths)?;
        let written = kept.last();
        let known = self.state.as_ref().map(|state| state.hash.clone());
        let items = match (&self.state, written) {
            (Some(state), _) => state.loaded.file.items.len(),
            (None, Some(swap)) => swap.items,
            (None, None) => 0,
        };
        let is_known =
            |hash: &str| known.as_deref() == Some(hash) || written.is_some_and(|s| s.ours == hash);
        let mut old = self.state.take();
        let (rules, paths) = (&self.options.rules, &self.paths);
        let mut parsed: Option<Loaded> = None;
        let (file, clock) = (&self.paths.file, &self.options.clock);
        let settled = read_settled(file, clock, items, is_known, |bytes| {
            let text = std::str::from_utf8(bytes).ok()?;
            let before = old.take().map(|state| state.loaded);
            parsed = parse(before, text.to_owned(), rules, paths).ok();
            parsed.as_ref().map(|loaded| loaded.file.items.len())
        })?;
        let is_foreign = written.is_none_or(|swap| swap.ours != settled.hash);
        let is_same = known.as_deref() == Some(&settled.hash);
        self.state = old;
        if let Some(state) = self.state.as_mut().filter(|_| is_same) {
            state.is_firm = is_firm(&settled.stamp, &self.options.clock);
            state.stamp = settled.stamp;
            state.is_foreign &= is_foreign;
            return Ok(false);
        }
        self.take_in(settled, parsed, is_foreign)?;
        Ok(true)
    }

    /// Makes a settled text the state; `parsed` may be what it was parsed to already.
    pub(super) fn take_in(
        &mut self,
        settled: Settled,
        parsed: Option<Loaded>,
        is_foreign: bool,
    ) -> Result<(), StoreError> {
        let Settled { bytes, hash, stamp } = settled;
        let text = String::from_utf8(bytes)
            .map_err(|error| diagnostics::not_utf8(&self.paths, error.as_bytes()))?;
        let is_of_text =
            |loaded: &Loaded| loaded.original.as_deref().unwrap_or(loaded.doc.text()) == text;
        let loaded = match parsed.filter(is_of_text) {
            Some(loaded) => loaded,
            None => {
                let before = self.state.take().map(|state| state.loaded);
                parse(before, text, &self.options.rules, &self.paths).map_err(
                    |Unreadable { text, problems }| {
                        diagnostics::unreadable(&self.paths.shown, text, problems)
                    },
                )?
            }
        };
        self.settle_prefix(&loaded.file);
        let is_firm = is_firm(&stamp, &self.options.clock);
        self.state = Some(State { loaded, hash, stamp, is_firm, is_foreign, copy: None });
        Ok(())
    }

    /// Takes the prefix that most items have, where none is configured.
    fn settle_prefix(&mut self, file: &BacklogFile) {
        if self.options.prefix_is_configured {
            return;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for id in file.items.iter().filter_map(|item| item.id.as_deref()) {
            if let Some((prefix, _)) = id.rsplit_once('-').filter(|_| ItemId::number_of(id).is_ok())
            {
                *counts.entry(prefix).or_default() += 1;
            }
        }
        if let Some((prefix, _)) = counts.into_iter().max_by_key(|(_, count)| *count) {
            prefix.clone_into(&mut self.options.rules.prefix);
        }
    }

    pub(super) fn state(&mut self) -> Result<&State, StoreError> {
        if self.state.is_none() {
            self.read_again()?;
        }
        self.state
            .as_ref()
            .ok_or_else(|| StoreError::NotInitialised { path: self.options.path.clone() })
    }

    /// Returns the backlog as last read, reading it the first time.
    ///
    /// # Errors
    /// The same as [`BacklogStore::refresh`]; a file with errors is
    /// [`StoreError::Invalid`], one of a newer schema is not.
    pub fn file(&mut self) -> Result<&BacklogFile, StoreError> {
        self.state()?;
        self.check_readable()?;
        Ok(&self.state()?.loaded.file)
    }

    fn check_readable(&mut self) -> Result<(), StoreError> {
        let state = self.state()?;
        let is_fatal =
            |code: crate::model::Code| code.is_error() && code != crate::model::Code::NewerVersion;
        let loaded = &state.loaded;
        let bad = loaded.root_problems.iter().any(|problem| is_fatal(problem.code))
            || loaded.problems.iter().any(|item| item.iter().any(|problem| is_fatal(problem.code)));
        if bad { Err(self.invalid()?) } else { Ok(()) }
    }

    pub(super) fn invalid(&mut self) -> Result<StoreError, StoreError> {
        // What is an error is one at each look, and the lock may be ours.
        let diagnostics = self.diagnose()?;
        let text = self.text()?.to_owned();
        Ok(StoreError::Invalid { diagnostics, text })
    }

    /// Returns the text as it stands on disk.
    ///
    /// # Errors
    /// The same as [`BacklogStore::refresh`].
    pub fn text(&mut self) -> Result<&str, StoreError> {
        let loaded = &self.state()?.loaded;
        Ok(loaded.original.as_deref().unwrap_or(loaded.doc.text()))
    }

    /// Returns the text that a migration makes of the one on disk, where there is
    /// anything to migrate.
    ///
    /// # Errors
    /// The same as [`BacklogStore::refresh`].
    pub fn migrated_text(&mut self) -> Result<Option<&str>, StoreError> {
        let loaded = &self.state()?.loaded;
        Ok(loaded.original.is_some().then(|| loaded.doc.text()))
    }

    /// Returns an item's own text, from its dash at column 0 to its last line.
    ///
    /// # Errors
    /// The same as [`BacklogStore::refresh`].
    pub fn item_text(&mut self, index: usize) -> Result<String, StoreError> {
        Ok(self.state()?.loaded.doc.record_text(index))
    }

    /// Returns the first and last line of an item in the text on disk, from 1.
    ///
    /// # Errors
    /// The same as [`BacklogStore::refresh`].
    pub fn item_lines(&mut self, index: usize) -> Result<(u32, u32), StoreError> {
        let loaded = &self.state()?.loaded;
        Ok(loaded.on_disk().as_ref().unwrap_or(&loaded.doc).record_lines(index))
    }

    /// Returns everything that is wrong with the file, errors and warnings.
    ///
    /// Lines are those of the text on disk, which a migration in memory leaves as
    /// it is.
    ///
    /// # Errors
    /// Where the file, the worklog or a mark cannot be read at all.
    pub fn diagnostics(&mut self) -> Result<Vec<Diagnostic>, StoreError> {
        self.look_until_settled(true)
    }

    /// The same for whom a mark that is behind is no matter, since they are about to save:
    /// who has the lock, and will have raised it, is not waited for.
    ///
    /// # Errors
    /// The same.
    pub fn diagnostics_at_once(&mut self) -> Result<Vec<Diagnostic>, StoreError> {
        self.look_until_settled(false)
    }

    fn look_until_settled(&mut self, waits: bool) -> Result<Vec<Diagnostic>, StoreError> {
        // One that is stopped in the middle must not keep readers for longer.
        let patience = self.options.lock_timeout.min(SAVING);
        let start = Instant::now();
        let mut looks = 0;
        loop {
            let found = self.diagnose()?;
            looks += 1;
            // Who saves meanwhile writes the mark before the file and the journal after it.
            let is_behind = waits && found.iter().any(|found| found.code == Code::MarkBehind);
            let saves = is_behind && self.somebody_saves();
            let is_enough = looks >= LOOKS && (!is_behind || start.elapsed() > patience);
            if !saves && self.is_unchanged()? || is_enough {
                return Ok(found);
            }
            if saves {
                thread::sleep(PAUSE);
            }
            self.refresh()?;
        }
    }

    fn somebody_saves(&self) -> bool {
        let host = self.options.holder.host.as_deref();
        fs::FileLock::holder(&self.paths.lock(), host).is_some_and(|by| by.alive != Some(false))
    }

    fn diagnose(&mut self) -> Result<Vec<Diagnostic>, StoreError> {
        self.state()?;
        self.worklog.refresh()?;
        let lost: Vec<String> = self.lost(true)?.into_iter().map(|entry| entry.id).collect();
        let floor = self.marks.read()?.unwrap_or(0).max(self.worklog.highest());
        let Some(state) = &self.state else {
            return Ok(Vec::new());
        };
        let around = Around {
            shown: &self.paths.shown,
            rules: &self.options.rules,
            archived: self.worklog.ended(),
            floor,
            lost: &lost,
        };
        Ok(diagnostics::diagnose(&state.loaded, &Links::of(&state.loaded.file.items), &around))
    }

    /// Returns items that were told and are nowhere.
    pub(super) fn lost(&mut self, look: bool) -> Result<Vec<Entry>, StoreError> {
        self.worklog.refresh()?;
        match &self.state {
            Some(state) => lost::find(&self.paths, &state.loaded.file, &self.worklog, look),
            None => Ok(Vec::new()),
        }
    }

    /// Returns a snapshot of the backlog as last read.
    ///
    /// # Errors
    /// The same as [`BacklogStore::file`].
    pub fn snapshot(&mut self) -> Result<BacklogSnapshot, StoreError> {
        self.worklog.refresh()?;
        let archived = Arc::clone(self.worklog.ended());
        self.file()?;
        match self.state.as_mut().and_then(|state| state.copy.take()) {
            Some(items) => Ok(BacklogSnapshot { items, archived }),
            None => Ok(BacklogSnapshot::new(self.file()?, archived)),
        }
    }

    /// Returns how an archived item ended.
    ///
    /// # Errors
    /// Where the worklog cannot be read.
    pub fn ended(&mut self, id: &str) -> Result<Option<Ended>, StoreError> {
        self.worklog.refresh()?;
        Ok(self.worklog.ended_of(id))
    }

    /// Returns the IDs of archived items as they were written, some more than once.
    ///
    /// # Errors
    /// Where the worklog cannot be read.
    pub fn archived_ids(&mut self) -> Result<Vec<String>, StoreError> {
        self.worklog.refresh()?;
        Ok(self.worklog.ids().map(str::to_owned).collect())
    }

    /// Finds an item that can be put back: in the worklog, or among the lost ones.
    ///
    /// # Errors
    /// [`StoreError::NotArchived`] where there is none.
    pub fn find_archived(&mut self, query: &IdQuery) -> Result<Archived, StoreError> {
        self.state()?;
        self.worklog.refresh()?;
        if let Some(archived) = self.worklog.find(query)? {
            return Ok(archived);
        }
        let lost = self.lost(true)?;
        match lost::named(&lost, query) {
            Some(entry) => Ok(Archived {
                id: entry.id.clone(),
                ended: Ended::Dropped,
                text: entry.text.clone(),
                path: self.paths.journal(),
            }),
            None => Err(StoreError::NotArchived { id: query.text().to_owned() }),
        }
    }

    /// Returns the marks and what they are at: each copy's path, and the highest.
    ///
    /// # Errors
    /// Where a copy is damaged.
    pub fn mark(&mut self) -> Result<u32, StoreError> {
        self.worklog.refresh()?;
        let copies = self.marks.read()?.unwrap_or(0);
        let worklog = self.worklog.highest();
        let loaded = &self.state()?.loaded;
        Ok(copies.max(worklog).max(floor_of(loaded)))
    }

    /// Appends a finished phase to the story and the worklog, where it is not there yet:
    /// one that was saved by a process which may have ended before it was told.
    ///
    /// # Errors
    /// Where they cannot be read or written.
    pub fn log_again(&mut self, phase: &PhaseLog) -> Result<(), StoreError> {
        let PhaseLog { entry, event } = phase;
        if self.worklog.has_phase(entry)? {
            return Ok(());
        }
        let is_same = |last: &Event| last.event == event.event && last.detail == event.detail;
        let story = events::read(&self.paths, Some(&entry.id))?;
        let is_end = |event: &&Event| [PHASE_DONE, PHASE_FAILED].contains(&event.event.as_str());
        if !story.iter().rfind(is_end).is_some_and(is_same) {
            events::append(&self.paths, std::slice::from_ref(event))?;
        }
        let written = self.worklog.append_phases(&[entry])?;
        Ok(written.as_ref().map_or(Ok(()), fs::Unsynced::sync)?)
    }

    /// Makes the copies of the mark anew from all that is known: the way out where
    /// one is damaged. Returns the mark.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn rebuild_mark(&mut self) -> Result<u32, StoreError> {
        self.worklog.refresh()?;
        let known = floor_of(&self.state()?.loaded).max(self.worklog.highest());
        self.paths.prepare()?;
        self.marks.rebuild(known, self.options.lock_timeout, &self.options.holder)
    }

    /// Leaves a copy of what the file was read as to the next process, which then
    /// need not parse it. Nothing is written while somebody else holds the lock.
    ///
    /// # Errors
    /// Where it cannot be written; nothing depends on it.
    pub fn write_cache(&self) -> Result<(), StoreError> {
        // Who never took the lock has no part in the folder, and writes nothing.
        let Some(state) = self.state.as_ref().filter(|_| self.is_swept) else {
            return Ok(());
        };
        let holder = &self.options.holder;
        match fs::FileLock::acquire(&self.paths.lock(), Duration::ZERO, holder) {
            Ok(_lock) => cache::write(&self.paths, &state.loaded, &state.hash),
            Err(fs::LockError::File(error)) => Err(error.into()),
            Err(_) => Ok(()),
        }
    }

    /// Takes the lock, waiting for it, and reads the file again where it changed.
    /// What a killed process left behind is put right first.
    ///
    /// # Errors
    /// Where the lock is held past the timeout; where the file has errors, or is of
    /// a newer schema.
    pub fn lock(&mut self) -> Result<LockedBacklog<'_>, StoreError> {
        LockedBacklog::take(self)
    }
}

/// Returns the floor that a file itself gives: its mark and its IDs, and where it
/// has no mark also what dependencies and origins name.
pub(super) fn floor_of(loaded: &Loaded) -> u32 {
    let file = &loaded.file;
    let floor = file.next_item_id.max(loaded.highest);
    if loaded.has_mark { floor } else { floor.max(load::mentioned(file)) }
}

pub(super) fn is_firm(stamp: &Stamp, clock: &super::Clock) -> bool {
    clock.now().as_nanosecond() - stamp.mtime_ns.max(stamp.ctime_ns) > RACY_NS
}

/// Parses a text: only the part that differs, where there is one already.
fn parse(
    before: Option<Loaded>,
    text: String,
    rules: &Rules,
    paths: &Paths,
) -> Result<Loaded, Unreadable> {
    let Some(mut loaded) = before else {
        return cache::read(paths, text).or_else(|text| load::load(text, rules));
    };
    match reload(&mut loaded, text) {
        Ok(_) => Ok(loaded),
        // What cannot be read in part is read in full.
        Err(text) => load::load(text, rules),
    }
}
