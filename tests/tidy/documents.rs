//! The rules on documents: what ARCHITECTURE.md says of modules and tests must be
//! true of the sources. Each returns all that is not, as `file:line: what`.

use super::TABLE;
use super::rules::at;
use super::source::{Source, lex};

/// The tests that a text names in backquotes as `path/of/file.rs::name`, with the
/// line of each.
pub(crate) fn named_tests(text: &str) -> Vec<(&str, &str, usize)> {
    let mut found = Vec::new();
    for (n, line) in text.lines().enumerate() {
        // Every second part stands between backquotes.
        for quoted in line.split('`').skip(1).step_by(2) {
            if let Some((path, name)) = quoted.split_once(".rs::") {
                let end = path.len() + ".rs".len();
                found.push((&quoted[..end], name, n + 1));
            }
        }
    }
    found
}

/// Named tests that are not there: no function of that name with an attribute.
pub(crate) fn missing_tests(path: &str, text: &str, sources: &[Source]) -> Vec<String> {
    let is_there = |file: &str, name: &str| {
        sources.iter().find(|source| source.path == file).is_some_and(|source| {
            let tokens: Vec<String> = lex(&source.text).into_iter().map(|t| t.text).collect();
            let tokens: Vec<&str> =
                tokens.iter().map(String::as_str).filter(|text| *text != "async").collect();
            tokens.windows(4).any(|w| w == ["]", "fn", name, "("])
        })
    };
    let named = named_tests(text).into_iter();
    let missing = named.filter(|(file, name, _)| !is_there(file, name));
    missing
        .map(|(file, name, line)| at(path, line, format_args!("there is no test {file}::{name}")))
        .collect()
}

/// Modules that the text has no row for, and rows that say something else than the
/// table: `| module | what it owns | floor | what it may import |`. Modules that do
/// not exist yet count neither way.
pub(crate) fn module_rows(path: &str, text: &str, sources: &[Source]) -> Vec<String> {
    let exists = |module: &str| {
        let folder = format!("orchestrator/{module}/");
        sources.iter().any(|source| source.path.starts_with(&folder))
    };
    let mut broken = Vec::new();
    for (module, floor, allowed) in TABLE.iter().filter(|row| exists(row.0)) {
        let imports: Vec<&str> = allowed.iter().copied().filter(|name| exists(name)).collect();
        let head = format!("| `{module}` | ");
        let Some((n, row)) = text.lines().enumerate().find(|(_, line)| line.starts_with(&head))
        else {
            broken.push(at(path, 1, format_args!("no row for `{module}`")));
            continue;
        };
        let tail = match (*module, imports.as_slice()) {
            ("cli", _) => format!(" | {floor} | all |"),
            (_, []) => format!(" | {floor} | nothing |"),
            (_, imports) => format!(" | {floor} | {} |", imports.join(", ")),
        };
        if !row.ends_with(&tail) {
            broken.push(at(path, n + 1, format_args!("the row should end with `{tail}`")));
        }
    }
    broken
}
