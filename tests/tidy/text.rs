//! The rules on text that is not Rust: no path or host of one machine in what
//! is committed, and a manifest whose dependencies are core, or optional with
//! a feature, and never on the list of crates to avoid.

use super::rules::at;

/// What a library user without features compiles.
const CORE_CRATES: &[&str] = &[
    "fs4",
    "granit-parser",
    "jiff",
    "rustix",
    "serde",
    "serde_json",
    "serde_yaml",
    "strsim",
    "tempfile",
    "thiserror",
    "tracing",
    "xxhash-rust",
];

/// Idle or unmaintained; the same list stands in deny.toml.
const AVOIDED_CRATES: &[&str] =
    &["serde_yml", "figment", "miette", "fail", "directories", "tower_governor", "sqlx"];

/// Paths and hosts of a particular machine in committed text.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let bad = [concat!("/wo", "rk/"), concat!("/tmp", "/w/"), concat!("../", "shared")];
    let corpus = concat!("../", "shared/corpus");
    let mut broken = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for needle in bad {
            let mut hits = line.match_indices(needle).filter(|(i, _)| {
                let before = line[..*i].chars().next_back();
                let is_inside = before.is_some_and(|c| {
                    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '>')
                });
                let is_corpus = path.ends_with(".rs") && line[*i..].starts_with(corpus);
                !is_inside && !is_corpus
            });
            broken.extend(
                hits.next().map(|_| {
                    at(path, n + 1, format_args!("`{needle}` exists on one machine only"))
                }),
            );
        }
        if path == "Cargo.lock"
            && line.starts_with("source = ")
            && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
        {
            broken.push(at(path, n + 1, "a source other than crates.io"));
        }
    }
    broken
}

/// The lines of one section of a manifest: key, value, line number.
pub(crate) fn section<'a>(manifest: &'a str, name: &str) -> Vec<(&'a str, &'a str, usize)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (n, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == format!("[{name}]");
        } else if let (true, Some((key, value))) =
            (inside && !line.starts_with([' ', '#']), line.split_once('='))
        {
            found.push((key.trim(), value.trim(), n + 1));
        }
    }
    found
}

/// What is not core is optional and named by a feature; what is avoided is absent.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, value, line) in section(manifest, "dependencies") {
        let optional = value.contains("optional = true");
        if CORE_CRATES.contains(&name) == optional {
            let which = if optional {
                "is core, yet optional"
            } else {
                "is not core: it must be optional, with a feature"
            };
            broken.push(at("Cargo.toml", line, format_args!("`{name}` {which}")));
        }
        if optional && !manifest.contains(&format!("\"dep:{name}\"")) {
            broken.push(at("Cargo.toml", line, format_args!("no feature takes in `{name}`")));
        }
    }
    for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (key, value, line) in section(manifest, name) {
            let package = value
                .split_once("package = \"")
                .and_then(|(_, rest)| rest.split('"').next())
                .unwrap_or(key);
            if AVOIDED_CRATES.contains(&package) || package == "serde_yaml" {
                broken.push(at(
                    "Cargo.toml",
                    line,
                    format_args!("`{package}` is idle or unmaintained"),
                ));
            }
        }
    }
    broken
}
