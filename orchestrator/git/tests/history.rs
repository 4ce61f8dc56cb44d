//! What was ever added, and what commits are called.

use super::*;

#[test]
fn all_refs_are_looked_at() {
    let bench = Bench::unborn();
    assert_eq!(bench.repository().added_paths().unwrap(), []);
    assert_eq!(bench.repository().subjects().unwrap(), [""; 0]);
    bench.write("one", "1\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "first ü\n\nbody"]);
    bench.git(&["checkout", "--quiet", "-b", "side"]);
    bench.write("side ü\nline", "same\nsame\nsame\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "on the side"]);
    bench.git(&["mv", "side ü\nline", "moved"]);
    bench.git(&["commit", "--quiet", "-m", "moved"]);
    bench.git(&["rm", "--quiet", "moved"]);
    bench.git(&["commit", "--quiet", "-m", "gone"]);
    bench.git(&["tag", "only-here"]);
    bench.git(&["checkout", "--quiet", "main"]);
    bench.git(&["branch", "--quiet", "-D", "side"]);
    let repository = bench.repository();
    let paths: Vec<_> = repository.added_paths().unwrap().into_iter().collect();
    let paths: Vec<&Path> = paths.iter().map(RepoPath::as_path).collect();
    assert_eq!(paths, ["moved", "one", "side ü\nline"].map(Path::new));
    let mut subjects = repository.subjects().unwrap();
    subjects.sort();
    assert_eq!(subjects, ["first ü", "gone", "moved", "on the side"]);
}

#[test]
fn what_only_a_merge_added_is_there() {
    let bench = Bench::new();
    bench.git(&["checkout", "--quiet", "-b", "side"]);
    bench.git(&["commit", "--quiet", "--allow-empty", "-m", "side"]);
    bench.git(&["checkout", "--quiet", "main"]);
    bench.git(&["commit", "--quiet", "--allow-empty", "-m", "main"]);
    bench.git(&["merge", "--quiet", "--no-commit", "--no-ff", "side"]);
    bench.write("in the merge", "1\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "merged"]);
    let paths = bench.repository().added_paths().unwrap();
    assert!(paths.iter().any(|path| path.as_path() == Path::new("in the merge")), "{paths:?}");
}

#[test]
fn a_shallow_clone_is_known_as_one() {
    let bench = Bench::new();
    bench.git(&["commit", "--quiet", "--allow-empty", "-m", "second"]);
    assert!(!bench.repository().is_shallow().unwrap());
    let clone = bench.top.with_file_name("shallow");
    let url = format!("file://{}", bench.top.display());
    bench.git(&["clone", "--quiet", "--depth=1", &url, clone.to_str().unwrap()]);
    let shallow = Repository::open(&clone).unwrap().unwrap();
    assert!(shallow.is_shallow().unwrap());
    assert_eq!(shallow.subjects().unwrap(), ["second"]);
}
