//! Questions: where things are, what they say, how they are written.

use super::*;

const TEXT: &str = "\u{feff}# c\nmark: 7\nitems:\n  - id: WRK-1 # ü\n    # between\n    tags: [a, \"b\"]\n    empty:\n    d:\n      p: é x\n\n  - {id: 2,\n     k: v}\nlast: [x]\n";

fn at(document: &Document, record: Option<usize>, keys: &str) -> Option<(u32, u32, String)> {
    let steps = if keys.is_empty() { Vec::new() } else { path(keys) };
    let found = document.locate(record, &steps)?;
    let text = &document.text()[found.offset..found.offset + found.len];
    Some((found.line, found.column, text.to_owned()))
}

#[test]
fn values_are_found_where_they_stand() {
    let document = document(TEXT);
    let found = |line, column, text: &str| Some((line, column, text.to_owned()));
    assert_eq!(at(&document, Some(0), "id"), found(4, 9, "WRK-1"));
    assert_eq!(at(&document, Some(0), "tags.1"), found(6, 15, "\"b\""));
    assert_eq!(at(&document, Some(0), "empty"), found(7, 5, "empty"));
    assert_eq!(at(&document, Some(0), "d.p"), found(9, 10, "é x"));
    assert_eq!(at(&document, Some(1), "k"), found(12, 9, "v"));
    assert_eq!(at(&document, None, "mark"), found(2, 7, "7"));
    assert_eq!(at(&document, None, "last.0"), found(13, 8, "x"));
    assert_eq!(at(&document, Some(0), "nothing"), None);
    assert_eq!(at(&document, Some(2), "id"), None);
    assert_eq!(at(&document, Some(1), ""), found(11, 5, "{id: 2,\n     k: v}"));
    let key = document.locate_key(Some(0), "tags").unwrap();
    assert_eq!((key.line, key.column, key.len), (6, 5, 4));
    let key = document.locate_key(None, "last").unwrap();
    assert_eq!((key.line, key.column, key.len), (13, 1, 4));
}

#[test]
fn records_tell_their_lines_and_texts() {
    let document = document(TEXT);
    assert_eq!(document.len(), 2);
    assert!(document.has_list());
    assert_eq!(document.record_lines(0), (4, 9));
    assert_eq!(document.record_lines(1), (11, 12));
    assert_eq!(
        document.record_text(0),
        "- id: WRK-1 # ü\n  # between\n  tags: [a, \"b\"]\n  empty:\n  d:\n    p: é x\n"
    );
    assert_eq!(document.record_text(1), "- {id: 2,\n   k: v}\n");
    assert_eq!(document.root("mark"), Some(Value::from(7)));
    assert_eq!(document.root("items"), None);
    let keys: Vec<_> = document
        .root_keys()
        .map(|(key, offset)| (key.to_owned(), &TEXT[offset..offset + 3]))
        .collect();
    assert_eq!(
        keys,
        [("mark".to_owned(), "mar"), ("items".to_owned(), "ite"), ("last".to_owned(), "las")]
    );
    assert!(document.record_value(2).is_err());
}

#[test]
fn a_record_taken_out_goes_back_in() {
    for text in [
        "items:\n- id: 1\n  d: |+\n    x\n\n\n  # c\n  e: \"a\n    b\"\n- id: 2\n",
        "items:\r\n    -   id: 1 # c\r\n        l:\r\n        - a\r\n# z\r\n    - id: 2\r\n",
        "items: [{id: 1, # c\n  d: [a]}, {id: 2}]\n",
        "items: [id: 1, {id: 2}]\n",
        "items:\n  - # c\n    id: 1\n  - id: 2\n",
    ] {
        let mut document = document(text);
        let value = document.record_value(0).unwrap();
        let entry = document.record_text(0);
        assert_eq!(parse_record(&entry).unwrap(), value, "{text:?}");
        for target in [
            "items:\n    - id: 0\n",
            "items: []\n",
            "a: 1\n",
            "items:\n- id: 0",
            "items: [{id: 0}]\n",
        ] {
            let mut other = self::document(target);
            other.apply(&[Edit::AppendText { text: entry.clone() }]).unwrap();
            assert_eq!(
                other.record_value(other.len() - 1).unwrap(),
                value,
                "{text:?} into {target:?}"
            );
            self::document(other.text());
        }
        document.apply(&[Edit::ReplaceText { record: 1, text: entry.clone() }]).unwrap();
        assert_eq!(document.record_value(1).unwrap(), value);
    }
}

#[test]
fn edits_are_made_all_or_none() {
    let mut document = document(TEXT);
    let edits = [
        set(0, "id", "x"),
        Edit::RemoveRecord { record: 1 },
        append(&[("id", "new")]),
        set_root("mark", 8),
        set(0, "tags.7", "nowhere"),
    ];
    let refused = document.apply(&edits).unwrap_err();
    assert_eq!(document.text(), TEXT);
    assert_eq!((refused.record, refused.line, refused.column), (Some(0), 6, 11));
    assert!(matches!(refused.reason, Reason::NoSuchPath { .. }));
    let index = document.index.clone();
    let undo = document.apply(&edits[..4]).unwrap();
    assert!(document.text().contains("mark: 8\n") && document.text().contains("- id: new\n"));
    document.undo(undo);
    assert_eq!(document.text(), TEXT);
    assert_eq!(document.index, index);
}

#[test]
fn an_edit_that_changes_nothing_touches_nothing() {
    for text in [
        "items:\n- a: 'x'\n  b: [1]\n",
        "items:\n- a: &x 'x'\n  b: [1]\n",
        "items: [{a: 'x', b: [1]}]\n",
    ] {
        check(text, set(0, "b", vec![1]), text);
    }
    check("items: []\nmark: 0x10 # c\n", set_root("mark", 16), "items: []\nmark: 0x10 # c\n");
}

#[test]
fn the_list_itself_is_no_value_to_set() {
    assert!(matches!(
        refuses("a: 1\nitems: []\n", set_root("items", 1), 2, 1),
        Reason::ListKey { .. }
    ));
    assert!(matches!(refuses("a: 1\n", set_root("items", 1), 1, 1), Reason::ListKey { .. }));
    assert!(matches!(
        refuses("items: []\n", remove_record(0), 2, 1),
        Reason::NoSuchRecord { record: 0 }
    ));
}
