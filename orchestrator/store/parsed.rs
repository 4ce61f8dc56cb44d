//! A backlog's text in memory: what it means and what is wrong with it, kept up to
//! date as the text changes.
//!
//! For editors and servers that hold the text themselves. No file is touched: what
//! only the disk knows (the worklog, the second copy of the mark, lost items) is
//! not among the diagnostics. A text that changed in a few places is read in those
//! places only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::diagnostics::{self, Around};
use super::links::Links;
use super::load::{Loaded, Unreadable, load};
use super::reload::reload;
use crate::model::{BacklogFile, Diagnostic, Rules};

/// A text that was read as a backlog.
///
/// ```
/// use orchestrator::model::{Code, Rules};
/// use orchestrator::store::ParsedBacklog;
///
/// let text = "schema_version: 2\nnext_item_id: 1\nitems:\n  - id: WRK-001\n    title: Paint it\n";
/// let mut backlog = ParsedBacklog::parse(text.to_owned(), &Rules::default()).unwrap();
/// assert!(backlog.diagnostics().is_empty());
///
/// backlog.reload(text.replace("title", "statsu: done\n    title")).unwrap();
/// assert_eq!(backlog.file().items[0].title, "Paint it");
/// let found = backlog.diagnostics();
/// assert_eq!((found[0].code, found[0].line), (Code::UnknownKey, 5));
/// ```
pub struct ParsedBacklog {
    loaded: Loaded,
    links: Links,
    rules: Rules,
    name: PathBuf,
}

impl ParsedBacklog {
    /// Reads a text. Rules tell which pipelines and phases there are.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where a text is no backlog at all.
    pub fn parse(text: String, rules: &Rules) -> Result<Self, StoreError> {
        let name = PathBuf::new();
        let loaded = load(text, rules).map_err(|Unreadable { text, problems }| {
            diagnostics::unreadable(&name, text, problems)
        })?;
        let links = Links::of(&loaded.file.items);
        Ok(Self { loaded, links, rules: rules.clone(), name })
    }

    /// Sets the path that diagnostics name.
    #[must_use]
    pub fn named(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.name);
        self
    }

    /// Takes over a changed text: reads what differs, or all of it where a part
    /// does not stand for itself.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where a text is no backlog at all; then the last text
    /// that was one stays.
    pub fn reload(&mut self, text: String) -> Result<(), StoreError> {
        match reload(&mut self.loaded, text) {
            Ok(part) => {
                let items = &self.loaded.file.items;
                if !Links::are_kept(&part.before, &items[part.after]) {
                    self.links = Links::of(items);
                }
            }
            Err(text) => {
                let read = Self::parse(text, &self.rules)?;
                *self = Self { name: std::mem::take(&mut self.name), ..read };
            }
        }
        Ok(())
    }

    /// Returns the text, as it was given.
    pub fn text(&self) -> &str {
        self.loaded.original.as_deref().unwrap_or(self.loaded.doc.text())
    }

    /// Returns what the text means; a file of an older version as it will be
    /// migrated.
    pub fn file(&self) -> &BacklogFile {
        &self.loaded.file
    }

    /// Returns everything that is wrong with the text, errors and warnings, in its
    /// order.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let around = Around {
            shown: &self.name,
            rules: &self.rules,
            archived: &BTreeMap::new(),
            floor: 0,
            lost: &[],
        };
        diagnostics::diagnose(&self.loaded, &self.links, &around)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema_version: 2\nnext_item_id: 9\nitems:\n  - id: A-1\n    title: one\n    dependencies: [A-2]\n\n  - id: A-2\n    title: two\n    status: ready\n  - id: A-3\n    title: three\n    phase: nowhere\n";

    /// A text that was reloaded is the same as one that was read.
    #[track_caller]
    fn agree(steps: &[(&str, &str)]) {
        let mut text = TEXT.to_owned();
        let mut backlog = ParsedBacklog::parse(text.clone(), &Rules::default()).unwrap();
        for (from, to) in steps {
            text = text.replacen(from, to, 1);
            let fresh = ParsedBacklog::parse(text.clone(), &Rules::default());
            match (backlog.reload(text.clone()), fresh) {
                (Ok(()), Ok(fresh)) => {
                    assert_eq!(backlog.text(), text);
                    assert_eq!(backlog.file(), fresh.file());
                    assert_eq!(backlog.loaded.highest, fresh.loaded.highest);
                    assert_eq!(backlog.diagnostics(), fresh.diagnostics(), "{text}");
                }
                (
                    Err(StoreError::Invalid { diagnostics: ours, .. }),
                    Err(StoreError::Invalid { diagnostics: fresh, .. }),
                ) => assert_eq!(ours, fresh),
                (ours, fresh) => panic!("{ours:?}, {:?}: {text}", fresh.err()),
            }
        }
    }

    #[test]
    fn a_reload_is_as_good_as_a_load() {
        agree(&[("one", "uno"), ("two", "due\n    status: done"), ("due\n    status: done", "2")]);
        agree(&[("status: ready", "status: redy"), ("redy", "done"), ("done", "blocked")]);
        agree(&[("  - id: A-1\n    title: one\n    dependencies: [A-2]\n\n", "")]);
        agree(&[("id: A-3", "id: A-7"), ("id: A-7", "id: A-2"), ("id: A-2", "id: A-12")]);
        agree(&[("id: A-3\n    ", ""), ("A-2]", "A-9]"), ("next_item_id: 9", "next_item_id: 1")]);
        agree(&[
            ("phase: nowhere", "dependencies: [A-1]"),
            ("status: ready", "dependencies: [A-3]"),
        ]);
        agree(&[("title: two", "title: [two"), ("[two", "two"), ("schema_version: 2\n", "")]);
        agree(&[("schema_version: 2", "schema_version: 1"), ("one", "uno"), ("items:", "itms:")]);
    }
}
