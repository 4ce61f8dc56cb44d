//! What edits do to the bytes of hand-edited files: one test per trap.

use serde_yaml::{Mapping, Value};

use super::*;

fn document(text: &str) -> Document {
    let mut records = Vec::new();
    let read = Document::parse(text.to_owned(), "items", &mut |number, mapping| {
        assert_eq!(number, records.len());
        records.push(mapping);
    });
    let document = read.unwrap_or_else(|problems| panic!("{text:?}: {problems:#?}"));
    assert_eq!(document.text(), text);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(&document.record_value(number).unwrap(), record, "record {number} of {text:?}");
    }
    document
}

fn problems(text: &str) -> Vec<(ProblemKind, u32, u32, Option<usize>)> {
    let read = Document::parse(text.to_owned(), "items", &mut |_, _| {});
    let problems = read.expect_err(text);
    problems.iter().map(|p| (p.kind, p.line, p.column, p.record)).collect()
}

fn path(keys: &str) -> Vec<Step> {
    keys.split('.')
        .map(|step| step.parse().map_or_else(|_| Step::Key(step.to_owned()), Step::Index))
        .collect()
}

fn set(record: usize, keys: &str, value: impl Into<Value>) -> Edit {
    Edit::Set { record: Some(record), path: path(keys), value: value.into() }
}

fn set_root(keys: &str, value: impl Into<Value>) -> Edit {
    Edit::Set { record: None, path: path(keys), value: value.into() }
}

fn push(record: usize, keys: &str, value: impl Into<Value>) -> Edit {
    Edit::Push { record: Some(record), path: path(keys), value: value.into() }
}

fn remove(record: usize, keys: &str) -> Edit {
    Edit::Remove { record: Some(record), path: path(keys) }
}

fn first(record: usize, key: &str, value: impl Into<Value>) -> Edit {
    Edit::SetFirst { record, key: key.to_owned(), value: value.into() }
}

fn append(fields: &[(&str, &str)]) -> Edit {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    Edit::Append { fields: fields.collect() }
}

fn remove_record(record: usize) -> Edit {
    Edit::RemoveRecord { record }
}

/// The text after an edit; checks that the index is that of a fresh parse, and
/// that an undo restores everything.
fn edited(text: &str, edit: Edit) -> Result<String, Refused> {
    let mut document = document(text);
    let (index, before) = (document.index.clone(), document.text.clone());
    let result = document.apply(std::slice::from_ref(&edit));
    let undo = match result {
        Ok(undo) => undo,
        Err(refused) => {
            assert_eq!(document.text, before);
            assert_eq!(document.index, index);
            return Err(refused);
        }
    };
    let after = document.text.clone();
    let fresh = self::document(&after);
    assert_eq!(fresh.index, document.index, "{edit:?} of {text:?} gave {after:?}");
    document.undo(undo);
    assert_eq!(document.text, before);
    assert_eq!(document.index, index);
    Ok(after)
}

#[track_caller]
fn check(text: &str, edit: Edit, expected: &str) {
    let described = format!("{edit:?}");
    match edited(text, edit) {
        Ok(after) => assert_eq!(after, expected, "{described} of {text:?}"),
        Err(refused) => panic!("{described} of {text:?} refused: {refused}"),
    }
}

#[track_caller]
fn refuses(text: &str, edit: Edit, line: u32, column: u32) -> Reason {
    let described = format!("{edit:?}");
    match edited(text, edit) {
        Ok(after) => panic!("{described} of {text:?} gave {after:?}"),
        Err(refused) => {
            assert_eq!((refused.line, refused.column), (line, column), "{refused} at {text:?}");
            refused.reason
        }
    }
}

const PLAIN: &str = "\
# the backlog
schema_version: 2 # current
next_item_id: 2

items: # all of them
  # first
  - id: WRK-001 # one
    title: \"First: one\"
    # in between
    status: new   # for now
    tags:
      - a # x
      - b
# column 0
    description: |
      Text.

      More.

  - id: WRK-002
    title: Second
    status:
    dependencies: [WRK-001, 'WRK-003'] # two
  # trailing
# end
";

