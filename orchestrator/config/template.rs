//! The text of a new `orchestrator.toml`.
//!
//! Every default stands in it, commented out: `#key = value` is a setting to
//! uncomment, `# text` an explanation. Table headers are live where an empty
//! table changes nothing, so that uncommenting one key puts it where it belongs.
//! The values come from the defaults themselves; the text cannot drift from them.

use std::time::Duration;

use super::agent::{Agent, PromptDelivery};
use super::settings::Config;
use crate::model::{PhaseSpec, Pipeline, Staleness};

impl Config {
    /// Returns the file that a new project gets: the prefix set, all else
    /// commented out with its default.
    pub fn template(prefix: &str) -> String {
        let defaults = Self::default();
        let head = "# Settings of orchestrator. What is commented out shows the default.\n\n";
        let mut text = head.to_owned();
        text.push_str(&project(prefix, &defaults));
        text.push_str(&guardrails(&defaults));
        text.push_str(&execution(&defaults));
        text.push_str(&agents(&defaults));
        for pipeline in defaults.pipelines.values() {
            text.push_str(&phases(pipeline));
        }
        text.push_str(SEQUENCES);
        text
    }
}

/// Which sequences there are is for the project to say: there is no default to show.
const SEQUENCES: &str = "
# Sequences in databases, for `orchestrator id … --sequence NAME`:
#   [sequences.tasks]
#   layout = \"prefix-type\"  # registry, prefix-type or name, or `table` and `value_column`
#   prefix = \"KABSD\"        # the key: project, type, prefix, name, or key = { column = \"value\" }
#   type = \"TSK\"
#   format = \"{prefix}-{type}-{n:04}\"
";

fn project(prefix: &str, defaults: &Config) -> String {
    let project = &defaults.project;
    format!(
        "[project]
# What new IDs begin with.
prefix = {prefix}
# The backlog, seen from this file.
#backlog = {backlog}
# The folder of the worklog, seen from the backlog.
#worklog = {worklog}
# The pipeline of items that name none.
#default_pipeline = {pipeline}

",
        prefix = quoted(prefix),
        backlog = quoted(&project.backlog.to_string_lossy()),
        worklog = quoted(&project.worklog.to_string_lossy()),
        pipeline = quoted(&project.default_pipeline),
    )
}

fn guardrails(defaults: &Config) -> String {
    let guardrails = &defaults.guardrails;
    format!(
        "# What an item may be and still become ready without a person's consent.
[guardrails]
# small, medium or large
#max_size = \"{}\"
# low, medium or high
#max_complexity = \"{}\"
# low, medium or high
#max_risk = \"{}\"

",
        guardrails.max_size, guardrails.max_complexity, guardrails.max_risk
    )
}

fn execution(defaults: &Config) -> String {
    let limits = &defaults.limits;
    format!(
        "[execution]
# The longest a phase may take: \"90s\", \"30m\", \"1h30m\".
#phase_timeout = \"{timeout}\"
# How often a failed phase is tried again before its item is blocked.
#max_retries = {retries}
# How many phases one run may execute.
#phase_cap = {cap}
# How many items may be in progress at once.
#max_wip = {wip}
# How many phases may run at once; destructive ones run alone.
#max_concurrent = {concurrent}
# auto or off: whether phases' changes are committed, where there is a repository.
#git = \"auto\"

",
        timeout = duration(limits.phase_timeout),
        retries = limits.max_retries,
        cap = limits.phase_cap,
        wip = limits.max_wip,
        concurrent = limits.max_concurrent,
    )
}

fn agents(defaults: &Config) -> String {
    let mut text = String::from(
        "# Agents do phases. `command` is a list of arguments that no shell sees. In it,
# {prompt}, {prompt_file}, {result_file}, {item_id}, {phase}, {root} and {model}
# are replaced; what {model} stands for is set by `model = \"…\"`. The agent named
# `default` does every phase that names no other.
# This one changes files only as far as your own settings of Claude let it, and an
# agent that may not write its result has failed. It prints only when it is done:
# for phases that take longer than `idle_timeout`, an agent must print as it works.
# The command of the preset `claude` below does both.
",
    );
    let (default, presets): (Vec<_>, Vec<_>) =
        defaults.agents.iter().partition(|(name, _)| *name == Agent::DEFAULT);
    for (name, agent) in default {
        text.push_str(&agent_table(name, agent, true));
    }
    text.push_str("# Presets, to be named in a phase: `agent = \"codex\"`.\n");
    for (name, agent) in presets {
        text.push_str(&agent_table(name, agent, false));
    }
    text
}

