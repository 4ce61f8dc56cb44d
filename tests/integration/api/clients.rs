//! The clients of `docs/service.md`, run as they stand there.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::server::Server;
use crate::support::{Answer, program};

const DOCUMENT: &str = include_str!("../../../docs/service.md");

/// Returns the first block of a language below a line.
fn block(below: &str, language: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(below).expect("the section");
    let (_, rest) = rest.split_once(&format!("\n```{language}\n")).expect("a block");
    rest.split_once("\n```\n").expect("its end").0
}

struct Service {
    server: Server,
    token: String,
}

impl Service {
    fn start() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut command = program(folder.path());
        let new = ["serve", "token", "new", "--project", "shop", "--scope", "allocate"];
        command.args(new);
        let token = Answer::of(command, "").ok().trim().to_owned();
        Self { server: Server::within(folder, &[]), token }
    }

    /// Runs a client, which must succeed, and returns what it prints.
    fn run(&self, mut client: Command) -> String {
        client.env("IDS_URL", format!("http://{}", self.server.address));
        client.env("IDS_TOKEN", &self.token).current_dir(self.server.folder());
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            client.env_remove(proxy);
        }
        Answer::of(client, "").ok().trim().to_owned()
    }
}

fn command(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

/// Tells whether a program can be run here; where not, says that it is skipped.
fn is_at_hand(name: &str, args: &[&str]) -> bool {
    let is_there = command(name, args).output().is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: `{name} {}` cannot be run here", args.join(" "));
    }
    is_there
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn with_curl() {
    if !is_at_hand("curl", &["--version"]) || !Path::new("/proc/sys/kernel/random/uuid").exists() {
        return;
    }
    let service = Service::start();
    let told = service.run(command("sh", &["-c", block("With curl:", "sh")]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["next_id"], "US-001");
}

#[test]
fn with_python() {
    if !is_at_hand("python3", &["--version"]) {
        return;
    }
    let service = Service::start();
    assert_eq!(service.run(command("python3", &["-c", block("Python:", "python")])), "US-001");
}

#[test]
fn with_go() {
    if !is_at_hand("go", &["version"]) {
        return;
    }
    let service = Service::start();
    write(&service.server.folder(), "main.go", block("Go:", "go"));
    assert_eq!(service.run(command("go", &["run", "main.go"])), "US-001");
}

#[test]
fn with_typescript() {
    if !is_at_hand("node", &["--experimental-strip-types", "--version"]) {
        return;
    }
    let service = Service::start();
    write(&service.server.folder(), "client.mts", block("TypeScript:", "ts"));
    let client = command("node", &["--experimental-strip-types", "client.mts"]);
    assert_eq!(service.run(client), "US-001 US-002 US-003");
}
