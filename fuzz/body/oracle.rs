//! The oracle: what a document says, and what an edit may change about it.

use std::ops::Range;

use orchestrator::yaml::{Document, Edit, Step};
use serde_yaml::{Mapping, Value};

use super::Choice;
use super::layout::garble;

/// All that can be asked of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    text: String,
    root: Vec<(String, usize, Option<Value>)>,
    records: Vec<Mapping>,
    places: Vec<(usize, (u32, u32), String)>,
}

impl State {
    /// Asks a document.
    pub(crate) fn of(document: &Document) -> Self {
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
pub(crate) fn parse(text: &str) -> Option<Document> {
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
pub(crate) fn check(before: &State, after: &State, old: &Document, edit: &Edit) {
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

/// Checks that the lines which the edit does not touch are still there, byte for
/// byte and in order.
fn check_bytes(
    before: &State,
    after: &State,
    old: &Document,
    edit: &Edit,
    context: &dyn Fn() -> String,
) {
    if before.text == after.text {
        return;
    }
    let (touched, others) = touched_lines(before, old, edit);
    // Blank lines look all the same, and may become part of a block or cease to be.
    let numbered = |text| -> Vec<(usize, &str)> {
        let lines = lines(text).enumerate();
        lines.filter(|(_, line)| !line.trim().is_empty()).collect()
    };
    let (was, is) = (numbered(&before.text), numbered(&after.text));
    let above = |(a, b): &(&(usize, &str), &(usize, &str))| a.1 == b.1 && a.0 < touched.start;
    let below = |(a, b): &(&(usize, &str), &(usize, &str))| a.1 == b.1 && a.0 >= touched.end;
    let first = was.iter().zip(&is).take_while(above).count();
    let (was, is) = (&was[first..], &is[first..]);
    let last = was.iter().rev().zip(is.iter().rev()).take_while(below).count();
    let (was, is) = (&was[..was.len() - last], &is[..is.len() - last]);
    let untouched = was.iter().filter(|(number, _)| !touched.contains(number));
    let gone = missing(untouched, is);
    assert!(gone.len() <= others, "lines went or changed, {gone:?}: {}", context());
    let inside = || was.iter().filter(|(number, _)| touched.contains(number));
    let keeps = matches!(edit, Edit::Set { .. } | Edit::Push { .. } | Edit::Remove { .. });
    if keeps && !inside().any(|(_, line)| line.contains(['|', '>', '"', '\'', '{', '['])) {
        let gone = missing(inside().filter(|(_, line)| line.starts_with('#')), is);
        assert!(gone.is_empty(), "comments at column 0 went, {gone:?}: {}", context());
    }
}

/// Returns the lines that an edit may change, and how many others: a neighbour on
/// the same line or in the same brackets, or the key of a list that was empty.
fn touched_lines(before: &State, old: &Document, edit: &Edit) -> (Range<usize>, usize) {
    let line_of = |offset: usize| old.line_column(offset).0 as usize - 1;
    // Behind every line, and before.
    let nothing = Range { start: usize::MAX, end: 0 };
    match edit {
        Edit::Set { record, path, .. }
        | Edit::Push { record, path, .. }
        | Edit::Remove { record, path } => {
            let others = usize::from(matches!(edit, Edit::Remove { .. }));
            let place = match path.first() {
                Some(Step::Key(key)) => {
                    old.locate_key(*record, key).zip(old.locate(*record, &path[..1]))
                }
                _ => None,
            };
            match place {
                Some((key, value)) if key.offset == value.offset => {
                    // An empty value may lie on the line below its key.
                    (line_of(key.offset)..line_of(key.offset) + 2, others)
                }
                Some((key, value)) => {
                    (line_of(key.offset)..line_of(value.offset + value.len) + 1, others)
                }
                None => (nothing, 1),
            }
        }
        Edit::SetFirst { .. } => (nothing, 1),
        // The brackets of an empty list may be two lines.
        Edit::Append { .. } | Edit::AppendText { .. } => {
            (nothing, 2 - usize::from(!old.is_empty()))
        }
        Edit::RemoveRecord { record } | Edit::ReplaceText { record, .. } => {
            let (first, last) = before.places[*record].1;
            // In brackets, a neighbour and a comma may stand on lines of their own.
            (first as usize - 1..last as usize, 2)
        }
    }
}

/// Returns those lines that are not found in others, in their order.
fn missing<'l>(
    lines: impl Iterator<Item = &'l (usize, &'l str)>,
    others: &[(usize, &str)],
) -> Vec<&'l str> {
    let mut rest = others;
    let mut gone = Vec::new();
    for (_, line) in lines {
        match rest.iter().position(|(_, other)| other == line) {
            Some(at) => rest = &rest[at + 1..],
            None => gone.push(*line),
        }
    }
    gone
}

/// Splits a text at every kind of line break.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.trim_start_matches('\u{feff}').split('\n');
    lines.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Checks that a reload of the changed text is as good as the edit.
pub(crate) fn check_taken_over(old: &Document, new: &Document) {
    reload(old, new.text());
}

/// Reloads a text that was changed by hand, and compares with a fresh parse.
pub(crate) fn check_reload(choice: &mut Choice<'_>, document: &Document) {
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
