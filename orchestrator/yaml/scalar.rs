//! Scalars: writing a text so that it reads back equal, in every reader.
//!
//! Plain where nothing can mistake it, not even a YAML 1.1 reader (`no`, `1_000`,
//! `2026-01-01`, `12:30` are quoted); else in quotes, the kind that stood there
//! before where it can hold the new text; as a `|` block where the text is lines.
//! What other readers take for a line break, or cannot see, is escaped.

use std::fmt::Write as _;

use serde_yaml::Value;

use super::value::plain;

/// How a text was written before, and shall be again if that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Quotes {
    /// No wish: plain if possible.
    #[default]
    Any,
    /// A date without quotes, which stays without.
    PlainDate,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
}

/// Returns the text on one line; `flow` is whether it stands inside brackets.
pub(super) fn inline(text: &str, wish: Quotes, flow: bool) -> String {
    let in_line = text.chars().all(is_in_line);
    match wish {
        Quotes::Any if is_plain(text, flow) => text.to_owned(),
        Quotes::PlainDate if is_plain(text, flow) || (!flow && is_date(text)) => text.to_owned(),
        Quotes::Single if in_line => single(text),
        Quotes::Any | Quotes::PlainDate if in_line && text.contains(['"', '\\']) => single(text),
        _ => double(text),
    }
}

/// Returns the text as a literal block: the indicator, and its lines after `nl`
/// each, without a last line break. None where a block cannot hold it. With
/// `strip` the text has no line break at its end (`|-`).
pub(super) fn literal(text: &str, indent: usize, nl: &str, strip: bool) -> Option<String> {
    let body = if strip { text } else { text.strip_suffix('\n')? };
    let holds = |c: char| c == '\n' || c == '\t' || is_in_line(c);
    if body.is_empty()
        || body.ends_with('\n')
        || body.starts_with([' ', '\t', '\n'])
        || !body.chars().all(holds)
    {
        return None;
    }
    let mut block = String::from(if strip { "|-" } else { "|" });
    for line in body.split('\n') {
        block.push_str(nl);
        if !line.is_empty() {
            block.extend(std::iter::repeat_n(' ', indent));
            block.push_str(line);
        }
    }
    Some(block)
}

/// Returns whether a character is seen, and seen on one line, by every reader.
fn is_in_line(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Returns whether the text can stand without quotes.
fn is_plain(text: &str, flow: bool) -> bool {
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
        return false;
    };
    let indicator = |c: char| "-?:,[]{}#&*!|>'\"%@`=".contains(c);
    !indicator(first)
        && !first.is_whitespace()
        && !last.is_whitespace()
        && last != ':'
        && text.chars().all(is_in_line)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text != "<<"
        && !(flow && text.contains([',', '[', ']', '{', '}', ':']))
        && !is_word(text)
        && !looks_numeric(text)
        && matches!(plain(text), Ok(Value::String(_)))
}

/// Returns whether a YAML 1.1 reader takes the text for a boolean or null.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns whether some reader may take the text for a number, date or time.
fn looks_numeric(text: &str) -> bool {
    let digits = |c: char| c.is_ascii_hexdigit() || "+-_.,:xXoOtTzZ ".contains(c);
    let bare = text.trim_start_matches(['+', '-']);
    let named = [".inf", ".nan"].iter().any(|name| bare.eq_ignore_ascii_case(name));
    named
        || (text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && text.chars().all(digits))
}

