//! Where things are shown: the two streams, and what goes to which.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use anstyle::AnsiColor;
use serde::Serialize;

use super::table::Table;
use super::terminal::{self, DEFAULT_WIDTH, printable};
use super::{log, snippet};
use crate::cli::args::Global;
use crate::cli::error::{CliError, chain};
use crate::model::{Diagnostic, Severity};
use crate::wire::{Document, ErrorDocument, Problem, WarningDocument};

/// How things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Style {
    /// JSON documents instead of text.
    pub(crate) json: bool,
    /// No notes and no warnings.
    pub(crate) quiet: bool,
}

/// Shows results, notes, warnings and errors.
pub(crate) struct Output {
    style: Style,
    out: RefCell<Stream>,
    err: RefCell<Stream>,
    /// Warnings of a command that answers in JSON: shown when it has succeeded, so
    /// that a failure is one document alone.
    held_back: RefCell<Vec<Problem>>,
}

/// One stream, and what it can show.
pub(super) struct Stream {
    pub(super) writer: Box<dyn Write>,
    pub(super) is_terminal: bool,
    pub(super) is_colourful: bool,
    pub(super) width: u16,
    /// Whether the reader has gone away.
    is_closed: bool,
}

impl Stream {
    pub(super) fn new(
        writer: Box<dyn Write>,
        is_terminal: bool,
        is_colourful: bool,
        width: u16,
    ) -> Self {
        Self { writer, is_terminal, is_colourful, width, is_closed: false }
    }

    /// Writes and flushes; where the reader has gone away, nothing is written and
    /// that is no error, since the work itself is not in vain.
    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let plain;
        let text = if self.is_colourful {
            text
        } else {
            plain = anstream::adapter::strip_str(text).to_string();
            &plain
        };
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.writer.write_all(bytes);
        match written.and_then(|()| self.writer.flush()) {
            Err(error) if is_gone(&error, self.is_terminal) => {
                self.is_closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

/// Returns whether nobody reads any more: the end of a pipe, or of a terminal, which
/// answers with an I/O error once it is closed.
fn is_gone(error: &io::Error, is_terminal: bool) -> bool {
    let io = rustix::io::Errno::IO.raw_os_error();
    error.kind() == io::ErrorKind::BrokenPipe || (is_terminal && error.raw_os_error() == Some(io))
}

fn no_result(source: io::Error) -> CliError {
    CliError::Io { action: "write the result".to_owned(), source }
}

impl Output {
    /// Shows on the streams of this process.
    pub(crate) fn of_process(global: &Global) -> Self {
        let env = |name: &str| std::env::var_os(name);
        let (out, err) = (io::stdout(), io::stderr());
        let stream = |writer: Box<dyn Write>, is_terminal: bool, of_stderr: bool| {
            let is_colourful = terminal::wants_colour(global.color, is_terminal, env);
            let width = if is_terminal { terminal::width(of_stderr) } else { DEFAULT_WIDTH };
            Stream::new(writer, is_terminal, is_colourful, width)
        };
        let out_is_terminal = out.is_terminal();
        let err_is_terminal = err.is_terminal();
        let style = Style { json: global.json, quiet: global.quiet };
        Self::new(
            style,
            stream(Box::new(anstream::AutoStream::always(out)), out_is_terminal, false),
            stream(Box::new(anstream::AutoStream::always(err)), err_is_terminal, true),
        )
    }

    pub(super) fn new(style: Style, out: Stream, err: Stream) -> Self {
        Self {
            style,
            out: RefCell::new(out),
            err: RefCell::new(err),
            held_back: RefCell::default(),
        }
    }

    /// Returns whether results are JSON documents.
    pub(crate) fn is_json(&self) -> bool {
        self.style.json
    }

    /// Returns whether a person sees the results.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.borrow().is_terminal
    }

    /// Returns whether a person sees what is not the result.
    pub(crate) fn is_terminal_beside(&self) -> bool {
        self.err.borrow().is_terminal
    }

    /// Shows a text as the result, styles in it as far as the stream has them.
    pub(crate) fn text(&self, text: &str) -> Result<(), CliError> {
        self.out.borrow_mut().write(text).map_err(no_result)
    }

    /// Shows text from a file as the result: byte for byte, but on a terminal
    /// without what could steer it.
    pub(crate) fn verbatim(&self, text: &str) -> Result<(), CliError> {
        let mut out = self.out.borrow_mut();
        let shown = if out.is_terminal { printable(text) } else { text.into() };
        if out.is_closed {
            return Ok(());
        }
        out.write_bytes(shown.as_bytes()).map_err(no_result)
    }

    /// Shows one line as the result.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        self.text(&format!("{}\n", printable(text)))
    }

    /// Shows a table as the result.
    pub(crate) fn table(&self, table: &Table) -> Result<(), CliError> {
        let text = {
            let out = self.out.borrow();
            if out.is_terminal {
                table.columns(out.width, out.is_colourful)
            } else {
                table.tabbed()
            }
        };
        self.text(&text)
    }

    /// Shows a table with its headings, whoever reads: for one table of several.
    pub(crate) fn titled_table(&self, table: &Table) -> Result<(), CliError> {
        let text = {
            let out = self.out.borrow();
            table.columns(if out.is_terminal { out.width } else { u16::MAX }, out.is_colourful)
        };
        self.text(&text)
    }

    /// Shows a JSON document as the result, in one line.
    pub(crate) fn document<T: Serialize>(&self, kind: &str, data: T) -> Result<(), CliError> {
        let mut json = serde_json::to_string(&Document::new(kind, data))?;
        json.push('\n');
        let mut out = self.out.borrow_mut();
        if out.is_closed {
            return Ok(());
        }
        out.write_bytes(json.as_bytes()).map_err(no_result)
    }

    /// Returns whether a person watches what is said beside the results, on a terminal
    /// whose cursor can be moved.
    pub(crate) fn is_live(&self) -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.style.json && !self.style.quiet && self.err.borrow().is_terminal && !is_dumb
    }

