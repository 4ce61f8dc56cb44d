//! Making a backlog where there is none.

use super::mark::MarkFiles;
use super::options::StoreOptions;
use super::worklog::Worklog;
use super::{Paths, StoreError, load};
use crate::fs;
use crate::model::{CURRENT_SCHEMA, Code};

/// What [`init`] did to the backlog file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialised {
    /// It was made.
    Created,
    /// It was empty, or had comments only: it was completed, and keeps them.
    Completed,
    /// It was there already, and is as it was.
    Untouched,
}

/// Makes a backlog file, or completes an empty one; never overwrites anything.
/// Numbers that were issued here before are not issued again.
///
/// # Errors
/// Where the file cannot be read or written.
pub fn init(options: &StoreOptions) -> Result<Initialised, StoreError> {
    let paths = Paths::new(&options.path, &options.worklog)?;
    paths.prepare()?;
    let _lock = fs::FileLock::acquire(&paths.lock(), options.lock_timeout, &options.holder)?;
    let mut worklog = Worklog::new(&paths);
    worklog.refresh()?;
    let mark = MarkFiles::find(&paths)?.read()?.unwrap_or(0).max(worklog.highest());
    let body = format!("schema_version: {CURRENT_SCHEMA}\nnext_item_id: {mark}\nitems: []\n");
    let Some(bytes) = fs::read_if_exists(&paths.file)? else {
        fs::create_new(&paths.file, body.as_bytes())?;
        return Ok(Initialised::Created);
    };
    let text = String::from_utf8(bytes)
        .map_err(|error| super::diagnostics::not_utf8(&paths, error.as_bytes()))?;
    match load::load(text.clone(), &options.rules) {
        Ok(_) => Ok(Initialised::Untouched),
        Err(unreadable) => {
            let error =
                super::diagnostics::unreadable(&paths.shown, unreadable.text, unreadable.problems);
            let is_empty = matches!(&error, StoreError::Invalid { diagnostics, .. }
                if diagnostics.iter().all(|diagnostic| diagnostic.code == Code::EmptyFile));
            if !is_empty {
                return Err(error);
            }
            let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            fs::replace(&paths.file, format!("{text}{newline}{body}").as_bytes())?;
            Ok(Initialised::Completed)
        }
    }
}