fn agent_table(name: &str, agent: &Agent, is_explained: bool) -> String {
    let explain = |text: &'static str| if is_explained { text } else { "" };
    let mut deliveries = PromptDelivery::WORDS.iter();
    let delivery = deliveries.find(|(_, delivery)| *delivery == agent.prompt);
    let delivery = delivery.map_or("", |(word, _)| *word);
    format!(
        "[agents.{name}]
#command = {command}
{}#prompt = \"{delivery}\"
{}#env = {{}}
{}#idle_timeout = \"{idle}\"

",
        explain("# How it gets its prompt: stdin, arg ({prompt}) or file ({prompt_file}).\n"),
        explain("# Variables added to its environment.\n"),
        explain("# The longest time without output.\n"),
        command = list(&agent.command),
        idle = duration(agent.idle_timeout),
    )
}

fn phases(pipeline: &Pipeline) -> String {
    let mut text = format!(
        "# Pipelines: pre-phases make a new item ready, phases make a ready item done.
# To change one, uncomment all of its phases: what is named here replaces it.
# Each phase may have
#   agent = \"{agent}\"       # who does it
#   workflows = []          # files with instructions, seen from the root
#   destructive = false     # whether it changes files, and so runs alone
#   staleness = \"ignore\"    # where its item's last commit is gone and it is destructive: ignore, warn, block
",
        agent = Agent::DEFAULT
    );
    for (pool, phases) in [("pre_phases", &pipeline.pre_phases), ("phases", &pipeline.phases)] {
        for phase in phases {
            text.push_str(&format!(
                "\n#[[pipelines.{}.{pool}]]\n{}",
                pipeline.name,
                phase_table(phase)
            ));
        }
    }
    text
}

fn phase_table(phase: &PhaseSpec) -> String {
    let plain = PhaseSpec::new(&phase.name);
    let mut text = format!("#name = {}\n", quoted(&phase.name));
    if phase.agent != plain.agent {
        text.push_str(&format!("#agent = {}\n", quoted(&phase.agent)));
    }
    if phase.workflows != plain.workflows {
        text.push_str(&format!("#workflows = {}\n", list(&phase.workflows)));
    }
    if phase.destructive {
        text.push_str("#destructive = true\n");
    }
    match phase.staleness {
        Staleness::Ignore => {}
        Staleness::Warn => text.push_str("#staleness = \"warn\"\n"),
        Staleness::Block => text.push_str("#staleness = \"block\"\n"),
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

/// Writes whole seconds the way a person would: `30m`, `1h30m`, `90s`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    let part = |n: u64, unit: &str| {
        if n == 0 { String::new() } else { format!("{n}{unit}") }
    };
    format!("{}{}{}", part(hours, "h"), part(minutes, "m"), part(rest, "s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Uncomments every setting: `#key`, but not `# text`.
    fn uncommented(text: &str) -> String {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_alphabetic() || c == '[') => {
                setting
            }
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn expected() -> Config {
        let mut config = Config::default();
        config.project.prefix = Some("ABC".to_owned());
        config
    }

    #[test]
    fn the_template_is_the_defaults_and_so_is_all_that_it_comments_out() {
        let text = Config::template("ABC");
        assert_eq!(Config::parse(&text, Path::new("o.toml")), Ok(expected()), "{text}");
        let all = uncommented(&text);
        assert_eq!(Config::parse(&all, Path::new("o.toml")), Ok(expected()), "{all}");
    }

    #[test]
    fn the_template_has_every_key_on_a_line_of_its_own() {
        let all = uncommented(&Config::template("ABC"));
        let table: toml::Table = all.parse().unwrap();
        for (section, keys) in [
            ("project", ["prefix", "backlog", "worklog", "default_pipeline"].as_slice()),
            ("guardrails", &["max_size", "max_complexity", "max_risk"]),
            (
                "execution",
                &["phase_timeout", "max_retries", "phase_cap", "max_wip", "max_concurrent", "git"],
            ),
        ] {
            let found: Vec<&String> = table[section].as_table().unwrap().keys().collect();
            assert_eq!(found.len(), keys.len(), "{section}: {found:?}");
            assert!(keys.iter().all(|key| found.iter().any(|k| k == key)), "{section}: {found:?}");
        }
        for agent in table["agents"].as_table().unwrap().values() {
            assert_eq!(agent.as_table().unwrap().len(), 4);
        }
    }

    #[test]
    fn each_setting_works_when_it_is_the_only_one_uncommented() {
        let text = Config::template("ABC");
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let setting =
                line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic));
            let in_pipelines = lines[..n].iter().any(|line| line.starts_with("#[["));
            if let (Some(setting), false) = (setting, in_pipelines) {
                let mut changed = lines.clone();
                changed[n] = setting;
                assert_eq!(
                    Config::parse(&changed.join("\n"), Path::new("o.toml")),
                    Ok(expected()),
                    "{setting}"
                );
            }
        }
    }

    #[test]
    fn durations_read_well() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [text(1800), text(90), text(5400), text(3661)],
            ["30m", "1m30s", "1h30m", "1h1m1s"]
        );
    }
}
