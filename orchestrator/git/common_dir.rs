//! Finds the repository of a folder, and its common directory, by reading files.
//!
//! Looks upwards for `.git`, as git does: a folder, or a file that names one (a
//! worktree, a submodule). The common directory is what `commondir` in there
//! names, else the git directory itself; all worktrees of a clone share it. A
//! `.git` folder that is no repository is passed by, as git does it; a `.git` file
//! that leads nowhere is an error, for git too. In a bare repository, or inside a
//! `.git` folder, there is no work tree, so nothing is found. The environment is
//! not read: neither `GIT_DIR` nor `GIT_CEILING_DIRECTORIES`, so that every process
//! on a folder gets the same answer. Nor is `core.worktree`.

use std::path::{Path, PathBuf};

use super::GitError;
use crate::fs::{self, Kind};

/// The longest pointer file that is read, in bytes; a path is at most 4 KiB.
const POINTER_MAX: u64 = 64 * 1024;

/// A work tree and its repository. All paths are absolute, with links resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The top folder of the work tree.
    pub work_tree: PathBuf,
    /// What belongs to this work tree alone: HEAD, the index.
    pub git_dir: PathBuf,
    /// What all worktrees of the clone share: objects, branches.
    pub common_dir: PathBuf,
}

/// Finds the work tree that the folder `start` lies in; `None` where there is
/// none. Where they are nested, the innermost counts.
///
/// # Errors
/// [`GitError::BadPointer`] and [`GitError::DanglingPointer`] for a `.git` file
/// that leads nowhere; [`GitError::File`] where something cannot be read, or
/// `start` lies in a folder that does not exist.
pub fn find(start: &Path) -> Result<Option<Checkout>, GitError> {
    let start = fs::resolve(start)?;
    for dir in start.ancestors() {
        let dot_git = dir.join(".git");
        let found = match fs::stamp(&dot_git)?.map(|stamp| stamp.kind) {
            Some(Kind::Dir) => as_repository(&dot_git)?,
            Some(Kind::File) => Some(follow_git_file(&dot_git)?),
            _ => None,
        };
        if let Some((git_dir, common_dir)) = found {
            return Ok(Some(Checkout { work_tree: dir.to_owned(), git_dir, common_dir }));
        }
        if as_repository(dir)?.is_some() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Returns the git directory and the common directory, where `dir` is a git
/// directory: it has a HEAD, and its common directory has objects and refs.
fn as_repository(dir: &Path) -> Result<Option<(PathBuf, PathBuf)>, GitError> {
    if fs::stamp(&dir.join("HEAD"))?.is_none_or(|head| head.kind != Kind::File) {
        return Ok(None);
    }
    let git_dir = fs::resolve(dir)?;
    let common_dir = common_dir_of(&git_dir)?;
    for part in ["objects", "refs"] {
        if fs::stamp(&common_dir.join(part))?.is_none_or(|part| part.kind != Kind::Dir) {
            return Ok(None);
        }
    }
    Ok(Some((git_dir, common_dir)))
}

fn common_dir_of(git_dir: &Path) -> Result<PathBuf, GitError> {
    let pointer = git_dir.join("commondir");
    if fs::stamp(&pointer)?.is_none() {
        return Ok(git_dir.to_owned());
    }
    let names = path_in(&pointer, b"")?;
    resolve_pointer(&pointer, git_dir.join(&names), names)
}

fn follow_git_file(dot_git: &Path) -> Result<(PathBuf, PathBuf), GitError> {
    // Git takes the path from where the name `.git` stands, also where that name
    // is a link.
    let names = path_in(dot_git, b"gitdir: ")?;
    let git_dir = resolve_pointer(dot_git, dot_git.with_file_name(&names), names.clone())?;
    as_repository(&git_dir)?
        .ok_or_else(|| GitError::DanglingPointer { path: dot_git.to_owned(), names })
}

fn resolve_pointer(pointer: &Path, to: PathBuf, names: PathBuf) -> Result<PathBuf, GitError> {
    match fs::resolve(&to) {
        Ok(path) => Ok(path),
        Err(error) if error.is_not_found() => {
            Err(GitError::DanglingPointer { path: pointer.to_owned(), names })
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads the path that a pointer file holds behind `prefix`.
fn path_in(pointer: &Path, prefix: &[u8]) -> Result<PathBuf, GitError> {
    let bad = |reason| GitError::BadPointer { path: pointer.to_owned(), reason };
    if fs::stamp(pointer)?.is_some_and(|stamp| stamp.len > POINTER_MAX) {
        return Err(bad("the file is too large"));
    }
    let text = fs::read(pointer)?;
    let path = text.strip_prefix(prefix).ok_or_else(|| bad("it does not start with `gitdir: `"))?;
    let end = path.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
    let Some(end) = end else {
        return Err(bad("the path is empty"));
    };
    let path = &path[..=end];
    if path.iter().any(|byte| matches!(byte, 0 | b'\n')) {
        return Err(bad("more than one line"));
    }
    path_from(path).ok_or_else(|| bad("the path is not UTF-8"))
}

#[cfg(unix)]
fn path_from(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn path_from(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A folder for repositories, with its links resolved.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::resolve(dir.path()).unwrap();
        (dir, path)
    }

    /// Runs git without the configuration of whoever runs the tests.
    fn git(dir: &Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        for (key, _) in std::env::vars_os() {
            if key.to_str().is_some_and(|key| key.starts_with("GIT_")) {
                command.env_remove(key);
            }
        }
        let output = command
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(["-c", "user.name=n", "-c", "user.email=e@example.org"])
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn repository(path: &Path) {
        fs::create_dir_all(path).unwrap();
        git(path, &["init", "--quiet"]);
        git(path, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    }

    /// Asks git itself for what [`find`] is to find.
    fn as_git_says(dir: &Path) -> Checkout {
        let ask = |what: &str| {
            let answer = git(dir, &["rev-parse", "--path-format=absolute", what]);
            fs::resolve(Path::new(answer.trim_end())).unwrap()
        };
        Checkout {
            work_tree: ask("--show-toplevel"),
            git_dir: ask("--git-dir"),
            common_dir: ask("--git-common-dir"),
        }
    }

    fn found(dir: &Path) -> Checkout {
        let checkout = find(dir).unwrap().unwrap();
        assert_eq!(checkout, as_git_says(dir));
        checkout
    }

    #[test]
    fn a_plain_repository_from_its_top_and_below() {
        let (_dir, top) = folder();
        let clone = top.join("a clone — ü");
        repository(&clone);
        let checkout = found(&clone);
        assert_eq!(checkout.work_tree, clone);
        assert_eq!(checkout.common_dir, clone.join(".git"));
        let below = clone.join("docs/deep");
        fs::create_dir_all(&below).unwrap();
        assert_eq!(found(&below), checkout);
        assert_eq!(find(&top).unwrap(), None);
    }

    #[test]
    fn worktrees_share_one_common_dir() {
        let (_dir, top) = folder();
        let clone = top.join("clone");
        repository(&clone);
        git(&clone, &["worktree", "add", "--quiet", "../other"]);
        git(&clone, &["worktree", "add", "--quiet", "inside"]);
        for worktree in [top.join("other"), clone.join("inside")] {
            let checkout = found(&worktree);
            assert_eq!(checkout.work_tree, worktree);
            assert_eq!(checkout.common_dir, clone.join(".git"));
            assert_ne!(checkout.git_dir, checkout.common_dir);
        }
    }

    #[test]
    fn a_relative_git_file_is_taken_from_its_folder() {
        let (_dir, top) = folder();
        let clone = top.join("clone");
        repository(&clone);
        git(&clone, &["worktree", "add", "--quiet", "../other"]);
        let git_file = top.join("other/.git");
        fs::replace(&git_file, b"gitdir: ../clone/.git/worktrees/other\r\n").unwrap();
        let checkout = find(&top.join("other")).unwrap().unwrap();
        assert_eq!(checkout.git_dir, clone.join(".git/worktrees/other"));
        assert_eq!(checkout.common_dir, clone.join(".git"));
    }

    #[test]
    fn a_submodule_has_a_common_dir_of_its_own() {
        let (_dir, top) = folder();
        repository(&top.join("library"));
        let clone = top.join("clone");
        repository(&clone);
        git(&clone, &["submodule", "--quiet", "add", "../library", "sub"]);
        let checkout = found(&clone.join("sub"));
        assert_eq!(checkout.work_tree, clone.join("sub"));
        assert_eq!(checkout.common_dir, clone.join(".git/modules/sub"));
        assert_eq!(found(&clone).common_dir, clone.join(".git"));
    }

    #[test]
    fn a_worktree_of_a_bare_repository() {
        let (_dir, top) = folder();
        repository(&top.join("clone"));
        git(&top, &["clone", "--quiet", "--bare", "clone", "bare"]);
        let bare = top.join("bare");
        git(&bare, &["worktree", "add", "--quiet", "../tree"]);
        assert_eq!(found(&top.join("tree")).common_dir, bare);
    }

    #[test]
    fn without_a_work_tree_there_is_none() {
        let (_dir, top) = folder();
        let clone = top.join("clone");
        repository(&clone);
        git(&clone, &["clone", "--quiet", "--bare", ".", "bare"]);
        for dir in ["bare", "bare/refs", ".git", ".git/objects"] {
            assert_eq!(find(&clone.join(dir)).unwrap(), None, "{dir}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        use std::os::unix::fs::symlink;
        let (_dir, top) = folder();
        let clone = top.join("clone");
        repository(&clone);
        fs::create_dir_all(&clone.join("docs")).unwrap();
        symlink("clone/docs", top.join("docs")).unwrap();
        assert_eq!(found(&top.join("docs")).work_tree, clone);
        fs::rename(&clone.join(".git"), &top.join("store")).unwrap();
        symlink("../store", clone.join(".git")).unwrap();
        assert_eq!(found(&clone).common_dir, top.join("store"));
    }

    #[test]
    fn a_git_folder_that_is_none_is_passed_by() {
        let (_dir, top) = folder();
        repository(&top);
        let below = top.join("below");
        fs::create_dir_all(&below.join(".git/objects")).unwrap();
        assert_eq!(found(&below).work_tree, top);
        fs::create_new(&below.join(".git/HEAD"), b"ref: refs/heads/main\n").unwrap();
        assert_eq!(found(&below).work_tree, top);
    }

    #[test]
    fn a_git_file_that_leads_nowhere_is_an_error() {
        let (_dir, top) = folder();
        let below = top.join("below");
        fs::create_dir_all(&below).unwrap();
        let git_file = below.join(".git");
        let large = [b"gitdir: ".as_slice(), &[b'x'; 70_000]].concat();
        let garbage: [&[u8]; 7] = [
            b"",
            b"gitdir: ",
            b"gitdir: \n\n",
            b"\xff\xfe\0garbage",
            b"gitdir: a\nb\n",
            b"gitdir: a\0b",
            &large,
        ];
        for text in garbage {
            fs::replace(&git_file, text).unwrap();
            let error = find(&below).unwrap_err();
            assert!(matches!(error, GitError::BadPointer { .. }), "{error}");
        }
        for text in ["gitdir: ../none/deeper", "gitdir: none", "gitdir: /"] {
            fs::replace(&git_file, text.as_bytes()).unwrap();
            let error = find(&below).unwrap_err();
            assert!(matches!(error, GitError::DanglingPointer { .. }), "{error}");
        }
    }

    #[test]
    fn a_worktree_whose_clone_is_damaged_is_an_error() {
        let (_dir, top) = folder();
        let clone = top.join("clone");
        repository(&clone);
        git(&clone, &["worktree", "add", "--quiet", "../other"]);
        let pointer = clone.join(".git/worktrees/other/commondir");
        fs::replace(&pointer, b"\n").unwrap();
        let error = find(&top.join("other")).unwrap_err();
        assert!(matches!(error, GitError::BadPointer { .. }), "{error}");
        fs::replace(&pointer, b"../../none/none\n").unwrap();
        let error = find(&top.join("other")).unwrap_err();
        assert!(matches!(error, GitError::DanglingPointer { .. }), "{error}");
        fs::rename(&clone, &top.join("moved")).unwrap();
        let error = find(&top.join("other")).unwrap_err();
        assert!(matches!(error, GitError::DanglingPointer { .. }), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let (_dir, top) = folder();
        assert!(find(&top.join("none/none")).is_err());
    }
}