    /// Says what is going on.
    pub(crate) fn progress(&self, text: &str) {
        if !self.style.quiet {
            self.say(&format!("{}\n", printable(text)));
        }
    }

    /// Says what a person may want to know.
    pub(crate) fn note(&self, text: &str) {
        self.remark("note", AnsiColor::Cyan, text);
    }

    /// Says what a person should know.
    pub(crate) fn warn(&self, text: &str) {
        self.remark("warning", AnsiColor::Yellow, text);
    }

    /// Says what must be said, whether or not a person wants notes and warnings.
    pub(crate) fn alarm(&self, text: &str) {
        if self.style.json {
            let message = text.to_owned();
            let problem = Problem { code: "warning", message, ..Problem::default() };
            self.json_on_stderr(&WarningDocument::new(problem));
        } else {
            let style = AnsiColor::Yellow.on_default().bold();
            self.say(&format!("{style}warning{style:#}: {}\n", printable(text)));
        }
    }

    fn remark(&self, label: &'static str, colour: AnsiColor, text: &str) {
        if self.style.json {
            let problem = Problem { code: label, message: text.to_owned(), ..Problem::default() };
            self.held_back.borrow_mut().push(problem);
        } else if !self.style.quiet {
            let style = colour.on_default().bold();
            self.say(&format!("{style}{label}{style:#}: {}\n", printable(text)));
        }
    }

    /// Warns of problems of one file, whose text makes the snippets.
    pub(crate) fn warnings<'a>(
        &self,
        found: impl IntoIterator<Item = &'a Diagnostic>,
        text: Option<&str>,
    ) {
        for diagnostic in found {
            if self.style.json {
                self.held_back.borrow_mut().push(Problem::from(diagnostic));
            } else if !self.style.quiet {
                self.snippet(diagnostic, diagnostic.code.severity(), text);
            }
        }
    }

    fn snippet(&self, diagnostic: &Diagnostic, severity: Severity, text: Option<&str>) {
        let rendered = {
            let err = self.err.borrow();
            snippet::render(diagnostic, severity, text, err.is_colourful, err.width)
        };
        self.say(&format!("{rendered}\n\n"));
    }

    /// Renders a problem of a file for stdout, where it is the result.
    pub(crate) fn problem(
        &self,
        diagnostic: &Diagnostic,
        severity: Severity,
        text: Option<&str>,
    ) -> Result<(), CliError> {
        let rendered = {
            let out = self.out.borrow();
            snippet::render(diagnostic, severity, text, out.is_colourful, out.width)
        };
        self.text(&format!("{rendered}\n\n"))
    }

    /// Shows why a command failed, or the help that was asked for.
    pub(crate) fn error(&self, error: &CliError) {
        if let CliError::Usage(usage) = error
            && !usage.use_stderr()
        {
            let help = usage.render().ansi().to_string();
            if let Err(error) = self.text(&help) {
                self.say(&format!("{}\n", chain(&error)));
            }
            return;
        }
        if self.style.json {
            self.json_on_stderr(&ErrorDocument::new(error.report()));
            return;
        }
        if let CliError::Usage(usage) = error {
            self.say(&usage.render().ansi().to_string());
            return;
        }
        if let Some(problems) = error.problems() {
            for found in &problems.found {
                let is_error = problems.is_error(found);
                let severity = if is_error { Severity::Error } else { Severity::Warning };
                self.snippet(found, severity, Some(problems.text));
            }
        } else {
            let style = AnsiColor::Red.on_default().bold();
            let message = chain(error);
            self.say(&format!("{style}error{style:#}: {}\n", printable(&message)));
        }
        if let Some(hint) = error.hint() {
            let style = AnsiColor::Green.on_default().bold();
            self.say(&format!("{style}hint{style:#}: {}\n", printable(&hint)));
        }
    }

    /// Shows what was held back; for a command that has succeeded.
    pub(crate) fn finish(&self) {
        for problem in self.held_back.take() {
            if !self.style.quiet {
                self.json_on_stderr(&WarningDocument::new(problem));
            }
        }
    }

    fn json_on_stderr(&self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(json) => self.say(&(json + "\n")),
            Err(error) => log::failed(&error),
        }
    }

    /// Writes to stderr. Where that fails there is nowhere left to say so.
    fn say(&self, text: &str) {
        if let Err(error) = self.err.borrow_mut().write(text) {
            log::failed(&error);
        }
    }
}
