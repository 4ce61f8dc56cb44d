//! The system's table of processes, read from `/proc`.
//!
//! Says which processes descend from one, which carry a variable in their
//! environment, and whether a number still means the process it once did. Linux
//! only: elsewhere nothing is found, and callers fall back on process groups.
//! What it returns is the state of a moment ago; whoever signals checks again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::fs::{self, FsError};

/// A process, known again by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since the boot; absent outside Linux.
    pub(crate) start: Option<u64>,
}

impl Process {
    /// Returns the process that has this number now.
    pub(crate) fn of(pid: Pid) -> Self {
        let pid = pid.as_raw_pid();
        let start = Entry::read(pid).map(|entry| entry.start);
        Self { pid, start }
    }

    /// Tells whether the number still means this process, and it has not ended.
    /// Without a start time nobody can tell, and the answer is no.
    pub(crate) fn is_alive(self) -> bool {
        let found = Entry::read(self.pid).filter(|entry| !entry.is_dead);
        found.is_some_and(|entry| Some(entry.start) == self.start)
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    parent: i32,
    start: u64,
    /// Ended, but not yet reaped by its parent.
    is_dead: bool,
}

impl Entry {
    /// Reads the entry of a process; `None` where there is none any more.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(&path_of(pid).join("stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&stat))
    }

    /// Reads the text of `/proc/PID/stat`, see proc(5).
    fn parse(stat: &str) -> Option<Self> {
        // The second field is a name in brackets, which may hold brackets and
        // blanks itself.
        let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
        let state = fields.next()?;
        Some(Self {
            parent: fields.next()?.parse().ok()?,
            // Field 22, of which the first four are passed.
            start: fields.nth(17)?.parse().ok()?,
            is_dead: matches!(state, "Z" | "X" | "x"),
        })
    }
}

fn path_of(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Returns all processes there are, dead ones included.
fn all() -> Result<BTreeMap<i32, Entry>, FsError> {
    if !cfg!(target_os = "linux") {
        return Ok(BTreeMap::new());
    }
    let names = fs::list(Path::new("/proc"))?.into_iter();
    let pids = names.filter_map(|entry| entry.name.to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Some((pid, Entry::read(pid)?))).collect())
}

/// Returns the living processes that descend from `roots`, those not included.
pub(crate) fn descendants(roots: &[i32]) -> Result<Vec<Process>, FsError> {
    let table = all()?;
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, entry) in &table {
        children.entry(entry.parent).or_default().push(*pid);
    }
    let mut todo = roots.to_vec();
    let mut found = Vec::new();
    while let Some(parent) = todo.pop() {
        // Taken out: a table read while it changes may show a circle.
        for child in children.remove(&parent).unwrap_or_default() {
            todo.push(child);
            if let Some(entry) = table.get(&child).filter(|entry| !entry.is_dead) {
                let (pid, start) = (child, Some(entry.start));
                found.push(Process { pid, start });
            }
        }
    }
    Ok(found)
}

/// Returns the living processes that were started with `name` set to `value`.
/// Those whose environment we may not read are left out.
pub(crate) fn with_variable(name: &str, value: &Path) -> Result<Vec<Process>, FsError> {
    let mut wanted = format!("{name}=").into_bytes();
    wanted.extend_from_slice(value.as_os_str().as_encoded_bytes());
    let carries = |pid: i32| {
        let environment = fs::read(&path_of(pid).join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|set| set == wanted)
    };
    let living = all()?.into_iter().filter(|(_, entry)| !entry.is_dead);
    let found = living.filter(|(pid, _)| carries(*pid));
    Ok(found.map(|(pid, entry)| Process { pid, start: Some(entry.start) }).collect())
}

/// Returns what names the time since the system was started, where it has one.
pub(crate) fn boot() -> Option<String> {
    let id = fs::read(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    Some(String::from_utf8_lossy(&id).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_pass_for_fields() {
        let stat = "42 (a) R 1) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1";
        let entry = Entry::parse(stat).unwrap();
        assert_eq!((entry.parent, entry.start, entry.is_dead), (7, 9876, false));
        assert!(Entry::parse(&stat.replace(" S ", " Z ")).unwrap().is_dead);
        for broken in ["", "42", "42 (a", "42 (a)", "42 (a) S x", "42 (a) S 7 1 2"] {
            assert_eq!(Entry::parse(broken), None, "{broken}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_is_found_until_it_is_gone() {
        let me = Process::of(rustix::process::getpid());
        assert!(me.is_alive());
        assert!(!Process { pid: me.pid, start: Some(1) }.is_alive());
        assert!(!Process { pid: me.pid, start: None }.is_alive());
        let mark = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .env("TABLE_TEST", mark.path())
            .spawn()
            .unwrap();
        let process = Process::of(Pid::from_child(&child));
        assert!(descendants(&[me.pid]).unwrap().contains(&process));
        assert_eq!(with_variable("TABLE_TEST", mark.path()).unwrap(), [process]);
        assert_eq!(with_variable("TABLE_TES", mark.path()).unwrap(), []);
        child.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        // A zombie: there, but not alive.
        assert!(!descendants(&[me.pid]).unwrap().contains(&process));
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
