//! What differs from the last commit, path by path, at one moment.
//!
//! Made of `git status` and a hash of what is in the work tree, so that of two
//! snapshots it can be said what was done in between: a path that was clean became
//! dirty, or a dirty one became another. Ignored files are never in it, nor are
//! submodules and repositories inside the repository, which are left alone. All of
//! the repository counts, wherever below its top one stands.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::GitError;
use super::path::RepoPath;
use super::process::{Call, unexpected};
use crate::fs::{self, Kind};

/// The mode of a submodule.
const SUBMODULE: &[u8] = b"160000";

/// The mode of a path that is not there.
const ABSENT: &[u8] = b"000000";

/// The paths that differ from the last commit, with what is in them.
pub type Snapshot = BTreeMap<RepoPath, Content>;

/// What lies at a path of the work tree that differs from the last commit, or is
/// not as the index has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Content {
    /// Nothing: it was deleted.
    Absent,
    /// A file.
    File {
        /// Whether it can be executed.
        executable: bool,
        /// The hash of its contents; none where it cannot be read.
        hash: Option<String>,
    },
    /// A symbolic link, by the hash of what it says.
    Link(String),
    /// A folder, a pipe or the like where the commit has a file.
    Other,
    /// A conflict that nobody has resolved, whatever lies there.
    Unmerged,
}

/// How a path stands, as git says.
enum State {
    Absent,
    Present,
    Unmerged,
}

/// Takes a snapshot of the work tree at `top`.
pub(super) fn take(top: &Path) -> Result<Snapshot, GitError> {
    let listing = status(top, "--ignore-submodules=all")?;
    let mut states = BTreeMap::new();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let (path, state) = parse(entry).ok_or_else(|| unexpected("status", entry))?;
        match (state, states.get(&path)) {
            // Deleted in the index and there all the same: two entries.
            (Some(State::Absent), Some(State::Present)) | (None, _) => {}
            (Some(state), _) => {
                states.insert(path, state);
            }
        }
    }
    let content = |(path, state): (RepoPath, State)| {
        let content = match state {
            State::Absent => Content::Absent,
            State::Unmerged => Content::Unmerged,
            State::Present => content_of(&top.join(path.as_path()))?,
        };
        Ok((path, content))
    };
    states.into_iter().map(content).collect()
}

/// Returns the submodules of the work tree at `top` that differ from the last commit, and
/// the repositories that lie in it and are none, with what git says of each.
pub(super) fn inner(top: &Path) -> Result<BTreeMap<RepoPath, Vec<u8>>, GitError> {
    let listing = status(top, "--ignore-submodules=none")?;
    let entries = listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let mut inner = BTreeMap::new();
    for entry in entries {
        if let (path, None) = parse(entry).ok_or_else(|| unexpected("status", entry))? {
            inner.insert(path, entry.to_vec());
        }
    }
    Ok(inner)
}

fn status(top: &Path, submodules: &str) -> Result<Vec<u8>, GitError> {
    let args = ["--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignored=no"];
    Call::new("status").args(&args).args(&[submodules]).run(top)
}

/// Reads one entry of the listing: the path, and how it stands; `None` for the
/// latter where the path is to be left alone.
fn parse(entry: &[u8]) -> Option<(RepoPath, Option<State>)> {
    let fields = |count| entry.splitn(count, |byte| *byte == b' ').collect::<Vec<_>>();
    let (path, state) = match entry.first()? {
        b'?' => (fields(2).get(1).copied()?, Some(State::Present)),
        b'1' => match fields(9).as_slice() {
            [_, _, _, head, index, tree, _, _, path] => {
                let state = if [head, index, tree].iter().any(|mode| **mode == SUBMODULE) {
                    None
                } else if *tree == ABSENT {
                    Some(State::Absent)
                } else {
                    Some(State::Present)
                };
                (*path, state)
            }
            _ => return None,
        },
        b'u' => match fields(11).as_slice() {
            [_, _, sub, .., path] => (*path, sub.starts_with(b"N").then_some(State::Unmerged)),
            _ => return None,
        },
        _ => return None,
    };
    // So is a repository listed that lies in this one and is no submodule of it.
    let is_repository = path.ends_with(b"/");
    Some((RepoPath::from_git(path)?, state.filter(|_| !is_repository)))
}

/// Looks at what lies at a path. A file that cannot be read, or that goes while we
/// look, is no error: only who wants to commit it must be able to read it.
fn content_of(path: &Path) -> Result<Content, GitError> {
    let Some(stamp) = fs::link_stamp(path)? else { return Ok(Content::Absent) };
    let content = match stamp.kind {
        Kind::File => fs::hash_file(path)
            .map(|hash| Content::File { executable: stamp.mode & 0o111 != 0, hash: Some(hash) }),
        Kind::Symlink => fs::link_target(path)
            .map(|target| Content::Link(fs::hash(target.as_os_str().as_encoded_bytes()))),
        Kind::Dir | Kind::Other => Ok(Content::Other),
    };
    match content {
        Ok(content) => Ok(content),
        Err(error) if error.is_not_found() => Ok(Content::Absent),
        Err(error) if error.is_denied() => {
            Ok(Content::File { executable: stamp.mode & 0o111 != 0, hash: None })
        }
        Err(error) => Err(error.into()),
    }
}
