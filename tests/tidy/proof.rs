//! Proof that each tidiness rule can fail, and that it does not cry wolf:
//! every rule is run on small sources that break it and on some that do not.

use super::*;

fn source(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

/// The line numbers of what a rule found.
fn lines(broken: &[String]) -> Vec<usize> {
    broken
        .iter()
        .map(|text| text.split(':').nth(1).and_then(|n| n.parse().ok()).expect("file:line:"))
        .collect()
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "//! d\nuse crate::store::X;\nuse crate::{model::A, cli::{b, c as d}};\nfn f() { crate::git::g() }\nuse super::super::engine;\nuse crate::{\n  self,\n};\nuse crate as root;\nuse {crate::api, std::fmt};\npub(crate) fn g() -> ::std::string::String {}\n";
    let found = imports(&source("orchestrator/scheduler/order.rs", text));
    assert_eq!(lines(&found), [2, 3, 3, 4, 5, 7, 9, 10], "{found:#?}");
    assert!(found[0].contains("`scheduler` may not import `store`"));
}

#[test]
fn a_macro_and_a_range_do_not_hide_an_import() {
    let text = "macro_rules! m { () => { $crate::cli::run() } }\nfn f() { for _ in 0..crate::fs::N {} }\nlet v = Vec::<crate::git::A>::new();\n";
    assert_eq!(lines(&imports(&source("orchestrator/model/item.rs", text))), [1, 2, 3]);
}

#[test]
fn climbing_counts_inline_modules() {
    let fine =
        "mod a { use super::b; mod c { use super::super::d; } }\nuse super::id;\nuse self::x;\n";
    assert_eq!(imports(&source("orchestrator/model/item.rs", fine)), Vec::<String>::new());
    let out = "mod a {\n fn f() { x }\n use super::super::super::fs;\n}\n";
    assert_eq!(lines(&imports(&source("orchestrator/model/item.rs", out))), [3]);
    let from_mod_rs = "pub use super::fs::X;\n";
    assert_eq!(lines(&imports(&source("orchestrator/model/mod.rs", from_mod_rs))), [1]);
}

#[test]
fn comments_literals_and_tests_are_no_imports() {
    let text = "// crate::cli::x\n/* crate::cli /* nested */ crate::cli::x */\nconst S: &str = \"crate::cli::x \\\" crate::cli::y\";\nconst R: &str = r#\"crate::cli::\"x\"#;\nconst C: char = '\"'; fn l<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests { use crate::cli::x; fn f() { if a { b } } }\n#[test]\nfn t() { crate::cli::run() }\n#[cfg(test)]\nuse crate::{cli::y};\n#[cfg(not(test))]\nfn real() { crate::cli::z() }\n";
    assert_eq!(lines(&imports(&source("orchestrator/model/item.rs", text))), [13]);
}

#[test]
fn an_unknown_module_and_another_faces_insides_are_refused() {
    assert_eq!(imports(&source("orchestrator/misc/mod.rs", "//! d\n")).len(), 1);
    let sources = [
        Source::new("orchestrator/api/routes/mod.rs", ""),
        Source::new(
            "orchestrator/cli/command/serve.rs",
            "use crate::api::serve;\nuse crate::api::routes::ids;\n",
        ),
    ];
    assert_eq!(lines(&imports(&sources)), [2]);
}

#[test]
fn a_file_of_tests_is_exempt_with_all_below_it() {
    let mut sources = vec![
        Source::new("orchestrator/model/mod.rs", "#[cfg(test)]\nmod tests;\nmod item;\n"),
        Source::new("orchestrator/model/tests.rs", "use crate::cli::x;\n"),
        Source::new("orchestrator/model/tests/more.rs", "use crate::cli::x;\n"),
        Source::new("orchestrator/model/item.rs", "use crate::cli::x;\n"),
    ];
    assert_eq!(imports(&sources).len(), 3);
    mark_tests(&mut sources);
    assert_eq!(imports(&sources), ["orchestrator/model/item.rs:1: `model` may not import `cli`"]);
}

#[test]
fn the_file_system_belongs_to_fs() {
    let text = "use std::{fs, io};\nuse tempfile::NamedTempFile;\nfn f() { std::fs::read(p) }\nuse rustix::{process, fs::open};\nuse tempfile;\nuse std::path::Path;\n";
    assert_eq!(lines(&file_system(&source("orchestrator/store/mod.rs", text))), [1, 2, 3, 4, 5]);
    assert_eq!(file_system(&source("orchestrator/fs/atomic.rs", text)), Vec::<String>::new());
    assert_eq!(file_system(&source("tests/integration/main.rs", text)), Vec::<String>::new());
}

#[test]
fn policy_sees_no_clock() {
    let text = "use std::time::{Duration, Instant};\nfn f() { jiff::Timestamp::now(); std::env::var(x); Timestamp::now() }\nuse tokio::sync;\n";
    assert_eq!(
        lines(&outside_world(&source("orchestrator/scheduler/plan.rs", text))),
        [1, 2, 2, 2, 3]
    );
    assert_eq!(outside_world(&source("orchestrator/engine/mod.rs", text)), Vec::<String>::new());
}

#[test]
fn printing_belongs_to_output() {
    let text = "fn f() { println!(\"x\");\n eprint!(\"x\");\n std::io::stdout().lock();\n c.stdout(Stdio::null()); }\nuse std::io::{self, stderr};\n";
    assert_eq!(lines(&printing(&source("orchestrator/cli/command/add.rs", text))), [1, 2, 3, 5]);
    assert_eq!(printing(&source("orchestrator/cli/output.rs", text)), Vec::<String>::new());
    assert_eq!(printing(&source("examples/demo.rs", text)), Vec::<String>::new());
}

#[test]
fn saving_belongs_to_the_coordinator() {
    let text = "fn f() { store.lock()?\n.save(&[]);\n save(x); }\n";
    assert_eq!(lines(&saving(&source("orchestrator/cli/command/add.rs", text))), [2]);
    assert_eq!(
        saving(&source("orchestrator/coordinator/event_loop.rs", text)),
        Vec::<String>::new()
    );
    assert_eq!(saving(&source("examples/minimal_store.rs", text)), Vec::<String>::new());
}

#[test]
fn docs_come_first_and_have_a_length() {
    assert_eq!(module_docs(&source("tests/x.rs", "use a::b;\n//! late\n")).len(), 1);
    assert_eq!(module_docs(&source("tests/x.rs", "//! one line will do here\n")).len(), 0);
    assert_eq!(module_docs(&source("orchestrator/model/mod.rs", "//! one\n//! two\n")).len(), 1);
    assert_eq!(
        module_docs(&source("orchestrator/model/a.rs", "//! one\n//! two\n//! three\n")).len(),
        0
    );
    let long = "//! x\n".repeat(16);
    assert_eq!(module_docs(&source("orchestrator/model/a.rs", &long)).len(), 1);
    assert_eq!(module_docs(&source("orchestrator/batch/mod.rs", &long)).len(), 0);
}

#[test]
fn length_counts_code_only() {
    let code = |n: usize| "x();\n".repeat(n);
    let padding = "// c\n\n/* a\nb */\n".repeat(300);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code(300));
    let fine = format!("{padding}{}{tests}", code(500));
    assert_eq!(lengths(&source("tests/a.rs", &fine)), Vec::<String>::new());
    assert_eq!(
        lengths(&source("tests/a.rs", &code(501))),
        ["tests/a.rs:1: 501 lines of code, at most 500"]
    );
    assert_eq!(Source::new("a.rs", "let a = \"\n\n\n\";").code_lines(), 4);
    assert_eq!(lengths(&source("orchestrator/main.rs", &code(10))).len(), 1);
}

