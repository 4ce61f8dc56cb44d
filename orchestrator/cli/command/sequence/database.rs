//! The database of a command: opened, asked, and made where that was asked for.

use std::time::Duration;

use super::target::Target;
use crate::cli::error::CliError;
use crate::cli::session::Context;
use crate::fs::Holder;
use crate::sequence::adopt::Column;
use crate::sequence::postgres::{PostgresBackend, PostgresOptions};
use crate::sequence::sqlite::{Make, Raised, Raises, Rebuilt, SqliteBackend, SqliteOptions};
use crate::sequence::{
    Action, Backend, Counter, DatabaseUrl, Key, Layout, MissingRow, Reply, SequenceError, postgres,
    sqlite,
};
use crate::store::LOCK_TIMEOUT;

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To look, also where nothing can be written.
    Read,
    Write,
    /// To write, and to make what is missing first.
    Make,
}

/// An open database.
pub(super) struct Database(Box<dyn Backend>);

impl Database {
    /// Opens the database of a target.
    pub(super) fn open(
        target: &Target,
        access: Access,
        context: &Context<'_>,
    ) -> Result<Self, CliError> {
        Self::open_as(target, target.layout.clone(), access, context)
    }

    /// Opens the database to take numbers of a sequence, and makes what is missing first
    /// where that is asked for; nothing where the sequence must have a row and has none,
    /// as where its name is mistyped.
    pub(super) fn open_for(
        target: &Target,
        key: &Key,
        create: bool,
        context: &Context<'_>,
    ) -> Result<Self, CliError> {
        if create && target.layout.missing_row() == MissingRow::IsAnError {
            let read = Self::open(target, Access::Read, context);
            let counters = read.and_then(|mut database| Ok(database.backend().counters()?));
            let is_there = match counters {
                // By a text, since a column may compare as it likes.
                Ok(counters) => counters
                    .iter()
                    .any(|(own, _)| own.to_string().eq_ignore_ascii_case(&key.to_string())),
                Err(CliError::Sequence(
                    SequenceError::Missing { .. } | SequenceError::NoTable { .. },
                )) => false,
                Err(error) => return Err(error),
            };
            if !is_there {
                return Err(SequenceError::NoSequence { key: key.clone() }.into());
            }
        }
        Self::open(target, if create { Access::Make } else { Access::Write }, context)
    }

    /// Opens the database of a target in another layout.
    fn open_as(
        target: &Target,
        layout: Layout,
        access: Access,
        context: &Context<'_>,
    ) -> Result<Self, CliError> {
        let backend: Box<dyn Backend> = match target.url()? {
            DatabaseUrl::Sqlite(path) => {
                let make = if access == Access::Make { Make::File } else { Make::Nothing };
                let busy_for = patience(context);
                let reads_only = access == Access::Read;
                let options =
                    SqliteOptions { make, busy_for, reads_only, ..SqliteOptions::default() };
                let backend = SqliteBackend::open(path, layout, options)?;
                if backend.was_made() {
                    context.output.note(&format!("{} was made", path.display()));
                }
                Box::new(backend)
            }
            DatabaseUrl::Postgres(url) => {
                let options = PostgresOptions {
                    make_tables: access == Access::Make,
                    reads_only: access == Access::Read,
                    busy_for: patience(context),
                    ..PostgresOptions::default()
                };
                Box::new(PostgresBackend::open(url, layout, options)?)
            }
        };
        Ok(Self(backend))
    }

    /// Opens the database in each of the layouts that its tables fit.
    pub(super) fn open_fitting(
        target: &Target,
        access: Access,
        context: &Context<'_>,
    ) -> Result<Vec<Self>, CliError> {
        let mut fitting = Vec::new();
        let mut none = None;
        for layout in [Layout::registry(), Layout::prefix_type(), Layout::name()] {
            match Self::open_as(target, layout, access, context) {
                Ok(database) => fitting.push(database),
                Err(CliError::Sequence(
                    error @ (SequenceError::NoTable { .. } | SequenceError::OtherColumns { .. }),
                )) => none = Some(none.unwrap_or(error)),
                Err(error) => return Err(error),
            }
        }
        match none {
            Some(error) if fitting.is_empty() => Err(error.into()),
            _ => Ok(fitting),
        }
    }

