//! Problems: all of them at once, each with its place.

use super::*;

#[test]
fn an_empty_text_is_none() {
    for text in ["", "\n\n", "# c\n", "---\n# c\n", "\u{feff}", "...\n"] {
        assert_eq!(problems(text)[0].0, ProblemKind::EmptyFile, "{text:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(
        problems(
            "a: 1\nitems:\n- b: 1\n  b: 2\n- text\n- c: {d: 1, d: 2}\n  <<: 1\n-\na: 2\n'x: 1\n"
        ),
        [
            (ProblemKind::DuplicateKey, 4, 3, Some(0)),
            (ProblemKind::WrongShape, 5, 3, Some(1)),
            (ProblemKind::DuplicateKey, 6, 13, Some(2)),
            (ProblemKind::MergeKey, 7, 3, Some(2)),
            (ProblemKind::WrongShape, 8, 2, Some(3)),
            (ProblemKind::DuplicateKey, 9, 1, None),
            (ProblemKind::Syntax, 10, 1, None),
        ]
    );
}

#[test]
fn a_wrong_shape_has_its_place() {
    assert_eq!(problems("- a\n"), [(ProblemKind::WrongShape, 1, 1, None)]);
    assert_eq!(problems("just text\n"), [(ProblemKind::WrongShape, 1, 1, None)]);
    assert_eq!(problems("items: {a: 1}\n"), [(ProblemKind::WrongShape, 1, 8, None)]);
    assert_eq!(problems("items:\n  a: 1\n"), [(ProblemKind::WrongShape, 2, 3, None)]);
    assert_eq!(problems("items: text\n"), [(ProblemKind::WrongShape, 1, 8, None)]);
    assert_eq!(problems("x: &x []\nitems: *x\n"), [(ProblemKind::WrongShape, 2, 8, None)]);
    assert_eq!(problems("items: []\nitems: []\n"), [(ProblemKind::DuplicateKey, 2, 1, None)]);
    assert_eq!(problems("a: 1\n---\nb: 1\n"), [(ProblemKind::MultipleDocuments, 2, 1, None)]);
}

#[test]
fn errors_of_syntax_are_told_in_plain_words() {
    let told = |text: &str| {
        let read = Document::parse(text.to_owned(), "items", &mut |_, _| {});
        let problem = read.expect_err(text).remove(0);
        assert_eq!(problem.kind, ProblemKind::Syntax, "{text:?}");
        (problem.line, problem.column, problem.message, problem.hint)
    };
    let (line, column, message, hint) = told("items:\n- id: 1\n  title: \"open\n- id: 2\n");
    assert_eq!((line, column), (3, 10));
    assert!(message.contains("not closed"), "{message}");
    assert!(hint.is_some());
    let (line, column, message, _) = told("items:\n- id: 1\n\ttitle: x\n");
    assert_eq!((line, column), (3, 1));
    assert!(message.contains("tab"), "{message}");
    let (line, column, message, _) = told("items:\n- tags: [a, b\n");
    assert_eq!((line, column), (2, 9));
    assert!(message.contains("'['"), "{message}");
    let (line, column, _, hint) = told("items:\n- title: a: b\n");
    assert_eq!((line, column), (2, 11));
    assert!(hint.unwrap().contains("quote"));
    let (line, column, ..) = told("items:\n  - id: 1\n   - id: 2\n");
    assert_eq!((line, column), (3, 4));
    let (line, column, message, _) = told("items:\n- id: a\0b\n");
    assert_eq!((line, column), (2, 8));
    assert!(message.contains("U+0000"), "{message}");
    let (line, column, message, _) = told("a: é\u{9f}\n");
    assert_eq!((line, column), (1, 5));
    assert!(message.contains("U+009F"), "{message}");
    let (line, column, ..) = told("mark: 99999999999999999999\n");
    assert_eq!((line, column), (1, 7));
}

#[test]
fn a_problem_of_a_given_record_has_its_place_too() {
    let problems = parse_record("- id: 1\n  id: 2\n").unwrap_err();
    assert_eq!(
        (problems[0].kind, problems[0].line, problems[0].column),
        (ProblemKind::DuplicateKey, 2, 3)
    );
    let problems = parse_record("id: 1\n").unwrap_err();
    assert_eq!(
        (problems[0].kind, problems[0].line, problems[0].column),
        (ProblemKind::WrongShape, 1, 1)
    );
    let problems = parse_record("- id: [1\n").unwrap_err();
    assert_eq!(
        (problems[0].kind, problems[0].line, problems[0].column),
        (ProblemKind::Syntax, 1, 7)
    );
    let mapping = parse_record("\u{feff}  - id: 1 # c\n    b: |\n      x").unwrap();
    assert_eq!(mapping.get("b"), Some(&Value::from("x\n")), "lines end, the last too");
}
