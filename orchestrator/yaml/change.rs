//! Changes: what an edit of one mapping means for its value.
//!
//! The same change is planned as a splice of the text and made to the value here;
//! that the two agree is what `verify` checks.

use serde_yaml::{Mapping, Value};

use super::edit::Step;

/// What shall happen at the end of a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op<'e> {
    /// Stand there from now on.
    Set(&'e Value),
    /// A new key, before all others.
    First(&'e Value),
    /// A new last entry of a sequence.
    Push(&'e Value),
    /// Be gone.
    Remove,
}

/// A change to a record or to the root mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'e> {
    /// The way down from the mapping.
    pub(super) path: &'e [Step],
    /// What happens there.
    pub(super) op: Op<'e>,
}

impl Change<'_> {
    /// Returns the mapping after the change; a new key goes to the position `at`,
    /// or to the end. None where the path leads nowhere.
    pub(super) fn applied(&self, old: &Mapping, at: Option<usize>) -> Option<Mapping> {
        let mut root = Value::Mapping(old.clone());
        let (last, way) = self.path.split_last()?;
        let mut parent = &mut root;
        for step in way {
            parent = child(parent, step)?;
        }
        self.finish(parent, last, at)?;
        match root {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    fn finish(&self, parent: &mut Value, last: &Step, at: Option<usize>) -> Option<()> {
        match (parent, last) {
            (Value::Mapping(mapping), Step::Key(key)) => {
                let name = Value::String(key.clone());
                match self.op {
                    Op::Remove => {
                        mapping.shift_remove(&name)?;
                    }
                    Op::Push(value) => match mapping.get_mut(&name) {
                        Some(old) => push(old, value)?,
                        None => insert(mapping, at, name, Value::Sequence(vec![value.clone()])),
                    },
                    Op::Set(value) => match mapping.get_mut(&name) {
                        Some(old) => *old = value.clone(),
                        None => insert(mapping, at, name, value.clone()),
                    },
                    Op::First(value) => insert(mapping, Some(0), name, value.clone()),
                }
                Some(())
            }
            (Value::Sequence(entries), Step::Index(index)) => {
                let old = entries.get_mut(*index)?;
                match self.op {
                    Op::Remove => {
                        entries.remove(*index);
                    }
                    Op::Push(value) => push(old, value)?,
                    Op::Set(value) | Op::First(value) => *old = value.clone(),
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Returns the first `steps` of the path as `a.b[0]`.
    pub(super) fn path_text(&self, steps: usize) -> String {
        let mut text = String::new();
        for step in &self.path[..steps.min(self.path.len())] {
            match step {
                Step::Key(key) if text.is_empty() => text.push_str(key),
                Step::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}

fn child<'v>(parent: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match (parent, step) {
        (Value::Mapping(mapping), Step::Key(key)) => mapping.get_mut(key.as_str()),
        (Value::Sequence(entries), Step::Index(index)) => entries.get_mut(*index),
        _ => None,
    }
}

fn push(old: &mut Value, value: &Value) -> Option<()> {
    match old {
        Value::Sequence(entries) => entries.push(value.clone()),
        Value::Null => *old = Value::Sequence(vec![value.clone()]),
        _ => return None,
    }
    Some(())
}

fn insert(mapping: &mut Mapping, at: Option<usize>, key: Value, value: Value) {
    let after: Vec<_> = match at {
        Some(at) => mapping.iter().skip(at).map(|(k, v)| (k.clone(), v.clone())).collect(),
        None => Vec::new(),
    };
    for (key, _) in &after {
        mapping.shift_remove(key);
    }
    mapping.insert(key, value);
    mapping.extend(after);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(yaml: &str, path: &[Step], op: Op<'_>, at: Option<usize>) -> Option<String> {
        let old: Mapping = serde_yaml::from_str(yaml).unwrap();
        let new = Change { path, op }.applied(&old, at)?;
        Some(serde_yaml::to_string(&new).unwrap())
    }

    #[test]
    fn a_change_touches_one_place_and_keeps_the_order() {
        let yaml = "a: 1\nb: {c: [x]}\nd: 2\n";
        let one = Value::from(1);
        let key = |k: &str| Step::Key(k.to_owned());
        let set = change(yaml, &[key("e")], Op::Set(&one), Some(1)).unwrap();
        assert_eq!(set, "a: 1\ne: 1\nb:\n  c:\n  - x\nd: 2\n");
        let first = change(yaml, &[key("e")], Op::First(&one), None).unwrap();
        assert!(first.starts_with("e: 1\na: 1\n"));
        let push = change(yaml, &[key("b"), key("c")], Op::Push(&one), None).unwrap();
        assert_eq!(push, "a: 1\nb:\n  c:\n  - x\n  - 1\nd: 2\n");
        let removed = change(yaml, &[key("a")], Op::Remove, None).unwrap();
        assert_eq!(removed, "b:\n  c:\n  - x\nd: 2\n");
        assert_eq!(change(yaml, &[key("b"), Step::Index(0)], Op::Remove, None), None);
        assert_eq!(change(yaml, &[key("b"), key("c"), Step::Index(1)], Op::Remove, None), None);
    }
}
