//! Everything a command can fail with, and what that means outside: a stable
//! code, an exit code, a way out.
//!
//! Modules below say what went wrong; that a thing is a conflict and what a
//! person can do about it is said here, once.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::exit::Exit;
use crate::api::TokenError;
use crate::config::ConfigError;
use crate::coordinator::CoordinatorError;
use crate::engine::EngineError;
use crate::fs::{FsError, LockError};
use crate::git::GitError;
use crate::model::{ChangeError, Diagnostic, PhaseResultError};
use crate::runner::RunnerError;
use crate::sequence::SequenceError;
use crate::sequence::adopt::FilesError;
use crate::store::{RequestError, StoreError};
use crate::wire::ErrorReport;
use crate::yaml::Refused;

/// Why a command did nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Usage(clap::Error),
    #[error("there is no backlog in {} or above", folder.display())]
    NoBacklog { folder: PathBuf },
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("several items are called {id}: lines {}", listed(lines))]
    Duplicate { id: String, file: PathBuf, lines: Vec<u32> },
    #[error("the text of the file cannot be changed so: {refused}")]
    Refused { file: PathBuf, refused: Refused },
    #[error("the edited text of {id} is refused")]
    EditRefused { id: String, text: String, problems: Vec<Diagnostic> },
    #[error("no editor is named, and this is no terminal")]
    NoEditor,
    #[error("{editor} ended with {status}")]
    Editor { editor: String, status: std::process::ExitStatus },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Of a save: what the disk has is then not known.
    #[error(transparent)]
    Save(Arc<StoreError>),
    #[error(transparent)]
    Coordinator(CoordinatorError),
    #[error("{} is no phase result", path.display())]
    PhaseResult {
        path: PathBuf,
        #[source]
        source: PhaseResultError,
    },
    #[error(transparent)]
    File(#[from] FsError),
    #[error("cannot {action}")]
    Io {
        action: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Engine(Box<EngineError>),
    #[error("an agent could not be watched over")]
    Supervisor(#[source] RunnerError),
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Of the service, which makes none that was named, and none that was lost.
    #[error("there is no database {}", path.display())]
    NoDatabase { path: PathBuf },
    #[error("{} is not there", path.display())]
    NoTokens { path: PathBuf },
    #[error("{}", path.display())]
    Tokens {
        path: PathBuf,
        #[source]
        source: TokenError,
    },
    #[error("{address} can be reached by others, and no tokens are asked for")]
    OpenToAll { address: String },
    #[error("cannot write the result as JSON")]
    Json(#[from] serde_json::Error),
    /// Options that do not fit together, or do not suffice.
    #[error("{message}")]
    Options { message: String, hint: Option<String> },
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Git(#[from] GitError),
    /// A rebuild that would begin anew.
    #[error("the sources have no ID: a database made from nothing would issue old IDs again")]
    NothingFound,
}

fn listed(lines: &[u32]) -> String {
    let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
    lines.join(" and ")
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<CoordinatorError> for CliError {
    fn from(error: CoordinatorError) -> Self {
        match error {
            CoordinatorError::Store(error) => Self::Save(error),
            other => Self::Coordinator(other),
        }
    }
}

/// What an error is to a program and to a shell.
type Kind = (&'static str, Exit);

const IO: Kind = ("io", Exit::Io);
const BUSY: Kind = ("busy", Exit::Busy);
const NOT_INITIALISED: Kind = ("not_initialised", Exit::NotInitialised);
const EDIT_REFUSED: Kind = ("edit_refused", Exit::Refused);
const USAGE: Kind = ("usage", Exit::Usage);
const DATABASE: Kind = ("database", Exit::Io);

impl CliError {
    /// Returns how the program ends.
    pub(crate) fn exit(&self) -> Exit {
        self.kind().1
    }

    /// Returns the stable word for it, and how the program ends.
    fn kind(&self) -> Kind {
        match self {
            Self::Usage(error) if !error.use_stderr() => ("usage", Exit::Done),
            Self::Usage(_) => ("usage", Exit::Usage),
            Self::NoBacklog { .. } => NOT_INITIALISED,
            Self::NoEditor => ("usage", Exit::Usage),
            Self::Change(error) => change(error),
            Self::Duplicate { .. } => ("duplicate_id", Exit::Conflict),
            Self::Refused { .. } | Self::EditRefused { .. } => EDIT_REFUSED,
            Self::Config(ConfigError::Invalid { problems, .. }) => {
                (problems.first().map_or("syntax", |first| first.code.as_str()), Exit::Invalid)
            }
            Self::Store(error) | Self::Save(error) => store(error),
            Self::Coordinator(CoordinatorError::Busy) => BUSY,
            Self::PhaseResult { source, .. } => (phase_result(source), Exit::Invalid),
            Self::Engine(error) => engine(error),
            Self::Options { .. }
            | Self::OpenToAll { .. }
            | Self::Files(FilesError::Pattern { .. }) => USAGE,
            Self::Sequence(error) => sequence(error),
            Self::NothingFound => ("no_such_item", Exit::NoSuchItem),
            Self::Lock(LockError::Busy { .. }) => BUSY,
            Self::NoTokens { .. } | Self::NoDatabase { .. } => NOT_INITIALISED,
            Self::Tokens { .. } => ("syntax", Exit::Invalid),
            Self::Lock(_)
            | Self::Files(FilesError::File(_))
            | Self::Git(_)
            | Self::Coordinator(_)
            | Self::Config(ConfigError::Read(_))
            | Self::File(_)
            | Self::Editor { .. }
            | Self::Supervisor(_)
            | Self::Io { .. }
            | Self::Json(_) => IO,
        }
    }

    /// Returns the way out, where there is an obvious one.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoBacklog { .. } => {
                Some("`orchestrator init` starts one here; -C or --file name another".to_owned())
            }
            Self::Change(error) => change_hint(error),
            Self::Duplicate { .. } => {
                Some("`orchestrator check --fix` gives the later ones new IDs".to_owned())
            }
            Self::Refused { .. } => Some("make this change in the file itself".to_owned()),
            Self::EditRefused { id, .. } => {
                Some(format!("the text is kept; `orchestrator edit {id}` offers it again"))
            }
            Self::NoEditor => {
                Some("set $EDITOR, or use `orchestrator update` from a program".to_owned())
            }
            Self::Editor { .. } => {
                Some("nothing was changed; $VISUAL or $EDITOR says which editor to use".to_owned())
            }
            Self::Save(error) if store(error) == IO => Some(
                "whether the change is on disk is not known: look before trying again".to_owned(),
            ),
            Self::Store(error) | Self::Save(error) => store_hint(error),
            Self::Options { hint, .. } => hint.clone(),
            Self::Sequence(error) => sequence_hint(error).map(str::to_owned),
            Self::NothingFound => Some("name more sources, or start anew with --create".to_owned()),
            Self::NoDatabase { path } => Some(format!(
                "after a loss `orchestrator id sync --rebuild --db sqlite:{0} …` makes it from the IDs that exist, and `orchestrator id next --create --db sqlite:{0} …` a new one",
                path.display()
            )),
            Self::NoTokens { path } => Some(format!(
                "`orchestrator serve token new --tokens {} --project P --scope allocate` makes it",
                path.display()
            )),
            Self::OpenToAll { .. } => Some(
                "`orchestrator serve token new --project P --scope allocate` makes one".to_owned(),
            ),
            Self::Engine(error) => match &**error {
                EngineError::Runner(RunnerError::Agent { .. }) => Some(
                    "install it, or say what to run instead: `command = […]` under \
                     `[agents.default]`, or whichever agent it is, in orchestrator.toml"
                        .to_owned(),
                ),
                EngineError::Runner(
                    RunnerError::Supervisor { .. } | RunnerError::SupervisorEnded { .. },
                ) => Some(
                    "it is this very program, started once more: where that was removed or \
                     replaced meanwhile, run it again"
                        .to_owned(),
                ),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the problems of a file that it is about, where there are any.
    pub(crate) fn problems(&self) -> Option<Problems<'_>> {
        match self {
            Self::Config(error) => Problems::of_config(error),
            Self::EditRefused { problems, text, .. } => {
                Some(Problems { found: problems.clone(), text, are_all_errors: true })
            }
            Self::Store(error) | Self::Save(error) => match &**error {
                StoreError::Invalid { diagnostics, text } => {
                    Some(Problems { found: diagnostics.clone(), text, are_all_errors: false })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the whole of it as a program reads it.
    pub(crate) fn report(&self) -> ErrorReport {
        let (code, _) = self.kind();
        if let Self::Usage(error) = self {
            return usage(error);
        }
        if let Some(problems) = self.problems()
            && let Some(first) = problems.found.iter().find(|found| problems.is_error(found))
        {
            return ErrorReport { code, ..ErrorReport::from(first) };
        }
        let (file, line, column) = self.place();
        ErrorReport {
            code,
            message: chain(self),
            file: file.map(|path| path.to_string_lossy().into_owned()),
            line,
            column,
            hint: self.hint(),
        }
    }

    /// Returns the file it is about, with line and column, as far as they are known.
    fn place(&self) -> (Option<&PathBuf>, Option<u32>, Option<u32>) {
        match self {
            Self::Duplicate { file, lines, .. } => (Some(file), lines.first().copied(), None),
            Self::Refused { file, refused } => {
                (Some(file), Some(refused.line), Some(refused.column))
            }
            Self::PhaseResult { path, source } => {
                let place = |number: usize| u32::try_from(number).ok().filter(|n| *n > 0);
                match source {
                    PhaseResultError::Json(error) => {
                        (Some(path), place(error.line()), place(error.column()))
                    }
                    _ => (Some(path), None, None),
                }
            }
            Self::Store(error) | Self::Save(error) => match &**error {
                StoreError::DamagedMark { path }
                | StoreError::DamagedEntry { path, .. }
                | StoreError::BecameLink { path }
                | StoreError::Unsettled { path, .. } => (Some(path), None, None),
                _ => (None, None, None),
            },
            _ => (None, None, None),
        }
    }
}

/// What is wrong with one file.
pub(crate) struct Problems<'a> {
    pub(crate) found: Vec<Diagnostic>,
    /// The text that they speak of.
    pub(crate) text: &'a str,
    /// Whether none of them is a warning, whatever its code is: a backlog goes on
    /// with an unknown key, a configuration does not.
    pub(crate) are_all_errors: bool,
}

impl<'a> Problems<'a> {
    /// Returns what is wrong with a configuration that was read.
    pub(crate) fn of_config(error: &'a ConfigError) -> Option<Self> {
        match error {
            ConfigError::Invalid { problems, text, .. } => {
                let found = problems.iter().cloned().map(Diagnostic::from).collect();
                Some(Self { found, text, are_all_errors: true })
            }
            ConfigError::Read(_) => None,
        }
    }

    /// Returns whether one of them is an error.
    pub(crate) fn is_error(&self, found: &Diagnostic) -> bool {
        self.are_all_errors || found.is_error()
    }
}

/// Returns an error with all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // What says the same as its source, or repeats it, is said once; so is what its
        // source says with a number before it.
        if !text.ends_with(&next) && (last.is_empty() || !next.ends_with(&last)) {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        cause = error.source();
    }
    text
}

fn change(error: &ChangeError) -> Kind {
    match error {
        ChangeError::NoSuchItem { .. } | ChangeError::Archived { .. } => {
            ("no_such_item", Exit::NoSuchItem)
        }
        ChangeError::DuplicateId { .. } => ("duplicate_id", Exit::Conflict),
        ChangeError::IllegalTransition { .. }
        | ChangeError::CannotAdvance { .. }
        | ChangeError::NotBlocked { .. }
        | ChangeError::NotDone { .. }
        | ChangeError::NoPhases { .. } => ("illegal_transition", Exit::Refused),
        ChangeError::Guardrail { .. } => ("guardrail", Exit::Refused),
        ChangeError::Cycle { .. } => ("cycle", Exit::Refused),
        ChangeError::BlankTitle | ChangeError::SameItem { .. } => ("usage", Exit::Usage),
        ChangeError::UnknownPipeline { .. } => ("unknown_pipeline", Exit::Usage),
        ChangeError::UnknownPhase { .. } => ("unknown_phase", Exit::Usage),
        ChangeError::AlreadyThere { .. } | ChangeError::ChangedMeanwhile { .. } => {
            ("conflict", Exit::Conflict)
        }
        ChangeError::IdEdited { .. } => EDIT_REFUSED,
        ChangeError::IdSpace(_) => ("id_space_exhausted", Exit::Refused),
    }
}

fn change_hint(error: &ChangeError) -> Option<String> {
    let hint = match error {
        ChangeError::NoSuchItem { .. } => "`orchestrator list --all` shows all items".to_owned(),
        ChangeError::Archived { id, .. } => format!("`orchestrator restore {id}` puts it back"),
        ChangeError::IllegalTransition { illegal, .. } if illegal.from == illegal.to => {
            return None;
        }
        ChangeError::IllegalTransition { .. } => {
            "`advance` goes one step; `update --status … --force` sets what a hand edit could"
                .to_owned()
        }
        ChangeError::CannotAdvance { id, status: crate::model::ItemStatus::Blocked } => {
            format!("`orchestrator unblock {id}` first")
        }
        ChangeError::NotDone { id, .. } => {
            format!("`orchestrator done {id}` first, or give it up with --reason")
        }
        ChangeError::Guardrail { id, .. } => {
            format!(
                "a person consents with `orchestrator block {id} --type decision --reason …`, then `unblock`"
            )
        }
        ChangeError::UnknownPipeline { near: Some(near), .. }
        | ChangeError::UnknownPhase { near: Some(near), .. } => format!("did you mean `{near}`?"),
        ChangeError::ChangedMeanwhile { .. } => "look at it again, and repeat".to_owned(),
        ChangeError::IdEdited { id } => format!(
            "leave the line with `id` as it was; the text is kept, and `orchestrator edit {id}` offers it again"
        ),
        _ => return None,
    };
    Some(hint)
}

fn store(error: &StoreError) -> Kind {
    match error {
        StoreError::NotInitialised { .. } => NOT_INITIALISED,
        StoreError::Invalid { diagnostics, .. } => {
            let first = diagnostics.iter().find(|found| found.is_error());
            (first.map_or("syntax", |first| first.code.as_str()), Exit::Invalid)
        }
        StoreError::Unsettled { .. } | StoreError::Lock(LockError::Busy { .. }) => BUSY,
        StoreError::BecameLink { .. } => ("conflict", Exit::Conflict),
        StoreError::DamagedMark { .. } | StoreError::DamagedEntry { .. } => {
            ("syntax", Exit::Invalid)
        }
        StoreError::NotArchived { .. } => ("no_such_item", Exit::NoSuchItem),
        StoreError::IdSpace(_) => ("id_space_exhausted", Exit::Refused),
        StoreError::Lock(LockError::File(_))
        | StoreError::Git(_)
        | StoreError::Fs(_)
        | StoreError::Record(_) => IO,
    }
}

fn engine(error: &EngineError) -> Kind {
    match error {
        EngineError::Coordinator(CoordinatorError::Busy) => BUSY,
        EngineError::Coordinator(CoordinatorError::Store(error)) => store(error),
        EngineError::Store(error) => store(error),
        EngineError::NoSuchTarget { .. } => ("no_such_item", Exit::NoSuchItem),
        EngineError::NoSuchAgent { .. } => ("unknown_value", Exit::Invalid),
        EngineError::Coordinator(_) | EngineError::Runner(_) | EngineError::Died(_) => IO,
    }
}

fn sequence(error: &SequenceError) -> Kind {
    match error {
        SequenceError::Identifier { .. }
        | SequenceError::Layout { .. }
        | SequenceError::Format { .. }
        | SequenceError::Key { .. }
        | SequenceError::Count { .. } => USAGE,
        SequenceError::Missing { .. } | SequenceError::NoTable { .. } => NOT_INITIALISED,
        SequenceError::NoSequence { .. } | SequenceError::NoReservation => {
            ("no_such_item", Exit::NoSuchItem)
        }
        SequenceError::Exhausted { .. } => ("id_space_exhausted", Exit::Refused),
        SequenceError::IdempotencyConflict => ("conflict", Exit::Conflict),
        SequenceError::QueueFull | SequenceError::Busy { .. } | SequenceError::TimedOut { .. } => {
            BUSY
        }
        SequenceError::Replaced { .. }
        | SequenceError::Linked { .. }
        | SequenceError::NotADatabase { .. }
        | SequenceError::DamagedTable { .. }
        | SequenceError::OtherColumns { .. }
        | SequenceError::NotUnique { .. }
        | SequenceError::Counter { .. }
        | SequenceError::OutcomeUnknown { .. }
        | SequenceError::NoTransaction
        | SequenceError::Unreachable { .. }
        | SequenceError::Database { .. }
        | SequenceError::Closed => DATABASE,
    }
}

fn sequence_hint(error: &SequenceError) -> Option<&'static str> {
    let hint = match error {
        SequenceError::Missing { .. } => {
            "`id sync --rebuild` makes a lost one from the IDs that exist; --create starts anew"
        }
        SequenceError::NoTable { table }
            if table.starts_with("orchestrator_") || table == "id_reservations" =>
        {
            "`id reserve --create` makes it, and so does `serve`"
        }
        SequenceError::NoTable { .. } => {
            "`id sync --create` makes it with the IDs that exist; `id next --create` starts at 1"
        }
        SequenceError::Linked { .. } => "`find DIR -samefile FILE` shows the other names",
        SequenceError::NotADatabase { .. } => {
            "`id sync --rebuild` makes it anew from the IDs that exist, and keeps this file"
        }
        SequenceError::NoSequence { .. } => "`id status` shows which there are",
        SequenceError::NoReservation => "what it held stays taken: reserve again",
        SequenceError::Busy { .. } => "try again; --lock-timeout waits longer",
        SequenceError::OutcomeUnknown { .. } | SequenceError::TimedOut { .. } => {
            "what was taken, if anything, is a gap: ask again for other numbers"
        }
        SequenceError::Counter { .. } => "put the row right by hand, then run `id sync`",
        _ => return None,
    };
    Some(hint)
}

fn store_hint(error: &StoreError) -> Option<String> {
    let hint = match error {
        StoreError::NotInitialised { .. } => "`orchestrator init` starts one",
        StoreError::DamagedMark { .. } => {
            "`orchestrator check --fix` rebuilds it from what is known"
        }
        StoreError::DamagedEntry { .. } => "mend the entry by hand: it is YAML in a fenced block",
        StoreError::Unsettled { .. } => "an editor or a program keeps writing it: try again later",
        StoreError::BecameLink { .. } => {
            "start the command again: it goes where the link leads; what a run has kept stays in the folder of before"
        }
        StoreError::Lock(LockError::Busy { .. }) => "try again when that process is done",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn phase_result(error: &PhaseResultError) -> &'static str {
    match error {
        PhaseResultError::Json(_) => "syntax",
        PhaseResultError::NotAnObject => "wrong_shape",
        PhaseResultError::Missing { .. } | PhaseResultError::BadItemId { .. } => "wrong_type",
    }
}

/// Returns what the argument parser says in the fields of an error.
fn usage(error: &clap::Error) -> ErrorReport {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let first = paragraphs.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    let hint: Vec<String> = paragraphs.filter(|text| !text.is_empty()).collect();
    ErrorReport {
        code: "usage",
        message,
        hint: (!hint.is_empty()).then(|| hint.join("; ")),
        ..ErrorReport::default()
    }
}

/// Returns why a request was refused, with the file it speaks of.
pub(crate) fn of_request(error: RequestError, file: PathBuf) -> CliError {
    match error {
        RequestError::Change(error) => CliError::Change(error),
        RequestError::Edit(refused) => CliError::Refused { file, refused },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Code, IdError};

    fn told(error: CliError) -> (&'static str, u8, bool) {
        let report = error.report();
        (report.code, error.exit() as u8, report.hint.is_some())
    }

    #[test]
    fn each_failure_has_its_code_and_its_exit() {
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        let full =
            || StoreError::Fs(FsError::One { action: "write", path: "a".into(), source: io() });
        let wait = std::time::Duration::ZERO;
        let unsettled = StoreError::Unsettled { path: "a".into(), waited: wait };
        let held = LockError::Busy { path: "a".into(), holder: None, waited: wait };
        assert_eq!(told(unsettled.into()), ("busy", 6, true));
        assert_eq!(told(StoreError::Lock(held).into()), ("busy", 6, true));
        assert_eq!(told(CoordinatorError::Busy.into()), ("busy", 6, false));
        assert_eq!(told(CoordinatorError::Closed.into()), ("io", 8, false));
        assert_eq!(told(full().into()), ("io", 8, false));
        // A failed save is unknown, not undone.
        assert_eq!(told(CoordinatorError::from(full()).into()), ("io", 8, true));
        let no_number = || IdError::IdSpaceExhausted;
        assert_eq!(told(StoreError::from(no_number()).into()), ("id_space_exhausted", 1, false));
        assert_eq!(told(ChangeError::from(no_number()).into()), ("id_space_exhausted", 1, false));
        let entry = StoreError::DamagedEntry { id: "A-1".into(), path: "a".into() };
        assert_eq!(told(entry.into()), ("syntax", 7, true));
    }

    #[test]
    fn each_failure_of_a_sequence_has_its_code_and_its_exit() {
        let key = || crate::sequence::Key::new(["US", "p"]).unwrap();
        let source = || Arc::new(io::Error::other("on fire")) as crate::sequence::Cause;
        let waited = std::time::Duration::ZERO;
        let problem = || String::from("odd");
        let (path, table) = (|| PathBuf::from("ids.db"), || String::from("t"));
        for (error, expected) in [
            (SequenceError::Key { problem: problem() }, ("usage", 2, false)),
            (SequenceError::Count { count: 0, max: 1 }, ("usage", 2, false)),
            (SequenceError::Missing { path: path() }, ("not_initialised", 3, true)),
            (SequenceError::NoTable { table: table() }, ("not_initialised", 3, true)),
            (SequenceError::NoSequence { key: key() }, ("no_such_item", 4, true)),
            (SequenceError::NoReservation, ("no_such_item", 4, true)),
            (SequenceError::IdempotencyConflict, ("conflict", 5, false)),
            (SequenceError::Busy { waited }, ("busy", 6, true)),
            (SequenceError::QueueFull, ("busy", 6, false)),
            (SequenceError::TimedOut { waited }, ("busy", 6, true)),
            (SequenceError::NotADatabase { path: path(), source: source() }, ("database", 8, true)),
            (SequenceError::OutcomeUnknown { source: source() }, ("database", 8, true)),
            (SequenceError::Unreachable { source: source() }, ("database", 8, false)),
            (SequenceError::Counter { key: key(), found: problem() }, ("database", 8, true)),
            (SequenceError::Exhausted { key: key(), last: 1 }, ("id_space_exhausted", 1, false)),
        ] {
            let text = error.to_string();
            assert_eq!(told(error.into()), expected, "{text}");
        }
        assert_eq!(told(CliError::NothingFound), ("no_such_item", 4, true));
    }

    #[test]
    fn the_first_error_goes_before_the_warnings_above_it() {
        let found = |code: Code, line: u32| Diagnostic {
            code,
            message: "m".into(),
            file: "B.yaml".into(),
            line,
            column: 1,
            span: None,
            item: None,
            hint: None,
        };
        let diagnostics = vec![found(Code::MarkBehind, 2), found(Code::WrongType, 4)];
        let error = CliError::from(StoreError::Invalid { diagnostics, text: String::new() });
        let report = error.report();
        assert_eq!(
            (report.code, report.line, error.exit()),
            ("wrong_type", Some(4), Exit::Invalid)
        );
    }

    #[test]
    fn a_chain_says_each_thing_once() {
        let source = io::Error::other("disk on fire");
        let fs = FsError::One { action: "read", path: "a".into(), source };
        let error = CliError::from(StoreError::from(fs));
        assert_eq!(chain(&error), "cannot read a: disk on fire");
        #[derive(Debug, thiserror::Error)]
        #[error("code 5: disk on fire")]
        struct Code;
        #[derive(Debug, thiserror::Error)]
        #[error("disk on fire")]
        struct Fire(#[source] Code);
        assert_eq!(chain(&Fire(Code)), "disk on fire");
    }
}
