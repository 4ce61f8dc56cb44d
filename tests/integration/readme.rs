//! The tour of README.md, run as it stands there: its `yaml` block is the backlog
//! that a reader begins with, its `markdown` block a ticket, and its `console` blocks
//! are run in turn in that folder.
//! And the example that it points to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Project, example};

const README: &str = include_str!("../../README.md");

/// Returns the text of the first block of a language.
fn first_block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n```{language}\n")).expect("a block");
    rest.split_once("```\n").expect("its end").0
}

/// Returns the path of a program of the system that the tour uses.
fn system(name: &str) -> trycmd::schema::Bin {
    let folders = std::env::var_os("PATH").unwrap();
    let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(name));
    trycmd::schema::Bin::Path(paths.find(|path| path.is_file()).expect(name))
}

#[test]
fn the_tour_goes_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let before = folder.path().join("README.in");
    let readme = folder.path().join("README.md");
    fs::create_dir(&before).unwrap();
    // That it is there makes trycmd work on one copy for all commands.
    fs::create_dir(folder.path().join("README.out")).unwrap();
    fs::write(before.join("BACKLOG.yaml"), first_block("yaml")).unwrap();
    let tickets = before.join("tickets");
    fs::create_dir(&tickets).unwrap();
    fs::write(tickets.join("SHOP-TSK-0041_export.md"), first_block("markdown")).unwrap();
    fs::write(&readme, README).unwrap();
    assert!(README.matches("\n$ orchestrator ").count() > 10, "the tour is gone");
    let program = Path::new(env!("CARGO_BIN_EXE_orchestrator")).to_owned();
    trycmd::TestCases::new()
        .register_bin("orchestrator", trycmd::schema::Bin::Path(program))
        .register_bins(["cat", "cp"].map(|name| (name, system(name))))
        .case(&readme)
        .run();
}

#[test]
fn the_example_adds_an_item_each_time() {
    let project = Project::empty();
    let add = || {
        let output = Command::new(example("minimal_store")).arg(project.file()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!([add(), add()], ["WRK-001\n", "WRK-002\n"]);
    assert_eq!(project.text().matches("title: Write the release notes").count(), 2);
}
