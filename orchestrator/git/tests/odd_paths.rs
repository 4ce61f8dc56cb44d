//! Paths: what they are called, what lies at them and what becomes of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn only_the_phases_paths_and_what_a_person_staged_stays_staged() {
    let bench = Bench::new();
    bench.write("a", "staged\n");
    bench.git(&["add", "a"]);
    bench.write("a", "and on\n");
    bench.write("staged-new", "x\n");
    bench.git(&["add", "staged-new"]);
    bench.write("loose", "x\n");
    let before = bench.status();
    let commit = bench.commit(|bench| {
        bench.write("b", "two\n");
        bench.write("new/d", "x\n");
    });
    assert_eq!(bench.changed(&commit), ["M b", "A new/d"]);
    assert_eq!(bench.status(), before);
    assert_eq!(bench.git(&["show", ":a"]), "staged\n");
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "[WRK-001][build] Done\n");
    let trailer = ["log", "-1", "--format=%(trailers:key=Orchestrator-Attempt,valueonly)"];
    assert_eq!(bench.git(&trailer).trim(), "WRK-001/build/1");
}

#[test]
fn names_of_every_kind() {
    let names: &[&[u8]] = &[
        b"with space",
        b" leading and trailing ",
        "Häuschen/Zoë — 日本".as_bytes(),
        b"line\nbreak",
        b"tab\tand\"quote\"\\",
        b"latin-1 \xfc\xff",
        b"-rf",
        b"--",
        b":(glob)*",
        b"*",
        b"[a]",
        b"?x",
        b"1 .M N... 100644",
        b"back\\slash",
        b"100%",
        b"\x01control",
    ];
    let bench = Bench::new();
    let mut paths = bench.phase(|bench| {
        for name in names {
            bench.write(OsStr::from_bytes(name), "x\n");
        }
    });
    assert_eq!(paths.len(), names.len());
    let json = serde_json::to_string(&paths).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), paths);
    bench.try_commit(&paths).unwrap().unwrap();
    assert_eq!(bench.status(), [""; 0]);
    let tracked = Command::new("git").args(["ls-files", "-z"]).current_dir(&bench.top).output();
    let tracked = tracked.unwrap().stdout;
    for name in names {
        assert!(tracked.split(|byte| *byte == 0).any(|path| path == *name), "{name:?}");
    }
    paths = bench.phase(|bench| {
        for name in names {
            bench.remove(OsStr::from_bytes(name));
        }
    });
    assert_eq!(paths.len(), names.len());
    let message = "again\n\nanother line\n";
    let commit = Commit { message, known_by: "another line", since: None, paths: &paths };
    bench.repository().commit_paths(&commit).unwrap().unwrap();
    assert_eq!(bench.git(&["ls-files"]), "a\nb\nfolder/c\n");
}

