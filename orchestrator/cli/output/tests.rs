//! What goes to which stream, in which form, and what a file cannot do to either.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::streams::{Output, Stream, Style};
use super::table::Table;
use super::terminal::{printable, wants_colour};
use super::{snippet, unified};
use crate::cli::args::ColorWhen;
use crate::cli::error::CliError;
use crate::model::{ChangeError, Code, Diagnostic};

/// A stream whose text can be looked at; it may be one that nobody reads.
#[derive(Clone, Default)]
struct Shared {
    text: Rc<RefCell<Vec<u8>>>,
    is_closed: bool,
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.text.borrow().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn output(style: Style, is_terminal: bool) -> (Output, Shared, Shared) {
    let (out, err) = (Shared::default(), Shared::default());
    let stream =
        |writer: &Shared| Stream::new(Box::new(writer.clone()), is_terminal, is_terminal, 60);
    (Output::new(style, stream(&out), stream(&err)), out, err)
}

const JSON: Style = Style { json: true, quiet: false };
const QUIET: Style = Style { json: false, quiet: true };

fn diagnostic(text: &str, needle: &str) -> Diagnostic {
    let start = text.find(needle).unwrap();
    let before = &text[..start];
    Diagnostic {
        code: Code::UnknownValue,
        message: "unknown value".into(),
        file: "BACKLOG.yaml".into(),
        line: u32::try_from(before.matches('\n').count() + 1).unwrap(),
        column: u32::try_from(before.rsplit('\n').next().unwrap().chars().count() + 1).unwrap(),
        span: Some(start..start + needle.len()),
        item: Some("WRK-001".into()),
        hint: Some("did you mean `ready`?".into()),
    }
}

fn refused() -> CliError {
    ChangeError::NoSuchItem { id: "WRK-009".into() }.into()
}

#[test]
fn results_and_remarks_go_apart() {
    let (output, out, err) = output(Style::default(), false);
    output.line("WRK-001").unwrap();
    output.note("look");
    output.warn("mind");
    output.error(&refused());
    assert_eq!(out.text(), "WRK-001\n");
    assert_eq!(
        err.text(),
        "note: look\nwarning: mind\nerror: there is no item WRK-009\n\
         hint: `orchestrator list --all` shows all items\n"
    );
}

#[test]
fn quiet_leaves_errors() {
    let (output, _, err) = output(QUIET, false);
    output.note("look");
    output.warn("mind");
    output.warnings([&diagnostic("status: redy", "redy")], None);
    assert_eq!(err.text(), "");
    output.error(&refused());
    assert!(err.text().starts_with("error: "), "{}", err.text());
}

#[test]
fn json_answers_are_one_document_and_warnings_come_after_success() {
    let (output, out, err) = output(JSON, false);
    output.note("look");
    output.warnings([&diagnostic("status: redy", "redy")], Some("status: redy"));
    assert_eq!(err.text(), "");
    output.document("ids", ["WRK-001"]).unwrap();
    output.finish();
    assert_eq!(out.text(), "{\"schema_version\":1,\"kind\":\"ids\",\"data\":[\"WRK-001\"]}\n");
    let lines: Vec<serde_json::Value> =
        err.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["warning"]["message"], "look");
    assert_eq!(lines[1]["warning"]["code"], "unknown_value");
    assert_eq!(lines[1]["warning"]["column"], 9);
}

#[test]
fn a_json_failure_is_one_document_alone() {
    let (output, out, err) = output(JSON, false);
    output.warn("mind");
    output.error(&refused());
    assert_eq!(out.text(), "");
    let document: serde_json::Value = serde_json::from_str(&err.text()).unwrap();
    assert_eq!(
        document,
        serde_json::json!({"schema_version": 1, "kind": "error", "error": {
            "code": "no_such_item", "message": "there is no item WRK-009", "file": null,
            "line": null, "column": null, "hint": "`orchestrator list --all` shows all items"}})
    );
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let out = Shared { is_closed: true, ..Shared::default() };
    let err = Shared::default();
    let stream = |writer: &Shared| Stream::new(Box::new(writer.clone()), false, false, 60);
    let output = Output::new(Style::default(), stream(&out), stream(&err));
    output.line("one").unwrap();
    output.verbatim("two").unwrap();
    output.document("ids", [1]).unwrap();
    assert_eq!((out.text(), err.text()), (String::new(), String::new()));
}

#[test]
fn a_failing_disk_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let out = Stream::new(Box::new(Full), false, false, 60);
    let err = Stream::new(Box::new(Shared::default()), false, false, 60);
    let output = Output::new(Style::default(), out, err);
    let error = output.line("one").unwrap_err();
    assert_eq!(error.report().code, "io");
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    use ColorWhen::{Always, Auto, Never};
    let env = |set: &'static [(&str, &str)]| {
        move |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
    };
    assert!(wants_colour(Auto, true, env(&[])));
    assert!(!wants_colour(Auto, false, env(&[])));
    assert!(!wants_colour(Auto, true, env(&[("NO_COLOR", "1")])));
    assert!(wants_colour(Auto, true, env(&[("NO_COLOR", "")])));
    assert!(!wants_colour(Auto, true, env(&[("TERM", "dumb")])));
    assert!(wants_colour(Always, false, env(&[("NO_COLOR", "1")])));
    assert!(!wants_colour(Never, true, env(&[])));
}

