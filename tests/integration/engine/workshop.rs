//! A project with an agent that follows a script.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::{Answer, Project, example, program};

/// A project whose agent follows a script.
pub(super) struct Workshop {
    pub(super) project: Project,
}

const PIPELINE: &str = "
[[pipelines.feature.pre_phases]]
name = \"research\"
[[pipelines.feature.phases]]
name = \"build\"
[[pipelines.feature.phases]]
name = \"review\"
";

impl Workshop {
    pub(super) fn new(backlog: &str, script: &str) -> Self {
        Self::configured(backlog, script, "")
    }

    /// `execution` goes under `[execution]`.
    pub(super) fn configured(backlog: &str, script: &str, execution: &str) -> Self {
        Self::with_pipeline(backlog, script, execution, PIPELINE)
    }

    /// `pipeline` is that of all items, in the words of the configuration.
    pub(super) fn with_pipeline(
        backlog: &str,
        script: &str,
        execution: &str,
        pipeline: &str,
    ) -> Self {
        let project = Project::with(backlog);
        let agent = example("scripted_agent");
        let config = format!(
            "[execution]\n{execution}\n[agents.default]\ncommand = [{:?}]\n{pipeline}",
            agent.to_str().unwrap()
        );
        fs::write(project.root().join("orchestrator.toml"), config).unwrap();
        fs::write(project.root().join("script"), script).unwrap();
        Self { project }
    }

    fn command(&self, args: &str) -> Command {
        let mut command = program(self.project.root());
        command.env("ORCHESTRATOR_SCRIPT", self.project.root().join("script"));
        command.args(args.split_whitespace());
        command
    }

    pub(super) fn run(&self, args: &str) -> Answer {
        Answer::of(self.command(args), "")
    }

    /// Runs with JSON, and returns the exit code and the last document's data.
    pub(super) fn report(&self, args: &str) -> (i32, Value) {
        let answer = self.run(&format!("--json {args}"));
        let last = answer.stdout.lines().last().unwrap_or_else(|| panic!("{answer:?}"));
        let document: Value = serde_json::from_str(last).unwrap();
        assert_eq!(document["kind"], "run", "{answer:?}");
        (answer.code, document["data"].clone())
    }

    /// Starts a run and leaves it alone.
    pub(super) fn start(&self, args: &str) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts a run, and listens to what it says.
    pub(super) fn start_told(&self, args: &str) -> Told {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = self.command(args);
        command.stdin(Stdio::null());
        let stream = file.reopen().unwrap();
        command.stdout(stream.try_clone().unwrap()).stderr(stream);
        Told { child: command.spawn().unwrap(), file, code: None }
    }

    /// Starts a run as `nohup` does.
    pub(super) fn start_without_hangups(&self, args: &str) -> Child {
        let own = self.command(args);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
        command.arg(own.get_program()).args(own.get_args());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.project.root()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until the agent, or the run, has made a file.
    #[track_caller]
    pub(super) fn until(&self, path: &str) {
        self.until_that(path, || self.exists(path));
    }

    /// Waits for something, for as long as a busy machine may take.
    #[track_caller]
    pub(super) fn until_that(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(120), "{what} never came");
            sleep(Duration::from_millis(10));
        }
    }

    /// Lets those agents go on that wait for this file.
    pub(super) fn release(&self, path: &str) {
        fs::write(self.project.root().join(path), "").unwrap();
    }

    /// Returns a file that agents have appended to.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.project.root().join("log")).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        self.project.text()
    }

    pub(super) fn worklog(&self) -> String {
        let months = fs::read_dir(self.project.root().join("worklog")).into_iter().flatten();
        months.map(|month| fs::read_to_string(month.unwrap().path()).unwrap()).collect()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.project.root().join(path).exists()
    }
}

/// A run that was started, and what it has said so far.
pub(super) struct Told {
    child: Child,
    file: NamedTempFile,
    code: Option<ExitStatus>,
}

impl Told {
    pub(super) fn told(&self) -> String {
        fs::read_to_string(self.file.path()).unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and returns all that it said.
    pub(super) fn wait(&mut self) -> String {
        self.code = Some(self.child.wait().unwrap());
        self.told()
    }

    pub(super) fn code(&self) -> Option<i32> {
        self.code.and_then(|status| status.code())
    }
}

/// Where a test fails, the run that it waited for ends with it.
impl Drop for Told {
    fn drop(&mut self) {
        if self.code.is_none() {
            let _has_ended = self.child.kill();
        }
    }
}

/// Returns the IDs in a list of a report.
pub(super) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
