//! Layouts: documents as people, editors and other programs leave them.

use super::Choice;

/// Values of a key in a block mapping; `~` stands for the indentation below it.
const BLOCK_VALUES: &[&str] = &[
    " plain",
    " \"quoted\"",
    " 'single'",
    " 12",
    " true",
    " null",
    " ~~",
    "",
    "  # only a comment",
    " # c\n~ next line",
    " plain # c",
    "\t tabbed",
    " [a, b]",
    " [a, 'b', ] # c",
    " []",
    " {}",
    " {a: 1, b: [x]}",
    " { a: 1 , }",
    " [\n~ a, # c\n~ b\n~ ]",
    " {\n~ a: 1, # c\n# d\n~ b: 2 }",
    "\n~ - a\n~ - b # c",
    "\n~ # c\n~ - a\n# d\n~ -\n~   b",
    "\n~ a: 1\n~ b: # c\n~   d: 2",
    "\n~ - a: 1\n~   b: 2\n~ - - x\n~   - y",
    " |\n~ text\n\n~ more",
    " |\n~ # no comment\n~ - id: 9",
    " |+ # c\n~ text\n\n\n",
    " |-\n~ text\n",
    " >-\n~ folded\n~ text\n\n~ more\n ",
    " >+\n~ a\n\n\n",
    " |2\n~  deep",
    " |\n",
    " multi\n~ line\n\n~ plain",
    " \"multi\n~ line \\\n~ quoted\" # c",
    " 'it''s\n~ two'",
    " &anchor value",
    " !tag value",
    " !!str 12",
    " *alias",
    " \u{fc}\u{1f600} \u{2028}x",
    " \"a\u{85}b\"",
    " 2026-01-01",
    " 2026-02-12T16:23:33.7+00:00",
    " \"say: \\\"x\\\"\"",
    " a b  ",
    " http://x.y/#z",
    " 0x1F",
    " |\n~ tail\n~\n",
    "\n~ value below",
    " |\n~ a\n   \n~ b",
    " - x",
    "\n~ ? k\n~ : v",
    " \"\"",
    " ''",
    " [[a], {b: c}]",
    " {a, b: }",
    " >\n~ x\n~  y\n~ z\n",
];

/// Keys of a record.
const KEYS: &[&str] = &[
    "id",
    "title",
    "status",
    "tags",
    "description",
    "\"quoted\"",
    "'single'",
    "odd key",
    "x-y",
    "a.b",
    "12",
    "k ",
    "dependencies",
    "\u{e9}",
];

/// Entries of a flow list.
const FLOW_RECORDS: &[&str] = &[
    "{id: a, title: b}",
    "{ id: a , }",
    "{}",
    "{id: a, # c\n  title: 'x'\n }",
    "{\"id\":\"a\", t: [1, 2,]}",
    "id: x",
    "{id: , s: ~}",
    "{a, b}",
    "{id: {x: y}}",
];

/// Lines between two records.
const BETWEEN: &[&str] = &[
    "",
    "",
    "",
    "",
    "\n",
    "# c\n",
    "  # indented\n",
    "\n\n",
    "    # deep\n",
    "   \n",
    "\t\n",
    "      # deeper\n",
];

/// Root keys besides the list.
const ROOT: &[&str] = &[
    "schema_version: 2\n",
    "next_item_id: 7 # mark\n",
    "extra: [a, b]\n",
    "text: |\n  lines\n",
    "text: |+\n  x\n\n",
    "nested:\n  a: 1\n  # c\n  b: 2\n",
    "empty:\n",
    "'q': \"x\"\n",
    "# comment\n",
    "\n",
    "list:\n- a\n- b\n",
    "anchored: &r {a: 1}\n",
    "? odd\n: value\n",
    "multi: a\n b\n",
    "items2: []\n",
];

/// Pieces to garble a text with.
const GARBAGE: &[&str] = &[
    "\n",
    " ",
    "\t",
    "- ",
    ": ",
    "#",
    " #",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "|\n",
    "|+\n",
    ">\n",
    "&a ",
    "*a",
    "!t ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "? ",
    "<<: ",
    "\r\n",
    "\r",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\0",
    "items:\n",
    "~",
    "@",
    "`",
    "\u{7f}",
    "  ",
    "\n\n",
    "x",
];

/// Writes a document.
pub(crate) fn document(choice: &mut Choice<'_>) -> String {
    let mut text = String::new();
    if choice.one_in(8) {
        text.push('\u{feff}');
    }
    text.push_str(choice.of(&[
        "",
        "",
        "",
        "# head\n",
        "---\n",
        "%YAML 1.2\n---\n",
        "--- # c\n",
        "\n\n",
    ]));
    if choice.one_in(12) {
        flow_root(choice, &mut text);
    } else {
        block_root(choice, &mut text);
    }
    if choice.one_in(4) {
        text.truncate(text.trim_end_matches('\n').len());
    }
    match choice.below(8) {
        6 => text = text.replace('\n', "\r\n"),
        7 => {
            let mut count = 0;
            let mixed = text.split_inclusive('\n').map(|line| {
                count += 1;
                if count % 3 == 0 { line.replace('\n', "\r\n") } else { line.to_owned() }
            });
            text = mixed.collect();
        }
        _ => {}
    }
    text
}

