//! Attempts: the folder `runs/ITEM/PHASE/N/` that holds all of one try.
//!
//! Owns the numbers, the names of the files, and how an item and a phase become
//! parts of a path: whatever they hold, the folder lies inside `runs`, and two of
//! them never share one. A number is used once, as the folder is put in place by
//! whoever takes it. What the files hold is known to those who write them.

use std::path::{Path, PathBuf};

use super::error::RunnerError;
use super::process::Record;
use crate::fs::{self, Durability, Kind};
use crate::model::BacklogItem;

/// The name of the file in which an agent says what came of its phase.
const RESULT: &str = "result.json";

/// One try at one phase of one item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    item: String,
    phase: String,
    number: u32,
    folder: PathBuf,
    runs: PathBuf,
}

impl Attempt {
    /// Makes the folder of the next attempt, `runs/ITEM/PHASE/N`, with N one
    /// above the highest that is there. `runs` is made where it is missing. Not fsynced:
    /// a crash of the machine that takes the folder takes all that is in it, and what
    /// must outlive one, the plan, is synced by whoever writes it.
    ///
    /// # Errors
    /// Where a folder cannot be made or listed, or N would be above `u32::MAX`.
    pub fn create(runs: &Path, item: &str, phase: &str) -> Result<Self, RunnerError> {
        fs::create_dir_all(runs)?;
        let of_item = runs.join(escape(item));
        make(&of_item)?;
        let above = of_item.join(escape(phase));
        // Nobody has tried this phase before, or this fails; why, whoever makes it tells.
        if fs::rename_noreplace(&spare(runs), &above).is_err() {
            make(&above)?;
        }
        // The agent gets paths into it, and its working folder is another one.
        let above = fs::resolve(&above)?;
        let spares = [spare(&above), spare(&spare(runs))];
        let mut highest = numbers(&above)?.into_iter().max().unwrap_or(0);
        loop {
            highest = highest
                .checked_add(1)
                .ok_or_else(|| RunnerError::NoAttemptLeft { folder: above.clone() })?;
            let folder = above.join(highest.to_string());
            let made = match spares.iter().any(|spare| fs::rename_noreplace(spare, &folder).is_ok())
            {
                // What somebody has put there is nobody's result.
                true => fs::remove_if_exists(&folder.join(RESULT)).map(drop),
                false => fs::create_dir(&folder),
            };
            match made {
                Ok(()) => {
                    return Ok(Self {
                        item: item.to_owned(),
                        phase: phase.to_owned(),
                        number: highest,
                        folder,
                        runs: runs.to_owned(),
                    });
                }
                Err(error) if error.is_already_exists() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes the folder of some later attempt in that of some later phase, while nobody
    /// waits for them: in folders that are new the files of an attempt cost a small part of
    /// a phase, and much more on file systems that do not give out again at once what was
    /// just deleted.
    pub(super) fn make_spare(&self) {
        let around = spare(&self.runs);
        let spare = spare(&around);
        let files: [fn(&Path) -> PathBuf; 4] = [prompt_file, output_file, error_file, pid_file];
        let made = make(&around).and_then(|()| {
            fs::create_dir(&spare)?;
            files.iter().try_for_each(|file| fs::open_output(&file(&spare)).map(drop))
        });
        if let Err(error) = made {
            // The next attempt makes what is missing.
            tracing::debug!(%error, "no folder is made in advance");
        }
    }

    /// Returns the attempts below `runs` that were not finished: those with a
    /// result that nobody took, or with a recorded process. None where there is
    /// no such folder; in order of item, phase and number.
    ///
    /// # Errors
    /// Where a folder cannot be listed.
    pub fn unfinished(runs: &Path) -> Result<Vec<Self>, RunnerError> {
        if fs::stamp(runs)?.is_none() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (item, folder) in folders(&fs::resolve(runs)?)? {
            for (phase, folder) in folders(&folder)? {
                for number in numbers(&folder)? {
                    found.push(Self {
                        item: item.clone(),
                        phase: phase.clone(),
                        number,
                        folder: folder.join(number.to_string()),
                        runs: runs.to_owned(),
                    });
                }
            }
        }
        found.sort_unstable();
        let mut unfinished = Vec::new();
        for attempt in found {
            // An empty record was made in advance: nothing was begun.
            if fs::stamp(&attempt.result_file())?.is_some()
                || fs::stamp(&attempt.pid_file())?.is_some_and(|stamp| stamp.len > 0)
            {
                unfinished.push(attempt);
            }
        }
        Ok(unfinished)
    }

    /// Returns the item's ID.
    pub fn item(&self) -> &str {
        &self.item
    }

    /// Returns the phase's name.
    pub fn phase(&self) -> &str {
        &self.phase
    }

    /// Returns the number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the folder, as an absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the agent's result is expected.
    pub fn result_file(&self) -> PathBuf {
        self.folder.join(RESULT)
    }

    /// Returns whether a later attempt at the same phase was made: what an agent that
    /// outlived its run wrote here since then is not to be used.
    ///
    /// # Errors
    /// Where the folder of the attempts cannot be listed.
    pub fn is_superseded(&self) -> Result<bool, RunnerError> {
        let above = self.folder.parent().unwrap_or(&self.folder);
        Ok(numbers(above)?.into_iter().any(|number| number > self.number))
    }

    /// Returns when the agent had ended, as far as its folder tells, in nanoseconds since
    /// 1970: nothing is made or removed in it after that, nor written to the record of
    /// processes. To be asked before anything is; nothing while it may run still.
    ///
    /// # Errors
    /// Where the folder cannot be looked at.
    pub fn ended_ns(&self) -> Result<Option<i128>, RunnerError> {
        if Record::read(&self.pid_file())?.is_some_and(|record| record.is_alive()) {
            return Ok(None);
        }
        let folder = fs::stamp(&self.folder)?.map(|stamp| stamp.mtime_ns);
        Ok(folder.max(fs::stamp(&self.pid_file())?.map(|stamp| stamp.mtime_ns)))
    }

    /// Removes the result, so that nobody takes it a second time.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn discard_result(&self) -> Result<(), RunnerError> {
        let file = self.result_file();
        if fs::stamp(&file)?.is_some_and(|stamp| stamp.kind == Kind::Dir) {
            // What an agent has put into a folder of that name is left there.
            let mut aside = (1_u32..).map(|n| self.folder.join(format!("result-{n}.discarded")));
            let free = aside.find(|path| matches!(fs::stamp(path), Ok(None)));
            return Ok(fs::rename_noreplace(&file, &free.unwrap_or(file.clone()))?);
        }
        fs::remove_if_exists(&file)?;
        Ok(())
    }

    /// Writes down the item as the phase sees it. Not fsynced: a run that goes on after
    /// a crash can do without.
    pub(super) fn note_item(&self, item: &BacklogItem) -> Result<(), RunnerError> {
        match serde_json::to_vec(item) {
            Ok(json) => match fs::append(&self.item_file(), &json, Durability::Buffered) {
                // The agent has deleted the folder already: its end tells of that.
                Err(error) if error.is_not_found() => Ok(()),
                noted => Ok(noted?),
            },
            // YAML has keys of its own that JSON does not.
            Err(error) => {
                tracing::debug!(%error, item = self.item, "the item is not noted");
                Ok(())
            }
        }
    }

    /// Returns the item as the phase saw it, where that is known.
    ///
    /// # Errors
    /// Where the file cannot be read; one that is cut short counts as none.
    pub fn item_seen(&self) -> Result<Option<BacklogItem>, RunnerError> {
        let bytes = fs::read_if_exists(&self.item_file())?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn item_file(&self) -> PathBuf {
        self.folder.join("item.json")
    }

    /// Returns where the prompt lies.
    pub fn prompt_file(&self) -> PathBuf {
        prompt_file(&self.folder)
    }

    /// Returns where the agent's standard output goes.
    pub(super) fn output_file(&self) -> PathBuf {
        output_file(&self.folder)
    }

    /// Returns where the agent's standard error goes.
    pub(super) fn error_file(&self) -> PathBuf {
        error_file(&self.folder)
    }

    /// Returns where the processes are recorded, as long as they may live.
    pub(super) fn pid_file(&self) -> PathBuf {
        pid_file(&self.folder)
    }
}

/// Returns the folder in another one that is made in advance, by a name that stands for no
/// item, phase or number. The slash at its end keeps a file or a link of that name from
/// becoming an attempt's folder.
fn spare(folder: &Path) -> PathBuf {
    folder.join(".spare/")
}

/// Makes a folder where there is nothing.
fn make(folder: &Path) -> Result<(), fs::FsError> {
    match fs::create_dir(folder) {
        Err(error) if error.is_already_exists() => Ok(()),
        created => created,
    }
}

/// Returns where the prompt of the attempt in a folder lies.
pub(super) fn prompt_file(folder: &Path) -> PathBuf {
    folder.join("prompt.md")
}

/// Returns where the standard output of the attempt in a folder goes.
pub(super) fn output_file(folder: &Path) -> PathBuf {
    folder.join("stdout")
}

/// Returns where the standard error of the attempt in a folder goes.
pub(super) fn error_file(folder: &Path) -> PathBuf {
    folder.join("stderr")
}

/// Returns where the processes of the attempt in a folder are recorded.
pub(super) fn pid_file(folder: &Path) -> PathBuf {
    folder.join("pid")
}

/// Returns the subfolders of a folder: what their names stand for, and the path.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, RunnerError> {
    let entries = fs::list(folder)?.into_iter();
    let named = entries.filter(|entry| entry.kind == Kind::Dir);
    let named = named.filter_map(|entry| Some((unescape(entry.name.to_str()?)?, entry.path)));
    Ok(named.collect())
}

/// Returns the numbers that name subfolders.
fn numbers(folder: &Path) -> Result<Vec<u32>, RunnerError> {
    let names = fs::list(folder)?.into_iter();
    let number = |entry: fs::Entry| {
        let name = entry.name.to_str()?;
        // `01` and `+1` would be read as a number whose folder is another one.
        name.parse().ok().filter(|n: &u32| n.to_string() == name)
    };
    Ok(names.filter_map(number).collect())
}

/// Turns a name into a part of a path: letters, digits, `-`, `_` and inner dots
/// stay, any other byte becomes `%XX`. Different names stay different.
fn escape(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut escaped = String::new();
    for (index, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || byte == b'.' && index > 0 && index + 1 < name.len();
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Undoes [`escape`]; `None` for what it never writes.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut parts = escaped.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts.filter(|_| escaped != "%") {
        let digits = part.get(..2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    let name = String::from_utf8(bytes).ok()?;
    (escape(&name) == escaped).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_go_up_and_are_never_shared() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let next = || Attempt::create(&runs, "WRK-001", "build").unwrap();
        assert_eq!(next().number(), 1);
        assert_eq!(next().number(), 2);
        for odd in ["7", "08", "+9", "x"] {
            fs::create_dir(&runs.join("WRK-001/build").join(odd)).unwrap();
        }
        let attempt = next();
        assert_eq!(attempt.number(), 8);
        assert!(attempt.folder().is_absolute());
        assert!(attempt.folder().ends_with("runs/WRK-001/build/8"));
        let last = runs.join("WRK-001/build").join(u32::MAX.to_string());
        fs::create_dir(&last).unwrap();
        let error = Attempt::create(&runs, "WRK-001", "build").unwrap_err();
        assert!(matches!(error, RunnerError::NoAttemptLeft { .. }), "{error}");
    }

    #[test]
    fn an_attempt_takes_the_folder_that_was_made_in_advance() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let first = Attempt::create(&runs, "WRK-001", "build").unwrap();
        first.make_spare();
        first.make_spare();
        assert_eq!(Attempt::unfinished(&runs).unwrap(), [], "it is none of an item");
        let inode = |folder: &Path| fs::stamp(folder).unwrap().unwrap().ino;
        let is_there = || fs::stamp(&runs.join(".spare")).unwrap().is_some();
        let made = inode(&runs.join(".spare/.spare"));
        // The first attempt at a phase takes the folder of the phase as well.
        let second = Attempt::create(&runs, "WRK-002", "build").unwrap();
        assert_eq!((second.number(), inode(second.folder()), is_there()), (1, made, false));
        assert_eq!(fs::read(&second.prompt_file()).unwrap(), b"");
        assert_eq!(Attempt::unfinished(&runs).unwrap(), [], "its record of processes is empty");
        // A later one takes its own alone, and the next spare finds what is left of it.
        second.make_spare();
        let made = inode(&runs.join(".spare/.spare"));
        let third = Attempt::create(&runs, "WRK-002", "build").unwrap();
        assert_eq!((third.number(), inode(third.folder()), is_there()), (2, made, true));
        third.make_spare();
        // One that was killed in between has left its folder to the next.
        let (above, made) = (runs.join("WRK-002/test"), inode(&runs.join(".spare/.spare")));
        fs::rename_noreplace(&runs.join(".spare"), &above).unwrap();
        let fourth = Attempt::create(&runs, "WRK-002", "test").unwrap();
        assert_eq!((fourth.number(), inode(fourth.folder()), is_there()), (1, made, false));
        // What is no folder becomes none of an attempt.
        fs::create_new(&runs.join(".spare"), b"theirs").unwrap();
        fourth.make_spare();
        let fifth = Attempt::create(&runs, "WRK-003", "build").unwrap();
        assert_eq!(fs::stamp(fifth.folder()).unwrap().unwrap().kind, Kind::Dir);
        assert_eq!(fifth.number(), 1);
    }

    #[test]
    fn odd_names_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let runs = fs::resolve(&dir.path().join("runs")).unwrap();
        for odd in ["..", ".", "", "../../etc", "a/b", "/", "a\\b", "é ", "%2E", "x\0"] {
            let attempt = Attempt::create(&runs, odd, odd).unwrap();
            let inner = attempt.folder().strip_prefix(&runs).unwrap();
            assert_eq!(inner.components().count(), 3, "{odd}: {inner:?}");
            assert_eq!((attempt.item(), attempt.number()), (odd, 1));
        }
    }

    #[test]
    fn what_was_left_open_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        assert_eq!(Attempt::unfinished(&runs).unwrap(), []);
        let recorded = Attempt::create(&runs, "a/b", "design").unwrap();
        fs::create_new(&recorded.pid_file(), b"{}").unwrap();
        Attempt::create(&runs, "WRK-002", "build").unwrap();
        let answered = Attempt::create(&runs, "WRK-002", "build").unwrap();
        fs::create_new(&answered.result_file(), b"{}").unwrap();
        fs::create_new(&runs.join("note"), b"").unwrap();
        assert_eq!(Attempt::unfinished(&runs).unwrap(), [answered.clone(), recorded]);
        assert!(!answered.is_superseded().unwrap());
        Attempt::create(&runs, "WRK-002", "build").unwrap();
        assert!(answered.is_superseded().unwrap());
    }

    #[test]
    fn a_result_that_is_a_folder_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let attempt = Attempt::create(&dir.path().join("runs"), "WRK-001", "build").unwrap();
        for n in 1..=2 {
            fs::create_dir(&attempt.result_file()).unwrap();
            attempt.discard_result().unwrap();
            assert_eq!(fs::stamp(&attempt.result_file()).unwrap(), None);
            let aside = attempt.folder().join(format!("result-{n}.discarded"));
            assert!(fs::stamp(&aside).unwrap().is_some());
        }
        fs::create_new(&attempt.result_file(), b"{}").unwrap();
        attempt.discard_result().unwrap();
        assert_eq!(fs::stamp(&attempt.result_file()).unwrap(), None);
    }

    proptest! {
        #[test]
        fn names_survive(name in any::<String>()) {
            let escaped = escape(&name);
            prop_assert!(!escaped.contains(['/', '\\', '\0']) && !escaped.starts_with('.'));
            prop_assert_eq!(unescape(&escaped), Some(name));
        }

        #[test]
        fn no_folder_name_makes_trouble(name in any::<String>()) {
            if let Some(found) = unescape(&name) {
                prop_assert_eq!(escape(&found), name);
            }
        }
    }
}
