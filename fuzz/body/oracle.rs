//! The oracle: what a document says, and what an edit may change about it.

use orchestrator::yaml::{Document, Edit, Step};
use serde_yaml::{Mapping, Value};

use super::Choice;
use super::layout::garble;

/// All that can be asked of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    text: String,
    root: Vec<(String, usize, Option<Value>)>,
    records: Vec<Mapping>,
    places: Vec<(usize, (u32, u32), String)>,
}

impl State {
    /// Asks a document.
    pub fn of(document: &Document) -> Self {
        let root =
            document.root_keys().map(|(key, offset)| (key.to_owned(), offset, document.root(key)));
        let records = 0..document.len();
        Self {
            text: document.text().to_owned(),
            root: root.collect(),
            records: records
                .clone()
                .map(|n| document.record_value(n).expect("it is there"))
                .collect(),
            places: records
                .map(|n| {
                    (document.record_offset(n), document.record_lines(n), document.record_text(n))
                })
                .collect(),
        }
    }
}

/// Parses a text; checks what it says of itself, or of its problems.
pub fn parse(text: &str) -> Option<Document> {
    let mut records = Vec::new();
    match Document::parse(text.to_owned(), "items", &mut |_, mapping| records.push(mapping)) {
        Ok(document) => {
            assert_eq!(document.text(), text);
            let state = State::of(&document);
            assert_eq!(state.records, records, "{text:?}");
            Some(document)
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                assert!(problem.offset + problem.len <= text.len(), "{problem:?} of {text:?}");
                assert!(text.is_char_boundary(problem.offset), "{problem:?} of {text:?}");
                assert!(
                    text.is_char_boundary(problem.offset + problem.len),
                    "{problem:?} of {text:?}"
                );
                assert!(problem.line > 0 && problem.column > 0);
            }
            None
        }
    }
}

/// Checks what an edit did.
pub fn check(before: &State, after: &State, old: &Document, edit: &Edit) {
    let context = || format!("{edit:?}\nbefore {:?}\nafter  {:?}", before.text, after.text);
    let fresh = parse(&after.text).unwrap_or_else(|| panic!("no document after {}", context()));
    assert_eq!(State::of(&fresh), *after, "the index after {}", context());
    let (root, records) =
        changed(before, edit).unwrap_or_else(|| panic!("made without sense: {}", context()));
    assert!(same_root(&root, &after.root), "the root after {}", context());
    assert_eq!(records.len(), after.records.len(), "{}", context());
    for (expected, found) in records.iter().zip(&after.records) {
        assert!(same(expected, found), "a record after {}\n{expected:?}\n{found:?}", context());
    }
    if agrees(before) {
        assert!(agrees(after), "serde_yaml after {}", context());
    }
    check_bytes(before, after, old, edit, &context);
}