fn flow_root(choice: &mut Choice<'_>, text: &mut String) {
    let list = choice.of(&[
        "items: [{id: a}, {id: b}]",
        "items: []",
        "items: ",
        "other: x",
        "items: [\n {id: a},\n {id: b}, # c\n ]",
    ]);
    let keys = choice.of(&["schema_version: 2, ", "", "a: {b: c}, 'd': e, "]);
    text.push_str(&format!("{{{keys}{list}}}\n"));
}

fn block_root(choice: &mut Choice<'_>, text: &mut String) {
    for _ in 0..choice.below(4) {
        text.push_str(choice.of(ROOT));
    }
    match choice.below(16) {
        12 => flow_list(choice, text),
        13 => text.push_str(choice.of(&[
            "items:\n",
            "items: # c\n",
            "items: []\n",
            "items: [] # c\n",
            "items: ~ # c\n",
            "items: null\n",
            "items: [ # c\n]\n",
            "items:\n  # c\n",
            "items:\n  []\n",
            "items: !!seq []\n",
            "? items\n",
            "\"items\" : []\n",
        ])),
        14 => {}
        _ => block_list(choice, text),
    }
    for _ in 0..choice.below(4) {
        text.push_str(choice.of(ROOT));
    }
    text.push_str(choice.of(&[
        "",
        "",
        "",
        "",
        "...\n",
        "...\n# end\n",
        "# end\n",
        "\n\n",
        "  # end\n",
    ]));
}

fn flow_list(choice: &mut Choice<'_>, text: &mut String) {
    let separator = choice.of(&[", ", ",\n  ", " ,", ", # c\n  "]);
    let count = 1 + choice.below(3);
    let records: Vec<&str> = (0..count).map(|_| choice.of(FLOW_RECORDS)).collect();
    let (open, close) = (
        choice.of(&["[", "[\n  ", "[ # c\n  "]),
        choice.of(&["]\n", ",]\n", "\n  ] # c\n", ", # c\n  ]\n"]),
    );
    text.push_str(&format!("items: {open}{}{close}", records.join(separator)));
}

fn block_list(choice: &mut Choice<'_>, text: &mut String) {
    text.push_str(choice.of(&[
        "items:\n",
        "items:\n",
        "items:\n",
        "items: # c\n",
        "items:\n  # c\n",
        "\"items\":\n",
        "items:\n\n",
        "items: !!seq\n",
        "items: &list\n",
    ]));
    let dash = choice.of(&["", "  ", "  ", "    "]);
    for _ in 0..=choice.below(4) {
        record(choice, dash, text);
        text.push_str(choice.of(BETWEEN));
    }
}

fn record(choice: &mut Choice<'_>, dash: &str, text: &mut String) {
    let gap = choice.of(&[" ", " ", " ", "   "]);
    match choice.below(14) {
        10 => {
            let record = choice.of(FLOW_RECORDS);
            text.push_str(&format!("{dash}-{gap}{}\n", record.replace('\n', &format!("\n{dash}"))));
            return;
        }
        11 => text.push_str(&format!("{dash}-{} # c\n", choice.of(&["", " !tag", " &rec"]))),
        12 => text.push_str(&format!("{dash}-\n")),
        13 => {
            text.push_str(&format!(
                "{dash}-{gap}{}\n",
                choice.of(&["*rec", "? k\n : v", "- x", "text", "", "!tag {a: 1}"])
            ));
            return;
        }
        _ => text.push_str(&format!("{dash}-{gap}")),
    }
    let indent = format!("{dash} {gap}");
    let mut first = !text.ends_with('\n');
    let start = choice.below(KEYS.len());
    for number in 0..=choice.below(4) {
        if !first {
            if choice.one_in(8) {
                text.push_str(choice.of(&["# c\n", "\n", "      # deep\n", "  # c\n"]));
            }
            text.push_str(&indent);
        }
        first = false;
        text.push_str(KEYS[(start + number * 3) % KEYS.len()]);
        text.push(':');
        let below = format!("{indent}{}", choice.of(&["  ", "  ", " ", "    "]));
        let value =
            choice.of(BLOCK_VALUES).replace("~~", "\0").replace('~', &below).replace('\0', "~");
        text.push_str(&value);
        if !value.ends_with('\n') {
            text.push('\n');
        }
    }
}

/// Puts garbage into a text, or takes something out of it.
pub(crate) fn garble(choice: &mut Choice<'_>, text: &mut String) {
    for _ in 0..=choice.below(2) {
        let mut at = choice.below(text.len().max(1) + 1).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        if choice.one_in(3) {
            let mut end = (at + choice.below(12)).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.replace_range(at..end.max(at), "");
        } else {
            text.insert_str(at, choice.of(GARBAGE));
        }
    }
}
