//! What a run commits, what it leaves, and what it does when git fails.

mod agents;
mod failures;
mod kills;
mod places;
mod whose;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::workshop::Workshop;

/// `build` and `polish` change files; what comes before and after them does not.
const PIPELINE: &str = "
[[pipelines.feature.pre_phases]]
name = \"research\"
[[pipelines.feature.phases]]
name = \"build\"
destructive = true
staleness = \"warn\"
[[pipelines.feature.phases]]
name = \"polish\"
destructive = true
staleness = \"block\"
[[pipelines.feature.phases]]
name = \"review\"
";

/// Two items at a phase whose changes are committed together.
const TWO: &str = "\
schema_version: 2
next_item_id: 2
items:
  - {id: WRK-001, title: One, status: scoping, phase: research, phase_pool: pre}
  - {id: WRK-002, title: Two, status: scoping, phase: research, phase_pool: pre}
";

const READY: &str = "\
schema_version: 2
next_item_id: 1
items:
  - id: WRK-001
    title: One # mine
    status: ready
";

const BOTH_READY: &str = "\
schema_version: 2
next_item_id: 2
items:
  - {id: WRK-001, title: One, status: ready}
  - {id: WRK-002, title: Two, status: ready}
";

/// A workshop in a repository in which everything is committed.
struct Shop {
    shop: Workshop,
    top: PathBuf,
}

impl Shop {
    fn new(backlog: &str, script: &str) -> Self {
        Self::configured(backlog, script, "")
    }

    fn configured(backlog: &str, script: &str, execution: &str) -> Self {
        let shop = Workshop::with_pipeline(backlog, script, execution, PIPELINE);
        let top = shop.project.root().to_owned();
        let shop = Self { shop, top };
        shop.init();
        shop.commit_all();
        shop
    }

    /// Makes the folder a repository.
    fn init(&self) {
        self.git("init --quiet --initial-branch=main");
        for setting in [
            "user.name Test",
            "user.email test@example.invalid",
            "commit.gpgsign false",
            "core.hooksPath .git/hooks",
        ] {
            self.git(&format!("config {setting}"));
        }
    }

    fn commit_all(&self) {
        self.git("add -A");
        self.git("commit --quiet -m start");
    }

    fn git(&self, args: &str) -> String {
        git(&self.top, args)
    }

    /// Returns the subjects of the commits since the first one, oldest first.
    fn subjects(&self) -> Vec<String> {
        let log = self.git("log --reverse --format=%s");
        log.lines().skip(1).map(str::to_owned).collect()
    }

    /// Returns the paths that a commit changed, apart from our own.
    fn changed(&self, commit: &str) -> Vec<String> {
        let listing = self.git(&format!("show --format= --name-only --no-renames -z {commit}"));
        let own = |path: &&str| !path.ends_with("BACKLOG.yaml") && !path.contains("worklog/");
        listing.split('\0').filter(|path| !path.is_empty()).filter(own).map(str::to_owned).collect()
    }

    fn status(&self) -> String {
        self.git("status --porcelain --untracked-files=all --no-renames")
    }

    /// Returns how many commits carry each trailer, where not one.
    fn repeated(&self) -> Vec<String> {
        let log = self.git("log --format=%(trailers:key=Orchestrator-Attempt,valueonly)");
        let mut attempts: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
        attempts.sort_unstable();
        let repeated = attempts.windows(2).filter(|pair| pair[0] == pair[1]);
        repeated.map(|pair| pair[0].to_owned()).collect()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.top.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.top.join(path)).unwrap()
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.top.join(".git/hooks").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn script(&self, text: &str) {
        fs::write(self.shop.project.root().join("script"), text).unwrap();
    }

    /// Runs, and returns the report of a run that ended well.
    #[track_caller]
    fn run(&self) -> Value {
        let (code, report) = self.shop.report("run");
        assert!(code == 0 || code == 1, "{report}");
        report
    }
}

fn git(folder: &Path, args: &str) -> String {
    let output = Command::new("git").current_dir(folder).args(args.split(' ')).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// Returns whether an archived item names a commit as its last; an ID of digits is
/// quoted.
fn has_last_commit(worklog: &str, commit: &str) -> bool {
    let last = worklog.lines().filter_map(|line| line.trim().strip_prefix("last_phase_commit: "));
    last.map(|last| last.trim_matches('"')).any(|last| last == commit.trim())
}
