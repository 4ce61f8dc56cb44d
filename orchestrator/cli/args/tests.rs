//! What is accepted, what it means, and how the rest is refused.

use clap::{CommandFactory, Parser};
use serde_yaml::Value;

use super::*;
use crate::model::change::{Assign, ItemPatch, ListEdit};
use crate::model::{BacklogItem, ItemStatus, Level, Size};

fn parse(line: &str) -> Command {
    Cli::try_parse_from(words(line)).unwrap().command
}

/// The words of a line; `'` holds a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec!["orchestrator".to_owned()];
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn refusal(line: &str) -> String {
    let error = Cli::try_parse_from(words(line)).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

fn patch(options: &str) -> ItemPatch {
    match parse(&format!("update 7 {options}")) {
        Command::Update(update) => update.fields.into_patch(update.force),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_says_what_it_does_and_shows_how() {
    fn check(command: &mut clap::Command, path: &str) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.contains('\n'), "{path}: {about}");
        let help = command.render_long_help().to_string();
        let takes_arguments = command.get_arguments().any(|arg| {
            !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version")
        });
        assert!(!takes_arguments || help.contains("Examples:"), "{path} has no examples");
        for sub in command.get_subcommands_mut() {
            let path = format!("{path} {}", sub.get_name());
            if sub.get_name() != "help" {
                check(sub, &path);
            }
        }
    }
    for command in Cli::command().get_subcommands_mut() {
        let name = command.get_name().to_owned();
        check(command, &name);
    }
}

#[test]
fn levels_are_read_in_any_case_and_all_named_where_another_is_typed() {
    let Command::Add(add) =
        parse("add 'Fix it' -s Small -r HIGH --impact low --complexity Medium -p docs")
    else {
        panic!("not add")
    };
    assert_eq!(add.titles, ["Fix it"]);
    assert_eq!(
        (add.size, add.risk, add.impact, add.complexity),
        (Some(Size::Small), Some(Level::High), Some(Level::Low), Some(Level::Medium))
    );
    assert_eq!(add.pipeline.as_deref(), Some("docs"));
    let text = refusal("add t -s smal");
    assert!(
        text.contains("invalid value 'smal' for '--size <SIZE>'")
            && text.contains("[possible values: small, medium, large]")
            && text.contains("'small'"),
        "{text}"
    );
    let Command::List(list) = parse("list --status in-progress,BLOCKED") else {
        panic!("not list")
    };
    assert_eq!(list.status, [ItemStatus::InProgress, ItemStatus::Blocked]);
}

#[test]
fn lists_are_given_in_either_way() {
    let Command::Add(add) = parse("add t u --tag a,b --tag c --depends-on WRK-1 --depends-on 2,3")
    else {
        panic!("not add")
    };
    assert_eq!(add.titles, ["t", "u"]);
    assert_eq!(add.tags, ["a", "b", "c"]);
    assert_eq!(add.depends_on, ["WRK-1", "2", "3"]);
    assert!(refusal("add t --tag a,,b").contains("it is blank"));
    assert!(refusal("add '  '").contains("it is blank"));
    assert!(refusal("add").contains("<TITLE>"));
}

#[test]
fn an_update_keeps_clears_or_sets() {
    let patch =
        patch("--size none --risk Low --description - --phase '' --pipeline NONE --title 'a  b'");
    assert_eq!(patch.size, Assign::Clear);
    assert_eq!(patch.risk, Assign::To(Level::Low));
    assert_eq!(patch.impact, Assign::Keep);
    assert_eq!(patch.description, Assign::To("-".to_owned()));
    assert_eq!((patch.phase, patch.pipeline), (Assign::Clear, Assign::Clear));
    assert_eq!(patch.title.as_deref(), Some("a  b"));
    assert!(refusal("update 7 --size huge").contains("small, medium, large, none"));
    assert!(refusal("update 7").contains("--size <SIZE>"));
    assert!(refusal("update 7 --title ' '").contains("it is blank"));
    assert!(refusal("update 7 --size small --force").contains("--status"));
}

#[test]
fn signs_add_and_take_away() {
    let patch = patch("--tag +a,-b,c --tag -d --depends-on -WRK-2,+3");
    let add = |text: &str| ListEdit::Add(text.to_owned());
    let remove = |text: &str| ListEdit::Remove(text.to_owned());
    assert_eq!(patch.tags, [add("a"), remove("b"), add("c"), remove("d")]);
    assert_eq!(patch.dependencies, [remove("WRK-2"), add("3")]);
    assert!(refusal("update 7 --tag +").contains("it is blank"));
}

#[test]
fn foreign_keys_take_scalars_only() {
    let patch =
        patch("--set owner=ana --set points=3 --set due=2026-01-01 --set gone= --set 'eq=a=b'");
    let text = |text: &str| Value::String(text.to_owned());
    let expected = [
        ("owner", text("ana")),
        ("points", Value::Number(3.into())),
        ("due", text("2026-01-01")),
        ("gone", Value::Null),
        ("eq", text("a=b")),
    ];
    for (own, (key, value)) in patch.set.iter().zip(expected) {
        assert_eq!((own.0.as_str(), &own.1), (key, &value));
    }
    assert!(refusal("update 7 --set size=small").contains("use `--size`"));
    assert!(refusal("update 7 --set tags=a").contains("use `--tag`"));
    assert!(refusal("update 7 --set id=WRK-9").contains("use `orchestrator edit`"));
    assert!(refusal("update 7 --set x=[1]").contains("a YAML scalar"));
    assert!(refusal("update 7 --set 'x=a: b: c'").contains("not YAML"));
    assert!(refusal("update 7 --set x").contains("KEY=VALUE"));
    assert!(refusal("update 7 --set =x").contains("it is blank"));
    assert!(refusal("update 7 --set <<=x").contains("not a plain key"));
}

#[test]
fn every_known_key_is_refused_with_its_own_option() {
    let update = Cli::command();
    let update = update.find_subcommand("update").unwrap();
    for key in crate::model::ITEM_KEYS {
        let text = refusal(&format!("update 7 --set {key}=x"));
        if let Some((_, option)) = text.split_once("use `--") {
            let option = option.split('`').next().unwrap();
            let known = update.get_arguments().any(|arg| arg.get_long() == Some(option));
            assert!(known, "{key}: --{option}");
        } else {
            assert!(text.contains("use `orchestrator edit`"), "{key}: {text}");
        }
    }
}

#[test]
fn filters_choose() {
    let item = BacklogItem {
        status: ItemStatus::Ready,
        impact: Some(Level::High),
        tags: vec!["web".to_owned()],
        ..BacklogItem::default()
    };
    let fits = |options: &str| match parse(&format!("list {options}")) {
        Command::List(list) => list.fits(&item, "feature"),
        other => panic!("{other:?}"),
    };
    assert!(fits(""));
    assert!(fits("--only status=ready,new --only impact=High"));
    assert!(!fits("--only status=ready --only impact=low"));
    assert!(fits("--only tag=api,web"));
    assert!(!fits("--only tag=we"));
    assert!(fits("--only pipeline=feature"));
    assert!(!fits("--only pipeline=docs"));
    assert!(!fits("--only size=small"));
    assert!(!fits("--status new"));
    assert!(fits("--status ready --only size=small") == fits("--only size=small"));
    let shows_done = |options: &str| match parse(&format!("list {options}")) {
        Command::List(list) => list.shows_done(),
        other => panic!("{other:?}"),
    };
    assert!(!shows_done("") && !shows_done("--only tag=web"));
    assert!(
        shows_done("--all") && shows_done("--status ready") && shows_done("--only status=done")
    );
    assert!(refusal("list --only tags=web").contains("did you mean `tag`?"));
    assert!(refusal("list --only risk=huge").contains("low, medium, high"));
    assert!(refusal("list --only risk").contains("KEY=VALUE"));
}

#[test]
fn aliases_and_requirements() {
    assert!(matches!(parse("view 7"), Command::Show(_)));
    assert!(matches!(parse("set 7 --size small"), Command::Update(_)));
    assert!(matches!(parse("doctor --strict"), Command::Check(_)));
    assert!(refusal("block 7").contains("--reason"));
    assert!(refusal("archive").contains("--done"));
    assert!(refusal("archive 7 --done").contains("cannot be used with"));
    assert!(refusal("archive --done --reason x").contains("cannot be used with"));
    assert!(refusal("show").contains("<ID>"));
    assert!(refusal("show ' '").contains("it is blank"));
    assert!(refusal("merge 7").contains("<TARGET>"));
    assert!(refusal("id next --count 0").contains("0 is not in 1..=10000"));
    assert!(refusal("init --prefix 7x").contains("starts with a letter"));
    assert!(refusal("ingest --inbox a --follow-ups b").contains("cannot be used with"));
    assert!(refusal("list -q -v").contains("cannot be used with"));
}

#[test]
fn a_sequence_is_named_by_its_options() {
    let Command::Id(Id { command: IdCommand::Next(next) }) =
        parse("id next --db sqlite:a.db --table t --value-column v --key a=b=c --key d=e")
    else {
        panic!("not next")
    };
    let part = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(next.sequence.key, [part("a", "b=c"), part("d", "e")]);
    assert!(next.sequence.is_given());
    let Command::Id(Id { command: IdCommand::Next(next) }) = parse("id next --count 3") else {
        panic!("not next")
    };
    assert!(!next.sequence.is_given());
    assert!(refusal("id next --table t").contains("--value-column"));
    assert!(refusal("id next --table t --value-column v --layout name").contains("cannot be used"));
    assert!(refusal("id next --key a").contains("KEY=VALUE"));
    assert!(refusal("id next --prefix ' A'").contains("white space"));
    assert!(refusal("id next --fallback scan").contains("--from-files"));
    assert!(refusal("id next --from-files x").contains("--fallback"));
    let both = refusal("id next --create --fallback scan --from-files x");
    assert!(both.contains("cannot be used with"), "{both}");
    assert!(refusal("id next --layout registy").contains("registry"));
    assert!(refusal("id sync").contains("--from-files"));
    assert!(refusal("id reserve").contains("--count"));
    assert!(refusal("id reserve --count 0").contains("1..=10000"));
    assert!(refusal("id confirm x").contains("RESERVATION"));
    assert!(refusal("id sync --from-column x").contains("TABLE.COLUMN"));
    assert!(refusal("id expire --db postgres:/x").contains("postgres://"));
}

#[test]
fn global_options_may_stand_anywhere() {
    for line in ["--json -C /tmp --color never list", "list --json -C /tmp --color never"] {
        let global = Cli::try_parse_from(words(line)).unwrap().global;
        assert!(global.json, "{line}");
        assert_eq!(global.directory.as_deref(), Some("/tmp".as_ref()));
        assert_eq!(global.color, ColorWhen::Never);
    }
}
