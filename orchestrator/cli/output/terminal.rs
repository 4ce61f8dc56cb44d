//! What the two streams can show: colours, width, and text that is safe to print.

use std::borrow::Cow;
use std::ffi::OsString;

use crate::cli::args::ColorWhen;

/// The width where there is no terminal to ask.
pub(super) const DEFAULT_WIDTH: u16 = 100;

/// Decides whether a stream gets colours. `env` reads the environment.
pub(super) fn wants_colour(
    when: ColorWhen,
    is_terminal: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if is_set("NO_COLOR") => false,
        ColorWhen::Auto => is_terminal && env("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// Returns the width of the terminal behind stdout, or of stderr's.
pub(super) fn width(of_stderr: bool) -> u16 {
    let mut table = comfy_table::Table::new();
    if of_stderr {
        table.use_stderr();
    }
    table.width().filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
}

/// Cuts a text off behind so many characters, so that what is said behind it is seen.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}\u{2026}", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Returns text from a file as it can be printed: control characters, which could
/// steer a terminal, are written as escapes. New lines and tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            // Marks that turn the direction of writing can make text look like another.
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}
