//! Ending processes: one signal to one process, and what outlived its supervisor.
//!
//! A signal goes through a handle to the process where the system has them, and
//! only after its start time was seen to be the known one, so that a number that
//! was given anew in between hits nobody. [`end_leftovers`] is the second line: the
//! supervisor ends its tree by itself, unless it was killed too.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::super::error::RunnerError;
use super::super::job::variable;
use super::record::Record;
use super::table::{Process, boot, descendants, with_variable};
use crate::fs::FsError;

/// How long a tree may take to end by itself after SIGTERM.
pub(super) const TERM_GRACE: Duration = Duration::from_secs(5);
/// How long SIGKILL is tried, for processes that we may not or cannot kill.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How often one looks whether processes are gone.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends a signal to a process, if it is still the one that is meant.
pub(super) fn signal(process: Process, signal: Signal) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return Ok(());
    };
    match send(process, pid, signal) {
        // It went while we looked.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => Ok(sent?),
    }
}

#[cfg(target_os = "linux")]
fn send(process: Process, pid: Pid, signal: Signal) -> rustix::io::Result<()> {
    use rustix::process::{PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
    match pidfd_open(pid, PidfdFlags::empty()) {
        // What the handle means stays the same from here on; is it the right one?
        Ok(handle) if process.is_alive() => pidfd_send_signal(handle, signal),
        // Before Linux 5.3, and in some sandboxes.
        Err(rustix::io::Errno::NOSYS) if process.is_alive() => kill_process(pid, signal),
        Ok(_) | Err(rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(_process: Process, _pid: Pid, _signal: Signal) -> rustix::io::Result<()> {
    // Without a start time nobody knows whose number it is by now.
    Ok(())
}

/// Waits for the recorded supervisor to end its tree, then ends what is left of
/// it: SIGTERM, and SIGKILL 5 s later. Returns what could not be ended.
///
/// What is left is the recorded agent with its descendants, and every process that
/// has the attempt's result file in its environment, which sons inherit. Blocks,
/// for half a minute at worst; outside Linux it finds nothing.
pub(crate) fn end_leftovers(
    record: Option<&Record>,
    result_file: &Path,
) -> Result<Vec<i32>, RunnerError> {
    let record = record.filter(|record| record.boot.is_some() && record.boot == boot());
    if let Some(supervisor) = record.and_then(|record| record.supervisor) {
        let end = Instant::now() + TERM_GRACE + KILL_PATIENCE + Duration::from_secs(2);
        while supervisor.is_alive() && Instant::now() < end {
            sleep(PAUSE);
        }
    }
    let agent = record.and_then(|record| record.agent);
    let mut left = Vec::new();
    find(&mut left, agent, result_file)?;
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let pids: Vec<i32> = left.iter().map(|process| process.pid).collect();
    tracing::info!(?pids, "processes that an agent has left are ended");
    send_all(&left, Signal::TERM);
    let end = Instant::now() + TERM_GRACE;
    while !left.is_empty() && Instant::now() < end {
        sleep(PAUSE);
        find(&mut left, agent, result_file)?;
    }
    let end = Instant::now() + KILL_PATIENCE;
    while !left.is_empty() && Instant::now() < end {
        send_all(&left, Signal::KILL);
        sleep(PAUSE);
        find(&mut left, agent, result_file)?;
    }
    Ok(left.iter().map(|process| process.pid).collect())
}

/// Adds what is there to what was found before, and drops what has ended. What
/// was found stays: with its parent, a process may lose all that it is known by.
fn find(
    left: &mut Vec<Process>,
    agent: Option<Process>,
    result_file: &Path,
) -> Result<(), FsError> {
    left.extend(with_variable(variable::RESULT_FILE, result_file)?);
    left.extend(agent);
    left.retain(|process| process.is_alive());
    let roots: Vec<i32> = left.iter().map(|process| process.pid).collect();
    left.extend(descendants(&roots)?);
    left.sort_unstable_by_key(|process| (process.pid, process.start));
    left.dedup();
    let own = rustix::process::getpid().as_raw_pid();
    left.retain(|process| process.pid != own);
    Ok(())
}

fn send_all(processes: &[Process], kind: Signal) {
    for process in processes {
        if let Err(error) = signal(*process, kind) {
            tracing::debug!(%error, ?process, ?kind, "a signal was not sent");
        }
    }
}
