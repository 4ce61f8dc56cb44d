//! Reads Rust sources for the tidiness rules: a small lexer, not a parser.
//!
//! Comments and literals never look like code to a rule, test-only code is
//! set apart, and paths come out with their `use` groups expanded, so that
//! `use std::{fs, io}` and `std::fs::read` are seen alike. It knows nothing
//! of the rules; those are in `tidy.rs`.

use std::collections::BTreeSet;

/// One token: an identifier, a number, a literal or a punctuation mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The text; string and character literals are reduced to `"`.
    pub(crate) text: String,
    /// The first line, from 1.
    pub(crate) line: usize,
    /// The last line: larger than `line` only for literals.
    pub(crate) last_line: usize,
}

/// A path as written, its `use` group expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The segments, `crate`, `self` and `super` included.
    pub(crate) segments: Vec<String>,
    /// The line of the last segment, from 1.
    pub(crate) line: usize,
    /// The module that the path stands in, from the crate root.
    pub(crate) module: Vec<String>,
}

/// One source file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// The tokens outside `#[cfg(test)]` items and `#[test]` functions.
    pub(crate) tokens: Vec<Token>,
    /// Modules in files of their own: the name, the line, whether test-only.
    pub(crate) modules: Vec<(String, usize, bool)>,
    /// Whether the whole file is test code.
    pub(crate) is_test: bool,
}

impl Source {
    /// Returns the file's tokens and module declarations.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let all = lex(text);
        let keep = outside_tests(&all);
        let modules = declared_modules(&all, &keep);
        let tokens = all.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(token, _)| token);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: tokens.collect(),
            modules,
            is_test: !path.starts_with("orchestrator/") || text.contains("#![cfg(test)]"),
        }
    }

    /// Returns the number of lines that hold code: no comment-only line, no
    /// blank one, nothing inside `#[cfg(test)]`.
    pub(crate) fn code_lines(&self) -> usize {
        let lines: BTreeSet<usize> =
            self.tokens.iter().flat_map(|token| token.line..=token.last_line).collect();
        lines.len()
    }

    /// Returns the folder that this file's child modules lie in.
    pub(crate) fn children_dir(&self) -> String {
        let (dir, name) = self.path.rsplit_once('/').unwrap_or((".", &self.path));
        match name {
            "mod.rs" | "lib.rs" | "main.rs" => dir.to_owned(),
            _ => format!("{dir}/{}", name.trim_end_matches(".rs")),
        }
    }

    /// Returns the module path below `orchestrator/`, empty for the root.
    pub(crate) fn module_path(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("orchestrator/").trim_end_matches(".rs");
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib" | "main")) {
            parts.pop();
        }
        parts
    }

    /// Returns every path of two or more segments, and what `use` names.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut module = self.module_path();
        let mut braces: Vec<bool> = Vec::new();
        let mut out = Vec::new();
        let mut i = 0;
        while let Some(token) = self.tokens.get(i) {
            match token.text.as_str() {
                "{" => {
                    let opens = i >= 2 && self.at(i - 2) == "mod";
                    if opens {
                        module.push(self.at(i - 1).to_owned());
                    }
                    braces.push(opens);
                }
                "}" if braces.pop() == Some(true) => {
                    module.pop();
                }
                _ => {}
            }
            let in_use = i > 0 && (self.at(i - 1) == "use" || self.is_extern_use(i));
            if self.starts_path(i) && (in_use || self.at(i + 1) == "::")
                || in_use && self.at(i) == "{"
            {
                let mut found = Vec::new();
                let end = expand(&self.tokens, i, Vec::new(), &mut found);
                let lines = found.into_iter();
                out.extend(lines.map(|(segments, line)| Path {
                    segments,
                    line,
                    module: module.clone(),
                }));
                i = end.max(i + 1);
            } else {
                i += 1;
            }
        }
        out
    }

    fn at(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| token.text.as_str())
    }

    fn is_extern_use(&self, i: usize) -> bool {
        i >= 2 && self.at(i - 1) == "::" && self.at(i - 2) == "use"
    }

    fn starts_path(&self, i: usize) -> bool {
        let continues =
            i >= 2 && self.at(i - 1) == "::" && (is_word(self.at(i - 2)) || self.at(i - 2) == ">");
        let after_use = self.is_extern_use(i);
        let is_method = i > 0 && self.at(i - 1) == "." && (i < 2 || self.at(i - 2) != ".");
        is_word(self.at(i)) && !is_method && (after_use || !continues)
    }
}

impl Path {
    /// Returns the path as seen from the crate root, or `None` where it does not
    /// begin with `crate`, `self` or `super`.
    pub(crate) fn resolved(&self) -> Option<Vec<String>> {
        let mut base = match self.segments.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        for segment in &self.segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }
}

/// Whether the text is an identifier, a keyword or a number.
pub(crate) fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn expand(
    tokens: &[Token],
    start: usize,
    mut prefix: Vec<String>,
    out: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut i = start;
    loop {
        let line = tokens.get(i).or(tokens.last()).map_or(0, |token| token.line);
        match at(i) {
            "{" => {
                i += 1;
                while i < tokens.len() && at(i) != "}" {
                    i = expand(tokens, i, prefix.clone(), out);
                    while i < tokens.len() && at(i) != "," && at(i) != "}" {
                        i += 1;
                    }
                    i += usize::from(at(i) == ",");
                }
                return i + 1;
            }
            "::" => i += 1,
            word if is_word(word) || word == "*" => {
                prefix.push(word.to_owned());
                i += 1;
                if at(i) != "::" || !(is_word(at(i + 1)) || matches!(at(i + 1), "{" | "*")) {
                    out.push((prefix, line));
                    return i;
                }
                i += 1;
            }
            _ => return i,
        }
    }
}

