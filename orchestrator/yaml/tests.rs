//! Documents, edits and what becomes of their bytes: what all tests here share.
//!
//! Every edit that a test makes is checked for more than its bytes: the index must
//! be that of a fresh parse, and an undo must restore all.

mod problems;
mod queries;
mod reloads;
mod traps;

use serde_yaml::Value;

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
