//! Many processes at once: every ID that is told is told once, and its item is there.

use std::collections::BTreeSet;
use std::process::Stdio;

use crate::support::{Project, program};

#[test]
fn parallel_adds_never_share_an_id() {
    let project = Project::with("schema_version: 2\nnext_item_id: 0\nitems: []\n");
    let children: Vec<_> = (0..20)
        .map(|n| {
            let mut command = program(project.root());
            command.args(["add", &format!("Item {n}"), "-q"]).stdout(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let told: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        })
        .collect();
    let distinct: BTreeSet<&String> = told.iter().collect();
    assert_eq!(distinct.len(), 20, "{told:?}");
    let data = project.sh("list --json").data("items");
    let there: BTreeSet<String> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, told.iter().cloned().collect());
    let audit = project.sh("id audit --json").data("audit");
    assert_eq!(audit["live"], serde_json::json!([[1, 20]]));
}
