//! The program itself, run in a project's folder as a person would.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Project;

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Returns the program, about to be run in a folder, whatever the tests' own
/// environment is.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.current_dir(folder);
    let names = ["FILE", "CONFIG", "JSON", "LOG"].map(|name| format!("ORCHESTRATOR_{name}"));
    for name in
        names.iter().map(String::as_str).chain(["NO_COLOR", "EDITOR", "VISUAL", "DATABASE_URL"])
    {
        command.env_remove(name);
    }
    command
}

impl Answer {
    /// Runs a command to its end, with this text on stdin.
    pub(crate) fn of(mut command: Command, stdin: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        let written = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(written.is_ok() || stdin.is_empty(), "{written:?}");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Returns stdout of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Returns stderr of a command that must have failed so, with nothing on stdout.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "");
        self.stderr
    }

    /// Returns the data of the one JSON document that stdout must be.
    #[track_caller]
    pub(crate) fn data(&self, kind: &str) -> Value {
        let document: Value = serde_json::from_str(&self.stdout).expect("one JSON document");
        assert_eq!(document["schema_version"], 1);
        assert_eq!(document["kind"], kind, "{document}");
        document["data"].clone()
    }

    /// Returns the one JSON error that stderr must be, of a command that failed so.
    #[track_caller]
    pub(crate) fn error(self, code: i32) -> Value {
        let document: Value = serde_json::from_str(&self.fails(code)).expect("one JSON document");
        assert_eq!(document["schema_version"], 1);
        assert_eq!(document["kind"], "error", "{document}");
        let mut keys: Vec<&String> = document["error"].as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "column", "file", "hint", "line", "message"]);
        document["error"].clone()
    }
}

impl Project {
    /// Runs the program in the project's folder.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Answer {
        let mut command = program(self.root());
        command.args(args);
        Answer::of(command, "")
    }

    /// Runs the program with arguments that are apart by spaces.
    pub(crate) fn sh(&self, line: &str) -> Answer {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }
}
