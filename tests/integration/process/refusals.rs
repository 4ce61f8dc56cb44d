//! A lock that somebody holds.

use std::time::{Duration, Instant};

use orchestrator::fs::{FileLock, Holder};

use crate::support::{Answer, Project, program};

const EMPTY: &str = "schema_version: 2\nnext_item_id: 0\nitems: []\n";

#[test]
fn a_held_lock_is_told_with_its_holder_after_the_timeout() {
    let project = Project::with(EMPTY);
    project.sh("add One").ok();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned());
    let holder = Holder::this_process(host, "orchestrator run", "12:00");
    let lock = project.root().join(".orchestrator/lock");
    let held = FileLock::acquire(&lock, Duration::from_secs(5), &holder).unwrap();
    let started = Instant::now();
    let stderr = project.sh("add Two --lock-timeout 300ms").fails(6);
    let waited = started.elapsed();
    assert!((300..8_000).contains(&waited.as_millis()), "{waited:?}");
    let pid = format!("process {}", std::process::id());
    for part in [pid.as_str(), "orchestrator run", "12:00", "still running"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let mut command = program(project.root());
    command.args(["add", "Two", "--json"]).env("ORCHESTRATOR_LOCK_TIMEOUT", "10ms");
    assert_eq!(Answer::of(command, "").error(6)["code"], "busy");
    // Reading waits for nobody.
    assert_eq!(project.sh("list --lock-timeout 0s").ok().lines().count(), 1);
    drop(held);
    assert_eq!(project.sh("add Two --lock-timeout 300ms").ok(), "WRK-002\n");
    project.sh("add Three --lock-timeout soon").fails(2);
}

#[test]
fn a_lock_of_a_process_that_was_killed_is_free() {
    let project = Project::with(EMPTY);
    project.sh("add One").ok();
    let gone = r#"{"pid":4194304,"command":"orchestrator run","started":"12:00"}"#;
    std::fs::write(project.root().join(".orchestrator/lock"), gone).unwrap();
    let started = Instant::now();
    assert_eq!(project.sh("add Two").ok(), "WRK-002\n");
    assert!(started.elapsed() < Duration::from_secs(5));
}
