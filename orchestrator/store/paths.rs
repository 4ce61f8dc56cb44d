//! Where everything of one backlog lies.
//!
//! `ROOT` is the folder of the backlog file, links resolved, so that two ways to
//! one file share one lock.

use std::path::{Path, PathBuf};

use super::{ParsedBacklog, StoreError};
use crate::fs;
use crate::model::Rules;

/// The places of one backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The backlog file itself, links resolved: what is replaced.
    pub file: PathBuf,
    /// How the file was named: what messages say.
    pub shown: PathBuf,
    /// The folder of the file.
    pub root: PathBuf,
    /// `ROOT/.orchestrator`.
    pub state: PathBuf,
    /// The folder of the worklog's months.
    pub worklog: PathBuf,
}

/// The name of the folder with our own state.
pub const STATE_DIR: &str = ".orchestrator";

impl Paths {
    /// Finds the places of a backlog file, which need not exist. `worklog` is
    /// taken from `ROOT`.
    ///
    /// # Errors
    /// Where links go in circles or folders cannot be read.
    pub fn new(shown: &Path, worklog: &Path) -> Result<Self, StoreError> {
        let file = fs::resolve(shown)?;
        let root = file.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        Ok(Self {
            state: root.join(STATE_DIR),
            worklog: root.join(worklog),
            shown: shown.to_owned(),
            file,
            root,
        })
    }

    /// Tells whether what lies in the backlog's place can be read as one just now: it may
    /// be gone, or somebody may be typing in it.
    pub fn has_backlog(&self) -> bool {
        let text = fs::read(&self.file).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.is_some_and(|text| ParsedBacklog::parse(text, &Rules::default()).is_ok())
    }

    /// Returns the lock that every write takes.
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// Returns the folder of texts on their way.
    pub fn tmp(&self) -> PathBuf {
        self.state.join("tmp")
    }

    /// Returns the folder of texts that must not be lost.
    pub fn backup(&self) -> PathBuf {
        self.state.join("backup")
    }

    /// Returns the folder of claimed inboxes.
    pub fn inbox(&self) -> PathBuf {
        self.state.join("inbox")
    }

    /// Returns the lock that whoever takes in an inbox holds; taken before
    /// [`Paths::lock`], never after.
    pub fn inbox_lock(&self) -> PathBuf {
        self.state.join("inbox.lock")
    }

    /// Returns the folder of items that a stale editor dropped.
    pub fn lost(&self) -> PathBuf {
        self.state.join("lost")
    }

    /// Returns the copy of what the file was read as; deletable.
    pub fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }

    /// Returns the record of what each save touched.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    /// Returns the story of the backlog, an event a line.
    pub fn events(&self) -> PathBuf {
        self.state.join("events.jsonl")
    }

    /// Returns the copy of the mark that serves where git's folder cannot.
    pub fn mark(&self) -> PathBuf {
        self.state.join("mark")
    }

    /// Makes the folder of our state, with its own `.gitignore`.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn prepare(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.tmp())?;
        let ignore = self.state.join(".gitignore");
        if fs::stamp(&ignore)?.is_none() {
            match fs::create_new(&ignore, b"*\n") {
                Err(error) if !error.is_already_exists() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}