/// Whether `serde_yaml` reads the whole text as the document does.
fn agrees(state: &State) -> bool {
    // It miscounts columns after a byte order mark.
    let text = state.text.trim_start_matches('\u{feff}');
    let Ok(Value::Mapping(mut root)) = serde_yaml::from_str::<Value>(text) else {
        return false;
    };
    let list = match root.shift_remove("items") {
        Some(Value::Sequence(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return false,
    };
    let untagged = |value: &Value| match value {
        Value::Tagged(tagged) => tagged.value.clone(),
        value => value.clone(),
    };
    let records: Vec<Value> = list.iter().map(untagged).collect();
    let ours: Vec<Value> = state.records.iter().cloned().map(Value::Mapping).collect();
    let values = state
        .root
        .iter()
        .filter_map(|(key, _, value)| Some((Value::from(key.as_str()), value.clone()?)));
    let texts: Mapping = root.into_iter().filter(|(key, _)| key.is_string()).collect();
    records == ours && texts == values.collect::<Mapping>()
}

fn same_root(
    expected: &[(String, Option<Value>)],
    found: &[(String, usize, Option<Value>)],
) -> bool {
    let found: Vec<_> =
        found.iter().filter(|(key, ..)| key != "items").map(|(k, _, v)| (k, v)).collect();
    let expected: Vec<_> =
        expected.iter().filter(|(key, _)| key != "items").map(|(k, v)| (k, v)).collect();
    expected.len() == found.len() && expected.iter().all(|pair| found.contains(pair))
}

/// Same keys and values; the old keys in their order, a new one anywhere.
fn same(expected: &Mapping, found: &Mapping) -> bool {
    let order = |mapping: &Mapping, other: &Mapping| -> Vec<Value> {
        mapping.keys().filter(|key| other.contains_key(*key)).cloned().collect()
    };
    expected == found && order(expected, found).len() == expected.len()
}

type Root = Vec<(String, Option<Value>)>;

/// Makes an edit on values.
fn changed(before: &State, edit: &Edit) -> Option<(Root, Vec<Mapping>)> {
    let mut root: Root =
        before.root.iter().map(|(key, _, value)| (key.clone(), value.clone())).collect();
    let mut records = before.records.clone();
    let entry = |text: &String| orchestrator::yaml::parse_record(text).ok();
    match edit {
        Edit::Append { fields } => {
            records
                .push(fields.iter().map(|(k, v)| (Value::from(k.as_str()), v.clone())).collect());
        }
        Edit::AppendText { text } => records.push(entry(text)?),
        Edit::ReplaceText { record, text } => *records.get_mut(*record)? = entry(text)?,
        Edit::RemoveRecord { record } => {
            records.get(*record)?;
            records.remove(*record);
        }
        Edit::SetFirst { record, key, value } => {
            records.get_mut(*record)?.insert(Value::from(key.as_str()), value.clone());
        }
        Edit::Set { record, path, value } => {
            at(&mut root, &mut records, *record, path, &|slot| *slot = Some(value.clone()))?;
        }
        Edit::Push { record, path, value } => {
            at(&mut root, &mut records, *record, path, &|slot| match slot {
                Some(Value::Sequence(entries)) => entries.push(value.clone()),
                other => *other = Some(Value::Sequence(vec![value.clone()])),
            })?
        }
        Edit::Remove { record, path } => {
            at(&mut root, &mut records, *record, path, &|slot| *slot = None)?
        }
    }
    Some((root, records))
}

fn at(
    root: &mut Root,
    records: &mut [Mapping],
    record: Option<usize>,
    path: &[Step],
    make: &dyn Fn(&mut Option<Value>),
) -> Option<()> {
    let mut top = match record {
        Some(record) => Value::Mapping(records.get(record)?.clone()),
        None => Value::Mapping(
            root.iter().filter_map(|(k, v)| Some((Value::from(k.as_str()), v.clone()?))).collect(),
        ),
    };
    change_at(&mut top, path, make)?;
    let Value::Mapping(top) = top else {
        return None;
    };
    match record {
        Some(record) => records[record] = top,
        None => {
            // The list, and keys that are no texts.
            let list =
                root.iter().filter(|(_, value)| value.is_none()).cloned().collect::<Vec<_>>();
            *root = top
                .into_iter()
                .map(|(k, v)| (k.as_str().unwrap_or_default().to_owned(), Some(v)))
                .collect();
            root.extend(list);
        }
    }
    Some(())
}

fn change_at(value: &mut Value, path: &[Step], make: &dyn Fn(&mut Option<Value>)) -> Option<()> {
    let (step, rest) = path.split_first()?;
    match (value, step) {
        (Value::Mapping(mapping), Step::Key(key)) if rest.is_empty() => {
            let mut slot = mapping.get(key.as_str()).cloned();
            make(&mut slot);
            match slot {
                Some(value) => mapping.insert(Value::from(key.as_str()), value),
                None => mapping.shift_remove(key.as_str()),
            };
            Some(())
        }
        (Value::Mapping(mapping), Step::Key(key)) => {
            change_at(mapping.get_mut(key.as_str())?, rest, make)
        }
        (Value::Sequence(entries), Step::Index(index)) if rest.is_empty() => {
            let mut slot = Some(entries.get(*index)?.clone());
            make(&mut slot);
            match slot {
                Some(value) => entries[*index] = value,
                None => drop(entries.remove(*index)),
            }
            Some(())
        }
        (Value::Sequence(entries), Step::Index(index)) => {
            change_at(entries.get_mut(*index)?, rest, make)
        }
        _ => None,
    }
}

/// Checks that only those lines changed that the edit is about.
fn check_bytes(
    before: &State,
    after: &State,
    old: &Document,
    edit: &Edit,
    context: &dyn Fn() -> String,
) {
    let (was, is) = (&before.text, &after.text);
    if was == is {
        return;
    }
    let prefix = was.bytes().zip(is.bytes()).take_while(|(a, b)| a == b).count();
    let suffix = was.bytes().rev().zip(is.bytes().rev()).take_while(|(a, b)| a == b).count();
    let within = |start: usize, end: usize| {
        let kept = was.len() - end.min(was.len());
        let is_kept = start <= prefix && kept <= suffix && start + kept <= is.len();
        assert!(is_kept, "a change outside of {start}..{end}: {}", context());
    };
    let inserted = || assert!(prefix + suffix >= was.len(), "something went: {}", context());
    match edit {
        Edit::Set { record, path, .. }
        | Edit::Push { record, path, .. }
        | Edit::Remove { record, path } => {
            if let Some(Step::Key(key)) = path.first()
                && let Some(place) = old.locate_key(*record, key)
                && let Some(value) = old.locate(*record, &path[..1])
            {
                let mut end = line_end(was, value.offset + value.len);
                if value.offset == place.offset {
                    // An empty value may lie on the line below its key.
                    end = line_end(was, (end + 2).min(was.len()));
                }
                // One line break more where a value ends with the text, one less
                // before a last line that goes; a flow member takes a comma along.
                let slack = if matches!(edit, Edit::Remove { .. }) { 80 } else { 2 };
                within(
                    line_start(was, place.offset).saturating_sub(slack),
                    (end + slack).min(was.len()),
                );
            } else {
                inserted();
            }
        }
        Edit::SetFirst { .. } => inserted(),
        Edit::Append { .. } | Edit::AppendText { .. } => {
            let last = before.places.last().map_or(0, |(offset, ..)| *offset);
            within(last.saturating_sub(1), was.len());
        }
        Edit::RemoveRecord { record } | Edit::ReplaceText { record, .. } => {
            let start = line_start(was, before.places[*record].0);
            let next = before.places.get(record + 1).map_or(was.len(), |(offset, ..)| *offset);
            let only = before.places.len() == 1;
            let slack = if only { start } else { 80 };
            within(start.saturating_sub(slack), next + 1);
        }
    }
    // Comments at column 0 are never deleted, except inside a record that goes.
    if !matches!(edit, Edit::RemoveRecord { .. } | Edit::ReplaceText { .. })
        && before.records.len() <= after.records.len()
    {
        let comments =
            |text: &str| text.split(['\n', '\r']).filter(|line| line.starts_with("# ")).count();
        assert!(
            comments(is) >= comments(was) || is_text_gone(edit),
            "a comment went: {}",
            context()
        );
    }
}

/// Whether an edit takes away a block of text, whose lines may begin with `#`.
fn is_text_gone(edit: &Edit) -> bool {
    !matches!(edit, Edit::Append { .. } | Edit::AppendText { .. })
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end)
}

/// Checks that a reload of the changed text is as good as the edit.
pub fn check_taken_over(old: &Document, new: &Document) {
    reload(old, new.text());
}

/// Reloads a text that was changed by hand, and compares with a fresh parse.
pub fn check_reload(choice: &mut Choice<'_>, document: &Document) {
    let mut text = document.text().to_owned();
    garble(choice, &mut text);
    reload(document, &text);
}

fn reload(old: &Document, text: &str) {
    let context = || format!("reload of {:?}\nto {text:?}", old.text());
    let mut reloaded = old.clone();
    let mut visited = Vec::new();
    let result =
        reloaded.reload(text.to_owned(), &mut |number, mapping| visited.push((number, mapping)));
    let fresh = Document::parse(text.to_owned(), "items", &mut |_, _| {});
    match (result, fresh) {
        (Ok(ranges), Ok(fresh)) => {
            let state = State::of(&fresh);
            assert_eq!(State::of(&reloaded), state, "{}", context());
            let numbers: Vec<usize> = visited.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, ranges.new.clone().collect::<Vec<_>>(), "{}", context());
            let mut records = State::of(old).records;
            records.splice(ranges.old, visited.into_iter().map(|(_, mapping)| mapping));
            assert_eq!(records, state.records, "{}", context());
        }
        (Err(ours), Err(theirs)) => {
            assert_eq!(ours, theirs, "{}", context());
            assert_eq!(State::of(&reloaded), State::of(old), "{}", context());
        }
        (ours, theirs) => panic!("{}: {ours:?} is not {:?}", context(), theirs.map(|_| ())),
    }
}
