//! What a configuration may say, and what is said about one that is wrong.

use super::*;

use std::time::Duration;

use crate::model::{Level, Size};

fn parse(text: &str) -> Result<Config, Vec<ConfigProblem>> {
    Config::parse(text, Path::new("o.toml"))
}

/// All problems, each as `line:column: message [hint]`.
fn problems(text: &str) -> String {
    let problems = parse(text).expect_err("there are problems");
    let line = |problem: ConfigProblem| {
        let hint = problem.hint.map(|hint| format!(" [{hint}]")).unwrap_or_default();
        format!("{}:{}: {}{hint}", problem.line, problem.column, problem.message)
    };
    problems.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_the_defaults() {
    for text in [
        "",
        "\n# nothing\n",
        "[project]\n[guardrails]\n[execution]\n[agents]\n[pipelines]\n",
        "\u{feff}",
    ] {
        assert_eq!(parse(text), Ok(Config::default()), "{text:?}");
    }
    let defaults = Config::default();
    assert_eq!(defaults.project.prefix, None);
    assert_eq!(defaults.limits.phase_timeout, Duration::from_secs(1800));
    assert_eq!(defaults.agent("default").expect("is there").command[0], "claude");
    assert_eq!(defaults.pipeline(None).expect("is there").phases.len(), 6);
    assert_eq!(defaults.pipeline(Some("nowhere")), None);
}

#[test]
fn everything_can_be_set() {
    let config = parse(
        r#"
        project = { prefix = "ABC", backlog = "plans/B.yaml", worklog = "log", default_pipeline = "bug" }
        [guardrails]
        max_size = "large"
        max_complexity = "Low"
        max_risk = "high"
        [execution]
        phase_timeout = "1h30m"
        max_retries = 0
        phase_cap = 1_000
        max_wip = 0x03
        max_concurrent = 2
        git = "off"
        [[pipelines.bug.phases]]
        name = "fix"
        agent = "codex"
        workflows = ["docs/fix.md"]
        destructive = true
        staleness = "block"
        "#,
    )
    .expect("is valid");
    assert_eq!(config.project.prefix.as_deref(), Some("ABC"));
    assert_eq!(config.backlog_path(Path::new("/p")), Path::new("/p/plans/B.yaml"));
    assert_eq!(config.worklog_path(Path::new("/p/plans")), Path::new("/p/plans/log"));
    assert_eq!(config.guardrails.max_size, Size::Large);
    assert_eq!(config.guardrails.max_complexity, Level::Low);
    assert_eq!(config.limits.phase_timeout, Duration::from_secs(5400));
    assert_eq!(
        (config.limits.max_retries, config.limits.phase_cap, config.limits.max_wip),
        (0, 1000, 3)
    );
    assert_eq!(config.git, GitMode::Off);

    let bug = config.pipeline(None).expect("is there");
    assert_eq!((bug.name.as_str(), bug.pre_phases.len()), ("bug", 0));
    let fix = bug.phase("fix").expect("is there");
    assert_eq!(
        (fix.agent.as_str(), fix.destructive, fix.staleness),
        ("codex", true, Staleness::Block)
    );
    assert_eq!(fix.workflows, ["docs/fix.md"]);
    assert_eq!(config.pipeline(Some("feature")), Some(&Pipeline::feature()));
}

#[test]
fn agents_are_made_and_presets_changed() {
    let config = parse(
        r#"
        [agents.mine]
        command = ["{root}/agent", "--model={model}", "", "{prompt_file}"]
        prompt = "file"
        model = "big"
        env = { A = "1", B = "" }
        idle_timeout = "90s"
        [agents.codex]
        idle_timeout = "20m"
        "#,
    )
    .expect("is valid");
    let mine = config.agent("mine").expect("is there");
    assert_eq!(mine.prompt, PromptDelivery::File);
    assert_eq!(mine.env.get("B").map(String::as_str), Some(""));
    assert_eq!(mine.idle_timeout, Duration::from_secs(90));
    let codex = config.agent("codex").expect("is there");
    assert_eq!(codex.command, Config::default().agents["codex"].command);
    assert_eq!(codex.idle_timeout, Duration::from_secs(1200));
}

#[test]
fn a_named_pipeline_replaces_the_whole_default() {
    let config = parse("[[pipelines.feature.phases]]\nname = \"build\"\n").expect("is valid");
    let feature = config.pipeline(None).expect("is there");
    assert_eq!((feature.pre_phases.len(), feature.phases.len()), (0, 1));
    assert!(!feature.phases[0].destructive, "nothing is left of the default's own build");
}

#[test]
fn all_problems_come_out_at_once_in_order() {
    let text = r#"projct = 1
[project]
prefix = 7
default_pipeline = "feture"
[guardrails]
max_size = "huge"
max_rsk = "low"
[execution]
phase_timeout = 30
max_wip = 0
max_retries = -1
git = "on"
owner = "me"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    1:1: unknown key `projct` [did you mean `project`?]
    3:10: `prefix` must be a string, not an integer
    4:20: there is no pipeline `feture` [did you mean `feature`?]
    6:12: unknown size `huge`, expected one of small, medium, large
    7:1: unknown key `max_rsk` in [guardrails] [did you mean `max_risk`?]
    9:17: `phase_timeout` must be a duration in quotes [write it like "30m", "90s" or "1h30m"]
    10:11: `max_wip` must be a whole number from 1 to 4294967295
    11:15: `max_retries` must be a whole number from 0 to 4294967295
    12:7: `git` must be one of auto, off, not `on`
    13:1: unknown key `owner` in [execution] [known keys: phase_timeout, max_retries, phase_cap, max_wip, max_concurrent, git]
    "#);
}

#[test]
fn problems_of_agents() {
    let text = r#"[agents.a]
prompt = "stdin"
[agents.b]
command = []
[agents.c]
command = ["x", 1]
prompt = "pipe"
[agents.d]
command = ["x", "{prompt}", "{promt_file}", "{model}"]
idle_timeout = "0s"
[agents.e]
command = ["x"]
prompt = "arg"
model = "m"
env = { "A=B" = "1", C = 2 }
[agents.f]
command = "claude -p"
prompt = "file"
[agents.claude]
prompt = "file"
[agents]
g = 1
"#;
    insta::assert_snapshot!(problems(text), @r#"
    1:1: [agents.a] has no `command` [command = ["program", "argument"]]
    4:11: `command` names no program
    6:17: `command` must be a string, not an integer
    7:10: `prompt` must be one of stdin, arg, file, not `pipe`
    9:11: `{prompt}` in the command needs `prompt = "arg"`
    9:11: `{model}` in the command needs a `model`
    9:29: there is no placeholder `{promt_file}` [did you mean `{prompt_file}`?]
    10:16: `idle_timeout` must be longer than zero: `0s` [write it like "30m", "90s" or "1h30m"]
    12:11: `prompt = "arg"` needs `{prompt}` in the command
    12:11: `model` needs `{model}` in the command
    15:9: `A=B` cannot name a variable
    15:26: `C` must be a string, not an integer
    17:11: `command` must be an array of strings, not a string
    19:1: `prompt = "file"` needs `{prompt_file}` in the command
    22:5: `agents.g` must be a table, not an integer
    "#);
}

#[test]
fn problems_of_pipelines() {
    let text = r#"[pipelines.empty]
[pipelines.none]
phases = []
[pipelines.flat]
phases = "build"
[pipelines."a b"]
phases = [{ name = "x" }]
[[pipelines.p.pre_phases]]
name = "build"
[[pipelines.p.phases]]
name = "build"
agent = "claud"
[[pipelines.p.phases]]
name = "../x"
destructive = "yes"
staleness = "blok"
workflows = [""]
[[pipelines.p.phases]]
agent = "default"
[[pipelines.p.phases]]
name = "triage"
timeout = "3m"
"#;
    insta::assert_snapshot!(problems(text), @r"
    1:12: pipeline `empty` has no `phases`
    2:12: pipeline `none` has no `phases`
    5:10: `phases` must be an array of tables, not a string
    6:12: `a b` cannot name a pipeline [letters, digits, dashes, underscores and dots]
    11:8: phase `build` is there twice in this pipeline
    12:9: there is no agent `claud` [did you mean `claude`?]
    14:8: `../x` cannot name a phase [letters, digits, dashes, underscores and dots]
    15:15: `destructive` must be true or false, not a string
    16:13: `staleness` must be one of ignore, warn, block, not `blok` [did you mean `block`?]
    17:14: `workflows` must not be empty
    18:1: a phase in [[pipelines.p.phases]] has no `name`
    21:8: `triage` is the phase of every new item, no pipeline can have it
    22:1: unknown key `timeout` in [pipelines.p.phases] [known keys: name, agent, workflows, destructive, staleness]
    ");
}

#[test]
fn sequences_are_named() {
    let config = parse(
        r#"
        [sequences.tasks]
        layout = "prefix-type"
        prefix = "KABSD"
        type = "TSK"
        [sequences.invoices]
        table = "app.numbers"
        value_column = "hi"
        format = "INV{n:05}"
        key = { year = "2026" }
        "#,
    )
    .expect("is valid");
    let key = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let tasks = &config.sequences["tasks"];
    assert_eq!(tasks.layout.as_deref(), Some("prefix-type"));
    assert_eq!(tasks.key, [key("type", "TSK"), key("prefix", "KABSD")]);
    let invoices = &config.sequences["invoices"];
    assert_eq!(invoices.table.as_deref(), Some("app.numbers"));
    assert_eq!(invoices.format.as_deref(), Some("INV{n:05}"));
    assert_eq!(invoices.key, [key("year", "2026")]);
}

#[test]
fn problems_of_sequences() {
    let text = r#"[sequences]
a = 1
[sequences.b]
layout = "registy"
projct = "p"
[sequences.c]
table = "t"
key = { x = 1 }
[sequences.d]
layout = "name"
table = "t"
value_column = "v"
"#;
    insta::assert_snapshot!(problems(text), @r"
    2:5: `sequences.a` must be a table, not an integer
    4:10: `layout` must be one of registry, prefix-type, name, not `registy` [did you mean `registry`?]
    5:1: unknown key `projct` in [sequences.b] [did you mean `project`?]
    6:1: [sequences.c] needs both `table` and `value_column`
    8:13: `x` must be a string, not an integer
    9:1: [sequences.d] has a `table` of its own, so no `layout`
    ");
}

#[test]
fn what_is_not_toml_is_reported_with_its_place() {
    insta::assert_snapshot!(problems("[project\nprefix = \"A\"\n[x]\na = 1\na = 2\n"), @r"
    1:9: unclosed table, expected `]`
    5:1: duplicate key
    ");
    let duplicate = parse("[execution]\ngit = \"off\"\ngit = \"off\"\n").expect_err("is refused");
    assert_eq!(duplicate[0].code, Code::DuplicateKey);
    assert_eq!((duplicate[0].line, duplicate[0].column), (3, 1));
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(parse(&deep).is_err());
}

#[test]
fn prefixes_that_would_not_read_back_are_refused() {
    for prefix in ["7", "A B", "", "-A", "A-", "é"] {
        let text = format!("[project]\nprefix = \"{prefix}\"\n");
        assert!(parse(&text).is_err(), "{prefix}");
    }
    for prefix in ["WRK", "a", "MY-APP", "X1"] {
        let text = format!("[project]\nprefix = \"{prefix}\"\n");
        assert!(parse(&text).is_ok(), "{prefix}");
    }
}

#[test]
fn durations() {
    let timeout = |text: &str| {
        let config = parse(&format!("[execution]\nphase_timeout = \"{text}\"\n")).ok()?;
        Some(config.limits.phase_timeout.as_secs())
    };
    let good = [("30m", 1800), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("2 hours", 7200)];
    for (text, seconds) in good {
        assert_eq!(timeout(text), Some(seconds), "{text}");
    }
    for text in
        ["", "30", "m", "-5m", "5 parsecs", "0s", "99999999h", "1e9h", "18446744073709551615s"]
    {
        assert_eq!(timeout(text), None, "{text}");
    }
}

#[test]
fn columns_count_characters() {
    let problem = &parse(
        "[project]\nbacklog = \"\u{e9}\u{1f600}\" # \u{fc}\nworklog = 1\n'\u{e9}\u{e9}' = 2",
    )
    .expect_err("is refused")[1];
    assert_eq!((problem.line, problem.column, problem.code), (4, 1, Code::UnknownKey));
    let problem = &parse("[project]\n'\u{e9}\u{e9}'=2").expect_err("is refused")[0];
    assert_eq!(&"[project]\n'\u{e9}\u{e9}'=2"[problem.span.clone()], "'\u{e9}\u{e9}'");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"(\[{0,2}[a-z_.]{0,12}\]{0,2}|[a-z_]{1,9} ?= ?("[a-z{}]{0,6}"|-?[0-9]{1,12}|\[.{0,9}\]|\{.{0,9}\})|.{0,9}|\n){0,12}"#) {
        if let Err(problems) = parse(&text) {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| problem.line >= 1 && problem.column >= 1));
        }
    }
}
