//! From the text of `orchestrator.toml` to a [`Config`], or to all its problems.
//!
//! What is absent keeps its default. An agent that is named like a preset starts
//! from it; a pipeline that is named is replaced as a whole, since phases are a
//! sequence and half of one means nothing.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::agent::{Agent, Placeholder, PromptDelivery, placeholders};
use super::error::ConfigProblem;
use super::reader::{Reader, Section, Value};
use super::sequence::sequences;
use super::settings::{Config, GitMode};
use crate::model::{Code, IdFormat, PhaseSpec, Pipeline, Staleness, did_you_mean};

/// The phase of new items; a pipeline cannot have one of that name.
const TRIAGE: &str = "triage";

/// What to do about a lost commit, by its words.
const STALENESS: &[(&str, Staleness)] =
    &[("ignore", Staleness::Ignore), ("warn", Staleness::Warn), ("block", Staleness::Block)];

/// A name that the file refers to, and where.
struct Reference<'t> {
    name: &'t str,
    span: Range<usize>,
}

impl Config {
    /// Reads a configuration from its text; `path` is for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file. Where the text
    /// is not TOML, only that.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader::new(text, path);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let is_duplicate = error.message() == "duplicate key";
                let code = if is_duplicate { Code::DuplicateKey } else { Code::Syntax };
                let span = error.span().unwrap_or(text.len()..text.len());
                reader.problem(code, span, error.message().to_owned(), None);
            }
            return Err(reader.finish());
        }
        let mut config = Self::default();
        let mut root = Section::root(document.get_ref());
        let default_pipeline = project(&mut reader, &mut root, &mut config);
        guardrails(&mut reader, &mut root, &mut config);
        execution(&mut reader, &mut root, &mut config);
        agents(&mut reader, &mut root, &mut config);
        sequences(&mut reader, &mut root, &mut config);
        let agents_used = pipelines(&mut reader, &mut root, &mut config);
        root.finish(&mut reader);

        let named = config.pipelines.keys().map(String::as_str);
        check_known(&mut reader, "pipeline", default_pipeline, &named.collect());
        let named: BTreeSet<&str> = config.agents.keys().map(String::as_str).collect();
        for reference in agents_used {
            check_known(&mut reader, "agent", Some(reference), &named);
        }
        let problems = reader.finish();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

fn check_known(
    reader: &mut Reader<'_>,
    what: &str,
    reference: Option<Reference<'_>>,
    known: &BTreeSet<&str>,
) {
    let Some(Reference { name, span }) =
        reference.filter(|reference| !known.contains(reference.name))
    else {
        return;
    };
    let hint = match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    reader.problem(Code::UnknownValue, span, format!("there is no {what} `{name}`"), Some(hint));
}

/// Sets a field where the file has a value for it.
fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn project<'t>(
    reader: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &mut Config,
) -> Option<Reference<'t>> {
    let mut section = root.section(reader, "project")?;
    let project = &mut config.project;
    if let Some(value) = section.get("prefix")
        && let Some(prefix) = reader.string("prefix", value)
    {
        if !IdFormat::is_valid_prefix(prefix) {
            let hint = "letters, digits, `_`, `.` and inner dashes, starting with a letter";
            let message = format!("`{prefix}` cannot be a prefix");
            reader.problem(Code::UnknownValue, value.span(), message, Some(hint.to_owned()));
        }
        project.prefix = Some(prefix.to_owned());
    }
    set(&mut project.backlog, section.string(reader, "backlog").map(Into::into));
    set(&mut project.worklog, section.string(reader, "worklog").map(Into::into));
    let default_pipeline = section.get("default_pipeline").and_then(|value| {
        let name = reader.string("default_pipeline", value)?;
        project.default_pipeline = name.to_owned();
        Some(Reference { name, span: value.span() })
    });
    section.finish(reader);
    default_pipeline
}

fn guardrails<'t>(reader: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    let Some(mut section) = root.section(reader, "guardrails") else {
        return;
    };
    let guardrails = &mut config.guardrails;
    set(&mut guardrails.max_size, section.word(reader, "max_size"));
    set(&mut guardrails.max_complexity, section.word(reader, "max_complexity"));
    set(&mut guardrails.max_risk, section.word(reader, "max_risk"));
    section.finish(reader);
}

