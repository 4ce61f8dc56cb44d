//! Putting a new text in the place of the old one while editors, which take no
//! lock, may be writing too.
//!
//! The new text is staged, and once it is durable gets a name that says what it replaces
//! and what it is (`swap-BASE-OURS-ITEMS-MILLIS-…`): that name is the intent. Then both are
//! exchanged in one step, and what came out is looked at: our own base, or an edit
//! that slipped in, which the caller then carries forward. After a kill the names
//! and hashes tell how far it got. What came out is kept for a while (`kept-…`),
//! since a program that had the file open may still write into it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::threads::both;
use super::{Clock, Paths, StoreError, journal};
use crate::fs::{self, Exchange, FsError, Kind, Stamp};

/// A text that may be cut short.
const STAGED: &str = "staged-";
/// One that is whole, and to be exchanged with the file, or was.
const SWAP: &str = "swap-";
/// One that came out of the file.
const KEPT: &str = "kept-";

/// In the place of the hash of our text, where it was taken out of the file again.
pub(super) const NOBODYS: &str = "none";

/// From how many bytes of text on work is done on a second thread.
const LONG: usize = 256 * 1024;

/// Marks the name of an edit that slipped in and was taken out of the file.
const SLIPPED_IN: &str = "slipped";

/// How long a displaced text is kept, in milliseconds.
const KEEP_MILLIS: i64 = 2_000;
/// After how long a staged file belongs to nobody, in nanoseconds.
const SWEEP_NS: i128 = 60_000_000_000;
/// How many displaced texts are kept at most.
const KEEP_FILES: usize = 64;
/// How many bytes of displaced texts are kept at most, beside the last one.
const KEEP_BYTES: u64 = 32 << 20;

/// One exchange, as its file's name tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swap {
    /// Where the displaced text lies, or the staged one.
    pub path: PathBuf,
    /// The hash of the text that was to be displaced.
    pub base: String,
    /// The hash of the text that took its place.
    pub ours: String,
    /// How many items that text has.
    pub items: usize,
    /// When, in milliseconds since 1970.
    pub millis: i64,
    /// Whether the displaced text was an edit that slipped in: for a moment it was
    /// not in the file at all.
    pub slipped_in: bool,
}

impl Swap {
    /// Makes the intent of putting `ours` in the place of `base`.
    pub(super) fn new(base: &str, ours: &str, items: usize, clock: &Clock) -> Self {
        let (base, ours) = (base.to_owned(), ours.to_owned());
        let millis = clock.now().as_millisecond();
        Self { path: PathBuf::new(), base, ours, items, millis, slipped_in: false }
    }

    fn parse(path: &Path, prefix: &str) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix(prefix)?;
        let mut parts = name.split('-');
        Some(Self {
            path: path.to_owned(),
            base: parts.next()?.to_owned(),
            ours: parts.next()?.to_owned(),
            items: parts.next()?.parse().ok()?,
            millis: parts.next()?.parse().ok()?,
            slipped_in: parts.any(|part| part == SLIPPED_IN),
        })
    }

    /// Returns what the name of its staged text begins with.
    fn prefix(&self) -> String {
        format!("{STAGED}{}-{}-{}-{}-", self.base, self.ours, self.items, self.millis)
    }
}

/// What came of putting a text in its place.
#[derive(Debug)]
pub(super) enum Put {
    /// It stands, durable, and what came out was what it replaces.
    Done {
        /// Where that is kept, and the stamp it had before it was looked at.
        kept: Option<(PathBuf, Stamp)>,
    },
    /// Somebody else's text came out, or stood in the way: it lies here now. With
    /// `exchanged`, ours stands in the file.
    SlippedIn {
        /// Where the other text lies.
        path: PathBuf,
        /// Whether it was taken out of the file.
        exchanged: bool,
    },
}

/// What is done on the way.
pub(super) struct Meanwhile<C, T> {
    /// What must be durable before the text stands in the file; the disk is waited for
    /// while the text goes there too.
    pub records: Vec<fs::Unsynced>,
    /// While the text goes to the disk, on another thread.
    pub copy: C,
    /// Once the text stands in the file and nothing slipped in.
    pub tell: T,
}

/// What came of putting a text in its place, and of what was done meanwhile.
pub(super) struct Swapped<C, T> {
    pub put: Put,
    pub copied: C,
    /// Nothing where something slipped in.
    pub told: Option<T>,
}

