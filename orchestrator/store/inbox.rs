//! The inbox: `BACKLOG_INBOX.yaml`, into which anybody may write proposals.
//!
//! Each entry is taken in exactly once, whatever dies in between. The inbox is
//! parsed first, and left where it is if that fails; then claimed by renaming it,
//! its IDs are written into a record beside the claimed copy, and its entries are
//! added in one save. The copy goes once it is old enough for a program that had it
//! open to have finished, and a second look shows nothing new.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_yaml::{Mapping, Value};

use super::backlog_store::BacklogStore;
use super::request::Request;
use super::run_record::{read_record, remove_place, write_record};
use super::{Clock, StoreError, planned};
use crate::fs::{self, FsError, Kind};
use crate::ingest;
use crate::model::change::NewItem;
use crate::model::{BacklogItem, Change, Code, Diagnostic};

/// How long a claimed copy is kept, in milliseconds.
const KEEP_MILLIS: i64 = 2_000;

/// What an ingestion did.
#[derive(Debug, Default)]
pub struct Ingested {
    /// The items that were added.
    pub added: Vec<Arc<BacklogItem>>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is known of a claimed copy: the IDs of its entries, batch by batch.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Claim {
    batches: Vec<Vec<String>>,
}

/// Tells whether there is an inbox to be taken in, or a copy that was claimed: to look
/// needs no lock.
///
/// # Errors
/// Where the folder of claimed copies cannot be listed, or the inbox not be looked at.
pub fn has_inbox(paths: &super::Paths, inbox: &Path) -> Result<bool, StoreError> {
    let has_claims = match fs::list(&paths.inbox()) {
        Err(error) if error.is_not_found() => false,
        list => !list?.is_empty(),
    };
    Ok(has_claims || fs::stamp(inbox)?.is_some())
}

impl BacklogStore {
    /// Takes in an inbox, if there is one, and the copies that an earlier ingestion
    /// had claimed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an inbox that is malformed or cannot be read: it stays
    /// where it is.
    pub fn ingest(&mut self, inbox: &Path) -> Result<Ingested, StoreError> {
        let mut ingested = Ingested::default();
        if !has_inbox(&self.paths, inbox)? {
            return Ok(ingested);
        }
        // Some kinds of file would be waited for without end.
        if fs::stamp(inbox)?.is_some_and(|stamp| stamp.kind != Kind::File) {
            return Err(unusable(inbox, "the inbox is not a file".to_owned()));
        }
        self.paths.prepare()?;
        // One at a time: what a claim has had taken in is read before the backlog's
        // lock is taken, and written after it is released.
        let _lock = fs::FileLock::acquire(
            &self.paths.inbox_lock(),
            self.options.lock_timeout,
            &self.options.holder,
        )?;
        for claimed in self.claimed()? {
            self.take_claimed(&claimed, &mut ingested)?;
        }
        let unreadable =
            |error: FsError| unusable(inbox, format!("the inbox cannot be read: {}", error.io()));
        let Some(bytes) = fs::read_if_exists(inbox).map_err(unreadable)? else {
            return Ok(ingested);
        };
        parse(inbox, &bytes)?;
        // Before anything is claimed: a backlog that cannot be written takes nothing.
        drop(self.lock()?);
        let claimed = self.claim(inbox)?;
        let again = fs::read(&claimed)?;
        if let Err(error) = parse(inbox, &again) {
            // Somebody wrote in between; it goes back, and no newer inbox is replaced.
            fs::rename_noreplace(&claimed, inbox)?;
            return Err(error);
        }
        self.take_claimed(&claimed, &mut ingested)?;
        Ok(ingested)
    }

