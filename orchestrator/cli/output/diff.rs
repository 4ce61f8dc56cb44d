//! What a command would change in a text, as a unified diff.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use similar::TextDiff;

/// Returns the unified diff of a file's text and what it would become, with
/// colours, which a stream without them leaves out; empty where both are equal.
pub(crate) fn unified(file: &Path, before: &str, after: &str) -> String {
    let name = file.display().to_string();
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(3).header(&name, &name).to_string();
    text.split_inclusive('\n').map(coloured).collect()
}

fn coloured(line: &str) -> String {
    let style = match line.as_bytes().first() {
        _ if line.starts_with("+++") || line.starts_with("---") => Style::new().bold(),
        Some(b'+') => AnsiColor::Green.on_default(),
        Some(b'-') => AnsiColor::Red.on_default(),
        Some(b'@') => AnsiColor::Cyan.on_default(),
        _ => return super::printable(line).into_owned(),
    };
    let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
    format!("{style}{}{style:#}{end}", super::printable(content))
}
