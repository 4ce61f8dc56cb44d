//! The suite that every backend passes, on SQLite: on files that the program made,
//! and on those of another program.

use std::path::{Path, PathBuf};

use orchestrator::sequence::Layout;
use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::sequence::conformance::Store;

/// Opens with all that may be made.
pub(crate) fn make(path: &Path, layout: Layout) -> SqliteBackend {
    let options = SqliteOptions { make: Make::File, ..SqliteOptions::default() };
    SqliteBackend::open(path, layout, options).unwrap()
}

/// A file that the program made.
pub(crate) struct Ours {
    dir: TempDir,
    layout: Layout,
}

impl Ours {
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("ids.db")
    }
}

impl Store for Ours {
    type Backend = SqliteBackend;

    fn new(layout: Layout) -> Self {
        let store = Self { dir: tempfile::tempdir().unwrap(), layout };
        assert!(make(&store.path(), store.layout.clone()).was_made());
        store
    }

    fn open(&self) -> SqliteBackend {
        let options = SqliteOptions::default();
        SqliteBackend::open(&self.path(), self.layout.clone(), options).unwrap()
    }

    fn execute(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }
}

/// A file that another program made, with a table of its own in it.
struct Theirs(Ours);

impl Store for Theirs {
    type Backend = SqliteBackend;

    fn new(layout: Layout) -> Self {
        let store = Ours { dir: tempfile::tempdir().unwrap(), layout };
        store.execute("CREATE TABLE chunks (text TEXT); INSERT INTO chunks VALUES ('theirs')");
        let options = SqliteOptions { make: Make::Tables, ..SqliteOptions::default() };
        let made = SqliteBackend::open(&store.path(), store.layout.clone(), options).unwrap();
        assert!(!made.was_made());
        Self(store)
    }

    fn open(&self) -> SqliteBackend {
        self.0.open()
    }

    fn execute(&self, sql: &str) {
        self.0.execute(sql);
    }
}

mod ours {
    use super::Ours;
    use crate::sequence::conformance::conformance;
    conformance!(Ours);
}

mod theirs {
    use super::Theirs;
    use crate::sequence::conformance::conformance;
    conformance!(Theirs);
}

#[cfg(feature = "runtime")]
mod shared {
    use super::Ours;
    use crate::sequence::authority::authority;
    authority!(Ours);
}