/// Returns whether the text is a date, alone or with a time, that stands well
/// without quotes in a YAML 1.2 reader.
pub(super) fn is_date(text: &str) -> bool {
    let shape = |pattern: &str, part: &str| {
        part.len() == pattern.len()
            && part
                .bytes()
                .zip(pattern.bytes())
                .all(|(b, p)| if p == b'0' { b.is_ascii_digit() } else { b == p })
    };
    match text.get(..10) {
        Some(day) if shape("0000-00-00", day) => {
            let rest = &text[10..];
            let time = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest);
            rest.is_empty()
                || (time.get(..5).is_some_and(|hour| shape("00:00", hour))
                    && time.bytes().all(|b| b.is_ascii_digit() || b"+-:.Zz".contains(&b))
                    && !time.ends_with(':'))
        }
        _ => false,
    }
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_in_line(c) => quoted.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                let _ = if code < 0x100 {
                    write!(quoted, "\\x{code:02X}")
                } else {
                    write!(quoted, "\\u{code:04X}")
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::node::read;
    use super::super::value::Values;
    use super::*;

    /// Values that some reader or other mistakes where they are not quoted.
    const TRICKY: &[&str] = &[
        "no",
        "on",
        "y",
        "N",
        "Off",
        "~",
        "null",
        "NULL",
        "true",
        "TRUE",
        "123",
        "1.5",
        "0x1F",
        "1_000",
        "2026-01-01",
        "12:30:45",
        "1e3",
        ".inf",
        "-.INF",
        ".NaN",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "key:",
        "- a",
        "-",
        "?",
        "? a",
        "| a",
        "> a",
        "*a",
        "# a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "<<",
        "=",
        "---",
        "...",
        "--- a",
        "... a",
        "\u{feff}a",
        "a\u{feff}",
        "a\u{85}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "a\0b",
        "a\u{7f}b",
        "a\tb",
        "\ta",
        "a\rb",
        "[a",
        "{a",
        "}",
        "]",
        ",",
        "a,b",
        "'",
        "''",
        "\"",
        "\\",
        "a'b",
        "a\"b",
        "a\\b",
        "\u{a0}a",
        "\u{fffe}",
        "\u{1f600}",
        "0o17",
        "08",
        "+1",
        "-1",
        "1 ",
        "0",
        "!!str a",
        "a:",
        ":a",
        "::",
        "a::b",
        "a: ",
        "x\n",
        "\n",
        "null ",
        "\u{3000}a",
        "1,000",
        "0b11",
        "-0",
        "1.2.3",
        "yes",
        "No",
        "a\n---\nb\n",
        "#",
    ];

    fn reads_back(document: &str, expected: &str) {
        let expected = Value::String(expected.to_owned());
        let read_value = |root: Value| match root {
            Value::Mapping(mapping) => mapping.get("k").cloned(),
            Value::Sequence(entries) => entries.first().cloned(),
            _ => None,
        };
        let theirs =
            serde_yaml::from_str::<Value>(document).unwrap_or_else(|e| panic!("{document:?}: {e}"));
        assert_eq!(read_value(theirs).as_ref(), Some(&expected), "{document:?}");
        let parsed = read(document).unwrap_or_else(|e| panic!("{document:?}: {e:?}"));
        let mut values = Values::new(document.len());
        let ours = values.value(&parsed.root.expect("a document"));
        assert!(values.findings.is_empty(), "{document:?}");
        assert_eq!(read_value(ours).as_ref(), Some(&expected), "{document:?}");
    }

    fn every_way(text: &str) {
        for wish in [Quotes::Any, Quotes::PlainDate, Quotes::Single, Quotes::Double] {
            reads_back(&format!("k: {}\n", inline(text, wish, false)), text);
            reads_back(&format!("[{}, 1]\n", inline(text, wish, true)), text);
            reads_back(&format!("{{k: {}}}\n", inline(text, wish, true)), text);
        }
        for nl in ["\n", "\r\n"] {
            for strip in [false, true] {
                if let Some(block) = literal(text, 2, nl, strip) {
                    reads_back(&format!("k: {block}{nl}l: 1{nl}"), text);
                }
            }
        }
    }

    #[test]
    fn tricky_texts_read_back() {
        TRICKY.iter().for_each(|text| every_way(text));
    }

    #[test]
    fn what_a_yaml_1_1_reader_mistakes_is_quoted() {
        for text in TRICKY.iter().filter(|t| {
            !matches!(**t, "a,b" | "a'b" | "a\"b" | "a\\b" | "\\" | "\u{1f600}" | "a::b")
        }) {
            let written = inline(text, Quotes::Any, false);
            assert!(written.starts_with(['"', '\'']), "{text:?} as {written}");
        }
    }

    #[test]
    fn the_old_quotes_stay_where_they_hold() {
        assert_eq!(inline("done", Quotes::Single, false), "'done'");
        assert_eq!(inline("it's", Quotes::Single, false), "'it''s'");
        assert_eq!(inline("a\nb", Quotes::Single, false), "\"a\\nb\"");
        assert_eq!(inline("done", Quotes::Double, false), "\"done\"");
        assert_eq!(inline("say \"hi\": now", Quotes::Any, false), "'say \"hi\": now'");
        let date = "2026-02-12T16:23:33.711239234+00:00";
        assert_eq!(inline(date, Quotes::PlainDate, false), date);
        assert_eq!(inline(date, Quotes::Any, false), format!("\"{date}\""));
    }

    #[test]
    fn blocks_hold_lines_that_end_once() {
        assert_eq!(literal("a\n\nb\n", 2, "\n", false).as_deref(), Some("|\n  a\n\n  b"));
        assert_eq!(literal("a\nb", 2, "\r\n", true).as_deref(), Some("|-\r\n  a\r\n  b"));
        for text in ["a", "a\n\n", "\na\n", " a\n", "\n", "", "\ta\n", "a\rb\n", "a\u{2028}b\n"] {
            assert_eq!(literal(text, 2, "\n", false), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            every_way(&text);
        }

        #[test]
        fn any_yaml_like_text_reads_back(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \n\tab01.~=<]{0,12}") {
            every_way(&text);
        }
    }
}
