//! One or two worktrees on disk, and what the oracle knows of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use orchestrator::store::{BacklogStore, Clock, StoreError, StoreOptions};

use super::oracle::Oracle;
use crate::support::Random;

/// What must not happen, and did.
#[derive(Debug)]
pub(super) struct Violation(pub(super) String);

impl From<StoreError> for Violation {
    fn from(error: StoreError) -> Self {
        Self(format!("{error}: {error:?}"))
    }
}

/// The world of one sequence.
pub(super) struct World {
    _dir: tempfile::TempDir,
    pub(super) trees: Vec<Tree>,
    pub(super) is_git: bool,
    /// Milliseconds that our clock is ahead, so that nothing looks fresh.
    ahead: Arc<AtomicI64>,
    pub(super) oracle: Oracle,
    next: usize,
}

/// One work tree with its backlog.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// A store that lives on, as in a long run.
    pub(super) store: Option<BacklogStore>,
    /// A reader that lives on.
    pub(super) reader: Option<BacklogStore>,
    /// Texts that were committed, for checkouts.
    pub(super) commits: Vec<String>,
}

impl Tree {
    pub(super) fn file(&self) -> PathBuf {
        self.root.join("BACKLOG.yaml")
    }

    pub(super) fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Returns all months of the worklog.
    pub(super) fn worklog(&self) -> String {
        let entries = fs::read_dir(self.root.join("worklog")).into_iter().flatten();
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

const V2: &str = "\
schema_version: 2
next_item_id: 2
items:
  - id: WRK-001
    title: one
    status: done
  - id: WRK-002
    title: two
    # note-0
";

const V1: &str = "\
schema_version: 1
items:
  - id: WRK-001
    title: one
    status: researching
    x_0: note-0
  - id: WRK-002
    title: two
    status: done
";

const BARE: &str = "items:\n  - title: one\n  - title: two # note-0\n";

const EMPTY: &str = "# note-0\nschema_version: 2\nnext_item_id: 0\nitems: []\n";

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        let is_git = random.below(3) > 0;
        let text = *random.pick(&[V2, V1, BARE, EMPTY]);
        let mut trees = vec![Tree::new(dir.path().join("main"), text)];
        if is_git {
            let git = trees[0].root.join(".git");
            for part in ["objects", "refs", "worktrees/other"] {
                fs::create_dir_all(git.join(part)).unwrap();
            }
            fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
            if random.below(2) == 0 {
                let other = git.join("worktrees/other");
                fs::write(other.join("HEAD"), "ref: refs/heads/other\n").unwrap();
                fs::write(other.join("commondir"), "../..\n").unwrap();
                let tree = Tree::new(dir.path().join("other"), text);
                let pointer = format!("gitdir: {}\n", other.display());
                fs::write(tree.root.join(".git"), pointer).unwrap();
                trees.push(tree);
            }
        }
        let oracle = Oracle::new(trees.len());
        let ahead = Arc::new(AtomicI64::new(3_600_000));
        Self { _dir: dir, trees, is_git, ahead, oracle, next: 0 }
    }

    /// Returns a number that was not returned before.
    pub(super) fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// Lets time pass.
    pub(super) fn wait(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn options(&self, tree: usize) -> StoreOptions {
        let ahead = Arc::clone(&self.ahead);
        let mut options = StoreOptions::new(&self.trees[tree].file());
        options.clock = Clock::from_fn(move || {
            let millis = Clock::system().now().as_millisecond() + ahead.load(Ordering::Relaxed);
            Timestamp::from_millisecond(millis).unwrap()
        });
        options
    }

    pub(super) fn open(&self, tree: usize) -> Result<BacklogStore, StoreError> {
        BacklogStore::open(self.options(tree))
    }

    /// Takes the store that lives on, or a new one.
    pub(super) fn store(&mut self, tree: usize) -> Result<BacklogStore, StoreError> {
        match self.trees[tree].store.take() {
            Some(store) => Ok(store),
            None => self.open(tree),
        }
    }

    /// Runs what was cut short to its end, and looks at everything once more.
    pub(super) fn finish(&mut self, log: &mut Vec<String>) -> Result<(), Violation> {
        log.push("at the end".to_owned());
        for tree in 0..self.trees.len() {
            self.trees[tree].store = None;
            self.wait(5_000);
            for _ in 0..2 {
                let inbox = self.trees[tree].root.join("BACKLOG_INBOX.yaml");
                let ingested = self.open(tree)?.ingest(&inbox)?;
                self.oracle.tell_items(tree, &ingested.added, false)?;
            }
            // A save by anybody sweeps what kills left behind.
            let mut store = self.open(tree)?;
            let saved = store.lock()?.save(&[])?;
            self.oracle.tell_items(tree, &saved.named, false)?;
            self.check(tree)?;
            self.check_entries(tree)?;
            self.check_leftovers(tree)?;
        }
        Ok(())
    }

    fn check_entries(&self, tree: usize) -> Result<(), Violation> {
        let tree_state = &self.trees[tree];
        let (text, log) = (tree_state.text(), tree_state.worklog());
        for title in self.oracle.entries(tree) {
            let line = |text: &str| {
                text.lines().filter(|line| line.trim().ends_with(title.as_str())).count()
            };
            if line(&text) + line(&log) == 0 {
                return Err(Violation(format!("{title} was never taken in\n{text}")));
            }
        }
        Ok(())
    }

    fn check_leftovers(&self, tree: usize) -> Result<(), Violation> {
        let root = &self.trees[tree].root;
        let ours: BTreeSet<&str> =
            ["BACKLOG.yaml", "worklog", ".orchestrator", ".git"].into_iter().collect();
        for (folder, is_ours) in [
            (root.clone(), &(|name: &str| ours.contains(name)) as &dyn Fn(&str) -> bool),
            (root.join(".orchestrator/tmp"), &|name: &str| name.starts_with("kept-")),
            (root.join(".orchestrator/inbox"), &|_: &str| false),
        ] {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let name = entry.unwrap().file_name().to_string_lossy().into_owned();
                if !is_ours(&name) {
                    return Err(Violation(format!("{name} is left over in {}", folder.display())));
                }
            }
        }
        Ok(())
    }
}

impl Tree {
    fn new(root: PathBuf, text: &str) -> Self {
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("BACKLOG.yaml"), text).unwrap();
        Self { root, store: None, reader: None, commits: vec![text.to_owned()] }
    }
}
