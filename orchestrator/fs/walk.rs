//! All that lies in a folder, at any depth.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::FsError;
use super::read::{Kind, Stamp, list, stamp};

/// What lies at a path that [`walk`] came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// The folder that was walked, and the way from there.
    pub path: PathBuf,
    /// What it is, links followed; `None` for a link to nothing.
    pub stamp: Option<Stamp>,
}

/// Lists all files of a folder and those below, sorted by folder and name; a file
/// stands for itself. Folders are not listed themselves. Links are followed, and no
/// folder is entered twice; those called `.git` are left out.
///
/// # Errors
/// Where a folder cannot be listed, or there is nothing at `root`.
pub fn walk(root: &Path) -> Result<Vec<Walked>, FsError> {
    let here = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let mut found = Vec::new();
    if let Some(file) = stamp(here)?.filter(|stamp| stamp.kind != Kind::Dir) {
        found.push(Walked { path: root.to_owned(), stamp: Some(file) });
        return Ok(found);
    }
    let mut entered = HashSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let place = if folder.as_os_str().is_empty() { here } else { &folder };
        let identity = stamp(place)?.map(|stamp| (stamp.dev, stamp.ino));
        // Outside Unix there is nothing to tell a folder by, and links are rare.
        if identity.is_some_and(|identity| identity != (0, 0) && !entered.insert(identity)) {
            continue;
        }
        let mut below = Vec::new();
        for entry in list(place)? {
            let path = folder.join(&entry.name);
            match stamp_of_link(&path)? {
                Some(stamp) if stamp.kind == Kind::Dir => {
                    if entry.name != ".git" {
                        below.push(path);
                    }
                }
                stamp => found.push(Walked { path, stamp }),
            }
        }
        folders.extend(below.into_iter().rev());
    }
    Ok(found)
}

/// A link in a circle leads nowhere, too.
fn stamp_of_link(path: &Path) -> Result<Option<Stamp>, FsError> {
    match stamp(path) {
        #[cfg(unix)]
        Err(error) if error.io().raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            Ok(None)
        }
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files they look for")]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_found_once() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["b/2", "b/.hidden/3", "a", "c/.git/4"] {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), "").unwrap();
        }
        let names = |root: &Path| -> Vec<String> {
            let found = walk(root).unwrap().into_iter();
            let below = |file: Walked| {
                file.path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned()
            };
            found.map(below).collect()
        };
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
            std::os::unix::fs::symlink("..", dir.path().join("b/up")).unwrap();
            assert_eq!(names(dir.path()), ["a", "loop", "b/2", "b/.hidden/3"]);
            std::fs::remove_file(dir.path().join("loop")).unwrap();
        }
        #[cfg(not(unix))]
        assert_eq!(names(dir.path()), ["a", "b/2", "b/.hidden/3"]);
        assert_eq!(names(&dir.path().join("a")), ["a"]);
        assert!(walk(&dir.path().join("none")).unwrap_err().is_not_found());
    }
}