fn execution<'t>(reader: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    let Some(mut section) = root.section(reader, "execution") else {
        return;
    };
    let limits = &mut config.limits;
    set(&mut limits.phase_timeout, section.duration(reader, "phase_timeout"));
    set(&mut limits.max_retries, section.number(reader, "max_retries", 0));
    set(&mut limits.phase_cap, section.number(reader, "phase_cap", 1));
    set(&mut limits.max_wip, section.number(reader, "max_wip", 1));
    set(&mut limits.max_concurrent, section.number(reader, "max_concurrent", 1));
    set(&mut config.git, section.choice(reader, "git", GitMode::WORDS));
    section.finish(reader);
}

fn agents<'t>(reader: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    let Some(section) = root.section(reader, "agents") else {
        return;
    };
    for (name, _, value) in section.entries() {
        if let Some(section) = reader.section(&format!("agents.{name}"), value) {
            let preset = config.agents.get(name).cloned();
            config.agents.insert(name.to_owned(), agent(reader, section, preset));
        }
    }
}

fn agent<'t>(reader: &mut Reader<'t>, mut section: Section<'t>, preset: Option<Agent>) -> Agent {
    let is_new = preset.is_none();
    let mut agent = preset.unwrap_or_else(|| Agent::new(&[]));
    let mut place = section.span.clone();
    let mut is_readable = true;
    if let Some(value) = section.get("command") {
        place = value.span();
        match command(reader, value) {
            Some(command) => agent.command = command,
            None => is_readable = false,
        }
    } else if is_new {
        let hint = "command = [\"program\", \"argument\"]".to_owned();
        let message = format!("[{}] has no `command`", section.name);
        reader.problem(Code::WrongShape, place.clone(), message, Some(hint));
        is_readable = false;
    }
    set(&mut agent.prompt, section.choice(reader, "prompt", PromptDelivery::WORDS));
    set(&mut agent.model, section.string(reader, "model").map(|model| Some(model.to_owned())));
    set(&mut agent.idle_timeout, section.duration(reader, "idle_timeout"));
    environment(reader, &mut section, &mut agent);
    if is_readable {
        command_fits(reader, &place, &agent);
    }
    section.finish(reader);
    agent
}

/// Reads an argument vector; `None` where any part of it is wrong.
fn command<'t>(reader: &mut Reader<'t>, value: Value<'t>) -> Option<Vec<String>> {
    let args = reader.array("command", value, "an array of strings")?;
    let texts: Vec<Option<&str>> = args.iter().map(|arg| reader.text("command", arg)).collect();
    if matches!(texts.first(), None | Some(Some(""))) {
        let message = "`command` names no program".to_owned();
        reader.problem(Code::UnknownValue, value.span(), message, None);
        return None;
    }
    for (arg, value) in texts.iter().zip(&args) {
        for (_, name) in arg.map(placeholders).unwrap_or_default() {
            if Placeholder::from_name(name).is_none() {
                let known = || Placeholder::ALL.iter().map(|(name, _)| *name);
                let hint = match did_you_mean(name, known()) {
                    Some(near) => format!("did you mean `{{{near}}}`?"),
                    None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
                };
                let message = format!("there is no placeholder `{{{name}}}`");
                reader.problem(Code::UnknownValue, value.span(), message, Some(hint));
            }
        }
    }
    texts.into_iter().map(|text| text.map(str::to_owned)).collect()
}

/// Checks that what is configured for a command reaches it.
fn command_fits(reader: &mut Reader<'_>, place: &Range<usize>, agent: &Agent) {
    let (in_arg, in_file) = (agent.uses(Placeholder::Prompt), agent.uses(Placeholder::PromptFile));
    let message = match agent.prompt {
        PromptDelivery::Arg if !in_arg => {
            Some("`prompt = \"arg\"` needs `{prompt}` in the command")
        }
        PromptDelivery::File if !in_file => {
            Some("`prompt = \"file\"` needs `{prompt_file}` in the command")
        }
        PromptDelivery::Stdin | PromptDelivery::File if in_arg => {
            Some("`{prompt}` in the command needs `prompt = \"arg\"`")
        }
        _ => None,
    };
    let model = match (&agent.model, agent.uses(Placeholder::Model)) {
        (Some(_), false) => Some("`model` needs `{model}` in the command"),
        (None, true) => Some("`{model}` in the command needs a `model`"),
        _ => None,
    };
    for message in [message, model].into_iter().flatten() {
        reader.problem(Code::UnknownValue, place.clone(), message.to_owned(), None);
    }
}