/// Returns the tokens of the text, without comments.
pub(crate) fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let (end, kept) = next_token(&chars, i);
        let last_line = line + chars[i..end].iter().filter(|c| **c == '\n').count();
        if let Some(text) = kept {
            tokens.push(Token { text, line, last_line });
        }
        (i, line) = (end, last_line);
    }
    tokens
}

/// Returns where the token at `i` ends, and its text if it is one to keep.
fn next_token(chars: &[char], i: usize) -> (usize, Option<String>) {
    let at = |k: usize| chars.get(k).copied().unwrap_or('\0');
    let literal = || Some("\"".to_owned());
    match at(i) {
        c if c.is_whitespace() => (i + 1, None),
        '/' if at(i + 1) == '/' => (skip_while(chars, i, |c| c != '\n'), None),
        '/' if at(i + 1) == '*' => (block_comment_end(chars, i), None),
        '"' => (quoted_end(chars, i + 1, '"'), literal()),
        '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
            (quoted_end(chars, i + 1, '\''), literal())
        }
        ':' if at(i + 1) == ':' => (i + 2, Some("::".to_owned())),
        c if c.is_alphanumeric() || c == '_' => {
            let end = skip_while(chars, i, |c| c.is_alphanumeric() || c == '_');
            let word: String = chars[i..end].iter().collect();
            let hashes = skip_while(chars, end, |c| c == '#') - end;
            match word.as_str() {
                "r" | "br" | "cr" if at(end + hashes) == '"' => {
                    (raw_end(chars, end + hashes + 1, hashes), literal())
                }
                "b" | "c" if at(end) == '"' => (quoted_end(chars, end + 1, '"'), literal()),
                "b" if at(end) == '\'' => (quoted_end(chars, end + 1, '\''), literal()),
                _ => (end, Some(word)),
            }
        }
        c => (i + 1, Some(c.to_string())),
    }
}

fn skip_while(chars: &[char], from: usize, test: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| !test(*c)).map_or(chars.len(), |n| from + n)
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut i = from;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn raw_end(chars: &[char], from: usize, hashes: usize) -> usize {
    let closes = |i: usize| {
        chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    (from..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes)
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0_usize);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (i, depth) = (i + 2, depth + 1),
            ('*', Some('/')) => (i, depth) = (i + 2, depth - 1),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i.min(chars.len())
}

/// Returns for each token whether it stands outside test-only items.
fn outside_tests(tokens: &[Token]) -> Vec<bool> {
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut keep = vec![true; tokens.len()];
    let mut i = 0;
    while i < tokens.len() {
        if at(i) != "#" || at(i + 1) != "[" {
            i += 1;
            continue;
        }
        let end = attribute_end(tokens, i);
        if !is_test_attribute(&tokens[i..end]) {
            i = end;
            continue;
        }
        let stop = item_end(tokens, end);
        keep[i..stop].fill(false);
        i = stop;
    }
    keep
}

fn attribute_end(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" if depth == 1 => return i + 1,
            "]" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Whether the attribute holds only in tests: `#[test]`, `#[tokio::test]`,
/// `#[cfg(test)]` and `#[cfg(all(test, …))]`, but not `any` or `not`.
fn is_test_attribute(attribute: &[Token]) -> bool {
    let words: Vec<&str> =
        attribute.iter().map(|token| token.text.as_str()).filter(|text| is_word(text)).collect();
    match words.as_slice() {
        ["test"] | ["tokio", "test", ..] => true,
        ["cfg", rest @ ..] => {
            rest.contains(&"test") && !rest.contains(&"any") && !rest.contains(&"not")
        }
        _ => false,
    }
}

fn item_end(tokens: &[Token], start: usize) -> usize {
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut i = start;
    while at(i) == "#" {
        i = attribute_end(tokens, i);
    }
    let head: Vec<&str> = (i..i + 6).map(at).collect();
    let has = |words: &[&str]| {
        head.iter().take_while(|w| !matches!(**w, "{" | "=")).any(|w| words.contains(w))
    };
    let braced = has(&["fn", "mod", "impl", "struct", "enum", "trait", "union", "macro_rules"]);
    let ends_with_semicolon = !braced && has(&["use", "const", "static", "type", "let", "extern"]);
    let mut depth = 0_usize;
    while i < tokens.len() {
        match at(i) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return i,
            "}" if depth == 1 && !ends_with_semicolon => return i + 1,
            ")" | "]" | "}" => depth -= 1,
            ";" if depth == 0 => return i + 1,
            "," if depth == 0 && !braced && !ends_with_semicolon => return i + 1,
            _ => {}
        }
        i += 1;
    }
    tokens.len()
}

fn declared_modules(tokens: &[Token], keep: &[bool]) -> Vec<(String, usize, bool)> {
    let windows = tokens.windows(3).zip(keep);
    windows
        .filter(|(w, _)| w[0].text == "mod" && w[2].text == ";" && is_word(&w[1].text))
        .map(|(w, keep)| (w[1].text.clone(), w[0].line, !keep))
        .collect()
}
