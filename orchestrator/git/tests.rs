//! What is committed and what is left, with the real git; an oddity a test.
#![expect(clippy::disallowed_methods, reason = "does in a work tree what people and agents do")]

mod history;
mod model;
mod odd_paths;
mod places;
mod refusals;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::fs;

/// A repository in a temporary folder.
struct Bench {
    _dir: tempfile::TempDir,
    top: PathBuf,
}

impl Bench {
    /// Makes one without a commit.
    fn unborn() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::resolve(dir.path()).unwrap().join("re po — ü");
        std::fs::create_dir(&top).unwrap();
        let bench = Self { _dir: dir, top };
        bench.git(&["init", "--quiet", "--initial-branch=main"]);
        bench.configure(&bench.top);
        bench
    }

    /// Makes one with files `a`, `b` and `folder/c` committed.
    fn new() -> Self {
        let bench = Self::unborn();
        for name in ["a", "b", "folder/c"] {
            bench.write(name, "one\n");
        }
        bench.git(&["add", "-A"]);
        bench.git(&["commit", "--quiet", "-m", "first"]);
        bench
    }

    /// Makes a repository independent of the settings of whoever runs the tests.
    fn configure(&self, top: &Path) {
        for (name, value) in [
            ("user.name", "Test"),
            ("user.email", "test@example.invalid"),
            ("commit.gpgsign", "false"),
            ("core.hooksPath", ".git/hooks"),
            ("core.autocrlf", "false"),
            ("protocol.file.allow", "always"),
        ] {
            run_git(top, &["config", name, value]);
        }
    }

    fn git(&self, args: &[&str]) -> String {
        run_git(&self.top, args)
    }

    fn repository(&self) -> Repository {
        Repository::open(&self.top).unwrap().unwrap()
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.top.join(Path::new(&name))
    }

    fn write(&self, name: impl AsRef<OsStr>, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn remove(&self, name: impl AsRef<OsStr>) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Puts a hook in place.
    fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(format!(".git/hooks/{name}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the status in short form, sorted.
    fn status(&self) -> Vec<String> {
        let status = self.git(&["status", "--porcelain", "-z", "-uall", "--no-renames"]);
        let mut lines: Vec<String> =
            status.split('\0').filter(|line| !line.is_empty()).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Returns the paths that a commit changed, each with the letter for how.
    fn changed(&self, commit: &str) -> Vec<String> {
        let args = ["show", "--format=", "--name-status", "--no-renames", "-z", commit];
        let listing = self.git(&args);
        let parts: Vec<&str> = listing.split('\0').filter(|part| !part.is_empty()).collect();
        parts.chunks(2).map(|pair| format!("{} {}", pair[0].trim(), pair[1])).collect()
    }

    /// Lets a phase do something, and returns what it changed.
    fn phase(&self, act: impl FnOnce(&Self)) -> Snapshot {
        let repository = self.repository();
        let before = repository.snapshot().unwrap();
        act(self);
        let after = repository.snapshot().unwrap();
        after.into_iter().filter(|(path, _)| !before.contains_key(path)).collect()
    }

    fn try_commit(&self, paths: &Snapshot) -> Result<Option<String>, GitError> {
        let message = "[WRK-001][build] Done\n\nOrchestrator-Attempt: WRK-001/build/1\n";
        let known_by = "Orchestrator-Attempt: WRK-001/build/1";
        self.repository().commit_paths(&Commit { message, known_by, since: None, paths })
    }

    /// Lets a phase do something, and commits it.
    #[track_caller]
    fn commit(&self, act: impl FnOnce(&Self)) -> String {
        let paths = self.phase(act);
        self.try_commit(&paths).unwrap().expect("there is something to commit")
    }
}

fn run_git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_bytes().starts_with(b"GIT_")) {
        command.env_remove(key);
    }
    let output = command.current_dir(folder).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
