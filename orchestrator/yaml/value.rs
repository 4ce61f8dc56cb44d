//! Values: what nodes mean, exactly as `serde_yaml` reads them.
//!
//! Plain scalars become null, booleans and numbers by the same rules (numbers by
//! its own parser), tags have the same effect. Aliases are expanded within a
//! budget, so that a small file cannot fill the memory. What would be read
//! wrongly or twice becomes a finding: duplicate keys, merge keys, aliases
//! without an anchor, numbers that do not fit.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Number, Value};

use super::node::{Kind, Node};
use super::problem::{Finding, ProblemKind};

/// How much all aliases of a document may expand to, in about bytes of memory:
/// this, and [`ALIAS_FACTOR`] times the length of its text.
const ALIAS_BUDGET: usize = 1 << 20;

/// How much more an honest text may say with aliases than without.
const ALIAS_FACTOR: usize = 8;

/// What one value costs of the budget besides its text.
const NODE_WEIGHT: usize = 64;

/// Turns nodes into values, in the order of the text, and collects what is wrong.
#[derive(Debug)]
pub(super) struct Values {
    /// What was found; ranges are into the text that the nodes come from.
    pub(super) findings: Vec<Finding>,
    anchors: HashMap<usize, (Value, usize)>,
    /// What is left for aliases; none when it was used up.
    budget: Option<usize>,
}

impl Values {
    /// Starts on a text of `len` bytes.
    pub(super) fn new(len: usize) -> Self {
        Self {
            findings: Vec::new(),
            anchors: HashMap::new(),
            budget: Some(ALIAS_BUDGET + ALIAS_FACTOR * len),
        }
    }

    /// Returns what the node means.
    pub(super) fn value(&mut self, node: &Node<'_>) -> Value {
        let inner = match &node.kind {
            Kind::Alias(id) => self.alias(*id, node),
            Kind::Scalar { style, text } => self.scalar(node, *style, text),
            Kind::Seq { entries, .. } => {
                Value::Sequence(entries.iter().map(|entry| self.value(entry)).collect())
            }
            Kind::Map { pairs, .. } => Value::Mapping(self.mapping(pairs)),
        };
        let value = match node.tag().and_then(local_tag) {
            Some(tag) => Value::Tagged(Box::new(TaggedValue { tag: Tag::new(tag), value: inner })),
            None => inner,
        };
        if let Some(id) = node.anchor() {
            let weight = weight(&value);
            self.anchors.insert(id, (value.clone(), weight));
        }
        value
    }

    fn mapping(&mut self, pairs: &[(Node<'_>, Node<'_>)]) -> Mapping {
        let mut mapping = Mapping::with_capacity(pairs.len());
        for (key_node, value_node) in pairs {
            if let Kind::Scalar { style: ScalarStyle::Plain, text } = &key_node.kind
                && text == "<<"
            {
                self.push(
                    Finding::new(
                        ProblemKind::MergeKey,
                        "a merge key '<<'",
                        key_node.start..key_node.end,
                    )
                    .hint("write out the keys that it would merge in"),
                );
            }
            let key = self.value(key_node);
            let value = self.value(value_node);
            // Asked only when it is one: most keys are hashed once.
            if mapping.insert(key, value).is_some() {
                let key = self.value(key_node);
                self.push(duplicate(&key, key_node.start..key_node.end));
            }
        }
        mapping
    }

    fn alias(&mut self, id: Option<usize>, node: &Node<'_>) -> Value {
        let range = node.start..node.end;
        let Some((value, weight)) = id.and_then(|id| self.anchors.get(&id)) else {
            let (message, hint) = match id {
                Some(_) => ("an alias inside the value that it stands for", "write the value out"),
                None => ("an alias without an anchor", "no '&' of that name comes before it"),
            };
            self.push(Finding::new(ProblemKind::Syntax, message, range).hint(hint));
            return Value::Null;
        };
        match self.budget.map(|left| left.checked_sub(*weight)) {
            Some(Some(left)) => {
                self.budget = Some(left);
                value.clone()
            }
            // Told once: every further alias would say the same.
            Some(None) => {
                self.budget = None;
                let message = "the aliases stand for too much text";
                self.push(
                    Finding::new(ProblemKind::Syntax, message, range).hint("write the values out"),
                );
                Value::Null
            }
            None => Value::Null,
        }
    }

