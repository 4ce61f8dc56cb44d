//! A project with files that have IDs, and a database beside them.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::support::{Answer, Project};

/// Options that name one sequence in `chunks.sqlite3`.
pub(crate) const TASKS: &str = "--db sqlite:chunks.sqlite3 --prefix KABSD --type TSK";

/// A project with a database.
pub(crate) struct Workshop {
    pub(crate) project: Project,
}

impl Workshop {
    /// Makes a folder without anything in it.
    pub(crate) fn empty() -> Self {
        Self { project: Project::empty() }
    }

    /// Makes one with another program's database, `chunks.sqlite3`.
    pub(crate) fn with_chunks() -> Self {
        let workshop = Self::empty();
        workshop.sql("CREATE TABLE chunks (text TEXT); INSERT INTO chunks VALUES ('theirs')");
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.project.root().join(name)
    }

    /// Executes statements on `chunks.sqlite3`, as another program would.
    pub(crate) fn sql(&self, sql: &str) {
        Connection::open(self.path("chunks.sqlite3")).unwrap().execute_batch(sql).unwrap();
    }

    /// Asks for one value of `chunks.sqlite3`.
    pub(crate) fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let conn = Connection::open(self.path("chunks.sqlite3")).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Asks for one value, which it may not know.
    pub(crate) fn try_ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> Option<T> {
        let conn = Connection::open(self.path("chunks.sqlite3")).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).ok()
    }

    /// Writes a file, and its folders.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes an item as the ticket tool does.
    pub(crate) fn item(&self, number: u32) {
        let id = format!("KABSD-TSK-{number:04}");
        let text = format!("---\nid: {id}\nuid: 0\ntype: Task\ntags: []\n---\n\n# Context\n");
        self.file(&format!("items/task/{id}_a-title.md"), &text);
    }

    /// Runs `id` with arguments that are apart by spaces.
    pub(crate) fn id(&self, line: &str) -> Answer {
        self.project.sh(&format!("id {line}"))
    }

    /// Returns the names of all files in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.project.root()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