/// Puts `text`, whose hash is the swap's, in the place of the file, where that still
/// holds the swap's base.
///
/// # Errors
/// Where the disk refuses. Before the exchange the file is as it was; after it the
/// new text stands, but may not survive a crash of the machine.
pub(super) fn put<C: Send, T>(
    paths: &Paths,
    text: &[u8],
    swap: &Swap,
    meanwhile: Meanwhile<impl Fn() -> C + Send + Sync, impl FnOnce() -> T>,
) -> Result<Swapped<C, T>, StoreError> {
    let Meanwhile { records, copy, tell } = meanwhile;
    let dir = staging_folder(paths)?;
    let staged = fs::stage_unsynced(&dir, &swap.prefix(), text, Some(&paths.file))?;
    let is_long = text.len() >= LONG;
    let copied = if is_long || !records.is_empty() {
        // All is written by now: what is waited for at the same moment, a file system with a
        // journal commits at once.
        let beside = || sync_all(&records).map(|()| is_long.then(&copy));
        let (synced, done) = both(|| staged.sync(), beside);
        let copied = done?;
        synced?;
        copied
    } else {
        staged.sync()?;
        None
    };
    let name = name_of(staged.path()).replacen(STAGED, SWAP, 1);
    let (put, told) = put_staged(paths, staged.renamed(&name)?, &swap.base, text.len(), tell)?;
    Ok(Swapped { put, copied: copied.unwrap_or_else(copy), told })
}

fn sync_all(records: &[fs::Unsynced]) -> Result<(), FsError> {
    records.iter().try_for_each(fs::Unsynced::sync)
}

/// Puts a staged text in the place of the file.
fn put_staged<T>(
    paths: &Paths,
    staged: fs::Staged,
    base: &str,
    len: usize,
    tell: impl FnOnce() -> T,
) -> Result<(Put, Option<T>), StoreError> {
    match fs::exchange(staged.path(), &paths.file) {
        Ok(Exchange::Done) => {}
        Ok(Exchange::Unsupported) => return put_by_rename(paths, staged, base, tell),
        Err(error) => return Err(error.into()),
    }
    let path = staged.keep();
    let sync = || fs::sync_dir(&paths.root);
    if is_link(&path)? {
        let ours = Swap::parse(&path, SWAP).map(|swap| swap.ours).unwrap_or_default();
        put_link_back(paths, &path, &ours)?;
        return Err(StoreError::BecameLink { path: paths.shown.clone() });
    }
    let look = || Ok::<_, FsError>((fs::stamp(&path)?, fs::hash_file(&path)?));
    let is_long = len >= LONG;
    // What came out is read while the folder goes to the disk, where that takes long.
    let (synced, looked) = if is_long { both(sync, look) } else { (sync(), look()) };
    synced?;
    let (before, displaced) = looked?;
    // What is told must not outlive a crash of the machine that takes the text back.
    let told = (displaced == base).then(tell);
    if told.is_none() {
        return Ok((Put::SlippedIn { path, exchanged: true }, None));
    }
    let kept = keep(&path)?;
    Ok((Put::Done { kept: before.map(|before| (kept, before)) }, told))
}

/// Where names cannot be exchanged: compare, then rename. An edit between the two
/// is lost; the window is as small as we can make it.
fn put_by_rename<T>(
    paths: &Paths,
    staged: fs::Staged,
    base: &str,
    tell: impl FnOnce() -> T,
) -> Result<(Put, Option<T>), StoreError> {
    if is_link(&paths.file)? {
        return Err(StoreError::BecameLink { path: paths.shown.clone() });
    }
    if fs::hash_file(&paths.file)? != base {
        return Ok((Put::SlippedIn { path: paths.file.clone(), exchanged: false }, None));
    }
    // By its name the next one knows how far this came, as after an exchange.
    let mut old = staged.path().as_os_str().to_owned();
    old.push("-old");
    let old = PathBuf::from(old);
    let is_linked = fs::link(&paths.file, &old)?;
    fs::rename(staged.path(), &paths.file)?;
    staged.keep();
    fs::sync_dir(&paths.root)?;
    let before = fs::stamp(&old)?;
    let told = tell();
    let kept = if is_linked { Some(keep(&old)?) } else { None };
    Ok((Put::Done { kept: kept.zip(before) }, Some(told)))
}

/// Tells whether somebody has put a link in the place of a file of which we had found
/// out where it lies: then it lies elsewhere now.
pub(super) fn is_link(path: &Path) -> Result<bool, FsError> {
    Ok(fs::link_stamp(path)?.is_some_and(|stamp| stamp.kind == Kind::Symlink))
}

/// Puts a link back that an exchange has taken out. What comes out is `ours` and goes, or
/// a still later edit: that is left to the next one who takes the lock.
fn put_link_back(paths: &Paths, link: &Path, ours: &str) -> Result<(), FsError> {
    fs::exchange(link, &paths.file)?;
    fs::sync_dir(&paths.root)?;
    if fs::hash_file(link)? == ours {
        fs::remove(link)?;
    }
    Ok(())
}