    fn scalar(&mut self, node: &Node<'_>, style: ScalarStyle, text: &str) -> Value {
        let range = node.start..node.end;
        let resolved = match node.tag() {
            // An empty value is spelled `~` by the parser.
            None if style == ScalarStyle::Plain && node.is_empty() => Ok(Value::Null),
            Some(tag) if local_tag(tag).is_none() => core_tagged(tag, text),
            _ if style == ScalarStyle::Plain => plain(text),
            _ => Ok(Value::String(text.to_owned())),
        };
        resolved.unwrap_or_else(|message| {
            self.push(
                Finding::new(ProblemKind::Syntax, message, range)
                    .hint("quote it to make it a text"),
            );
            Value::Null
        })
    }

    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Returns the finding of a key that is there twice.
pub(super) fn duplicate(key: &Value, range: Range<usize>) -> Finding {
    let message = match key {
        Value::String(key) => format!("the key {key} is there twice"),
        _ => "a key is there twice".to_owned(),
    };
    Finding::new(ProblemKind::DuplicateKey, message, range).hint("remove or rename one of them")
}

/// Returns the name of a local tag (`!name`), which stays with the value.
fn local_tag(tag: &str) -> Option<&str> {
    match tag.strip_prefix('!')? {
        "" => Some("!"),
        name => Some(name),
    }
}

/// Returns what a plain scalar means.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    match text.as_bytes() {
        b"" | b"~" | b"null" | b"Null" | b"NULL" => Ok(Value::Null),
        b"true" | b"True" | b"TRUE" => Ok(Value::Bool(true)),
        b"false" | b"False" | b"FALSE" => Ok(Value::Bool(false)),
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] if may_be_number(text) => number(text),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Returns whether a text that begins like a number can be one; quick to say no
/// to dates and sentences.
fn may_be_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'.' | b'x' | b'o' => true,
        // .inf and .nan
        b'i' | b'I' | b'n' | b'N' => true,
        b'+' | b'-' => at == 0 || matches!(bytes[at - 1], b'e' | b'E'),
        _ => false,
    })
}

fn number(text: &str) -> Result<Value, &'static str> {
    match text.parse::<Number>() {
        Ok(number) => Ok(Value::Number(number)),
        Err(_) if exceeds_64_bits(text) => Err("a number that does not fit 64 bits"),
        Err(_) => Ok(Value::String(text.to_owned())),
    }
}

/// Returns whether the text is an integer of 65 to 128 bits, which `serde_yaml`
/// refuses to read as a value.
fn exceeds_64_bits(text: &str) -> bool {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => return false,
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return false;
    }
    if negative {
        i128::from_str_radix(&format!("-{digits}"), radix).is_ok()
    } else {
        u128::from_str_radix(digits, radix).is_ok()
    }
}

/// Returns what a scalar with a tag of YAML's own means, whatever its quotes.
fn core_tagged(tag: &str, text: &str) -> Result<Value, &'static str> {
    let resolved = match tag.strip_prefix("tag:yaml.org,2002:") {
        Some("bool" | "int" | "float" | "null") if !text.is_empty() => plain(text)?,
        Some("bool" | "int" | "float" | "null") => Value::String(String::new()),
        _ => return Ok(Value::String(text.to_owned())),
    };
    match (tag.rsplit(':').next().unwrap_or_default(), resolved) {
        ("bool", Value::Bool(value)) => Ok(Value::Bool(value)),
        ("null", Value::Null) => Ok(Value::Null),
        ("int", Value::Number(number)) if !number.is_f64() => Ok(Value::Number(number)),
        ("float", Value::Number(_)) => text
            .parse::<Number>()
            .ok()
            .and_then(|number| number.as_f64())
            .map(|number| Value::Number(number.into()))
            .ok_or("a number that is none"),
        _ => Err("a value that its tag does not allow"),
    }
}

/// Returns about how much memory a value takes.
fn weight(value: &Value) -> usize {
    NODE_WEIGHT
        + match value {
            Value::String(text) => text.len(),
            Value::Sequence(entries) => entries.iter().map(weight).sum(),
            Value::Mapping(mapping) => mapping.iter().map(|(k, v)| weight(k) + weight(v)).sum(),
            Value::Tagged(tagged) => weight(&tagged.value),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// Returns whether two values are the same, the order of keys included.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Mapping(a), Value::Mapping(b)) => same_mapping(a, b),
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Tagged(a), Value::Tagged(b)) => a.tag == b.tag && same(&a.value, &b.value),
        _ => a == b,
    }
}

