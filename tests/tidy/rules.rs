//! The rules on Rust sources: imports, file system, clock, printing, saving, docs,
//! lengths, names, module roots, forgotten files. Each returns all that breaks
//! it as `file:line: what`, and leaves finding the files to `tidy.rs`.

use std::collections::BTreeSet;

use super::TABLE;
use super::source::{Source, is_word};

/// The only module that may touch the file system.
const FILE_SYSTEM: &[&[&str]] = &[
    &["std", "fs"],
    &["tokio", "fs"],
    &["std", "os", "unix", "fs"],
    &["rustix", "fs"],
    &["tempfile"],
    &["fs4"],
];

/// What values and pure policy must not know: a clock, the environment.
const OUTSIDE_WORLD: &[&[&str]] = &[
    &["std", "env"],
    &["std", "process"],
    &["std", "net"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["jiff", "Timestamp", "now"],
    &["jiff", "Zoned", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["tokio"],
    &["rustix"],
];

const MAX_FILE_LINES: usize = 500;
const MAX_MAIN_LINES: usize = 9;
const DOC_LINES: std::ops::RangeInclusive<usize> = 3..=15;
const VAGUE_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "types", "misc"];

pub(crate) fn at(path: &str, line: usize, what: impl std::fmt::Display) -> String {
    format!("{path}:{line}: {what}")
}

/// The module directly below the crate root that a file belongs to.
pub(crate) fn owner(source: &Source) -> Option<String> {
    if source.is_test {
        return None;
    }
    source.module_path().into_iter().next()
}

pub(crate) fn imports(sources: &[Source]) -> Vec<String> {
    let files: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let mut broken = Vec::new();
    for source in sources {
        let Some(module) = owner(source) else {
            continue;
        };
        let Some((_, _, allowed)) = TABLE.iter().find(|row| row.0 == module) else {
            broken.push(at(
                &source.path,
                1,
                format_args!("module `{module}` is not in the import table"),
            ));
            continue;
        };
        for path in source.paths() {
            let Some(full) = path.resolved() else {
                continue;
            };
            let target = full.first().map_or("the crate root", String::as_str);
            if target != module && !allowed.contains(&target) {
                broken.push(at(
                    &source.path,
                    path.line,
                    format_args!("`{module}` may not import `{target}`"),
                ));
            } else if let ("cli", "api", Some(inner)) = (module.as_str(), target, full.get(1))
                && (files.contains(format!("orchestrator/api/{inner}.rs").as_str())
                    || files.contains(format!("orchestrator/api/{inner}/mod.rs").as_str()))
            {
                broken.push(at(
                    &source.path,
                    path.line,
                    format_args!("`{inner}` is inside another face"),
                ));
            }
        }
    }
    broken
}

/// Paths that only `owners` may name, as prefixes.
pub(crate) fn reserved(
    sources: &[Source],
    prefixes: &[&[&str]],
    applies: impl Fn(&str) -> bool,
    why: &str,
) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        if !owner(source).is_some_and(|module| applies(&module)) {
            continue;
        }
        for path in source.paths() {
            let names: Vec<&str> = path.segments.iter().map(String::as_str).collect();
            if prefixes.iter().any(|prefix| names.starts_with(prefix)) {
                broken.push(at(
                    &source.path,
                    path.line,
                    format_args!("`{}`: {why}", names.join("::")),
                ));
            }
        }
    }
    broken
}

pub(crate) fn file_system(sources: &[Source]) -> Vec<String> {
    reserved(sources, FILE_SYSTEM, |module| module != "fs", "only `fs` touches the file system")
}

pub(crate) fn outside_world(sources: &[Source]) -> Vec<String> {
    let why = "values and policy see no clock, no process and no environment";
    let pure = |module: &str| matches!(module, "model" | "yaml" | "scheduler" | "ingest");
    let mut broken = reserved(sources, OUTSIDE_WORLD, pure, why);
    // A long text is read on two threads, to the same end as on one.
    let single = |module: &str| pure(module) && module != "yaml";
    broken.extend(reserved(sources, &[&["std", "thread"]], single, why));
    broken
}

pub(crate) fn printing(sources: &[Source]) -> Vec<String> {
    let exempt =
        |path: &str| path == "orchestrator/main.rs" || path.starts_with("orchestrator/cli/output");
    let mut broken = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test && !exempt(&source.path)) {
        let macros = source.tokens.windows(2).filter(|w| {
            w[1].text == "!"
                && matches!(w[0].text.as_str(), "print" | "println" | "eprint" | "eprintln" | "dbg")
        });
        broken.extend(macros.map(|w| {
            at(&source.path, w[0].line, format_args!("`{}!`: only `cli::output` prints", w[0].text))
        }));
        let streams = source.paths().into_iter().filter(|path| {
            let last = path.segments.last().map(String::as_str);
            matches!(last, Some("stdout" | "stderr")) && path.segments.len() > 1
        });
        broken.extend(streams.map(|path| {
            at(
                &source.path,
                path.line,
                format_args!("`{}`: only `cli::output` prints", path.segments.join("::")),
            )
        }));
    }
    broken
}

