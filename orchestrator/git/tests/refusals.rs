//! What hinders a commit, and what hooks and other programs do to one.

use std::time::Duration;

use super::*;

/// Makes a commit on a branch `side` that conflicts with one on `main`, and goes
/// back to `main`.
fn diverge(bench: &Bench) {
    bench.git(&["checkout", "--quiet", "-b", "side"]);
    bench.write("a", "side\n");
    bench.git(&["commit", "--quiet", "-am", "side"]);
    bench.git(&["checkout", "--quiet", "main"]);
    bench.write("a", "main\n");
    bench.git(&["commit", "--quiet", "-am", "main"]);
}

/// Runs git where it is to stop at a conflict.
fn conflict(bench: &Bench, args: &[&str]) {
    let output = Command::new("git").current_dir(&bench.top).args(args).output().unwrap();
    assert!(!output.status.success(), "git {args:?}");
}

#[track_caller]
fn refused(bench: &Bench, why: &str) {
    let head = bench.repository().head().unwrap();
    let paths = bench.phase(|bench| bench.write("new", "x\n"));
    let error = bench.try_commit(&paths).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert_eq!(bench.repository().head().unwrap(), head);
    assert!(bench.status().contains(&"?? new".to_owned()));
}

#[test]
fn during_a_merge() {
    let bench = Bench::new();
    diverge(&bench);
    conflict(&bench, &["merge", "side"]);
    refused(&bench, "a merge is under way");
}

#[test]
fn during_a_rebase() {
    let bench = Bench::new();
    diverge(&bench);
    conflict(&bench, &["rebase", "side"]);
    refused(&bench, "a rebase is under way");
    bench.git(&["rebase", "--abort"]);
    conflict(&bench, &["rebase", "--apply", "side"]);
    refused(&bench, "a rebase is under way");
}

#[test]
fn during_a_cherry_pick_and_a_revert() {
    let bench = Bench::new();
    diverge(&bench);
    conflict(&bench, &["cherry-pick", "side"]);
    refused(&bench, "a cherry-pick is under way");
    bench.git(&["cherry-pick", "--abort"]);
    conflict(&bench, &["revert", "--no-edit", "side"]);
    refused(&bench, "a revert is under way");
}

#[test]
fn during_a_bisection_in_a_worktree() {
    let bench = Bench::new();
    bench.git(&["worktree", "add", "--quiet", "../tree"]);
    let tree = bench.top.join("../tree");
    run_git(&tree, &["bisect", "start"]);
    let repository = Repository::open(&tree).unwrap().unwrap();
    std::fs::write(tree.join("new"), "x\n").unwrap();
    let paths = repository.snapshot().unwrap();
    let commit = Commit { message: "m\n\nl\n", known_by: "l", since: None, paths: &paths };
    let error = repository.commit_paths(&commit).unwrap_err();
    assert!(matches!(error, GitError::UnderWay { operation: "a bisection" }), "{error}");
    bench.commit(|bench| bench.write("a", "two\n"));
}

#[test]
fn a_conflict_that_nobody_resolved() {
    let bench = Bench::new();
    let paths = bench.phase(|bench| {
        bench.write("a", "stashed\n");
        bench.git(&["stash", "--quiet"]);
        bench.write("a", "committed\n");
        bench.git(&["commit", "--quiet", "-am", "x"]);
        conflict(bench, &["stash", "pop"]);
    });
    let error = bench.try_commit(&paths).unwrap_err();
    assert!(matches!(&error, GitError::Unmerged { path } if path.to_string() == "a"), "{error}");
    // Elsewhere, it is nobody's business.
    let commit = bench.commit(|bench| bench.write("b", "two\n"));
    assert_eq!(bench.changed(&commit), ["M b"]);
    assert_eq!(bench.status(), ["UU a"]);
}

#[test]
fn nobody_to_commit_as() {
    let bench = Bench::new();
    bench.git(&["config", "user.name", ""]);
    refused(&bench, "empty ident name");
}

#[test]
fn a_hook_that_refuses_is_quoted() {
    let bench = Bench::new();
    bench.hook("pre-commit", "echo checking >&2; echo 'Bitte erst prüfen' >&2; exit 1");
    refused(&bench, "checking; Bitte erst prüfen");
    bench.remove(".git/hooks/pre-commit");
    bench.remove("new");
    bench.hook("commit-msg", "grep -q JIRA \"$1\" || { echo no ticket; exit 1; }");
    refused(&bench, "no ticket");
}

