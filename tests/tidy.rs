//! The house rules that neither the compiler nor clippy can hold.
//!
//! Who may import whom (the table below is the one in ARCHITECTURE.md), module
//! docs, lengths, names, who may touch the file system, who may print and who may
//! save, a dependency list in which a library user compiles only the core, and
//! what ARCHITECTURE.md says of modules and tests. Each rule lists all that breaks
//! it, as `file:line: what`. The checker is proven on small strings in
//! `tidy/proof.rs`: every rule can fail.
#![expect(
    clippy::disallowed_methods,
    reason = "the checker reads the sources; it is not part of the program"
)]

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use std::path::Path;

use documents::*;
use rules::*;
use source::Source;
use text::*;

/// A module, its floor, and the modules of ours that it may import.
const TABLE: &[(&str, u8, &[&str])] = &[
    ("model", 0, &[]),
    ("yaml", 1, &[]),
    ("fs", 1, &[]),
    ("batch", 1, &[]),
    ("git", 1, &["fs"]),
    ("scheduler", 1, &["model"]),
    ("ingest", 1, &["model"]),
    ("config", 2, &["model", "fs"]),
    ("store", 2, &["model", "yaml", "fs", "git", "ingest"]),
    ("sequence", 2, &["model", "fs", "git", "batch"]),
    ("coordinator", 3, &["model", "batch", "store", "ingest"]),
    ("runner", 3, &["model", "config", "fs"]),
    ("engine", 4, &["model", "config", "scheduler", "coordinator", "runner", "git"]),
    ("wire", 4, &["model", "sequence"]),
    ("api", 5, &["model", "config", "sequence", "wire"]),
    (
        "cli",
        5,
        &[
            "model",
            "yaml",
            "fs",
            "batch",
            "git",
            "scheduler",
            "ingest",
            "config",
            "store",
            "sequence",
            "coordinator",
            "runner",
            "engine",
            "wire",
            "api",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, out: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if matches!(name.to_str(), Some("target" | ".git" | ".orchestrator")) {
            continue;
        }
        if path.is_dir() {
            walk(&path, out);
        } else if let Some(relative) = path.strip_prefix(root()).ok().and_then(Path::to_str) {
            out.push(relative.replace('\\', "/"));
        }
    }
}

fn read(path: &str) -> String {
    let bytes = std::fs::read(root().join(path)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Marks the files of `#[cfg(test)] mod x;`, and all below them, as test code.
fn mark_tests(sources: &mut [Source]) {
    let declared: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            source
                .modules
                .iter()
                .filter(|m| m.2)
                .map(|m| format!("{}/{}", source.children_dir(), m.0))
        })
        .collect();
    for source in sources {
        let under = |dir: &String| {
            source.path == format!("{dir}.rs") || source.path.starts_with(&format!("{dir}/"))
        };
        source.is_test |= declared.iter().any(under);
    }
}

fn tree() -> Vec<Source> {
    let mut paths = Vec::new();
    for top in ["orchestrator", "tests", "examples", "benches", "fuzz"] {
        walk(&root().join(top), &mut paths);
    }
    paths.sort();
    let rust = paths.iter().filter(|path| path.ends_with(".rs"));
    let mut sources: Vec<Source> = rust.map(|path| Source::new(path, &read(path))).collect();
    mark_tests(&mut sources);
    sources
}

/// What git tracks or would track; without git, every file.
fn committed() -> Vec<String> {
    let listing = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    match listing {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
        }
        _ => {
            let mut paths = Vec::new();
            walk(root(), &mut paths);
            paths
        }
    }
}

#[track_caller]
fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "{} found:\n{}\n", broken.len(), broken.join("\n"));
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let sources = tree();
    assert!(sources.iter().any(|source| owner(source).is_some()), "no sources were found");
    holds(&imports(&sources));
}

#[test]
fn only_fs_touches_the_file_system() {
    holds(&file_system(&tree()));
}

#[test]
fn values_and_policy_know_nothing_of_the_world() {
    holds(&outside_world(&tree()));
}

#[test]
fn only_output_prints() {
    holds(&printing(&tree()));
}

#[test]
fn only_the_coordinator_saves() {
    holds(&saving(&tree()));
}

#[test]
fn every_file_opens_with_docs() {
    holds(&module_docs(&tree()));
}

#[test]
fn files_are_short() {
    holds(&lengths(&tree()));
}

#[test]
fn module_names_say_something() {
    holds(&names(&tree()));
}

#[test]
fn module_roots_hold_only_declarations() {
    holds(&only_declarations(&tree()));
}

#[test]
fn no_file_is_forgotten() {
    let sources = tree();
    holds(&forgotten(&sources, "orchestrator/lib.rs"));
    holds(&forgotten(&sources, "tests/integration/main.rs"));
}

#[test]
fn nothing_names_a_machine() {
    let broken: Vec<String> =
        committed().iter().flat_map(|path| machine_paths(path, &read(path))).collect();
    holds(&broken);
}

#[test]
fn every_dependency_is_core_or_has_a_feature() {
    let manifest = read("Cargo.toml");
    assert!(!section(&manifest, "dependencies").is_empty(), "no dependencies were read");
    holds(&dependencies(&manifest));
}

#[test]
fn the_table_only_looks_down() {
    let floor = |name: &str| TABLE.iter().position(|row| row.0 == name).map(|i| (TABLE[i].1, i));
    for (module, _, allowed) in TABLE {
        for target in *allowed {
            assert!(
                floor(target) < floor(module),
                "{module} imports {target}, which is not below it"
            );
            assert!(floor(target).is_some(), "{target} is not a module");
        }
    }
}

#[test]
fn architecture_names_tests_that_exist() {
    let text = read("ARCHITECTURE.md");
    assert!(named_tests(&text).len() > 20, "the invariants name their tests");
    holds(&missing_tests("ARCHITECTURE.md", &text, &tree()));
}

#[test]
fn architecture_has_every_module_as_the_table_does() {
    holds(&module_rows("ARCHITECTURE.md", &read("ARCHITECTURE.md"), &tree()));
}

#[cfg(test)]
#[path = "tidy/proof.rs"]
mod proof;
