//! A command at work: which backlog and which configuration, what is warned of
//! before, and a change from asking to its answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Global;
use super::error::{CliError, of_request};
use super::output::Output;
use crate::config::{self, Config, Located};
use crate::coordinator::{self, Coordinator};
use crate::fs::{self, Holder};
use crate::model::change::find_item;
use crate::model::{
    Applied, BacklogItem, BacklogSnapshot, Change, ChangeError, Code, Diagnostic, IdQuery, Rules,
};
use crate::store::{BacklogStore, Clock, LOCK_TIMEOUT, StoreError, StoreOptions};

/// How many warnings a command shows that was not asked for them.
const SHOWN_WARNINGS: usize = 5;

/// What a command that writes does not warn of: what its save mends, and what makes it
/// fail.
pub(crate) const LEFT_TO_THE_SAVE: &[Code] =
    &[Code::MarkBehind, Code::MissingId, Code::NewerVersion];

/// Where the system says how this machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// What every command is given.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) output: &'a Output,
    /// The command's name, for those who wait for our lock.
    pub(crate) name: &'static str,
}

impl<'a> Context<'a> {
    /// Finds the backlog and what is configured for it.
    pub(crate) fn locate(&self) -> Result<Located, CliError> {
        let located = match (&self.global.file, &self.global.config) {
            (Some(file), Some(path)) => Located {
                config: Config::load(path)?,
                config_path: Some(path.clone()),
                backlog: file.clone(),
            },
            (Some(file), None) => beside(file)?,
            (None, Some(path)) => {
                let config = Config::load(path)?;
                let folder = path.parent().unwrap_or_else(|| Path::new(""));
                let backlog = config.backlog_path(folder);
                Located { config, config_path: Some(path.clone()), backlog }
            }
            (None, None) => {
                let folder = current_folder()?;
                let found = config::locate(&folder)?;
                found.ok_or(CliError::NoBacklog { folder })?
            }
        };
        Ok(located)
    }

    /// Opens the backlog.
    pub(crate) fn open(&self) -> Result<Session<'a>, CliError> {
        let located = self.locate()?;
        let store = BacklogStore::open(self.options(&located)?)?;
        Ok(Session { output: self.output, config: located.config, store })
    }

    /// Returns how a backlog is opened.
    pub(crate) fn options(&self, located: &Located) -> Result<StoreOptions, CliError> {
        let config = &located.config;
        let clock = Clock::system();
        let host = fs::read_if_exists(Path::new(HOST_NAME)).ok().flatten();
        let host = host.map(|name| String::from_utf8_lossy(&name).trim().to_owned());
        let command = format!("orchestrator {}", self.name);
        Ok(StoreOptions {
            path: shortened(&located.backlog)?,
            worklog: config.project.worklog.clone(),
            rules: rules(config),
            prefix_is_configured: config.project.prefix.is_some(),
            lock_timeout: self.global.lock_timeout.unwrap_or(LOCK_TIMEOUT),
            holder: Holder::this_process(host, command, clock.now().to_string()),
            clock,
        })
    }
}

/// Returns the configuration of a backlog that was named; its folder must exist.
fn beside(file: &Path) -> Result<Located, CliError> {
    config::locate_backlog(file).map_err(|error| match error {
        config::ConfigError::Read(error) if error.is_not_found() => {
            StoreError::NotInitialised { path: file.to_owned() }.into()
        }
        other => other.into(),
    })
}

/// Returns what the project has decided.
fn rules(config: &Config) -> Rules {
    let defaults = Rules::default();
    Rules {
        prefix: config.project.prefix.clone().unwrap_or(defaults.prefix),
        pipelines: config.pipelines.clone(),
        default_pipeline: config.project.default_pipeline.clone(),
        guardrails: config.guardrails,
    }
}

/// Returns the folder we work in.
pub(crate) fn current_folder() -> Result<PathBuf, CliError> {
    std::env::current_dir()
        .map_err(|source| CliError::Io { action: "find the current folder".to_owned(), source })
}

/// Returns a path as a person here would write it.
pub(crate) fn shortened(path: &Path) -> Result<PathBuf, CliError> {
    if path.is_relative() {
        return Ok(path.to_owned());
    }
    let here = current_folder()?;
    let short = path.strip_prefix(&here).or_else(|_| match fs::resolve(&here) {
        Ok(here) => path.strip_prefix(here),
        Err(_) => Ok(path),
    });
    Ok(short.unwrap_or(path).to_owned())
}

/// An opened backlog.
pub(crate) struct Session<'a> {
    pub(crate) output: &'a Output,
    pub(crate) config: Config,
    pub(crate) store: BacklogStore,
}

/// What a change did.
pub(crate) struct Changed {
    pub(crate) applied: Applied,
    /// The backlog after it.
    pub(crate) snapshot: Arc<BacklogSnapshot>,
    prefix: String,
}