#[test]
fn comments_everywhere_one_line_touched() {
    check(
        PLAIN,
        set(0, "status", "done"),
        &PLAIN.replace("status: new   # for", "status: done   # for"),
    );
    check(PLAIN, set(0, "title", "x"), &PLAIN.replace("\"First: one\"", "\"x\""));
    check(PLAIN, set(0, "id", "WRK-009"), &PLAIN.replace("WRK-001 # one", "WRK-009 # one"));
    check(PLAIN, set_root("next_item_id", 3), &PLAIN.replace("id: 2\n", "id: 3\n"));
    check(PLAIN, set(0, "tags.1", "c"), &PLAIN.replace("- b\n", "- c\n"));
    check(PLAIN, push(0, "tags", "c"), &PLAIN.replace("- b\n", "- b\n      - c\n"));
    check(PLAIN, remove(0, "tags.0"), &PLAIN.replace("      - a # x\n", ""));
    check(PLAIN, remove(0, "tags"), &PLAIN.replace("    tags:\n      - a # x\n      - b\n", ""));
    check(
        PLAIN,
        push(1, "dependencies", "WRK-004"),
        &PLAIN.replace("'WRK-003']", "'WRK-003', 'WRK-004']"),
    );
    check(
        PLAIN,
        remove(1, "dependencies.0"),
        &PLAIN.replace("[WRK-001, 'WRK-003']", "['WRK-003']"),
    );
    check(PLAIN, remove(1, "dependencies.1"), &PLAIN.replace("[WRK-001, 'WRK-003']", "[WRK-001]"));
    check(
        PLAIN,
        set(0, "description", "short"),
        &PLAIN.replace("description: |\n      Text.\n\n      More.\n", "description: short\n"),
    );
    check(
        PLAIN,
        set(0, "blocked_reason", "why"),
        &PLAIN.replace("      More.\n", "      More.\n    blocked_reason: why\n"),
    );
    check(
        PLAIN,
        append(&[("id", "WRK-003"), ("title", "no")]),
        &PLAIN.replace("# two\n", "# two\n\n  - id: WRK-003\n    title: \"no\"\n"),
    );
    let after = edited(PLAIN, remove_record(0)).unwrap();
    assert!(after.contains("  # first\n\n  - id: WRK-002"), "{after}");
    let after = edited(PLAIN, remove_record(1)).unwrap();
    assert!(after.ends_with("      More.\n\n  # trailing\n# end\n"), "{after}");
}

#[test]
fn empty_values_are_filled_in_and_keep_their_comment() {
    let text = "items:\n- id: 1\n  status:\n- status: ~ # c\n- status: # c\n  x: 1\n";
    check(text, set(0, "status", "done"), &text.replace("status:\n", "status: done\n"));
    check(text, set(1, "status", "done"), &text.replace("~ #", "done #"));
    check(text, set(2, "status", "done"), &text.replace("status: #", "status: done #"));
}

#[test]
fn an_unknown_shape_is_a_problem_with_its_place() {
    assert_eq!(problems(""), [(ProblemKind::EmptyFile, 1, 1, None)]);
    assert_eq!(problems("# c\n\n"), [(ProblemKind::EmptyFile, 1, 1, None)]);
    assert_eq!(
        problems("a: 1\nitems:\n- b: 1\n  b: 2\n- text\n- c: {d: 1, d: 2}\n  <<: 1\na: 2\n"),
        [
            (ProblemKind::DuplicateKey, 4, 3, Some(0)),
            (ProblemKind::WrongShape, 5, 3, Some(1)),
            (ProblemKind::DuplicateKey, 6, 13, Some(2)),
            (ProblemKind::MergeKey, 7, 3, Some(2)),
            (ProblemKind::DuplicateKey, 8, 1, None),
        ]
    );
    assert_eq!(problems("- a\n"), [(ProblemKind::WrongShape, 1, 1, None)]);
    assert_eq!(problems("items: {a: 1}\n"), [(ProblemKind::WrongShape, 1, 8, None)]);
    assert_eq!(problems("a: 1\n---\nb: 1\n"), [(ProblemKind::MultipleDocuments, 2, 1, None)]);
    assert_eq!(problems("items:\n- a: 1\n\tb: 2\n")[0].0, ProblemKind::Syntax);
}
