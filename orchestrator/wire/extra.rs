//! Keys that are not ours, from YAML to JSON.
//!
//! YAML knows more than JSON: keys of any type become texts, numbers that JSON
//! does not have become `null`, a tag is left out. Order is kept.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_yaml::{Mapping, Value};

/// A YAML mapping, to be written as a JSON object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra<'a>(pub(super) &'a Mapping);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(&key_text(key), &Json(value))?;
        }
        map.end()
    }
}

struct Json<'a>(&'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Sequence(entries) => {
                let mut list = serializer.serialize_seq(Some(entries.len()))?;
                for entry in entries {
                    list.serialize_element(&Json(entry))?;
                }
                list.end()
            }
            Value::Mapping(mapping) => Extra(mapping).serialize(serializer),
            Value::Tagged(tagged) => Json(&tagged.value).serialize(serializer),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        // A list or a map as a key: its JSON text is unique and readable.
        other => serde_json::to_string(&Json(other)).unwrap_or_else(|_| "?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_yaml_has_becomes_json() {
        let yaml = "z: 1\na: [true, ~, 1.5, text]\n3: n\n~: m\n[1, 2]: key\nt: !date 2026\nx: .inf\nbig: 18446744073709551615\n";
        let mapping: Mapping = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(
            serde_json::to_string(&Extra(&mapping)).unwrap(),
            r#"{"z":1,"a":[true,null,1.5,"text"],"3":"n","null":"m","[1,2]":"key","t":2026,"x":null,"big":18446744073709551615}"#
        );
    }
}
