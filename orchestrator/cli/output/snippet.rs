//! Problems of a file as a person reads them: where, the line itself with what is
//! wrong underlined, and the way out.
//!
//! Where a problem has no place, or the text is not at hand, only what is known is
//! shown. Only the line in question is looked at, so that a long file costs nothing.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::model::{Diagnostic, Severity};

/// Renders one problem. `text` is the file's, as far as it is at hand.
pub(super) fn render(
    diagnostic: &Diagnostic,
    text: Option<&str>,
    is_colourful: bool,
    width: u16,
) -> String {
    let level = match diagnostic.code.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = diagnostic.file.to_string_lossy();
    let message = match &diagnostic.item {
        Some(item) if !diagnostic.message.contains(item.as_str()) => {
            format!("{} ({item})", diagnostic.message)
        }
        _ => diagnostic.message.clone(),
    };
    let title = level.primary_title(message).id(diagnostic.code.as_str());
    let line = text.and_then(|text| Line::of(diagnostic, text));
    let mut group = match &line {
        Some(line) => title.element(
            Snippet::source(line.text)
                .line_start(diagnostic.line as usize)
                .path(file.as_ref())
                .annotation(AnnotationKind::Primary.span(line.span.clone())),
        ),
        None => place(Group::with_title(title), diagnostic, &file),
    };
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = if is_colourful { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(width.into()).render(&[group])
}

/// Names the place alone, as far as it is known.
fn place<'a>(group: Group<'a>, diagnostic: &Diagnostic, file: &'a str) -> Group<'a> {
    if file.is_empty() {
        return group;
    }
    let origin = Origin::path(file);
    group.element(if diagnostic.line > 0 {
        origin.line(diagnostic.line as usize).char_column(diagnostic.column as usize)
    } else {
        origin
    })
}

/// The first line of what is underlined.
struct Line<'a> {
    text: &'a str,
    /// In that line.
    span: Range<usize>,
}

impl<'a> Line<'a> {
    /// Cuts the line out of a text; nothing where the problem has no place in it.
    fn of(diagnostic: &Diagnostic, text: &'a str) -> Option<Self> {
        let span = diagnostic.span.clone()?;
        if diagnostic.line == 0 || span.start > text.len() || !text.is_char_boundary(span.start) {
            return None;
        }
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
        let line = text[start..end].trim_end_matches('\r');
        // A byte order mark is no column.
        let start = start + line.len() - line.trim_start_matches('\u{feff}').len();
        let line = line.trim_start_matches('\u{feff}');
        let from = span.start.saturating_sub(start).min(line.len());
        let to = span.end.saturating_sub(start).clamp(from, line.len());
        if !line.is_char_boundary(from) || !line.is_char_boundary(to) {
            return None;
        }
        Some(Self { text: line, span: from..to })
    }
}
