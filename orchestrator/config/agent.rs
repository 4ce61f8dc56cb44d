//! Agents: the command that does a phase, and how it is given its prompt.
//!
//! A command is an argument vector that no shell ever sees. Placeholders in it
//! are replaced inside one argument, whatever the value holds: a prompt with
//! quotes or newlines stays one argument. The presets are the non-interactive
//! forms that each program documents; starting them is the runner's work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::time::Duration;

/// How an agent gets its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptDelivery {
    /// On standard input, which is closed after it.
    #[default]
    Stdin,
    /// As the argument that holds `{prompt}`.
    Arg,
    /// In the file whose path replaces `{prompt_file}`.
    File,
}

impl PromptDelivery {
    /// All deliveries with their words.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("stdin", Self::Stdin), ("arg", Self::Arg), ("file", Self::File)];
}

/// What can stand in braces in an agent's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The whole prompt.
    Prompt,
    /// The path of a file that holds the prompt.
    PromptFile,
    /// The path where the result is expected.
    ResultFile,
    /// The item's ID.
    ItemId,
    /// The phase's name.
    Phase,
    /// The root of the project.
    Root,
    /// The agent's configured model.
    Model,
}

impl Placeholder {
    /// All placeholders with their names, without braces.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("prompt", Self::Prompt),
        ("prompt_file", Self::PromptFile),
        ("result_file", Self::ResultFile),
        ("item_id", Self::ItemId),
        ("phase", Self::Phase),
        ("root", Self::Root),
        ("model", Self::Model),
    ];

    /// Returns the placeholder of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder)
    }
}

/// A program that does phases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The program and its arguments, with placeholders; never empty.
    pub command: Vec<String>,
    /// How it gets its prompt.
    pub prompt: PromptDelivery,
    /// What `{model}` stands for.
    pub model: Option<String>,
    /// Environment variables added to ours.
    pub env: BTreeMap<String, String>,
    /// The longest time without output; above zero.
    pub idle_timeout: Duration,
}

impl Agent {
    /// The name of the agent that does every phase that names no other.
    pub const DEFAULT: &'static str = "default";

    /// Makes an agent that reads its prompt from standard input.
    pub(super) fn new(command: &[&str]) -> Self {
        Self {
            command: command.iter().map(|&arg| arg.to_owned()).collect(),
            prompt: PromptDelivery::Stdin,
            model: None,
            env: BTreeMap::new(),
            idle_timeout: Duration::from_secs(10 * 60),
        }
    }

    /// Returns the agents that are there without being configured.
    ///
    /// All read the prompt from standard input: it has no length limit, shows up
    /// in no process list, and its end is what `opencode run` waits for. The
    /// presets print as they work, so that `idle_timeout` means something, and
    /// may edit files of the project without asking.
    pub(super) fn presets() -> BTreeMap<String, Self> {
        let presets: [(&str, &[&str]); 5] = [
            (Self::DEFAULT, &["claude", "-p", "--output-format", "json"]),
            (
                "claude",
                &[
                    "claude",
                    "-p",
                    "--output-format",
                    "stream-json",
                    "--verbose",
                    "--permission-mode",
                    "acceptEdits",
                ],
            ),
            // A backlog need not lie in a repository.
            (
                "codex",
                &[
                    "codex",
                    "exec",
                    "--json",
                    "--sandbox",
                    "workspace-write",
                    "--skip-git-repo-check",
                    "-",
                ],
            ),
            (
                "gemini",
                &["gemini", "--output-format", "stream-json", "--approval-mode", "auto_edit"],
            ),
            ("opencode", &["opencode", "run", "--format", "json"]),
        ];
        let mut presets: BTreeMap<String, Self> =
            presets.map(|(name, command)| (name.to_owned(), Self::new(command))).into();
        // It asks whether it may trust a folder, and without a terminal it gives up.
        if let Some(gemini) = presets.get_mut("gemini") {
            gemini.env.insert("GEMINI_CLI_TRUST_WORKSPACE".to_owned(), "true".to_owned());
        }
        presets
    }

    /// Returns the argument vector, each placeholder replaced by its value.
    pub fn argv(&self, value: impl Fn(Placeholder) -> OsString) -> Vec<OsString> {
        let expand = |arg: &String| {
            let mut expanded = OsString::new();
            let mut rest = 0;
            for (span, name) in placeholders(arg) {
                if let Some(placeholder) = Placeholder::from_name(name) {
                    expanded.push(&arg[rest..span.start]);
                    expanded.push(value(placeholder));
                    rest = span.end;
                }
            }
            expanded.push(&arg[rest..]);
            expanded
        };
        self.command.iter().map(expand).collect()
    }

    /// Returns whether the command holds a placeholder.
    pub(super) fn uses(&self, placeholder: Placeholder) -> bool {
        let names = self.command.iter().flat_map(|arg| placeholders(arg));
        names.map(|(_, name)| Placeholder::from_name(name)).any(|found| found == Some(placeholder))
    }
}

/// Returns what looks like a placeholder in an argument, lower-case letters and
/// underscores in braces: where it stands, braces included, and its name.
pub(super) fn placeholders(arg: &str) -> Vec<(Range<usize>, &str)> {
    let mut found = Vec::new();
    for (open, _) in arg.match_indices('{') {
        let inner = &arg[open + 1..];
        let is_end = |c: char| !c.is_ascii_lowercase() && c != '_';
        let len = inner.find(is_end).unwrap_or(inner.len());
        if len > 0 && inner[len..].starts_with('}') {
            found.push((open..open + len + 2, &inner[..len]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_inside_its_argument() {
        let agent =
            Agent::new(&["sh", "-c", "x{item_id}y{phase}", "{prompt}", "{\"a\": {}}", "é{root}"]);
        let argv = agent.argv(|placeholder| match placeholder {
            Placeholder::Prompt => "two words\n\"{phase}\"".into(),
            Placeholder::ItemId => "WRK-001".into(),
            Placeholder::Phase => "build".into(),
            _ => "/r".into(),
        });
        let expected =
            ["sh", "-c", "xWRK-001ybuild", "two words\n\"{phase}\"", "{\"a\": {}}", "é/r"];
        assert_eq!(argv, expected);
    }

    #[test]
    fn placeholders_are_words_in_braces() {
        let names = |arg| placeholders(arg).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("{prompt} {{root}} { phase} {} {Model} {x"), ["prompt", "root"]);
    }

    #[test]
    fn presets_read_standard_input_and_need_nothing_replaced() {
        for (name, agent) in Agent::presets() {
            assert_eq!(agent.prompt, PromptDelivery::Stdin, "{name}");
            assert!(agent.command.iter().all(|arg| placeholders(arg).is_empty()), "{name}");
        }
    }
}
