//! Time: silence, deadlines, a wish to stop, and how soon a tree ends.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::runner::{Exit, Outcome, Progress, Stop, Timeout};
use tokio::sync::watch;

use super::bench::{Bench, eventually, exists, stdout, told};

const DONE: &str = "result phase_complete All is well.";
/// A shell that SIGTERM does not impress, nor its children.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 1; done";

fn within(duration: Duration, from_ms: u64, to_ms: u64) {
    let (from, to) = (Duration::from_millis(from_ms), Duration::from_millis(to_ms));
    assert!((from..to).contains(&duration), "{duration:?} is not within {from:?} and {to:?}");
}

#[tokio::test]
async fn silence_is_ended() {
    let mut bench = Bench::scripted("say one; sleep 600; complain two; child; hang");
    let idle = Duration::from_millis(1000);
    bench.agent.idle_timeout = idle;
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::TimedOut(Timeout::Idle(idle)));
    assert_eq!(report.exit, Some(Exit::Signal(15)));
    within(report.duration, 1600, 15_000);
    assert!(told(&stdout(&report)).iter().all(|pid| !exists(*pid)));
}

#[tokio::test]
async fn too_long_is_ended_however_much_is_printed() {
    let mut bench = Bench::shell("while :; do echo x; sleep 0.1; done");
    bench.agent.idle_timeout = Duration::from_millis(800);
    bench.timeout = Duration::from_millis(1500);
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::TimedOut(Timeout::Total(bench.timeout)));
    within(report.duration, 1500, 15_000);
}

#[tokio::test]
async fn a_result_that_is_there_is_used_after_a_timeout() {
    let mut bench = Bench::scripted(&format!("{DONE}; hang"));
    bench.agent.idle_timeout = Duration::from_millis(500);
    let report = bench.run().await;
    assert_eq!(report.outcome.result().unwrap().summary, "All is well.");
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("printed nothing for 500ms"), "{:?}", report.warnings);
}

#[tokio::test]
async fn who_ignores_sigterm_is_killed_5_s_later() {
    let mut bench = Bench::shell(STUBBORN);
    bench.agent.idle_timeout = Duration::from_millis(500);
    let report = bench.run().await;
    assert!(matches!(report.outcome, Outcome::TimedOut(_)), "{}", report.outcome);
    assert_eq!(report.exit, Some(Exit::Signal(9)));
    within(report.duration, 5500, 20_000);
}

#[tokio::test]
async fn an_agent_may_end_within_the_grace_period() {
    let (sender, stop) = watch::channel(Stop::Run);
    let bench = Bench::scripted(&format!("say ready; sleep 1000; {DONE}")).stopped_by(stop);
    sender.send(Stop::After(Duration::from_secs(30))).unwrap();
    let report = bench.run().await;
    assert!(report.outcome.result().is_some(), "{}", report.outcome);
    assert_eq!((report.exit, report.warnings.len()), (Some(Exit::Code(0)), 0));
}

#[tokio::test]
async fn after_the_grace_period_it_is_ended() {
    let (sender, stop) = watch::channel(Stop::Run);
    let bench = Bench::scripted("say ready; hang").stopped_by(stop);
    let grace = Duration::from_millis(700);
    let report = bench.try_run(|_| sender.send(Stop::After(grace)).unwrap()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(report.exit, Some(Exit::Signal(15)));
    within(report.duration, 700, 15_000);
    let half = Bench::scripted("half phase_complete x; hang");
    let (sender, stop) = watch::channel(Stop::After(Duration::from_millis(500)));
    let report = half.stopped_by(stop).run().await;
    assert_eq!(report.outcome, Outcome::Interrupted, "half a result is none");
    drop(sender);
}

#[tokio::test]
async fn now_means_at_once() {
    let (sender, stop) = watch::channel(Stop::After(Duration::from_secs(60)));
    let bench = Bench::shell(&format!("echo ready; {STUBBORN}")).stopped_by(stop);
    let mut stopped = None;
    let report = bench.try_run(|progress| {
        if matches!(progress, Progress::Output { .. }) {
            stopped.get_or_insert_with(Instant::now);
            sender.send(Stop::Now).unwrap();
        }
    });
    let report = report.await.unwrap();
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(report.exit, Some(Exit::Signal(9)));
    within(stopped.unwrap().elapsed(), 0, 4500);
}

#[tokio::test]
async fn a_sender_that_is_gone_stops_nothing() {
    let (sender, stop) = watch::channel(Stop::Run);
    drop(sender);
    let bench = Bench::scripted(&format!("sleep 500; {DONE}")).stopped_by(stop);
    assert!(bench.run().await.outcome.result().is_some());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn dropping_a_run_ends_its_tree() {
    let bench = Bench::scripted("detach; child; say ready; hang");
    let ready = tokio::sync::Notify::new();
    let line = Progress::Output { line: "ready".to_owned() };
    tokio::select! {
        ran = bench.try_run(|progress| if progress == line { ready.notify_one() }) => {
            panic!("it hangs, but came to {:?}", ran.map(|report| report.outcome));
        }
        () = ready.notified() => {}
    }
    let stdout = fs::read_to_string(bench.runs().join("WRK-001/design/1/stdout")).unwrap();
    assert_eq!(told(&stdout).len(), 2, "{stdout}");
    eventually("all are gone", || told(&stdout).iter().all(|pid| !exists(*pid)));
}

#[tokio::test]
async fn a_flood_of_output_costs_no_memory() {
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let before = peak();
    let bench = Bench::scripted(&format!("flood 150; say the end; {DONE}"));
    let report = bench.run().await;
    assert_eq!(report.last_line.as_deref(), Some("the end"));
    assert!(fs::metadata(report.folder.join("stdout")).unwrap().len() > 150 * 1024 * 1024);
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 75 * 1024, "{before} kB became {after} kB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_run_at_once() {
    let bench = Arc::new(Bench::scripted(&format!("sleep 2000; {DONE}")));
    let begun = Instant::now();
    let start = |_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.run().await })
    };
    let running: Vec<_> = (0..3).map(start).collect();
    let mut attempts = Vec::new();
    for report in running {
        let report = report.await.unwrap();
        assert!(report.outcome.result().is_some(), "{}", report.outcome);
        attempts.push(report.attempt);
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2, 3]);
    within(begun.elapsed(), 2000, 5500);
}