/// Returns the folder for staged texts: ours, or the file's own where that is
/// another mount, between which nothing can be exchanged.
fn staging_folder(paths: &Paths) -> Result<PathBuf, StoreError> {
    let tmp = paths.tmp();
    Ok(if fs::is_same_mount(&tmp, &paths.root)? { tmp } else { paths.root.clone() })
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn keep(path: &Path) -> Result<PathBuf, FsError> {
    let kept = path.with_file_name(name_of(path).replacen(SWAP, KEPT, 1));
    fs::rename(path, &kept)?;
    Ok(kept)
}

/// Keeps a text that was taken out of the file, as one that `ours` took the place of:
/// whoever was still writing it when it was read goes on writing there, and the next
/// look finds it. `base` is the hash of what was read.
pub(super) fn keep_as(path: &Path, base: &str, ours: &str) -> Result<(), StoreError> {
    let Some(swap) = Swap::parse(path, SWAP) else {
        return Ok(());
    };
    let random = name_of(path).rsplit('-').next().unwrap_or_default();
    let Swap { items, millis, .. } = swap;
    let kept = format!("{KEPT}{base}-{ours}-{items}-{millis}-{SLIPPED_IN}-{random}");
    Ok(fs::rename(path, &path.with_file_name(kept))?)
}

/// Puts a displaced text back, where ours must not stay: it does not parse, or we
/// cannot carry it forward. What came out in turn is ours and goes, or is a still
/// later edit, which then stays in the file, and the earlier one goes into the
/// backup.
///
/// Returns where a text was put that is not in the file any more.
pub(super) fn put_back(
    paths: &Paths,
    displaced: &Path,
    ours: &str,
    clock: &Clock,
) -> Result<Option<PathBuf>, StoreError> {
    fs::exchange(displaced, &paths.file)?;
    fs::sync_dir(&paths.root)?;
    if fs::hash_file(displaced)? == ours {
        // Somebody may have opened it while it stood there, and write it yet.
        keep_as(displaced, ours, NOBODYS)?;
        return Ok(None);
    }
    fs::exchange(displaced, &paths.file)?;
    fs::sync_dir(&paths.root)?;
    back_up(paths, displaced, clock).map(Some)
}

/// Returns what a person is told of an edit that is in the backup.
pub(super) fn saved_over(backup: &Path) -> String {
    format!("an edit that was saved over lies in {}", backup.display())
}

/// Moves a text into the backup folder.
pub(super) fn back_up(paths: &Paths, text: &Path, clock: &Clock) -> Result<PathBuf, StoreError> {
    let to = backup_path(paths, clock)?;
    match fs::rename_noreplace(text, &to) {
        Err(error) if error.is_cross_device() => {
            fs::create_new(&to, &fs::read(text)?)?;
            fs::remove(text)?;
        }
        other => other?,
    }
    fs::sync_dir(&paths.backup())?;
    Ok(to)
}

/// Returns a new name in the backup folder, which is made where missing.
pub(super) fn backup_path(paths: &Paths, clock: &Clock) -> Result<PathBuf, StoreError> {
    fs::create_dir_all(&paths.backup())?;
    let name = paths
        .file
        .file_name()
        .map_or_else(Default::default, |name| name.to_string_lossy().into_owned());
    let stamp = clock.now().as_millisecond();
    let mut nth = 0;
    loop {
        let path = paths.backup().join(format!("{stamp}-{nth}-{name}"));
        if fs::stamp(&path)?.is_none() {
            return Ok(path);
        }
        nth += 1;
    }
}

/// What was found in the staging folder.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// The displaced texts that are kept, oldest first.
    pub kept: Vec<Swap>,
    /// What a person must be told.
    pub warnings: Vec<String>,
}

/// Finds the kept texts without changing anything: for readers, and to know what
/// was written last.
pub(super) fn kept(paths: &Paths) -> Result<Vec<Swap>, StoreError> {
    Ok(kept_of(&entries(paths)?))
}

fn kept_of(entries: &[PathBuf]) -> Vec<Swap> {
    let mut kept: Vec<Swap> = entries.iter().filter_map(|path| Swap::parse(path, KEPT)).collect();
    kept.sort_by_key(|swap| swap.millis);
    kept
}

