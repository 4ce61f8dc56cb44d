//! Folders that cannot be written, as somebody who is not root meets them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Answer, Project, program};

const ONE: &str = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: One\n";
const NOBODY: u32 = 65534;

/// Somebody without privileges; where the tests are root, a user of their own.
struct Nobody {
    is_other: bool,
}

impl Nobody {
    /// `None` where the tests are root and cannot become somebody else.
    fn find() -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            return Some(Self { is_other: false });
        }
        let works = Command::new("setpriv").args(Self::words()).arg("true").output();
        if works.is_ok_and(|output| output.status.success()) {
            return Some(Self { is_other: true });
        }
        println!("skipped: root cannot become another user here");
        None
    }

    fn words() -> [String; 3] {
        [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]
    }

    /// Runs the program as them.
    fn run(&self, folder: &Path, args: &[&str]) -> Answer {
        if !self.is_other {
            let mut command = program(folder);
            command.args(args);
            return Answer::of(command, "");
        }
        let mut command = Command::new("setpriv");
        command.current_dir(folder).args(Self::words()).arg(reachable()).args(args);
        Answer::of(command, "")
    }

    /// Makes a project theirs, and all below it.
    fn take(&self, project: &Project) {
        if self.is_other {
            each(project.root(), &mut |path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
        }
    }
}

/// Returns the program where everybody can start it.
fn reachable() -> &'static Path {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        let path = dir.path().join("orchestrator");
        fs::copy(env!("CARGO_BIN_EXE_orchestrator"), &path).unwrap();
        (dir, path)
    });
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Visits a folder and all in it, deepest first.
fn each(path: &Path, visit: &mut dyn FnMut(&Path)) {
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            each(&entry.unwrap().path(), visit);
        }
    }
    visit(path);
}

/// Takes the right to write away from a folder and all in it, or from its folders
/// alone; gives it back when dropped.
struct ReadOnly {
    path: PathBuf,
}

impl ReadOnly {
    fn make(path: &Path, files_too: bool) -> Self {
        each(path, &mut |path| match (path.is_dir(), files_too) {
            (true, _) => set_mode(path, 0o555),
            (false, true) => set_mode(path, 0o444),
            (false, false) => {}
        });
        Self { path: path.to_owned() }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        each(&self.path, &mut |path| set_mode(path, if path.is_dir() { 0o755 } else { 0o644 }));
    }
}

#[test]
fn in_a_read_only_folder_the_old_file_stands() {
    let Some(nobody) = Nobody::find() else { return };
    for had_state in [false, true] {
        let project = Project::with(ONE);
        nobody.take(&project);
        if had_state {
            nobody.run(project.root(), &["add", "Two"]).ok();
        }
        let before = project.text();
        let read_only = ReadOnly::make(project.root(), true);
        for args in [
            &["add", "No"][..],
            &["update", "1", "--title", "Uno"],
            &["done", "1"],
            &["archive", "1", "--reason", "no"],
            &["id", "next"],
        ] {
            let stderr = nobody.run(project.root(), args).fails(8);
            assert!(stderr.contains(".orchestrator"), "{args:?}: {stderr}");
            assert_eq!(project.text(), before, "{args:?}");
        }
        // Reading needs no right to write.
        nobody.run(project.root(), &["list"]).ok();
        nobody.run(project.root(), &["check"]).ok();
        drop(read_only);
        let next = if had_state { "WRK-003\n" } else { "WRK-002\n" };
        assert_eq!(nobody.run(project.root(), &["add", "Next"]).ok(), next);
    }
}

#[test]
fn with_a_read_only_git_folder_adds_go_on_and_no_number_comes_back() {
    let Some(nobody) = Nobody::find() else { return };
    // With and without a mark in there already; as a mount or somebody else's rights
    // make it, and with folders alone closed.
    for (had_mark, files_too) in [(false, true), (true, true), (false, false), (true, false)] {
        let what = format!("had a mark: {had_mark}, files too: {files_too}");
        let project = Project::with(ONE);
        project.commit_all();
        nobody.take(&project);
        let mut told = 1;
        let mut add = |warns: bool| {
            let answer = nobody.run(project.root(), &["add", "More"]);
            let is_warned = answer.stderr.contains("git's folder cannot be written");
            assert_eq!(is_warned, warns, "{what}: {}", answer.stderr);
            told += 1;
            assert_eq!(answer.ok(), format!("WRK-{told:03}\n"), "{what}");
        };
        if had_mark {
            add(false);
        }
        let read_only = ReadOnly::make(&project.root().join(".git"), files_too);
        add(true);
        add(true);
        // What we saved goes, and the local copy of the mark stays.
        project.write(ONE);
        add(true);
        drop(read_only);
        add(false);
        // From here on git's folder has it again, alone.
        fs::remove_dir_all(project.root().join(".orchestrator")).unwrap();
        project.write(ONE);
        nobody.take(&project);
        add(false);
    }
}

#[test]
fn an_inbox_that_cannot_be_removed_is_not_taken_in() {
    let Some(nobody) = Nobody::find() else { return };
    let project = Project::with(ONE);
    fs::write(project.root().join("BACKLOG_INBOX.yaml"), "- Entry\n").unwrap();
    nobody.take(&project);
    nobody.run(project.root(), &["add", "Two"]).ok();
    let before = project.text();
    set_mode(project.root(), 0o555);
    for _ in 0..2 {
        nobody.run(project.root(), &["ingest"]).fails(8);
        assert_eq!(project.text(), before);
    }
    set_mode(project.root(), 0o755);
    assert_eq!(nobody.run(project.root(), &["ingest"]).ok(), "WRK-003 Entry\n");
    assert!(!project.root().join("BACKLOG_INBOX.yaml").exists());
}

#[test]
fn where_sequences_stand_is_shown_in_a_folder_that_cannot_be_written() {
    let Some(nobody) = Nobody::find() else { return };
    let project = Project::empty();
    project.sh("id next --db sqlite:data/ids.db --create --project p --type US").ok();
    set_mode(project.root(), 0o755);
    set_mode(&project.root().join("data"), 0o555);
    let status = |db: &str| nobody.run(project.root(), &["id", "status", "--db", db]);
    assert_eq!(status("sqlite:data/ids.db").ok(), "US/p\tOK\t1\t-\tUS-002\n");
    let next = ["id", "next", "--db", "sqlite:data/ids.db", "--project", "p", "--type", "US"];
    nobody.run(project.root(), &next).fails(8);
    // What a log beside it may know is not passed over.
    set_mode(&project.root().join("data"), 0o755);
    fs::write(project.root().join("data/ids.db-wal"), [7; 100]).unwrap();
    set_mode(&project.root().join("data"), 0o555);
    status("sqlite:data/ids.db").fails(8);
    set_mode(&project.root().join("data"), 0o755);
}
