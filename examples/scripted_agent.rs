//! An agent that needs no model: it does what a script says.
//!
//! `ORCHESTRATOR_SCRIPT` names a file with a line per phase, `ITEM/PHASE/ATTEMPT:
//! action; action`, where `*` stands for anything and the first line that fits is
//! followed. The actions are those of [`Agent::act`] and [`Agent::change_files`].
//! Without a script it does something sensible with any item: it judges new ones,
//! writes a small file in the phase `build`, and declares every other phase done.

#![expect(
    clippy::disallowed_methods,
    reason = "an agent is a program of its own; it may touch files"
)]

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What a process that only has to be there is started with.
const LINGER: &str = "--linger";
/// What a process that starts one in a session of its own, and ends, is started
/// with.
const DETACH: &str = "--detach";

const DEMO: &str = "\
*/triage/*: say looking at it; assess small low; result phase_complete Small and harmless.
*/build/*: say building; sleep 300; write built/{item}.md Built.; say testing; sleep 300; result phase_complete Built and tested.
*/*/*: say thinking; sleep 300; result phase_complete Nothing stands in the way.
";

fn main() -> Outcome<ExitCode> {
    match env::args().nth(1).as_deref() {
        Some(LINGER) => loop {
            sleep(Duration::from_secs(600));
        },
        Some(DETACH) => {
            rustix::process::setsid()?;
            start(LINGER)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Agent::new()?.follow(),
    }
}

/// Starts this program as something else, and says which process that is.
fn start(role: &str) -> Outcome<Child> {
    let child = Command::new(env::current_exe()?).arg(role).stdin(Stdio::null()).spawn()?;
    say(&format!("{role} {}", child.id()))?;
    Ok(child)
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// What the agent was started for, and what it is going to report.
struct Agent {
    item: String,
    phase: String,
    result_file: PathBuf,
    report: Value,
}

impl Agent {
    fn new() -> Outcome<Self> {
        let item = env::var("ORCHESTRATOR_ITEM")?;
        let phase = env::var("ORCHESTRATOR_PHASE")?;
        let report = json!({"item_id": item, "phase": phase, "follow_ups": []});
        let result_file = env::var("ORCHESTRATOR_RESULT_FILE")?.into();
        Ok(Self { item, phase, result_file, report })
    }

    fn follow(mut self) -> Outcome<ExitCode> {
        let script = match env::var("ORCHESTRATOR_SCRIPT") {
            Ok(path) => fs::read_to_string(path)?,
            Err(_) => DEMO.to_owned(),
        };
        let attempt = self.result_file.parent().and_then(Path::file_name);
        let attempt = attempt.unwrap_or_default().to_string_lossy().into_owned();
        let wanted = [self.item.as_str(), self.phase.as_str(), attempt.as_str()];
        let fits = |key: &str| {
            let mut parts = key.splitn(3, '/').zip(wanted);
            parts.all(|(part, wanted)| part == "*" || part == wanted)
        };
        let mut lines = script.lines().filter_map(|line| line.split_once(": "));
        let Some((_, actions)) = lines.find(|(key, _)| fits(key)) else {
            return Err(format!("no line of the script fits {wanted:?}").into());
        };
        let mut code = ExitCode::SUCCESS;
        for action in actions.replace("{item}", &self.item).split("; ") {
            let (verb, rest) = action.trim().split_once(' ').unwrap_or((action.trim(), ""));
            match verb {
                "exit" => code = ExitCode::from(rest.parse::<u8>()?),
                _ => self.act(verb, rest)?,
            }
        }
        Ok(code)
    }

    fn act(&mut self, verb: &str, rest: &str) -> Outcome<()> {
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "say" => say(rest)?,
            "complain" => writeln!(io::stderr(), "{rest}")?,
            // What it was given on standard input, or in a variable.
            "stdin" => drop(io::copy(&mut io::stdin(), &mut io::stdout())?),
            "variable" => say(&env::var(rest)?)?,
            "flood" => flood(rest.parse()?)?,
            "sleep" => sleep(Duration::from_millis(rest.parse()?)),
            "hang" => loop {
                sleep(Duration::from_secs(600));
            },
            // Processes that nobody waits for, in this session or in another one.
            "child" => drop(start(LINGER)?),
            "detach" => drop(start(DETACH)?.wait()?),
            "await" => until_exists(Path::new(rest))?,
            "forget" => fs::remove_dir_all(self.result_file.parent().ok_or("no folder")?)?,
            "about" => {
                let (item, phase) = rest.split_once('/').ok_or("about ITEM/PHASE")?;
                self.report["item_id"] = item.into();
                self.report["phase"] = phase.into();
            }
            "assess" => {
                self.report["updated_assessments"] = json!({
                    "size": first, "complexity": second, "risk": second, "impact": second
                });
            }
            "follow-up" => {
                let follow_ups = self.report["follow_ups"].as_array_mut();
                follow_ups.ok_or("no list")?.push(rest.into());
            }
            "set" => self.report[first] = serde_json::from_str(second)?,
            "result" | "half" => {
                self.report["result"] = first.into();
                if !second.is_empty() {
                    self.report["summary"] = second.into();
                }
                let text = self.report.to_string();
                let len = if verb == "half" { text.len() / 2 } else { text.len() };
                fs::write(&self.result_file, &text.as_bytes()[..len])?;
            }
            _ => self.change_files(verb, rest)?,
        }
        Ok(())
    }

    /// Does what a phase does to the work tree.
    fn change_files(&self, verb: &str, rest: &str) -> Outcome<()> {
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "write" => {
                if let Some(folder) = Path::new(first).parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(first, format!("{second}\n"))?;
            }
            // Names may hold spaces, so they come last, or apart.
            "put" => {
                let (text, name) = rest.split_once(" => ").ok_or("put TEXT => NAME")?;
                if let Some(folder) = Path::new(name).parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(name, format!("{text}\n"))?;
            }
            "delete" => fs::remove_file(rest)?,
            "git" => {
                let status = Command::new("git").args(rest.split(' ')).status()?;
                status.success().then_some(()).ok_or("git failed")?;
            }
            "append" => {
                let mut file = fs::OpenOptions::new().append(true).create(true).open(first)?;
                file.write_all(format!("{second}\n").as_bytes())?;
            }
            // As an editor does: a new file in the place of the old one.
            "edit" => {
                let (old, new) = second.split_once(" => ").ok_or("edit FILE OLD => NEW")?;
                let aside = format!("{first}.{}", self.item);
                fs::write(&aside, fs::read_to_string(first)?.replace(old, new))?;
                fs::rename(aside, first)?;
            }
            "remove" => fs::remove_dir_all(rest)?,
            _ => return Err(format!("no such action: {verb}").into()),
        }
        Ok(())
    }
}

/// Waits for a file, for as long as a busy machine may take to make it.
fn until_exists(path: &Path) -> Outcome<()> {
    for _ in 0..12_000 {
        if path.exists() {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    Err(format!("{} never came", path.display()).into())
}

/// Prints that many megabytes, in lines.
fn flood(megabytes: usize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let line = format!("{}\n", "x".repeat(1023));
    for _ in 0..megabytes * 1024 {
        stdout.write_all(line.as_bytes())?;
    }
    stdout.flush()
}
