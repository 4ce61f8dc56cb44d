//! What is wrong with a file is told with its place, and all of it at once.

use serde_json::Value;

use crate::support::Project;

const WRONG: &str = "\
schema_version: 2
next_item_id: 3
items:
  - id: WRK-001
    title: One
    status: nwe
  - id: WRK-002
    title: [not, a, text]
    tags: web
  - id: WRK-003
    title: Three
    size: smal
";

/// Code, line, column of each error.
fn places(found: &Value) -> Vec<(String, u64, u64)> {
    let place = |error: &Value| {
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(!hint.is_empty(), "no hint: {error}");
        assert!(error["file"].as_str().unwrap().ends_with("BACKLOG.yaml"), "{error}");
        let number = |key: &str| error[key].as_u64().unwrap();
        (error["code"].as_str().unwrap().to_owned(), number("line"), number("column"))
    };
    found["errors"].as_array().unwrap().iter().map(place).collect()
}

fn errors(text: &str) -> Vec<(String, u64, u64)> {
    let project = Project::with(text);
    let answer = project.sh("check --json");
    assert_eq!(answer.code, 7, "{answer:?}");
    let found = places(&answer.data("check"));
    assert_eq!(project.text(), text);
    found
}

fn expected(list: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    list.iter().map(|(code, line, column)| ((*code).to_owned(), *line, *column)).collect()
}

#[test]
fn wrong_values_are_all_told_at_once() {
    assert_eq!(
        errors(WRONG),
        expected(&[
            ("unknown_value", 6, 13),
            ("wrong_type", 8, 12),
            ("wrong_type", 9, 11),
            ("unknown_value", 12, 11),
        ])
    );
}

#[test]
fn duplicate_keys_are_all_told_at_once() {
    let text = "\
schema_version: 2
items:
  - id: WRK-001
    title: One
    title: Uno
  - title: Two
    note: {a: 1, b: 2, a: 3}
";
    assert_eq!(errors(text), expected(&[("duplicate_key", 5, 5), ("duplicate_key", 7, 24)]));
}

#[test]
fn a_tab_for_indentation_is_told_with_its_place() {
    let text = "schema_version: 2\nitems:\n  - id: WRK-001\n\ttitle: One\n";
    let found = errors(text);
    assert_eq!((found[0].0.as_str(), found[0].1), ("syntax", 4), "{found:?}");
}

#[test]
fn a_person_sees_the_line_the_mark_under_it_and_the_hint() {
    let project = Project::with(WRONG);
    let answer = project.sh("add No");
    assert_eq!((answer.code, answer.stdout.as_str()), (7, ""));
    for part in [
        "BACKLOG.yaml:6:13",
        "status: nwe",
        "^^^",
        "did you mean `new`",
        "BACKLOG.yaml:9:11",
        "smal",
    ] {
        assert!(answer.stderr.contains(part), "{part}:\n{}", answer.stderr);
    }
    assert_eq!(project.text(), WRONG);
}
