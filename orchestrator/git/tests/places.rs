//! Where a repository is and which state it is in, and what is asked of it.

use super::*;

#[test]
fn all_of_the_repository_counts_from_wherever_below_it() {
    let bench = Bench::new();
    let below = Repository::open(&bench.path("folder")).unwrap().unwrap();
    bench.write("mine", "x\n");
    let before = below.snapshot().unwrap();
    bench.write("a", "two\n");
    bench.write("folder/new", "x\n");
    let mut paths = below.snapshot().unwrap();
    paths.retain(|path, _| !before.contains_key(path));
    let commit = Commit { message: "m\n\nl\n", known_by: "l", since: None, paths: &paths };
    let commit = below.commit_paths(&commit).unwrap().unwrap();
    assert_eq!(bench.changed(&commit), ["M a", "A folder/new"]);
    assert_eq!(bench.status(), ["?? mine"]);
}

#[test]
fn a_worktree_has_an_index_of_its_own() {
    let bench = Bench::new();
    bench.git(&["worktree", "add", "--quiet", "-b", "side", "../tree ü"]);
    bench.write("a", "staged in the clone\n");
    bench.git(&["add", "a"]);
    let tree = bench.top.join("../tree ü");
    let repository = Repository::open(&tree).unwrap().unwrap();
    std::fs::write(tree.join("a"), "two\n").unwrap();
    std::fs::write(tree.join("new"), "x\n").unwrap();
    let paths = repository.snapshot().unwrap();
    let commit = Commit { message: "m\n\nl\n", known_by: "l", since: None, paths: &paths };
    let commit = repository.commit_paths(&commit).unwrap().unwrap();
    assert_eq!(bench.changed(&commit), ["M a", "A new"]);
    assert_eq!(run_git(&tree, &["status", "--porcelain"]), "");
    assert_eq!(bench.status(), ["M  a"]);
    assert_eq!(bench.git(&["rev-list", "--count", "main"]), "1\n");
}

#[test]
fn an_unborn_branch_gets_its_first_commit() {
    let bench = Bench::unborn();
    let repository = bench.repository();
    assert_eq!(repository.head().unwrap(), None);
    assert!(!repository.is_ancestor("0123456").unwrap());
    bench.write("staged", "x\n");
    bench.git(&["add", "staged"]);
    bench.write("loose", "x\n");
    let commit = bench.commit(|bench| bench.write("a", "one\n"));
    assert_eq!(bench.changed(&commit), ["A a"]);
    assert_eq!(bench.status(), ["?? loose", "A  staged"]);
    assert_eq!(repository.head().unwrap(), Some(commit));
    assert_eq!(bench.git(&["branch", "--show-current"]), "main\n");
}

#[test]
fn a_detached_head_moves_on_and_no_branch_does() {
    let bench = Bench::new();
    bench.git(&["checkout", "--quiet", "--detach"]);
    let commit = bench.commit(|bench| bench.write("a", "two\n"));
    assert_eq!(bench.repository().head().unwrap(), Some(commit));
    assert_eq!(bench.git(&["rev-list", "--count", "main"]), "1\n");
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_repository_with_longer_hashes() {
    let bench = Bench::unborn();
    std::fs::remove_dir_all(bench.path(".git")).unwrap();
    bench.git(&["init", "--quiet", "--object-format=sha256"]);
    bench.configure(&bench.top);
    let commit = bench.commit(|bench| bench.write("a", "one\n"));
    assert_eq!(commit.len(), 64);
    assert!(bench.repository().is_ancestor(&commit).unwrap());
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn outside_a_repository_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Repository::open(dir.path()).unwrap().is_none());
}

#[test]
fn ancestors_are_told_from_the_rest() {
    let bench = Bench::new();
    let repository = bench.repository();
    let first = repository.head().unwrap().unwrap();
    let second = bench.commit(|bench| bench.write("a", "two\n"));
    bench.git(&["tag", "-a", "-m", "x", "v1"]);
    let tag = bench.git(&["rev-parse", "v1"]);
    for (id, expected) in [
        (first.as_str(), true),
        (&first[..7], true),
        (&second, true),
        (tag.trim(), true),
        ("0123456789012345678901234567890123456789", false),
        ("", false),
        ("HEAD", false),
        ("main", false),
        ("--help", false),
        ("HEAD^{/x}", false),
        (&bench.git(&["rev-parse", "HEAD:a"]), false),
    ] {
        assert_eq!(repository.is_ancestor(id.trim()).unwrap(), expected, "{id}");
    }
    bench.git(&["reset", "--quiet", "--hard", &first]);
    assert!(!repository.is_ancestor(&second).unwrap());
    bench.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    assert!(!repository.is_ancestor(&first).unwrap());
}

#[test]
fn a_commit_is_known_by_a_whole_line_of_its_message() {
    let bench = Bench::new();
    let repository = bench.repository();
    let first = repository.head().unwrap();
    let made = bench.commit(|bench| bench.write("a", "two\n"));
    let line = "Orchestrator-Attempt: WRK-001/build/1";
    assert_eq!(repository.find_line(line, None).unwrap().as_ref(), Some(&made));
    assert_eq!(repository.find_line(line, first.as_deref()).unwrap().as_ref(), Some(&made));
    assert_eq!(repository.find_line(line, Some(&made)).unwrap(), None);
    let gone = Some("0123456789012345678901234567890123456789");
    assert_eq!(repository.find_line(line, gone).unwrap(), Some(made));
    for other in ["Orchestrator-Attempt: WRK-001/build/", "WRK-001/build/1", ".*", "xyz"] {
        assert_eq!(repository.find_line(other, None).unwrap(), None, "{other}");
    }
}

#[test]
fn what_was_committed_is_not_committed_again() {
    let bench = Bench::new();
    let paths = bench.phase(|bench| bench.write("a", "two\n"));
    let commit = bench.try_commit(&paths).unwrap();
    assert_eq!(bench.try_commit(&paths).unwrap(), commit);
    let paths = bench.phase(|bench| bench.write("a", "three\n"));
    assert_eq!(bench.try_commit(&paths).unwrap(), commit);
    assert_eq!(bench.status(), [" M a"]);
    assert_eq!(bench.git(&["rev-list", "--count", "HEAD"]), "2\n");
}

/// The commit is there, and the process died before the index knew of it.
#[test]
fn the_index_is_brought_into_agreement_after_a_kill() {
    let bench = Bench::new();
    bench.write("staged", "x\n");
    bench.write("b", "mine\n");
    bench.git(&["add", "staged", "b"]);
    let index = std::fs::read(bench.path(".git/index")).unwrap();
    let paths = bench.phase(|bench| {
        bench.write("a", "two\n");
        bench.write("new", "x\n");
        bench.remove("folder/c");
    });
    let commit = bench.try_commit(&paths).unwrap();
    let expected = bench.status();
    std::fs::write(bench.path(".git/index"), index).unwrap();
    assert_ne!(bench.status(), expected);
    assert_eq!(bench.try_commit(&paths).unwrap(), commit);
    assert_eq!(bench.status(), expected);
    assert_eq!(expected, ["A  staged", "M  b"]);
}

#[test]
fn nothing_of_ours_stays_behind() {
    let bench = Bench::new();
    let old = bench.path(".git/orchestrator-index-left");
    std::fs::write(&old, "").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(48 * 3600);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    bench.commit(|bench| bench.write("a", "two\n"));
    let names = std::fs::read_dir(bench.path(".git")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ours: Vec<String> = names.filter(|name| name.starts_with("orchestrator")).collect();
    assert_eq!(ours, [""; 0]);
}
