//! The schema says what the program reads: its own words, and real files.

use serde_json::Value;

use super::*;
use crate::model::ITEM_KEYS;

fn schema() -> Value {
    backlog_schema().to_value()
}

/// Checks a value against a schema, as far as ours uses the language: returns the
/// places that do not fit.
fn misfits(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a known definition");
        return misfits(value, target, root, at);
    }
    let mut found = Vec::new();
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array)
        && !any.iter().any(|one| misfits(value, one, root, at).is_empty())
    {
        found.push(format!("{at}: none of the forms"));
    }
    let is = |word: &Value| match word.as_str() {
        Some("null") => value.is_null(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("unknown type {other:?}"),
    };
    let fits = match schema.get("type") {
        None => true,
        Some(Value::Array(words)) => words.iter().any(is),
        Some(word) => is(word),
    };
    if !fits {
        found.push(format!("{at}: not of type {}", schema["type"]));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        found.push(format!("{at}: {value} is none of {words:?}"));
    }
    for (bound, holds) in [("minimum", i64::ge as fn(&i64, &i64) -> bool), ("maximum", i64::le)] {
        if let (Some(bound), Some(number)) = (schema[bound].as_i64(), value.as_i64())
            && !holds(&number, &bound)
        {
            found.push(format!("{at}: {number} is out of range"));
        }
    }
    found.extend(misfits_inside(value, schema, root, at));
    found
}

/// The same for what a map or a list holds.
fn misfits_inside(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Value::Object(map) = value {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str).filter(|key| !map.contains_key(*key)) {
            found.push(format!("{at}: no {key}"));
        }
        for (key, value) in map {
            let at = format!("{at}.{key}");
            match schema.get("properties").and_then(|properties| properties.get(key)) {
                Some(property) => found.extend(misfits(value, property, root, &at)),
                None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                    found.push(format!("{at}: not allowed"));
                }
                None => {}
            }
        }
    }
    if let (Value::Array(entries), Some(items)) = (value, schema.get("items")) {
        for (index, entry) in entries.iter().enumerate() {
            found.extend(misfits(entry, items, root, &format!("{at}[{index}]")));
        }
    }
    found
}

fn check(yaml: &str) -> Vec<String> {
    let value: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
    let schema = schema();
    misfits(&serde_json::to_value(value).unwrap(), &schema, &schema, "")
}

#[test]
fn it_has_every_key_and_no_other() {
    let schema = schema();
    let item = schema.pointer("/$defs/Item/properties").unwrap().as_object().unwrap();
    let mut keys: Vec<&str> = item.keys().map(String::as_str).collect();
    let mut known = ITEM_KEYS.to_vec();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known);
    assert!(item.values().all(|property| property.get("description").is_some()));
}

#[test]
fn it_takes_what_the_program_takes() {
    let file = "schema_version: 2\nnext_item_id: 3\nmine: 1\nitems:\n\
        \x20 - {title: bare}\n\
        \x20 - {id: WRK-001, title: t, status: in_progress, size: small, risk: high, tags: [a], description: text, owner: me}\n\
        \x20 - {title: t, description: {problem: p, note: n}, blocked_type: decision, phase_pool: pre, tags: null}\n";
    assert_eq!(check(file), Vec::<String>::new());
    assert_eq!(check("items: null"), Vec::<String>::new());
}

#[test]
fn it_refuses_what_the_program_refuses() {
    assert_eq!(check("items: [{id: A-1}]"), [".items[0]: no title"]);
    assert_eq!(check("items: [{title: t, size: huge}]").len(), 1);
    assert_eq!(check("items: [{title: 7}]").len(), 1);
    assert_eq!(check("items: [{title: t, tags: a}]").len(), 1);
    assert_eq!(check("items: [{title: t, description: [a]}]").len(), 1);
    assert_eq!(check("items: {a: 1}").len(), 1);
    assert_eq!(check("schema_version: 4\n").len(), 1);
}

#[test]
fn real_files_fit() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    let Ok(files) = crate::fs::list(corpus.as_ref()) else {
        println!("skipped: {corpus} is missing");
        return;
    };
    let mut checked = 0;
    for file in files {
        let text = String::from_utf8(crate::fs::read(&file.path).unwrap()).unwrap();
        let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let version = value.get("schema_version").and_then(serde_yaml::Value::as_u64);
        if version.is_some_and(|version| (2..=3).contains(&version)) {
            assert_eq!(check(&text), Vec::<String>::new(), "{}", file.path.display());
            checked += 1;
        }
    }
    assert!(checked > 0, "no file of a current version in {corpus}");
}
