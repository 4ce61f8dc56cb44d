//! A project with a scripted agent, ready to be run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator::config::{Agent, Config, PromptDelivery};
use orchestrator::model::{BacklogItem, PhaseSpec};
use orchestrator::runner::{
    Attempt, PhaseJob, Progress, Report, RunnerError, Stop, Supervisor, run,
};
use tokio::sync::watch;

use crate::support::example;

/// A project with one item, and an agent.
pub(crate) struct Bench {
    dir: PathBuf,
    _removed: Option<tempfile::TempDir>,
    pub(crate) agent: Agent,
    pub(crate) timeout: Duration,
    pub(crate) phase: PhaseSpec,
    pub(crate) supervisor: Supervisor,
    stop: watch::Receiver<Stop>,
    _sender: Option<watch::Sender<Stop>>,
}

impl Bench {
    /// Makes a project whose agent does `actions`, see `scripted_agent`.
    pub(crate) fn scripted(actions: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("script"), format!("*/*/*: {actions}\n")).unwrap();
        let path = fs::canonicalize(dir.path()).unwrap();
        Self { _removed: Some(dir), ..Self::at(&path) }
    }

    /// Takes up the project in a folder, with its script.
    pub(crate) fn at(dir: &Path) -> Self {
        let mut agent = Config::default().agent("default").unwrap().clone();
        agent.command = vec![example("scripted_agent").to_str().unwrap().to_owned()];
        let script = dir.join("script").to_str().unwrap().to_owned();
        agent.env.insert("ORCHESTRATOR_SCRIPT".to_owned(), script);
        let (sender, stop) = watch::channel(Stop::Run);
        Self {
            dir: dir.to_owned(),
            _removed: None,
            agent,
            timeout: Duration::from_secs(60),
            phase: PhaseSpec::new("design"),
            supervisor: Supervisor::new(env!("CARGO_BIN_EXE_orchestrator"), "__supervise"),
            stop,
            _sender: Some(sender),
        }
    }

    /// Makes a project whose agent is a shell script.
    pub(crate) fn shell(script: &str) -> Self {
        let mut bench = Self::scripted("exit 1");
        bench.agent.command = ["sh", "-c", script].map(str::to_owned).into();
        bench
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn deliver(mut self, delivery: PromptDelivery, command: &[&str]) -> Self {
        self.agent.prompt = delivery;
        self.agent.command = command.iter().map(|&arg| arg.to_owned()).collect();
        self
    }

    /// Listens to somebody else's wish to stop.
    pub(crate) fn stopped_by(mut self, stop: watch::Receiver<Stop>) -> Self {
        (self.stop, self._sender) = (stop, None);
        self
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.dir.join(".orchestrator/runs")
    }

    pub(crate) fn attempt(&self) -> Attempt {
        Attempt::create(&self.runs(), "WRK-001", &self.phase.name).unwrap()
    }

    pub(crate) async fn try_run(
        &self,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, RunnerError> {
        let attempt = self.attempt();
        let item = BacklogItem {
            id: Some("WRK-001".to_owned()),
            title: "Say \"hello\"".to_owned(),
            ..BacklogItem::default()
        };
        let job = PhaseJob {
            attempt: &attempt,
            item: &item,
            phase: &self.phase,
            agent: &self.agent,
            root: &self.dir,
            backlog: Path::new("BACKLOG.yaml"),
            pipelines: &[],
            history: &[],
            notes: None,
            previous_failure: None,
            timeout: self.timeout,
            supervisor: &self.supervisor,
        };
        run(job, self.stop.clone(), progress).await
    }

    pub(crate) async fn run(&self) -> Report {
        self.try_run(|_| {}).await.unwrap()
    }
}

/// Returns what the agent printed.
pub(crate) fn stdout(report: &Report) -> String {
    fs::read_to_string(report.folder.join("stdout")).unwrap()
}

/// Returns the processes that a scripted agent told of having started.
pub(crate) fn told(stdout: &str) -> Vec<i32> {
    let told = stdout.lines().filter_map(|line| line.strip_prefix("--linger "));
    told.map(|pid| pid.parse().unwrap()).collect()
}

/// Returns the number of the recorded `supervisor` or `agent` of an attempt.
#[cfg(target_os = "linux")]
pub(crate) fn recorded(attempt: &Path, name: &str) -> Option<i32> {
    let record = fs::read_to_string(attempt.join("pid")).ok()?;
    let record: serde_json::Value = serde_json::from_str(record.lines().next_back()?).ok()?;
    i32::try_from(record[name]["pid"].as_i64()?).ok()
}

/// Tells whether there is a process of that number, dead ones included.
pub(crate) fn exists(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

/// Waits until something is so, for 20 s at most.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
