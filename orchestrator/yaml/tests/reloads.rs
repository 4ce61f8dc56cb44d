//! Reloads: the records that a hand edit touched, and only those.

use super::*;

const TEXT: &str =
    "mark: 1\nitems:\n- id: 1\n  a: x\n- id: 2\n  a: x\n# c\n- id: 3\n  a: x\nlast: 1\n";

#[track_caller]
fn reloaded(old: &str, new: &str) -> Reloaded {
    let mut document = document(old);
    let mut visited = Vec::new();
    let result =
        document.reload(new.to_owned(), &mut |number, mapping| visited.push((number, mapping)));
    let reloaded = result.unwrap();
    assert_eq!(document.text(), new);
    assert_eq!(document.index, self::document(new).index);
    let numbers: Vec<usize> = visited.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, reloaded.new.clone().collect::<Vec<_>>());
    for (number, mapping) in visited {
        assert_eq!(document.record_value(number).unwrap(), mapping);
    }
    reloaded
}

#[test]
fn a_hand_edit_is_read_where_it_is() {
    let part = |old, new| Reloaded { old, new };
    assert_eq!(reloaded(TEXT, TEXT), part(0..0, 0..0));
    assert_eq!(reloaded(TEXT, &TEXT.replace("id: 2", "id: 22")), part(1..2, 1..2));
    assert_eq!(reloaded(TEXT, &TEXT.replace("- id: 2", "- id: 9\n- id: 2")), part(1..2, 1..3));
    assert_eq!(reloaded(TEXT, &TEXT.replace("- id: 2\n  a: x\n", "")), part(0..2, 0..1));
    assert_eq!(reloaded(TEXT, &TEXT.replace("# c\n", "")), part(1..2, 1..2));
    assert_eq!(reloaded(TEXT, &TEXT.replace("x\nlast", "y\n  b: 1\nlast")), part(2..3, 2..3));
    let open = TEXT.trim_end_matches("last: 1\n");
    assert_eq!(reloaded(open, &format!("{open}- id: 4")), part(2..3, 2..4));
}

#[test]
fn what_reaches_beyond_the_records_is_read_in_full() {
    let full = |new: &str, count: usize| {
        assert_eq!(reloaded(TEXT, new), Reloaded { old: 0..3, new: 0..count }, "{new:?}");
    };
    full(&TEXT.replace("mark: 1", "mark: 2"), 3);
    full(&TEXT.replace("last: 1", "last: 2"), 3);
    full(&TEXT.replace("id: 2", "id: &a 2"), 3);
    full(&TEXT.replace("- id: 2\n  a: x\n# c\n", "other:\n"), 1);
    full("items: [{id: 1}]\n", 1);
    full("other: 1\n", 0);
}

#[test]
fn a_broken_text_leaves_the_document_as_it_was() {
    let mut document = document(TEXT);
    let index = document.index.clone();
    let broken = TEXT.replace("id: 2", "id: \"2");
    let problems = document.reload(broken, &mut |_, _| {}).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (5, 7));
    assert_eq!(document.text(), TEXT);
    assert_eq!(document.index, index);
}