fn environment<'t>(reader: &mut Reader<'t>, section: &mut Section<'t>, agent: &mut Agent) {
    let Some(variables) = section.section(reader, "env") else {
        return;
    };
    for (name, span, value) in variables.entries() {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` cannot name a variable", name.escape_debug());
            reader.problem(Code::UnknownValue, span, message, None);
        } else if let Some(text) = reader.text(name, value) {
            agent.env.insert(name.to_owned(), text.to_owned());
        }
    }
}

/// Reads the pipelines, and returns which agents their phases name.
fn pipelines<'t>(
    reader: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &mut Config,
) -> Vec<Reference<'t>> {
    let mut agents_used = Vec::new();
    let Some(section) = root.section(reader, "pipelines") else {
        return agents_used;
    };
    for (name, span, value) in section.entries() {
        check_name(reader, "pipeline", name, &span);
        let Some(mut section) = reader.section(&format!("pipelines.{name}"), value) else {
            continue;
        };
        let mut phases = Phases { seen: BTreeSet::new(), agents_used: &mut agents_used };
        let pre_phases = phases.read(reader, &mut section, "pre_phases");
        let main_phases = phases.read(reader, &mut section, "phases");
        if section.get("phases").is_none_or(is_empty_array) {
            let message = format!("pipeline `{name}` has no `phases`");
            reader.problem(Code::WrongShape, span, message, None);
        }
        section.finish(reader);
        let pipeline = Pipeline { name: name.to_owned(), pre_phases, phases: main_phases };
        config.pipelines.insert(name.to_owned(), pipeline);
    }
    agents_used
}

fn is_empty_array(value: Value<'_>) -> bool {
    value.get_ref().as_array().is_some_and(|array| array.is_empty())
}

/// Reads the phases of one pipeline, both pools.
struct Phases<'t, 'a> {
    seen: BTreeSet<&'t str>,
    agents_used: &'a mut Vec<Reference<'t>>,
}

impl<'t> Phases<'t, '_> {
    fn read(
        &mut self,
        reader: &mut Reader<'t>,
        section: &mut Section<'t>,
        pool: &'static str,
    ) -> Vec<PhaseSpec> {
        let tables = section.array(reader, pool, "an array of tables").unwrap_or_default();
        let header = format!("{}.{pool}", section.name);
        let sections: Vec<_> =
            tables.into_iter().filter_map(|table| reader.section(&header, table)).collect();
        sections.into_iter().map(|section| self.phase(reader, section)).collect()
    }

    fn phase(&mut self, reader: &mut Reader<'t>, mut section: Section<'t>) -> PhaseSpec {
        let mut phase = PhaseSpec::new("");
        match section.get("name") {
            None => {
                let message = format!("a phase in [[{}]] has no `name`", section.name);
                reader.problem(Code::WrongShape, section.span.clone(), message, None);
            }
            Some(value) => {
                let name = reader.string("name", value).unwrap_or_default();
                if !name.is_empty() {
                    check_name(reader, "phase", name, &value.span());
                    self.check_unique(reader, name, value);
                }
                phase.name = name.to_owned();
            }
        }
        if let Some(value) = section.get("agent")
            && let Some(name) = reader.string("agent", value)
        {
            self.agents_used.push(Reference { name, span: value.span() });
            phase.agent = name.to_owned();
        }
        let workflows =
            section.array(reader, "workflows", "an array of strings").unwrap_or_default();
        let paths = workflows.into_iter().filter_map(|value| reader.string("workflows", value));
        phase.workflows = paths.map(str::to_owned).collect();
        set(&mut phase.destructive, section.flag(reader, "destructive"));
        set(&mut phase.staleness, section.choice(reader, "staleness", STALENESS));
        section.finish(reader);
        phase
    }

    fn check_unique(&mut self, reader: &mut Reader<'t>, name: &'t str, value: Value<'t>) {
        let message = if name == TRIAGE {
            format!("`{TRIAGE}` is the phase of every new item, no pipeline can have it")
        } else if !self.seen.insert(name) {
            format!("phase `{name}` is there twice in this pipeline")
        } else {
            return;
        };
        reader.problem(Code::UnknownValue, value.span(), message, None);
    }
}

/// Checks a name that becomes a folder, a word on the command line and a part of
/// commit messages.
fn check_name(reader: &mut Reader<'_>, what: &str, name: &str, span: &Range<usize>) {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(fits) {
        let hint = "letters, digits, dashes, underscores and dots".to_owned();
        let message = format!("`{}` cannot name a {what}", name.escape_debug());
        reader.problem(Code::UnknownValue, span.clone(), message, Some(hint));
    }
}

#[cfg(test)]
mod tests;