#[test]
fn hooks_run_with_what_is_to_be_committed() {
    let bench = Bench::new();
    bench.write("staged", "x\n");
    bench.git(&["add", "staged"]);
    bench.hook(
        "pre-commit",
        "git diff --cached --name-only > seen; read -r line && exit 1\necho formatted > b; echo x > made; git add b made",
    );
    bench.hook("prepare-commit-msg", "printf '\\nSigned: hook\\n' >> \"$1\"");
    bench.hook("post-commit", "git rev-parse HEAD > .git/told");
    let commit = bench.commit(|bench| bench.write("b", "two\n"));
    assert_eq!(std::fs::read_to_string(bench.path("seen")).unwrap(), "b\n");
    assert_eq!(std::fs::read_to_string(bench.path(".git/told")).unwrap().trim(), commit);
    assert_eq!(bench.changed(&commit), ["M b", "A made"]);
    assert!(bench.git(&["log", "-1", "--format=%b"]).contains("Signed: hook"));
    assert_eq!(bench.git(&["show", "HEAD:b"]), "formatted\n");
    assert_eq!(bench.status(), ["?? seen", "A  staged"]);
}

#[test]
fn an_index_that_another_program_has_locked() {
    let bench = Bench::new();
    let lock = bench.path(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let paths = bench.phase(|bench| bench.write("b", "two\n"));
    let commit = Commit { message: "m\n\nl\n", known_by: "l", since: None, paths: &paths };
    let hasty = bench.repository().with_lock_wait(Duration::from_millis(100));
    let error = hasty.commit_paths(&commit).unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("index.lock"), "{error}");
    assert_eq!(bench.git(&["rev-list", "--count", "HEAD"]), "1\n");
    let patient = bench.repository().with_lock_wait(Duration::from_secs(120));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            std::fs::remove_file(&lock).unwrap();
        });
        patient.commit_paths(&commit).unwrap().unwrap();
    });
    assert_eq!(bench.status(), [""; 0]);
}

/// The lock is taken while the commit is made, and the index is behind it then.
#[test]
fn an_index_that_is_locked_once_the_commit_is_there() {
    let bench = Bench::new();
    bench.hook("post-commit", "touch .git/index.lock");
    let paths = bench.phase(|bench| bench.write("b", "two\n"));
    let commit = Commit { message: "m\n\nl\n", known_by: "l", since: None, paths: &paths };
    let hasty = bench.repository().with_lock_wait(Duration::from_millis(100));
    assert!(matches!(hasty.commit_paths(&commit), Err(GitError::Locked { .. })));
    bench.remove(".git/index.lock");
    assert_eq!(bench.repository().commit_paths(&commit).unwrap(), hasty.head().unwrap());
    assert_eq!(bench.git(&["rev-list", "--count", "HEAD"]), "2\n");
    assert_eq!(bench.status(), [""; 0]);
}

/// A commit beside us, once, by plumbing that touches neither index nor tree.
const COMMIT_BESIDE: &str = "test -e .git/done || { touch .git/done; \
    blob=$(echo theirs | git hash-object -w --stdin); \
    export GIT_INDEX_FILE=.git/theirs; git read-tree HEAD; \
    git update-index --add --cacheinfo 100644,$blob,theirs; \
    git update-ref HEAD $(git commit-tree -p HEAD -m theirs $(git write-tree)); \
    unset GIT_INDEX_FILE; git read-tree HEAD; git checkout-index -f -q -- theirs; }";

#[test]
fn a_commit_that_somebody_makes_during_ours_is_kept() {
    let bench = Bench::new();
    bench.hook("pre-commit", COMMIT_BESIDE);
    let commit = bench.commit(|bench| bench.write("b", "two\n"));
    assert_eq!(bench.changed(&commit), ["M b"]);
    assert_eq!(bench.git(&["log", "-2", "--format=%s"]), "[WRK-001][build] Done\ntheirs\n");
    assert_eq!(bench.git(&["show", "HEAD:theirs"]), "theirs\n");
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_commit_that_somebody_makes_just_before_ours_is_not_taken_back() {
    let bench = Bench::new();
    bench.write(".gitattributes", "b filter=beside\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "attributes"]);
    // It runs when the changes are gathered, after the last commit was looked up.
    let script = format!("#!/bin/sh\n(unset GIT_INDEX_FILE; {COMMIT_BESIDE}) >&2\ncat\n");
    std::fs::write(bench.path(".git/beside"), script).unwrap();
    let paths = bench.phase(|bench| bench.write("b", "two\n"));
    bench.git(&["config", "filter.beside.clean", "sh .git/beside"]);
    let commit = bench.try_commit(&paths).unwrap().unwrap();
    assert_eq!(bench.changed(&commit), ["M b"]);
    assert_eq!(bench.git(&["log", "-2", "--format=%s"]), "[WRK-001][build] Done\ntheirs\n");
    assert_eq!(bench.git(&["show", "HEAD:theirs"]), "theirs\n");
}
