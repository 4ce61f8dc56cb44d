//! A project in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrator::model::change::NewItem;
use orchestrator::model::{Applied, Change};
use orchestrator::store::{BacklogStore, Request, RequestError, Saved, StoreError, StoreOptions};

/// A folder with a backlog, removed when dropped.
pub(crate) struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// Makes a folder without a backlog.
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Makes a folder with this backlog.
    pub(crate) fn with(text: &str) -> Self {
        let project = Self::empty();
        fs::write(project.file(), text).unwrap();
        project
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.root().join("BACKLOG.yaml")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions::new(&self.file())
    }

    pub(crate) fn store(&self) -> BacklogStore {
        BacklogStore::open(self.options()).unwrap()
    }

    /// Makes changes by a fresh store, as a process of its own would.
    pub(crate) fn try_change(&self, changes: Vec<Change>) -> Result<Saved, StoreError> {
        let mut store = BacklogStore::open(self.options())?;
        let requests: Vec<Request> = changes.into_iter().map(Request::from).collect();
        store.lock()?.save(&requests)
    }

    pub(crate) fn change(&self, change: Change) -> Result<Applied, RequestError> {
        self.try_change(vec![change]).unwrap().outcomes.remove(0)
    }

    /// Adds an item and returns its ID.
    pub(crate) fn add(&self, title: &str) -> String {
        let applied = self.change(Change::Add(vec![NewItem::titled(title)])).unwrap();
        applied.added[0].id.clone().unwrap()
    }

    pub(crate) fn git(&self, args: &[&str]) {
        git(self.root(), args);
    }

    /// Makes the folder a repository with everything in it committed.
    pub(crate) fn commit_all(&self) {
        self.git(&["init", "-q", "-b", "main"]);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "start"]);
    }
}

/// Runs git, as somebody without a configuration.
pub(crate) fn git(folder: &Path, args: &[&str]) {
    let output = std::process::Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.invalid"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the titles of a backlog, in order.
pub(crate) fn titles(store: &mut BacklogStore) -> Vec<String> {
    store.file().unwrap().items.iter().map(|item| item.title.clone()).collect()
}
