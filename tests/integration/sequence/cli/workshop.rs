//! A project with files that have IDs, and a database beside them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

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

    /// Lets the database issue 40 IDs of tasks and 3 of stories, then damages the index of
    /// the tasks' table.
    pub(crate) fn damage(&self) {
        self.id(&format!("next {TASKS} --create --count 40")).ok();
        self.id("next --db sqlite:chunks.sqlite3 --project p --type US --create --count 3").ok();
        self.damage_a_page();
    }

    /// Overwrites the index of the sequences.
    pub(crate) fn damage_a_page(&self) {
        self.overwrite("sqlite_autoindex_id_sequences_1");
    }

    /// Overwrites the first page of a table or an index.
    pub(crate) fn overwrite(&self, name: &str) {
        let page = format!("SELECT rootpage FROM sqlite_schema WHERE name = '{name}'");
        self.overwrite_page(self.ask(&page));
    }

    /// Overwrites a page, while others may use the file.
    pub(crate) fn overwrite_page(&self, page: i64) {
        self.overwrite_bytes((page as u64 - 1) * 4096, 4096);
    }

    /// Overwrites bytes, while nobody is about to write some of them.
    pub(crate) fn overwrite_bytes(&self, from: u64, many: usize) {
        let path = self.path("chunks.sqlite3");
        // To close it ends the lock: it is opened first, and closed last.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.busy_timeout(Duration::from_secs(60)).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        file.write_all_at(&vec![0xff; many], from).unwrap();
        drop(conn);
    }
}