/// Returns whether two mappings have the same keys and values in the same order.
pub(super) fn same_mapping(a: &Mapping, b: &Mapping) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| same(ak, bk) && same(av, bv))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::node::read;
    use super::*;

    fn ours(text: &str) -> Option<Value> {
        let parsed = read(text).ok()?;
        let mut values = Values::new(text.len());
        let value = parsed.root.map_or(Value::Null, |root| values.value(&root));
        values.findings.is_empty().then_some(value)
    }

    fn agree(text: &str) {
        let theirs = serde_yaml::from_str::<Value>(text).ok();
        let ours = ours(text);
        match (&ours, &theirs) {
            (Some(a), Some(b)) => assert!(same(a, b), "{text:?}: {a:?} is not {b:?}"),
            _ => assert_eq!(ours, theirs, "{text:?}"),
        }
    }

    const SCALARS: &[&str] = &[
        "~",
        "null",
        "Null",
        "NULL",
        "nULL",
        "true",
        "True",
        "TRUE",
        "yes",
        "no",
        "on",
        "y",
        "0",
        "-0",
        "+1",
        "--1",
        "+-1",
        "1_000",
        "0x1F",
        "-0x1F",
        "+0x1f",
        "0X1F",
        "0o17",
        "0b11",
        "0x+1",
        "007",
        "-007",
        "08",
        "1.5",
        ".5",
        "5.",
        "1e3",
        "1E+3",
        "1e-3",
        "e3",
        ".inf",
        "-.inf",
        "+.INF",
        ".nan",
        ".NaN",
        "inf",
        "nan",
        "infinity",
        "-inf",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "340282366920938463463374607431768211456",
        "99999999999999999999",
        "-0x8000000000000000",
        "0xFFFFFFFFFFFFFFFFFF",
        "2026-01-01",
        "1.2.3",
        "12:30",
        "!!int \"3\"",
        "!!int x",
        "!!int 1.5",
        "!!float 1",
        "!!float x",
        "!!bool true",
        "!!bool 1",
        "!!null ~",
        "!!null x",
        "!!null ''",
        "!!str 1",
        "!!str",
        "!foo 1",
        "!foo '1'",
        "!foo",
        "!foo {a: 1}",
        "!foo [1]",
        "! 1",
        "!!seq [1]",
        "!!map {}",
        "!<tag:yaml.org,2002:int> 3",
        "!!binary aGk=",
        "1e400",
        "-1e400",
        "0.0",
        "-0.0",
        "0b",
        "0x",
        "+",
        "-",
        ".",
        "..",
        "1.",
        "+.5",
        "0e0",
        "00",
        "0.1.2",
        "!!float .inf",
    ];

    #[test]
    fn scalars_mean_what_serde_yaml_says() {
        SCALARS.iter().for_each(|text| agree(text));
    }

    #[test]
    fn blocks_at_the_very_end_mean_what_serde_yaml_says() {
        for header in ["|", "|-", "|+", ">", ">-", ">+"] {
            for body in [
                "",
                "\n",
                "\n  ",
                "\n\n  ",
                "\n  x",
                "\n  x\n",
                "\n  x\n  ",
                "\n  x\n\n  ",
                "\n  x\n\n",
            ] {
                agree(&format!("k: {header}{body}"));
            }
        }
    }

    #[test]
    fn an_alias_bomb_is_not_expanded() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..40 {
            let last = level - 1;
            let list = vec![format!("*a{last}"); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        let parsed = read(&text).unwrap();
        let mut values = Values::new(text.len());
        let value = values.value(&parsed.root.unwrap());
        assert_eq!(values.findings.len(), 1);
        assert!(weight(&value) < 8 * ALIAS_BUDGET);
    }

    proptest! {
        #[test]
        fn number_like_texts_mean_what_serde_yaml_says(
            text in "[+-]{0,2}(0[xob])?[0-9a-fA-F_.+eE-]{0,12}"
        ) {
            // `-` alone, dashes before a blank and the like are no scalars.
            prop_assume!(!text.is_empty());
            let quoted = format!("k: {text}\n");
            agree(&quoted);
        }

        #[test]
        fn long_digits_mean_what_serde_yaml_says(text in "-?[0-9]{17,42}") {
            agree(&text);
        }
    }
}