#[test]
fn vague_names_are_refused() {
    assert_eq!(names(&source("orchestrator/model/utils.rs", "")).len(), 1);
    assert_eq!(names(&source("orchestrator/common/mod.rs", "")).len(), 1);
    assert_eq!(lines(&names(&source("orchestrator/model/a.rs", "\nmod types { }\n"))), [2]);
    assert_eq!(names(&source("tests/integration/support/mod.rs", "mod model;")).len(), 0);
}

#[test]
fn a_module_root_only_declares() {
    let fine = "//! d\n#![doc = \"x\"]\nmod a;\npub mod b;\n#[cfg(feature = \"x\")]\npub(crate) mod c;\npub use a::{X, Y};\n#[cfg(test)]\nmod tests { fn f() {} }\n";
    assert_eq!(only_declarations(&source("orchestrator/model/mod.rs", fine)), Vec::<String>::new());
    let bad = "mod a;\nuse b::c;\npub fn f() {}\nmod d;\nconst X: [u8; 2] = [0, 1];\nmod e { }\n";
    assert_eq!(lines(&only_declarations(&source("orchestrator/lib.rs", bad))), [2, 3, 5, 5, 6]);
    assert_eq!(only_declarations(&source("orchestrator/model/item.rs", bad)), Vec::<String>::new());
}