#[test]
fn renames_in_the_tree_and_in_the_index() {
    let bench = Bench::new();
    let commit = bench.commit(|bench| {
        std::fs::rename(bench.path("a"), bench.path("a new name")).unwrap();
        bench.git(&["mv", "folder/c", "folder/ç"]);
    });
    let changed = bench.changed(&commit);
    assert_eq!(changed, ["D a", "A a new name", "D folder/c", "A folder/ç"]);
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_rename_that_a_person_staged_stays_staged() {
    let bench = Bench::new();
    bench.git(&["mv", "a", "moved"]);
    let commit = bench.commit(|bench| bench.write("b", "two\n"));
    assert_eq!(bench.changed(&commit), ["M b"]);
    assert_eq!(bench.status(), ["A  moved", "D  a"]);
}

#[test]
fn deletions_in_the_tree_and_in_the_index() {
    let bench = Bench::new();
    let commit = bench.commit(|bench| {
        bench.remove("a");
        bench.git(&["rm", "--quiet", "folder/c"]);
        bench.git(&["rm", "--quiet", "--cached", "b"]);
    });
    // What is out of the index alone is still there.
    assert_eq!(bench.changed(&commit), ["D a", "D folder/c"]);
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_file_becomes_a_folder_and_a_folder_a_file() {
    let bench = Bench::new();
    let commit = bench.commit(|bench| {
        bench.remove("a");
        bench.write("a/inner", "x\n");
        std::fs::remove_dir_all(bench.path("folder")).unwrap();
        bench.write("folder", "x\n");
    });
    assert_eq!(bench.changed(&commit), ["D a", "A a/inner", "A folder", "D folder/c"]);
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_folder_becomes_a_link_to_one_with_the_same_names() {
    let bench = Bench::new();
    bench.write("other/c", "one\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "second"]);
    let commit = bench.commit(|bench| {
        std::fs::remove_dir_all(bench.path("folder")).unwrap();
        symlink("other", bench.path("folder")).unwrap();
    });
    assert_eq!(bench.changed(&commit), ["A folder", "D folder/c"]);
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn modes_and_links() {
    let bench = Bench::new();
    symlink("a", bench.path("link")).unwrap();
    symlink("nowhere", bench.path("dangling")).unwrap();
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "links"]);
    let commit = bench.commit(|bench| {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bench.path("a"), mode).unwrap();
        bench.remove("link");
        symlink("b", bench.path("link")).unwrap();
        bench.remove("b");
        symlink("folder", bench.path("b")).unwrap();
        bench.remove("dangling");
        bench.write("dangling", "a file\n");
    });
    assert_eq!(bench.changed(&commit), ["M a", "T b", "T dangling", "M link"]);
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn a_dirty_path_that_becomes_another_is_told_apart() {
    let bench = Bench::new();
    symlink("a", bench.path("link")).unwrap();
    bench.write("b", "mine\n");
    bench.write("loose", "mine\n");
    let before = bench.repository().snapshot().unwrap();
    assert_eq!(bench.repository().snapshot().unwrap(), before);
    for act in [
        (|bench: &Bench| bench.write("b", "nine\n")) as fn(&Bench),
        |bench| bench.remove("loose"),
        |bench| {
            bench.remove("link");
            symlink("b", bench.path("link")).unwrap();
        },
        |bench| {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(bench.path("b"), mode).unwrap();
        },
        |bench| bench.remove("b"),
    ] {
        let before = bench.repository().snapshot().unwrap();
        act(&bench);
        assert_ne!(bench.repository().snapshot().unwrap(), before);
    }
    // What is only staged has not changed.
    let before = bench.repository().snapshot().unwrap();
    bench.git(&["add", "link"]);
    assert_eq!(bench.repository().snapshot().unwrap(), before);
}

#[test]
fn what_an_agent_staged_is_committed_as_it_is_in_the_tree() {
    let bench = Bench::new();
    let commit = bench.commit(|bench| {
        bench.write("a", "first try\n");
        bench.write("new", "first try\n");
        bench.git(&["add", "-A"]);
        bench.write("a", "second try\n");
        bench.remove("new");
        bench.write("later", "x\n");
        bench.git(&["add", "--intent-to-add", "later"]);
        bench.write("b", "staged and taken back\n");
        bench.git(&["add", "b"]);
        bench.write("b", "one\n");
    });
    assert_eq!(bench.changed(&commit), ["M a", "A later"]);
    assert_eq!(bench.git(&["show", "HEAD:a"]), "second try\n");
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn ignored_files_are_never_committed() {
    let bench = Bench::new();
    bench.write(".gitignore", "*.log\n/build/\n");
    bench.git(&["add", "-A"]);
    bench.git(&["commit", "--quiet", "-m", "ignore"]);
    let commit = bench.commit(|bench| {
        bench.write("x.log", "x\n");
        bench.write("build/out", "x\n");
        bench.write("src", "x\n");
    });
    assert_eq!(bench.changed(&commit), ["A src"]);
}

#[test]
fn submodules_and_other_repositories_are_left_alone() {
    let bench = Bench::new();
    let library = Bench::new();
    let from = library.top.to_str().unwrap();
    bench.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "sub"]);
    bench.git(&["commit", "--quiet", "-m", "submodule"]);
    bench.configure(&bench.path("sub"));
    let commit = bench.commit(|bench| {
        bench.write("sub/a", "dirty\n");
        run_git(&bench.path("sub"), &["commit", "--quiet", "-a", "-m", "inside"]);
        bench.write("sub/loose", "x\n");
        bench.git(&["init", "--quiet", "nested"]);
        bench.write("nested/file", "x\n");
        bench.write("a", "two\n");
    });
    assert_eq!(bench.changed(&commit), ["M a"]);
    assert_eq!(bench.status(), [" M sub", "?? nested/"]);
}

#[test]
fn what_is_the_same_once_it_is_filtered_is_no_commit() {
    let bench = Bench::new();
    bench.git(&["config", "core.autocrlf", "true"]);
    bench.write("a", "one\r\n");
    // Git itself shows it as changed, by its length.
    let paths = bench.phase(|bench| bench.write("b", "one\r\n"));
    assert_eq!(paths.len(), 1);
    assert_eq!(bench.try_commit(&paths).unwrap(), None);
    assert_eq!(bench.git(&["rev-list", "--count", "HEAD"]), "1\n");
}

#[test]
fn a_pipe_where_a_file_was_is_an_error_and_nothing_waits_for_it() {
    let bench = Bench::new();
    let paths = bench.phase(|bench| {
        bench.remove("a");
        let made = Command::new("mkfifo").arg(bench.path("a")).status().unwrap();
        assert!(made.success());
    });
    assert_eq!(paths.values().collect::<Vec<_>>(), [&Content::Other]);
    let error = bench.try_commit(&paths).unwrap_err();
    assert!(matches!(error, GitError::Failed { command: "update-index", .. }), "{error}");
}

#[test]
fn thousands_of_paths_are_no_trouble() {
    let bench = Bench::new();
    let paths = bench.phase(|bench| {
        for n in 0..5_000 {
            bench.write(format!("many/{n} — {}", "long ".repeat(8)), "");
        }
    });
    assert_eq!(paths.len(), 5_000);
    bench.try_commit(&paths).unwrap().unwrap();
    assert_eq!(bench.status(), [""; 0]);
}

#[test]
fn settings_of_a_person_change_nothing() {
    let bench = Bench::new();
    for (name, value) in [
        ("status.showUntrackedFiles", "no"),
        ("status.renames", "copies"),
        ("status.relativePaths", "true"),
        ("core.quotePath", "true"),
        ("color.ui", "always"),
        ("diff.noprefix", "true"),
        ("diff.renames", "copies"),
        ("diff.external", "false"),
        ("log.showSignature", "true"),
        ("log.decorate", "full"),
        ("commit.cleanup", "strip"),
        ("commit.verbose", "true"),
        ("commit.template", "nowhere"),
        ("core.commentChar", "["),
        ("core.pager", "false"),
        ("core.editor", "false"),
    ] {
        bench.git(&["config", name, value]);
    }
    let commit = bench.commit(|bench| {
        std::fs::rename(bench.path("a"), bench.path("ä")).unwrap();
        bench.write("new/ö", "x\n");
    });
    let subject = bench.git(&["log", "-1", "--no-show-signature", "--format=%s"]);
    assert_eq!(subject, "[WRK-001][build] Done\n");
    let found = bench.repository().find_line("Orchestrator-Attempt: WRK-001/build/1", None);
    assert_eq!(found.unwrap(), Some(commit));
    assert_eq!(bench.git(&["status", "--porcelain", "-uall"]), "");
}