/// Whoever saves a backlog past the single writer.
pub(crate) fn saving(sources: &[Source]) -> Vec<String> {
    let outside = |source: &&Source| {
        owner(source).is_some_and(|module| !matches!(module.as_str(), "store" | "coordinator"))
    };
    let mut broken = Vec::new();
    for source in sources.iter().filter(outside) {
        let calls = source.tokens.windows(3);
        let calls = calls.filter(|w| w[0].text == "." && w[1].text == "save" && w[2].text == "(");
        broken
            .extend(calls.map(|w| at(&source.path, w[1].line, "`save`: only `coordinator` saves")));
    }
    broken
}

pub(crate) fn module_docs(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let docs = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        let root = matches!(source.path.as_str(), "orchestrator/lib.rs" | "orchestrator/main.rs");
        // The diagrams that these two open with are worth more lines than the rule gives.
        let diagram = matches!(
            source.path.as_str(),
            "orchestrator/batch/mod.rs" | "orchestrator/coordinator/mod.rs"
        );
        let asked = match (diagram, source.path.ends_with("/mod.rs")) {
            (true, _) => 3..=80,
            (false, true) => DOC_LINES,
            // A leaf may say it in a line.
            (false, false) => 1..=*DOC_LINES.end(),
        };
        if docs == 0 {
            broken.push(at(&source.path, 1, "no `//!` docs at the head of the file"));
        } else if owner(source).is_some() && !root && !asked.contains(&docs) {
            broken.push(at(
                &source.path,
                1,
                format_args!("{docs} lines of `//!` docs, {asked:?} are asked for"),
            ));
        }
    }
    broken
}

pub(crate) fn lengths(sources: &[Source]) -> Vec<String> {
    let limit = |source: &Source| {
        if source.path == "orchestrator/main.rs" { MAX_MAIN_LINES } else { MAX_FILE_LINES }
    };
    let long = sources.iter().filter(|source| source.code_lines() > limit(source));
    long.map(|source| {
        at(
            &source.path,
            1,
            format_args!("{} lines of code, at most {}", source.code_lines(), limit(source)),
        )
    })
    .collect()
}

pub(crate) fn names(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let file = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
        broken.extend(file.filter(|part| VAGUE_NAMES.contains(part)).map(|part| {
            at(&source.path, 1, format_args!("`{part}` says nothing about its contents"))
        }));
        let inline = source
            .tokens
            .windows(2)
            .filter(|w| w[0].text == "mod" && VAGUE_NAMES.contains(&w[1].text.as_str()));
        broken.extend(inline.map(|w| {
            at(
                &source.path,
                w[0].line,
                format_args!("`mod {}` says nothing about its contents", w[1].text),
            )
        }));
    }
    broken
}

/// `mod.rs` and `lib.rs` hold only docs, attributes, `mod` and `pub use`.
pub(crate) fn only_declarations(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    let roots = sources.iter().filter(|source| {
        !source.is_test
            && (source.path.ends_with("/mod.rs") || source.path == "orchestrator/lib.rs")
    });
    for source in roots {
        let mut statement: Vec<(&str, usize)> = Vec::new();
        let mut brackets = 0_usize;
        for token in &source.tokens {
            match token.text.as_str() {
                "[" if brackets > 0 || matches!(statement.last(), Some(("#" | "!", _))) => {
                    brackets += 1
                }
                "]" if brackets > 0 => {
                    brackets -= 1;
                    if brackets == 0 {
                        while matches!(statement.last(), Some(("#" | "!", _))) {
                            statement.pop();
                        }
                    }
                }
                ";" if brackets == 0 => {
                    broken.extend(other_than_declaration(source, &statement));
                    statement.clear();
                }
                text if brackets == 0 => statement.push((text, token.line)),
                _ => {}
            }
        }
        broken.extend(other_than_declaration(source, &statement));
    }
    broken
}

fn other_than_declaration(source: &Source, statement: &[(&str, usize)]) -> Option<String> {
    let (first, line) = *statement.first()?;
    let public = first == "pub";
    let mut rest: Vec<&str> =
        statement.iter().map(|(text, _)| *text).skip(usize::from(public)).collect();
    if public && rest.first() == Some(&"(") {
        let close = rest.iter().position(|text| *text == ")").map_or(rest.len(), |i| i + 1);
        rest.drain(..close);
    }
    let fine = match rest.as_slice() {
        ["mod", name] => is_word(name),
        ["use", ..] => public,
        _ => false,
    };
    (!fine).then(|| at(&source.path, line, "only docs, `mod` and `pub use` belong here"))
}

/// Files below the root's folder that no `mod` line reaches: never compiled.
pub(crate) fn forgotten(sources: &[Source], root: &str) -> Vec<String> {
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let binary = format!("{folder}/main.rs");
    let mut reached: BTreeSet<String> = [root.to_owned(), binary].into();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let Some(source) = sources.iter().find(|source| source.path == path) else {
            continue;
        };
        for (name, ..) in &source.modules {
            let dir = source.children_dir();
            for child in [format!("{dir}/{name}.rs"), format!("{dir}/{name}/mod.rs")] {
                if reached.insert(child.clone()) {
                    todo.push(child);
                }
            }
        }
    }
    let below = sources.iter().filter(|source| source.path.starts_with(&format!("{folder}/")));
    let lost = below.filter(|source| !reached.contains(&source.path));
    lost.map(|source| at(&source.path, 1, format_args!("no `mod` line reaches it from {root}")))
        .collect()
}
