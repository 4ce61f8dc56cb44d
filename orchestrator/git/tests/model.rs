//! Random trees, random edits of a person and random changes of a phase: the commit
//! has the phase's paths and no other, and what the person staged or left unstaged
//! is as it was.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;

const NAMES: &[&str] =
    &["a", "b c", "ü", "d/e", "d/f\ng", "d/ h/i", "j", "k/l", "-m", "n*", "o.log"];

/// What somebody does to a path.
#[derive(Debug, Clone, Copy)]
enum Act {
    Write(u8),
    Append,
    Remove,
    Link(u8),
    Execute,
}

fn act() -> impl Strategy<Value = (usize, Act, bool)> {
    let act = prop_oneof![
        4 => any::<u8>().prop_map(Act::Write),
        2 => Just(Act::Append),
        2 => Just(Act::Remove),
        1 => any::<u8>().prop_map(Act::Link),
        1 => Just(Act::Execute),
    ];
    (0..NAMES.len(), act, any::<bool>())
}

fn apply(bench: &Bench, name: &str, act: Act) {
    let path = bench.path(name);
    let is_there = std::fs::symlink_metadata(&path).is_ok();
    let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
    match act {
        Act::Append if is_file => {
            let text = std::fs::read_to_string(&path).unwrap();
            bench.write(name, &format!("{text}more\n"));
        }
        Act::Execute if is_file => {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Act::Append | Act::Execute => {}
        Act::Remove if is_there => std::fs::remove_file(&path).unwrap(),
        Act::Remove => {}
        Act::Write(n) | Act::Link(n) => {
            if is_there {
                std::fs::remove_file(&path).unwrap();
            }
            if matches!(act, Act::Link(_)) {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(format!("target {n}"), &path).unwrap();
            } else {
                bench.write(name, &format!("text {n}\n"));
            }
        }
    }
}

/// Does something to a path and perhaps stages it.
fn apply_all(bench: &Bench, acts: &[(usize, Act, bool)], avoid: &Snapshot) {
    for (index, act, stages) in acts {
        let name = NAMES[*index];
        if avoid.contains_key(&RepoPath::from(Path::new(name))) {
            continue;
        }
        apply(bench, name, *act);
        let is_known = !bench.git(&["ls-files", "--", &format!(":(literal){name}")]).is_empty();
        let is_there = std::fs::symlink_metadata(bench.path(name)).is_ok();
        if *stages && (is_known || is_there && !name.ends_with(".log")) {
            bench.git(&["add", "-A", "--", &format!(":(literal){name}")]);
        }
    }
}

/// Returns all entries of a tree or of the index, by path.
fn entries(listing: &str) -> BTreeMap<String, String> {
    let parts = listing.split('\0').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('\t').unwrap()).map(|(a, b)| (b.into(), a.into())).collect()
}

fn tree(bench: &Bench, commit: &str) -> BTreeMap<String, String> {
    let listing = bench.git(&["ls-tree", "-r", "-z", commit]);
    let entries = entries(&listing).into_iter();
    entries.map(|(path, entry)| (path, entry.replace(" blob ", " "))).collect()
}

fn index(bench: &Bench) -> BTreeMap<String, String> {
    let entries = entries(&bench.git(&["ls-files", "-s", "-z"])).into_iter();
    entries.map(|(path, entry)| (path, entry.trim_end_matches(" 0").to_owned())).collect()
}

fn check(
    start: &[(usize, Act, bool)],
    person: &[(usize, Act, bool)],
    phase: &[(usize, Act, bool)],
) {
    let bench = Bench::unborn();
    bench.write(".gitignore", "*.log\n");
    apply_all(&bench, start, &Snapshot::new());
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "start"]);
    apply_all(&bench, person, &Snapshot::new());
    let before = bench.repository().snapshot().unwrap();
    let (head, staged, status) = (tree(&bench, "HEAD"), index(&bench), bench.status());
    let paths = bench.phase(|bench| apply_all(bench, phase, &before));
    for path in paths.keys() {
        assert!(!before.contains_key(path));
    }
    let commit = bench.try_commit(&paths).unwrap();
    // The person's part, staged or not, is as it was, and nothing else is dirty.
    assert_eq!(bench.status(), status);
    let after = tree(&bench, "HEAD");
    let differing = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        let all = a.keys().chain(b.keys()).filter(|path| a.get(*path) != b.get(*path));
        all.cloned().collect::<std::collections::BTreeSet<String>>()
    };
    let named: std::collections::BTreeSet<String> =
        paths.keys().map(|path| path.as_path().to_str().unwrap().to_owned()).collect();
    // A path that was staged and taken back is named, and not changed.
    let committed = differing(&head, &after);
    assert!(committed.is_subset(&named), "{committed:?} {named:?}");
    assert_eq!(commit.is_none(), committed.is_empty());
    // In the index, the phase's paths are the commit's, and the rest did not change.
    let now = index(&bench);
    for path in &named {
        assert_eq!(now.get(path), after.get(path), "{path}");
    }
    for path in differing(&staged, &now) {
        assert!(named.contains(&path), "{path}");
    }
    bench.git(&["fsck", "--strict"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_commit_has_the_phases_paths_and_nothing_of_the_persons(
        start in proptest::collection::vec(act(), 0..10),
        person in proptest::collection::vec(act(), 0..8),
        phase in proptest::collection::vec(act(), 0..8),
    ) {
        check(&start, &person, &phase);
    }
}
