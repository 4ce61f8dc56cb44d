//! The files that a glob names, read for a survey.
//!
//! `*` and `?` stay within a folder, `**` goes through folders, hidden ones, links and
//! archives too; only `.git` is left out. A folder stands for all that is in it. What
//! cannot be looked into is an error: a number that was not seen would be issued again.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::Survey;
use crate::fs::{self, FsError, Kind};

/// How much of a file is read: the head of one with front matter is far shorter.
const HEAD: u64 = 256 * 1024;

/// The files of a glob.
#[derive(Debug)]
pub struct Files {
    /// The folders before the first wildcard, or the file itself.
    base: PathBuf,
    matcher: Option<GlobMatcher>,
}

/// Why the files of a glob cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The pattern makes no sense.
    #[error("{pattern:?} is no glob")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: globset::Error,
    },
    /// A folder or a file cannot be read.
    #[error(transparent)]
    File(#[from] FsError),
}

impl Files {
    /// Reads a glob, such as `items/**/*.md`, as seen from the current folder.
    ///
    /// # Errors
    /// [`FilesError::Pattern`].
    pub fn new(pattern: &str) -> Result<Self, FilesError> {
        let mut path = pattern.to_owned();
        // A path is never found with what says nothing.
        for (odd, short) in [("/./", "/"), ("//", "/")] {
            while path.contains(odd) {
                path = path.replace(odd, short);
            }
        }
        let pattern = path.strip_prefix("./").unwrap_or(&path);
        let is_wild = |part: &&str| part.contains(['*', '?', '[', '{', '\\']);
        let plain = pattern.split('/').take_while(|part| !is_wild(part)).collect::<Vec<_>>();
        let base = plain.join("/");
        let is_absolute = base.is_empty() && pattern.starts_with('/');
        let base = PathBuf::from(if is_absolute { "/" } else { base.as_str() });
        if plain.len() == pattern.split('/').count() {
            return Ok(Self { base, matcher: None });
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let failed = |source| FilesError::Pattern { pattern: pattern.to_owned(), source };
        Ok(Self { base, matcher: Some(glob.map_err(failed)?.compile_matcher()) })
    }

    /// Feeds a survey with all of them; returns how many there are.
    ///
    /// # Errors
    /// [`FilesError::File`].
    pub fn read_into(&self, survey: &mut Survey<'_>) -> Result<usize, FilesError> {
        let mut count = 0;
        for file in fs::walk(&self.base)? {
            let fits = self.matcher.as_ref().is_none_or(|matcher| matcher.is_match(&file.path));
            if !fits {
                continue;
            }
            count += 1;
            // What the base itself is called says nothing of what is in it.
            survey.add_folders_of(file.path.strip_prefix(&self.base).unwrap_or(&file.path));
            match file.stamp {
                Some(stamp) if stamp.kind == Kind::File => {
                    let head = fs::read_head(&file.path, HEAD)?;
                    survey.add_file(&file.path, (stamp.dev, stamp.ino), &head);
                }
                // A link to nothing, a pipe: it has a name all the same.
                _ => survey.add_path(&file.path),
            }
        }
        Ok(count)
    }

    /// Returns the folder, or the file, that all of them lie in.
    pub fn base(&self) -> &Path {
        &self.base
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files they look for")]
mod tests {
    use super::*;
    use crate::sequence::adopt::IdReader;
    use crate::sequence::{Key, Layout};

    /// The highest number of K/T that a glob in a folder finds, and how many files.
    fn found(top: &Path, pattern: &str) -> Result<(u32, usize), FilesError> {
        let layout = Layout::prefix_type();
        let mut survey = Survey::new(IdReader::new(&layout, &[]).unwrap());
        let pattern = format!("{}/{pattern}", top.display());
        let count = Files::new(&pattern)?.read_into(&mut survey)?;
        let highest = survey.finish().highest;
        Ok((highest.get(&Key::new(["K", "T"]).unwrap()).copied().unwrap_or(0), count))
    }

    #[test]
    fn a_glob_finds_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        for (path, text) in [
            ("items/a.md", "---\nid: K-T-0001\n---\n"),
            ("items/deep/K-T-2.md", ""),
            ("items/deep/K-T-3.txt", ""),
            (".trash/K-T-4.md", ""),
            (".git/K-T-5.md", ""),
            ("items/.archive/K-T-6.md", ""),
            ("folders/K-T-11_x/notes.md", ""),
        ] {
            std::fs::create_dir_all(top.join(path).parent().unwrap()).unwrap();
            std::fs::write(top.join(path), text).unwrap();
        }
        for (pattern, expected) in [
            ("items/*.md", (1, 1)),
            ("items/*/*.md", (6, 2)),
            ("items/**/*.md", (6, 3)),
            ("items/**/*.{txt,md}", (6, 4)),
            ("items/**/K-T-[23].*", (3, 2)),
            ("**/*.md", (11, 5)),
            (".trash/*", (4, 1)),
            ("items//**", (6, 4)),
            ("folders", (11, 1)),
            ("folders/K-T-11_x/*", (0, 1)),
            ("items/.//deep/./*.md", (2, 1)),
            ("items/deep", (3, 2)),
            ("items/deep/", (3, 2)),
            ("items/a.md", (1, 1)),
            ("none*/*.md", (0, 0)),
        ] {
            assert_eq!(found(top, pattern).unwrap(), expected, "{pattern}");
        }
        assert!(matches!(found(top, "none/*.md"), Err(FilesError::File(_))));
        assert!(matches!(found(top, "items/[a"), Err(FilesError::Pattern { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_circles_end() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        std::fs::create_dir_all(top.join("items")).unwrap();
        std::fs::create_dir_all(top.join("elsewhere")).unwrap();
        std::fs::write(top.join("elsewhere/K-T-7.md"), "").unwrap();
        symlink("../elsewhere", top.join("items/linked")).unwrap();
        symlink("..", top.join("items/up")).unwrap();
        symlink("nowhere", top.join("items/K-T-8.md")).unwrap();
        assert_eq!(found(top, "items/**/*.md").unwrap(), (8, 2));
    }
}