fn entries(paths: &Paths) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let tmp = paths.tmp();
    if fs::stamp(&tmp)?.is_none() {
        return Ok(found);
    }
    let staging = staging_folder(paths)?;
    let dirs = if staging == tmp { vec![tmp] } else { vec![tmp, staging] };
    for dir in dirs {
        match fs::list(&dir) {
            Ok(list) => found.extend(list.into_iter().map(|entry| entry.path)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Finishes or undoes what a killed process left, under the lock.
pub(super) fn recover(paths: &Paths, clock: &Clock) -> Result<Leftovers, StoreError> {
    let mut leftovers = Leftovers::default();
    let mut found = entries(paths)?;
    let mut is_finished = true;
    for path in &found {
        if let Some(swap) = Swap::parse(path, SWAP) {
            is_finished = false;
            for lost in finish(paths, &swap, clock)? {
                leftovers.warnings.push(format!(
                    "a text that a save had displaced lies in {}; compare it with {}",
                    lost.display(),
                    paths.shown.display()
                ));
            }
        } else if Swap::parse(path, STAGED).is_some()
            || name_of(path).starts_with(fs::TEMP_PREFIX) && path.starts_with(paths.tmp())
        {
            // Never put in place: nobody was told of it.
            fs::remove_if_exists(path)?;
        }
    }
    if !is_finished {
        found = entries(paths)?;
    }
    leftovers.kept = kept_of(&found);
    Ok(leftovers)
}

/// Removes what processes staged in the folders of our state, other than `tmp/`, and
/// were killed before they put it in place. Not all of them hold the lock, so that
/// only what is old enough goes.
pub(super) fn sweep(paths: &Paths, clock: &Clock) -> Result<(), StoreError> {
    let now = clock.now().as_nanosecond();
    for dir in [paths.state.clone(), paths.backup(), paths.lost(), paths.inbox()] {
        let list = match fs::list(&dir) {
            Err(error) if error.is_not_found() => continue,
            other => other?,
        };
        for entry in list {
            if !entry.name.to_string_lossy().starts_with(fs::TEMP_PREFIX) {
                continue;
            }
            let staged = fs::stamp(&entry.path)?.map_or(now, |stamp| stamp.ctime_ns);
            if now - staged > SWEEP_NS {
                fs::remove_if_exists(&entry.path)?;
            }
        }
    }
    Ok(())
}

/// Returns where texts were put that are perhaps not in the file any more.
fn finish(paths: &Paths, swap: &Swap, clock: &Clock) -> Result<Vec<PathBuf>, StoreError> {
    let file = match fs::hash_file(&paths.file) {
        Err(error) if error.is_not_found() => String::new(),
        other => other?,
    };
    if is_link(&swap.path)? {
        if file != swap.ours {
            return Ok(vec![back_up(paths, &swap.path, clock)?]);
        }
        put_link_back(paths, &swap.path, &swap.ours)?;
        return Ok(Vec::new());
    }
    let staged = fs::hash_file(&swap.path)?;
    if staged == swap.base && file != swap.base {
        // All done but the answer; perhaps somebody has saved over it since. By the
        // journal whoever asked for it finds out, however often it is saved over.
        journal::note_text(paths, &swap.ours)?;
        keep(&swap.path)?;
    } else if [&swap.base, &swap.ours].contains(&&staged) {
        // Not exchanged, or the file has it again: nothing in it is lost.
        fs::remove(&swap.path)?;
    } else if file == swap.ours {
        // An edit that slipped in. Nothing was answered yet: it goes back. A copy
        // stays, since an editor may have read the file without it meanwhile.
        let copy = backup_path(paths, clock)?;
        fs::create_new(&copy, &fs::read(&swap.path)?)?;
        let other = put_back(paths, &swap.path, &swap.ours, clock)?;
        return Ok(std::iter::once(copy).chain(other).collect());
    } else {
        return Ok(vec![back_up(paths, &swap.path, clock)?]);
    }
    Ok(Vec::new())
}

/// Returns how many of the oldest need no longer be kept. The last one stays: its name
/// tells what we wrote last. `looked_at` are the stamps of those that were looked at.
pub(super) fn are_due(
    kept: &[Swap],
    looked_at: &HashMap<PathBuf, Stamp>,
    clock: &Clock,
) -> Result<usize, StoreError> {
    let now = clock.now().as_millisecond();
    let mut bytes = 0;
    for (age, swap) in kept.iter().rev().enumerate() {
        bytes += match looked_at.get(&swap.path) {
            Some(stamp) => stamp.len,
            None => fs::stamp(&swap.path)?.map_or(0, |stamp| stamp.len),
        };
        let is_old = now - swap.millis > KEEP_MILLIS || age >= KEEP_FILES || bytes > KEEP_BYTES;
        if age > 0 && is_old {
            return Ok(kept.len() - age);
        }
    }
    Ok(0)
}