#[test]
fn a_file_without_a_mod_line_is_found() {
    let sources = [
        Source::new("tests/integration/main.rs", "mod store;\n"),
        Source::new("tests/integration/store/mod.rs", "mod lock;\n"),
        Source::new("tests/integration/store/lock.rs", ""),
        Source::new("tests/integration/store/lost.rs", ""),
        Source::new("tests/tidy.rs", ""),
    ];
    let lost = forgotten(&sources, "tests/integration/main.rs");
    assert_eq!(
        lost,
        [
            "tests/integration/store/lost.rs:1: no `mod` line reaches it from tests/integration/main.rs"
        ]
    );
}

#[test]
fn machine_paths_are_found() {
    let (one, two, three) =
        (concat!("/wo", "rk/"), concat!("/tmp", "/w/"), concat!("../", "shared"));
    let text = format!(
        "fine: the/work/x, docs/work/, https://a.b/work/\ncd {one}main\n`{two}x`\n{three}/x\n{three}/corpus\n"
    );
    assert_eq!(lines(&machine_paths("README.md", &text)), [2, 3, 4, 5]);
    assert_eq!(lines(&machine_paths("tests/a.rs", &text)), [2, 3, 4]);
    let lock = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"registry+http://mirror/\"\n";
    assert_eq!(lines(&machine_paths("Cargo.lock", lock)), [2]);
}

#[test]
fn a_dependency_is_core_or_has_a_feature() {
    let text = "[features]\nx = [\"dep:toml\"]\n[dependencies]\nserde = \"1\"\ntoml = { version = \"1\", optional = true }\n\
                clap = { version = \"4\", optional = true }\naxum = \"1\"\ntempfile = { version = \"3\", optional = true }\n\
                [dev-dependencies]\nserde_yml = \"1\"\nyaml = { package = \"miette\" }\nserde_yaml = { package = \"yaml_serde\" }\n";
    let found = dependencies(text);
    assert_eq!(lines(&found), [6, 7, 8, 8, 10, 11], "{found:#?}");
}

#[test]
fn a_named_test_that_is_gone_is_found() {
    let text = "see `tests/a.rs::it_holds` and\n`tests/a.rs::it_is_gone`, `tests/b.rs::it_holds`, `a.rs`\n";
    let sources = source(
        "tests/a.rs",
        "//! d\n#[test]\nasync fn it_holds() {}\n// #[test] fn it_is_gone()\nfn it_is_gone() {}\n",
    );
    assert_eq!(named_tests(text).len(), 3);
    assert_eq!(lines(&missing_tests("ARCHITECTURE.md", text, &sources)), [2, 2]);
}

#[test]
fn a_row_that_says_something_else_is_found() {
    let sources = [
        Source::new("orchestrator/model/mod.rs", ""),
        Source::new("orchestrator/git/mod.rs", ""),
        Source::new("orchestrator/fs/mod.rs", ""),
        Source::new("orchestrator/scheduler/mod.rs", ""),
    ];
    let text = "| module |\n| `model` | values | 0 | nothing |\n| `git` | git | 1 | nothing |\n| `fs` | files | 2 | nothing |\n";
    let broken = module_rows("ARCHITECTURE.md", text, &sources);
    assert_eq!(lines(&broken), [4, 3, 1], "{broken:#?}");
}
