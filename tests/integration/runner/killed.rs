//! An orchestrator that is killed: its agents go, and what they wrote is used.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use orchestrator::runner::{Attempt, Outcome, Report, end_leftover};
use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Bench, eventually, exists, recorded, stdout, told};

/// The folder in which [`an_orchestrator`] is to run its phase.
const FOLDER: &str = "TEST_ORCHESTRATOR_IN";

#[tokio::test]
#[ignore = "the process that the other tests here start and kill"]
async fn an_orchestrator() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        Bench::at(Path::new(&folder)).run().await;
    }
}

/// An orchestrator in a process of its own, with an agent that said it is ready.
struct Running {
    bench: Bench,
    process: Child,
}

impl Running {
    fn start(actions: &str) -> Self {
        let bench = Bench::scripted(actions);
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "runner::killed::an_orchestrator", "--ignored"])
            .env(FOLDER, bench.dir())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { bench, process };
        eventually("the agent is ready", || running.stdout().ends_with("ready\n"));
        eventually("it is recorded", || recorded(&running.folder(), "agent").is_some());
        running
    }

    fn folder(&self) -> std::path::PathBuf {
        self.bench.runs().join("WRK-001/design/1")
    }

    fn stdout(&self) -> String {
        fs::read_to_string(self.folder().join("stdout")).unwrap_or_default()
    }

    fn pid(&self, name: &str) -> i32 {
        recorded(&self.folder(), name).unwrap()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !exists(pid) || stat.contains(") Z ")
}

#[test]
fn its_agents_end_with_it() {
    let mut running = Running::start("child; detach; result phase_complete ok; say ready; hang");
    let mut all = told(&running.stdout());
    all.extend([running.pid("agent"), running.pid("supervisor")]);
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|pid| !is_gone(*pid)));
    running.kill();
    eventually("all are gone", || all.iter().all(|pid| is_gone(*pid)));

    let left = Attempt::unfinished(&running.bench.runs()).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].item(), left[0].phase(), left[0].number()), ("WRK-001", "design", 1));
    let outcome = end_leftover(&left[0]).unwrap();
    assert_eq!(outcome.result().unwrap().summary, "ok");
    assert!(!running.folder().join("pid").exists());
}

#[test]
fn the_next_run_waits_for_those_that_take_their_time() {
    let mut running = Running::start("say ready; hang");
    let (agent, supervisor) = (running.pid("agent"), running.pid("supervisor"));
    // A supervisor that is held up is a supervisor that has not finished.
    let stopped = Pid::from_raw(supervisor).unwrap();
    kill_process(stopped, Signal::STOP).unwrap();
    running.kill();
    let resumed = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        kill_process(stopped, Signal::CONT).unwrap();
    });
    let left = Attempt::unfinished(&running.bench.runs()).unwrap();
    let outcome = end_leftover(&left[0]).unwrap();
    assert!(matches!(outcome, Outcome::NoResult { .. }), "{outcome}");
    assert!(is_gone(agent) && is_gone(supervisor));
    resumed.join().unwrap();
    assert_eq!(Attempt::unfinished(&running.bench.runs()).unwrap(), []);
}

#[test]
fn agents_that_lost_their_supervisor_too_are_found() {
    let mut running = Running::start("child; detach; say ready; hang");
    let mut all = told(&running.stdout());
    all.push(running.pid("agent"));
    assert_eq!(all.len(), 3);
    // Held up first, so that it cannot see its supervisor go.
    let orchestrator = Pid::from_child(&running.process);
    kill_process(orchestrator, Signal::STOP).unwrap();
    kill_process(Pid::from_raw(running.pid("supervisor")).unwrap(), Signal::KILL).unwrap();
    running.kill();
    assert!(all.iter().all(|pid| !is_gone(*pid)), "nobody has ended them yet");
    let left = Attempt::unfinished(&running.bench.runs()).unwrap();
    end_leftover(&left[0]).unwrap();
    assert!(all.iter().all(|pid| is_gone(*pid)), "{all:?}");
}

#[test]
fn a_number_that_was_given_anew_is_nobody_we_know() {
    let bench = Bench::scripted("exit 0");
    let attempt = bench.attempt();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let pid = bystander.id();
    for (boot, start) in [(boot.trim(), 1_u64), ("another boot", start_of(pid))] {
        let process = serde_json::json!({"pid": pid, "start": start});
        let record = serde_json::json!({"boot": boot, "supervisor": process, "agent": process});
        fs::write(attempt.folder().join("pid"), record.to_string()).unwrap();
        end_leftover(&attempt).unwrap();
        assert_eq!(bystander.try_wait().unwrap(), None);
        assert!(!attempt.folder().join("pid").exists());
    }
    fs::write(attempt.folder().join("pid"), "{\"agent\": {\"pi").unwrap();
    end_leftover(&attempt).unwrap();
    assert_eq!(bystander.try_wait().unwrap(), None);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    fields.split(' ').nth(19).unwrap().parse().unwrap()
}

/// An agent's parent is its supervisor.
#[tokio::test]
async fn a_supervisor_takes_one_agent_after_the_other() {
    let tell = "echo $PPID; sleep 0.2";
    let mut bench = Bench::shell(tell);
    let first = parent(&bench.run().await);
    assert_eq!(parent(&bench.run().await), first);
    let (left, right) = tokio::join!(bench.run(), bench.run());
    let both = [parent(&left), parent(&right)];
    assert_ne!(both[0], both[1], "one agent at a time");
    // Those that are killed while they wait are no loss,
    for pid in both {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        eventually("it is gone", || is_gone(pid));
    }
    let next = loop {
        // The system may take a moment to tell.
        let report = bench.run().await;
        if report.outcome != Outcome::Interrupted {
            break parent(&report);
        }
    };
    assert!(!both.contains(&next));
    // and one that its agent kills takes no other.
    bench.agent.command[2] = "kill -9 $PPID; exec sleep 600".to_owned();
    let report = bench.run().await;
    assert!(report.outcome.to_string().contains("supervisor ended with signal: 9"), "{report:?}");
    bench.agent.command[2] = tell.to_owned();
    let last = parent(&bench.run().await);
    assert_ne!(last, next);
    drop(bench);
    eventually("it ends with the run", || is_gone(last));
}

fn parent(report: &Report) -> i32 {
    stdout(report).trim().parse().unwrap()
}