    /// Returns the database itself.
    pub(super) fn backend(&mut self) -> &mut dyn Backend {
        &mut *self.0
    }

    /// Asks one thing, and returns its answer, durable.
    pub(super) fn ask(&mut self, action: Action) -> Result<Reply, SequenceError> {
        let mut answers = self.0.commit(&[action.into()])?;
        // A batch of one has one answer.
        answers.pop().unwrap_or(Err(SequenceError::Closed))
    }

    /// Raises sequences in one transaction.
    pub(super) fn raise(&mut self, raises: &Raises) -> Result<Raised, SequenceError> {
        let raise =
            |(key, to): (&_, &u32)| Action::Raise { key: Clone::clone(key), to: *to }.into();
        let requests: Vec<_> = raises.iter().map(raise).collect();
        let before = |reply| match reply {
            Reply::Raised { before, .. } => Ok(before),
            _ => Err(SequenceError::Closed),
        };
        if requests.is_empty() {
            return Ok(Raised::new());
        }
        let answers = self.0.commit(&requests)?;
        Ok(answers.into_iter().map(|answer| answer.and_then(before)).collect())
    }
}

/// Makes out the layouts of a target that names none, as far as the database's tables
/// tell; at least one.
pub(super) fn detect_layouts(
    target: Target,
    context: &Context<'_>,
) -> Result<Vec<Target>, CliError> {
    if target.names_layout {
        return Ok(vec![target]);
    }
    match Database::open_fitting(&target, Access::Read, context) {
        Ok(mut fitting) => {
            let in_layout = |one: &mut Database| {
                let mut target = target.clone();
                target.layout = one.backend().layout().clone();
                target
            };
            Ok(fitting.iter_mut().map(in_layout).collect())
        }
        // Whoever needs the database is told when they open it.
        Err(CliError::Sequence(_)) => Ok(vec![target]),
        Err(error) => Err(error),
    }
}

/// Returns the one layout that a target can have, where IDs are to be told apart by it.
pub(super) fn one_of(mut targets: Vec<Target>) -> Result<Target, CliError> {
    let names: Vec<&str> = targets.iter().map(|target| target.layout.layout_name()).collect();
    let all = names.join(" and ");
    if let (Some(target), true) = (targets.pop(), targets.is_empty()) {
        return Ok(target);
    }
    Err(CliError::Options {
        message: format!("the database has tables of the layouts {all}"),
        hint: Some("--layout says which is meant".to_owned()),
    })
}

/// Makes what is missing of a database and raises sequences, in one transaction, at least
/// as far as asked for; on a server, `revives` makes tables too that were made before.
pub(super) fn make_and_raise(
    target: &Target,
    raises: &Raises,
    revives: bool,
    holder: &Holder,
    context: &Context<'_>,
) -> Result<Rebuilt, CliError> {
    let (layout, patience) = (&target.layout, patience(context));
    Ok(match target.url()? {
        DatabaseUrl::Sqlite(path) => {
            sqlite::make_and_raise(path, layout, raises, holder, patience)?
        }
        DatabaseUrl::Postgres(url) => {
            let raised = postgres::make_and_raise(url, layout, raises, revives, patience)?;
            Rebuilt { raises: raises.clone(), raised, ..Rebuilt::default() }
        }
    })
}

/// Returns what a rebuild has to know beside its sources; of a file it finds that itself.
pub(super) fn reserved(target: &Target, context: &Context<'_>) -> Result<Vec<Counter>, CliError> {
    match target.url()? {
        DatabaseUrl::Sqlite(_) => Ok(Vec::new()),
        DatabaseUrl::Postgres(url) => {
            Ok(postgres::reserved(url, &target.layout, patience(context))?)
        }
    }
}

/// Reads all values of a column.
pub(super) fn column(
    target: &Target,
    column: &Column,
    context: &Context<'_>,
) -> Result<Vec<String>, CliError> {
    Ok(match target.url()? {
        DatabaseUrl::Sqlite(path) => sqlite::column(path, column, patience(context))?,
        DatabaseUrl::Postgres(url) => postgres::column(url, column, patience(context))?,
    })
}

/// Returns how long locks of others are waited for.
pub(super) fn patience(context: &Context<'_>) -> Duration {
    context.global.lock_timeout.unwrap_or(LOCK_TIMEOUT)
}