    fn claimed(&self) -> Result<Vec<PathBuf>, StoreError> {
        let list = match fs::list(&self.paths.inbox()) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            other => other?,
        };
        let (copies, records): (Vec<PathBuf>, Vec<PathBuf>) = list
            .into_iter()
            .map(|entry| entry.path)
            .filter(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "json"))
            .partition(|path| path.extension().is_some_and(|ext| ext == "yaml"));
        for record in records {
            // A kill came between the removal of a copy and that of what is known of it:
            // the next claim of that name must not take it for its own.
            let has_copy = |copy: &PathBuf| {
                record == copy.with_extension("json") || record == copy.with_extension("batch.json")
            };
            if !copies.iter().any(has_copy) {
                fs::remove_if_exists(&record)?;
            }
        }
        Ok(copies)
    }

    fn claim(&self, inbox: &Path) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.paths.inbox())?;
        let mut millis = self.options.clock.now().as_millisecond();
        loop {
            let claimed = self.paths.inbox().join(format!("{millis}.yaml"));
            match fs::rename_noreplace(inbox, &claimed) {
                Ok(()) => {
                    fs::sync_dir(&self.paths.inbox())?;
                    return Ok(claimed);
                }
                Err(error) if error.is_already_exists() => millis += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes in what a claimed copy has that was not taken in yet.
    fn take_claimed(&mut self, claimed: &Path, ingested: &mut Ingested) -> Result<(), StoreError> {
        let record = claimed.with_extension("batch.json");
        let claim_file = claimed.with_extension("json");
        let mut claim: Claim = read_record(&claim_file)?.unwrap_or_default();
        // Between claiming and now the copy may have grown; never shrunk.
        let entries = parse(claimed, &fs::read(claimed)?)?;
        let mut locked = self.lock()?;
        // A batch that was being saved when we were killed.
        if let Some(planned) = planned::read(&record)?
            && locked.has_saved(&planned)?
        {
            // Unless that was noted already.
            if claim.batches.last() != Some(&planned.ids) {
                claim.batches.push(planned.ids);
                write_record(&claim_file, &claim)?;
            }
            fs::remove_if_exists(&record)?;
        }
        remove_place(&record)?;
        let seen: usize = claim.batches.iter().map(Vec::len).sum();
        if let Some(new) = entries.get(seen..).filter(|new| !new.is_empty()) {
            let items = new.iter().map(|entry| entry.item.clone()).collect();
            ingested.notes.extend(new.iter().flat_map(|entry| entry.notes.clone()));
            let change = Change::Ingest { items, skip_known_titles: false };
            let request = Request { record: Some(record.clone()), ..change.into() };
            let saved = locked.save(&[request])?;
            let mut ids = Vec::new();
            for outcome in saved.outcomes {
                let applied = outcome.map_err(|error| refused(claimed, &error))?;
                ids.extend(applied.added.iter().filter_map(|item| item.id.clone()));
                ingested.added.extend(applied.added);
            }
            claim.batches.push(ids);
            write_record(&claim_file, &claim)?;
            fs::remove_if_exists(&record)?;
        } else if is_settled(claimed, &self.options.clock)? {
            fs::remove(claimed)?;
            fs::remove_if_exists(&claim_file)?;
        }
        Ok(())
    }
}

fn is_settled(claimed: &Path, clock: &Clock) -> Result<bool, StoreError> {
    let changed = fs::stamp(claimed)?.map_or(0, |stamp| stamp.mtime_ns.max(stamp.ctime_ns));
    Ok(clock.now().as_nanosecond() - changed > i128::from(KEEP_MILLIS) * 1_000_000)
}

fn refused(claimed: &Path, error: &super::RequestError) -> StoreError {
    unusable(claimed, super::locked::chain(error))
}

fn unusable(path: &Path, message: String) -> StoreError {
    let diagnostic = problem(path, Code::WrongShape, message, (0, 0), None);
    StoreError::Invalid { diagnostics: vec![diagnostic], text: String::new() }
}

fn problem(
    path: &Path,
    code: Code,
    message: String,
    (line, column): (usize, usize),
    hint: Option<String>,
) -> Diagnostic {
    Diagnostic {
        code,
        message,
        file: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        span: None,
        item: None,
        hint,
    }
}

/// One entry of an inbox.
struct InboxEntry {
    item: NewItem,
    notes: Vec<String>,
}

/// Reads an inbox: a list, or a map with a list under `items`.
fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<InboxEntry>, StoreError> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    if std::str::from_utf8(bytes).is_err() {
        let hint = Some("save it as UTF-8".to_owned());
        problems.push(problem(path, Code::NotUtf8, "the inbox is not UTF-8".into(), (0, 0), hint));
    } else {
        match list(path, &text) {
            Ok(list) => {
                for (index, value) in list.into_iter().enumerate() {
                    let at = (line_of(&text, index), 1);
                    entries.extend(entry(path, index + 1, at, value, &mut problems));
                }
            }
            Err(found) => problems.push(*found),
        }
    }
    if problems.is_empty() {
        return Ok(entries);
    }
    Err(StoreError::Invalid { diagnostics: problems, text })
}

fn list(path: &Path, text: &str) -> Result<Vec<Value>, Box<Diagnostic>> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| {
        let at = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        Box::new(problem(path, Code::Syntax, error.to_string(), at, None))
    })?;
    let value = match value {
        Value::Mapping(mut map) if map.contains_key("items") => {
            map.remove("items").unwrap_or_default()
        }
        other => other,
    };
    match value {
        Value::Sequence(list) => Ok(list),
        Value::Null => Ok(Vec::new()),
        _ => {
            let message = "an inbox is a list, or a map with a list under `items`".to_owned();
            let hint = Some("write `- title: …`".to_owned());
            Err(Box::new(problem(path, Code::WrongShape, message, (1, 1), hint)))
        }
    }
}

fn entry(
    path: &Path,
    number: usize,
    at: (usize, usize),
    value: Value,
    problems: &mut Vec<Diagnostic>,
) -> Option<InboxEntry> {
    let mapping = match value {
        Value::String(title) => Mapping::from_iter([("title".into(), Value::String(title))]),
        Value::Mapping(mapping) => mapping,
        _ => {
            let message = format!("entry {number} is neither a text nor a map");
            problems.push(problem(path, Code::WrongShape, message, at, None));
            return None;
        }
    };
    let (item, found, notes) = ingest::inbox_entry(mapping);
    for field in found.into_iter().filter(|field| field.code.is_error()) {
        let message = format!("entry {number}: {}", field.message);
        problems.push(problem(path, field.code, message, at, field.hint));
    }
    Some(InboxEntry { item, notes })
}

/// Returns the line of the n-th entry: as far as it can be told without an index.
fn line_of(text: &str, index: usize) -> usize {
    let first = text.lines().find(|line| line.trim_start().starts_with('-'));
    let indent = first.map_or(0, |line| line.len() - line.trim_start().len());
    let is_entry = |line: &&str| {
        let rest = &line[line.len().min(indent)..];
        line.trim_start().len() + indent == line.len() && (rest == "-" || rest.starts_with("- "))
    };
    let entries = text.lines().enumerate().filter(|(_, line)| is_entry(line));
    entries.map(|(number, _)| number + 1).nth(index).unwrap_or(0)
}
