//! The tree ends with its agent, and nothing else does.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use orchestrator::runner::{Exit, Outcome, Progress, Stop};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::bench::{Bench, eventually, exists, recorded, stdout, told};

const DONE: &str = "result phase_complete All is well.";

#[tokio::test]
async fn what_an_agent_leaves_behind_ends_with_it() {
    // A child, one in a session of its own whose parent is gone, and one that was
    // started by a shell that is gone.
    let bench = Bench::scripted(&format!("child; detach; {DONE}"));
    let report = bench.run().await;
    let left = told(&stdout(&report));
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|pid| !exists(*pid)), "{left:?}");
    assert!(report.outcome.result().is_some());
    assert_eq!(report.exit, Some(Exit::Code(0)), "the agent itself was not ended");

    let script = "(setsid sh -c 'trap \"\" TERM HUP; (echo --linger $$; sleep 600) & sleep 600' &) ; sleep 0.5";
    let bench = Bench::shell(script);
    let report = bench.run().await;
    let left = told(&stdout(&report));
    assert_eq!(left.len(), 1);
    assert!(left.iter().all(|pid| !exists(*pid)), "{left:?}");
}

#[tokio::test]
async fn others_are_left_alone() {
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let report = Bench::scripted(&format!("child; {DONE}")).run().await;
    assert!(report.outcome.result().is_some());
    assert_eq!(bystander.try_wait().unwrap(), None);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn an_agent_has_no_terminal_and_a_group_of_its_own() {
    let script = "echo $$; ps -o pid=,pgid=,tty= -p $$; exec 3<>/dev/tty";
    let bench = Bench::shell(script);
    let report = bench.run().await;
    let text = stdout(&report);
    let (pid, line) = text.split_once('\n').unwrap();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(fields, [pid, pid, "?"], "{text}");
    assert_ne!(report.exit, Some(Exit::Code(0)), "there is no terminal to open");
}

#[tokio::test]
async fn a_signal_to_the_supervisor_ends_the_agent() {
    for (signal, exit) in [(Signal::TERM, true), (Signal::KILL, false)] {
        let bench = Bench::scripted("child; detach; say ready; hang");
        let attempt = bench.runs().join("WRK-001/design/1");
        let mut started = Vec::new();
        let report = bench.try_run(|progress| {
            if progress == (Progress::Output { line: "ready".to_owned() }) {
                eventually("it is recorded", || recorded(&attempt, "agent").is_some());
                let supervisor = recorded(&attempt, "supervisor").unwrap();
                started.extend([supervisor, recorded(&attempt, "agent").unwrap()]);
                kill_process(Pid::from_raw(supervisor).unwrap(), signal).unwrap();
            }
        });
        let report = report.await.unwrap();
        assert!(matches!(report.outcome, Outcome::NoResult { .. }), "{}", report.outcome);
        assert_eq!(report.exit, exit.then_some(Exit::Signal(15)));
        assert_eq!(started.len(), 2);
        started.extend(told(&stdout(&report)));
        assert_eq!(started.len(), 4);
        // Who reaps those whose supervisor was killed is not ours to say.
        eventually("all are gone", || started.iter().all(|pid| !exists(*pid) || is_zombie(*pid)));
        assert!(!attempt.join("pid").exists());
    }
}

#[tokio::test]
async fn a_signal_to_all_of_a_service_is_an_interruption() {
    // Agents may have their own way to end, and be quicker than we are.
    let to_both = "trap 'exit 143' TERM; kill -TERM $PPID; sleep 5 & wait";
    for script in ["kill -TERM $$", to_both] {
        let alone = Bench::shell(script).run().await;
        assert!(matches!(alone.outcome, Outcome::NoResult { .. }), "{}", alone.outcome);
        let (sender, stop) = watch::channel(Stop::Run);
        let bench = Bench::shell(script).stopped_by(stop);
        let late = async move {
            tokio::time::sleep(Duration::from_millis(250)).await;
            sender.send(Stop::After(Duration::from_secs(30))).unwrap();
            sender
        };
        let (report, _sender) = tokio::join!(bench.run(), late);
        assert_eq!(report.outcome, Outcome::Interrupted);
    }
    let report = Bench::shell("kill -KILL $$").run().await;
    assert_eq!(report.outcome.to_string(), "the agent ended with SIGKILL; no result was written");
}

#[tokio::test]
async fn a_supervisor_that_does_not_obey_is_ended_with_its_tree() {
    let (sender, stop) = watch::channel(Stop::Run);
    let bench = Bench::scripted("detach; say ready; hang").stopped_by(stop);
    let attempt = bench.runs().join("WRK-001/design/1");
    let report = bench.try_run(|progress| {
        if progress == (Progress::Output { line: "ready".to_owned() }) {
            eventually("it is recorded", || recorded(&attempt, "agent").is_some());
            let supervisor = recorded(&attempt, "supervisor").unwrap();
            kill_process(Pid::from_raw(supervisor).unwrap(), Signal::STOP).unwrap();
            sender.send(Stop::Now).unwrap();
        }
    });
    let report = report.await.unwrap();
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert!(told(&stdout(&report)).iter().all(|pid| !exists(*pid) || is_zombie(*pid)));
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains(") Z ")
}