#[test]
fn text_of_a_file_cannot_steer_a_terminal() {
    assert_eq!(printable("a\tb\nc é"), "a\tb\nc é");
    assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\r"), "a\\u{1b}[2Jb\\u{202e}c\\u{d}");
    let (output, out, err) = output(Style::default(), true);
    output.line("\u{1b}[31mred").unwrap();
    output.verbatim("\u{1b}]0;title\u{7}\n").unwrap();
    output.note("\u{1b}c");
    assert!(!out.text().contains('\u{1b}'), "{:?}", out.text());
    assert!(err.text().contains("\\u{1b}c"), "{:?}", err.text());
}

#[test]
fn verbatim_is_byte_for_byte_where_nobody_looks() {
    let (output, out, _) = output(Style::default(), false);
    output.verbatim("- title: \"\u{1b}[0m\"\r\n").unwrap();
    assert_eq!(out.text(), "- title: \"\u{1b}[0m\"\r\n");
}

#[test]
fn tables_are_tabs_for_programs_and_columns_for_people() {
    let mut table = Table::new(&["ID", "TITLE"]);
    table.row(["WRK-001", "a\ttab and\na line"]);
    table.row(["WRK-1000", &"long ".repeat(20)]);
    let tabbed = table.tabbed();
    assert_eq!(tabbed.lines().next(), Some("WRK-001\ta tab and a line"));
    assert_eq!(tabbed.lines().count(), 2);
    let columns = table.columns(40, false);
    let lines: Vec<&str> = columns.lines().collect();
    assert_eq!(lines[0], "ID        TITLE");
    assert_eq!(lines[1], "WRK-001   a tab and a line");
    assert!(lines.len() > 3 && lines.iter().all(|line| line.len() <= 40), "{columns}");
    assert!(table.columns(40, true).contains("\u{1b}["));
}

const FILE: &str = "items:\n  - id: WRK-001\n    status: redy # ü\n    title: t\n";

#[test]
fn a_snippet_shows_the_line_and_the_way_out() {
    let shown = snippet::render(&diagnostic(FILE, "redy"), Some(FILE), false, 80);
    assert_eq!(
        shown,
        "error[unknown_value]: unknown value (WRK-001)\n \
         --> BACKLOG.yaml:3:13\n  |\n\
         3 |     status: redy # ü\n  |             ^^^^\n  |\n  \
         = help: did you mean `ready`?"
    );
    assert!(snippet::render(&diagnostic(FILE, "redy"), Some(FILE), true, 80).contains("\u{1b}["));
}

#[test]
fn a_snippet_degrades_to_what_is_known() {
    let at = Diagnostic { span: None, ..diagnostic(FILE, "redy") };
    let shown = snippet::render(&at, Some(FILE), false, 80);
    assert!(shown.contains("--> BACKLOG.yaml:3:13\n"), "{shown}");
    let nowhere = Diagnostic { line: 0, column: 0, ..at.clone() };
    let shown = snippet::render(&nowhere, None, false, 80);
    assert!(shown.contains("--> BACKLOG.yaml\n"), "{shown}");
    let no_file = Diagnostic { file: Default::default(), ..nowhere };
    let shown = snippet::render(&no_file, None, false, 80);
    assert!(!shown.contains("-->") && shown.contains("did you mean"), "{shown}");
    for (start, end) in [(500, 501), (3, 500), (500, 400), (9, 2)] {
        let odd = Diagnostic { span: Some(start..end), ..diagnostic(FILE, "redy") };
        assert!(snippet::render(&odd, Some(FILE), false, 80).contains("unknown value"));
    }
    // In the middle of a character.
    let inside = FILE.find('ü').unwrap() + 1;
    let odd = Diagnostic { span: Some(inside..inside + 1), ..diagnostic(FILE, "redy") };
    assert!(snippet::render(&odd, Some(FILE), false, 80).contains("BACKLOG.yaml:3:13"));
}

#[test]
fn a_byte_order_mark_is_no_column() {
    let text = "\u{feff}statsu: 1\n";
    let mut found = diagnostic(text, "statsu");
    found.column = 1;
    let shown = snippet::render(&found, Some(text), false, 80);
    assert!(shown.contains("BACKLOG.yaml:1:1\n") && shown.contains("1 | statsu: 1\n"), "{shown}");
}

#[test]
fn long_lines_are_cut_around_what_is_wrong() {
    let text = format!("{}redy{}\n", "x".repeat(50_000), "y".repeat(50_000));
    let shown = snippet::render(&diagnostic(&text, "redy"), Some(&text), false, 80);
    assert!(shown.contains("redy") && shown.contains(":1:50001"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    let wide = snippet::render(&diagnostic(&text, text.trim()), Some(&text), false, 80);
    assert!(wide.len() < 5_000, "{}", wide.len());
}

#[test]
fn a_diff_is_unified_and_coloured() {
    let file = "BACKLOG.yaml".as_ref();
    let diff = unified(file, "a\nb\nc\n", "a\nB\nc\n");
    let plain = anstream::adapter::strip_str(&diff).to_string();
    assert_eq!(plain, "--- BACKLOG.yaml\n+++ BACKLOG.yaml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    assert!(diff.contains("\u{1b}[32m+B\u{1b}[0m\n"), "{diff:?}");
    assert_eq!(unified(file, "a\n", "a\n"), "");
}