impl Changed {
    /// Returns the one item that a change was about, as it is now.
    pub(crate) fn item(&self, query: &IdQuery) -> Result<Arc<BacklogItem>, CliError> {
        if let Some(item) = self.applied.changed.last() {
            return Ok(Arc::clone(item));
        }
        let index = find_item(&self.snapshot.items, query, &self.prefix)?;
        Ok(Arc::clone(&self.snapshot.items[index]))
    }

    /// Returns the prefix that new IDs have.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Session<'_> {
    /// Shows what is wrong with the backlog, for a command that goes on all the
    /// same, but for some kinds of problems.
    pub(crate) fn warn(&mut self, but: &[Code]) -> Result<(), CliError> {
        // A file that cannot be used is the command's error, not a warning.
        self.store.file()?;
        // Who is about to save waits for others then.
        let waits = !but.contains(&Code::MarkBehind);
        let found = match waits {
            true => self.store.diagnostics()?,
            false => self.store.diagnostics_at_once()?,
        };
        let shown: Vec<&Diagnostic> =
            found.iter().filter(|found| !but.contains(&found.code)).collect();
        if shown.is_empty() {
            return Ok(());
        }
        let text = self.store.text()?;
        self.output.warnings(shown.iter().take(SHOWN_WARNINGS).copied(), Some(text));
        if let Some(more) = shown.len().checked_sub(SHOWN_WARNINGS).filter(|more| *more > 0) {
            self.output.note(&format!("{more} more: `orchestrator check` shows all"));
        }
        Ok(())
    }

    /// Finds the item that a person named.
    pub(crate) fn find(&mut self, query: &IdQuery) -> Result<usize, CliError> {
        self.store.file()?;
        let prefix = self.store.options().rules.prefix.clone();
        match find_item(&self.store.file()?.items, query, &prefix) {
            Ok(index) => Ok(index),
            Err(ChangeError::NoSuchItem { id }) => match self.store.ended(&id)? {
                Some(ended) => Err(ChangeError::Archived { id, ended }.into()),
                None => Err(ChangeError::NoSuchItem { id }.into()),
            },
            Err(ChangeError::DuplicateId { id, indexes }) => self.duplicate(id, &indexes),
            Err(other) => Err(other.into()),
        }
    }

    fn duplicate<T>(&mut self, id: String, indexes: &[usize]) -> Result<T, CliError> {
        let file = self.store.paths().shown.clone();
        let mut lines = Vec::new();
        for index in indexes {
            lines.push(self.store.item_lines(*index)?.0);
        }
        Err(CliError::Duplicate { id, file, lines })
    }

    /// Makes a change and waits until it is durable; tells what a person should know
    /// of it.
    pub(crate) fn change(self, change: Change) -> Result<Changed, CliError> {
        self.change_and(change, |_| Ok(()))
    }

    /// Makes a change, and then, where it was made, what else is to be asked for.
    pub(crate) fn change_and(
        mut self,
        change: Change,
        then: impl FnOnce(&Coordinator) -> Result<(), CliError>,
    ) -> Result<Changed, CliError> {
        let mut but = LEFT_TO_THE_SAVE.to_vec();
        if matches!(change, Change::Restore { .. } | Change::GiveUp { .. }) {
            // Whoever deals with lost items has been told of them.
            but.push(Code::LostItem);
        }
        self.warn(&but)?;
        let prefix = self.store.options().rules.prefix.clone();
        let file = self.store.paths().shown.clone();
        let options = self.store.options().clone();
        let output = self.output;
        let (mut changed, snapshot) = with_writer(self.store, |coordinator| {
            let changed = coordinator.change_blocking(vec![change])?;
            if changed.outcomes.iter().all(Result::is_ok) {
                then(coordinator)?;
            }
            Ok((changed, coordinator.snapshot()))
        })?;
        for item in &changed.named {
            output.note(&format!("\"{}\" is {} now", item.title, item.id_or_dash()));
        }
        for warning in &changed.warnings {
            output.warn(warning);
        }
        match changed.outcomes.pop() {
            Some(Ok(applied)) => {
                for note in &applied.notes {
                    output.note(note);
                }
                Ok(Changed { applied, snapshot, prefix })
            }
            Some(Err(error)) => match of_request(error, file) {
                CliError::Change(ChangeError::DuplicateId { id, indexes }) => {
                    let store = BacklogStore::open(options)?;
                    Session { output, config: self.config, store }.duplicate(id, &indexes)
                }
                other => Err(other),
            },
            None => Ok(Changed { applied: Applied::default(), snapshot, prefix }),
        }
    }
}

/// Starts the writer of a backlog, asks it, and ends it in order.
pub(crate) fn with_writer<T>(
    store: BacklogStore,
    ask: impl FnOnce(&Coordinator) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let (coordinator, running) = coordinator::open(store)?;
    let answer = ask(&coordinator);
    drop(coordinator);
    let ended = running.shutdown();
    let answer = answer?;
    ended?;
    Ok(answer)
}
