//! `edit`: an item's own text in the user's editor.
//!
//! The text lies in a file of its own meanwhile, and the backlog is not locked: an
//! item that was changed in between is refused. Text that is refused is kept beside
//! our state, and offered again by the next edit of that item.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::update::answer;
use crate::cli::args::Edit;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::{Context, Session, shortened};
use crate::fs;
use crate::model::{BacklogItem, Change, ChangeError, Code, Diagnostic, ItemId, Segment};
use crate::wire::Item;
use crate::yaml::{self, Document, ProblemKind, Step};

/// The editor where the user, on a terminal, names none.
const EDITOR: &str = "vi";

/// An item's text while it is edited.
struct Draft {
    /// The item's ID.
    id: String,
    before: Arc<BacklogItem>,
    /// The item's text in the backlog.
    own: String,
    /// Where a refused text is kept.
    kept: PathBuf,
    /// Where this edit's text lies.
    path: PathBuf,
}

/// Lets the user edit an item, and puts the result in its place.
pub(crate) fn edit(args: &Edit, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    let draft = Draft::of(args, &mut session)?;
    let offered = match fs::read_if_exists(&draft.kept)? {
        Some(bytes) => {
            context.output.note("this is the text that was refused before");
            String::from_utf8_lossy(&bytes).into_owned()
        }
        None => draft.own.clone(),
    };
    fs::replace(&draft.path, offered.as_bytes())?;
    let text = run_editor(&draft.path, context.output)?;
    if text.trim().is_empty() || text.trim_end() == draft.own.trim_end() {
        draft.forget()?;
        context.output.note("nothing was changed");
        if context.output.is_json() {
            context.output.document("item", Item::from(&*draft.before))?;
        }
        return Ok(Exit::Done);
    }
    let after = match read(&draft, &text) {
        Ok(after) => after,
        Err(error) => return Err(draft.keep(error)?),
    };
    let Draft { id, before, .. } = &draft;
    let change = Change::Replace {
        id: id.clone(),
        before: Arc::clone(before),
        after: Box::new(after),
        text: if text.ends_with('\n') { text } else { text + "\n" },
    };
    match session.change(change) {
        Ok(changed) => {
            draft.forget()?;
            answer(&changed, &args.item, context)
        }
        // The next edit begins with the item as it is by then.
        Err(error @ CliError::Change(ChangeError::NoSuchItem { .. })) => {
            draft.forget()?;
            Err(error)
        }
        Err(error) => Err(draft.keep(error)?),
    }
}

impl Draft {
    fn of(args: &Edit, session: &mut Session<'_>) -> Result<Self, CliError> {
        let index = session.find(&args.item)?;
        let before = Arc::clone(&session.store.file()?.items[index]);
        let own = session.store.item_text(index)?;
        let id = before.id_or_dash().to_owned();
        let folder = shortened(&session.store.paths().state)?.join("edit");
        session.store.paths().prepare()?;
        fs::create_dir_all(&folder)?;
        let name = file_name(&id);
        let kept = folder.join(format!("{name}.yaml"));
        let path = folder.join(format!("{name}.{}.yaml", std::process::id()));
        Ok(Self { id, before, own, kept, path })
    }

    /// Keeps the text for the next edit; gives the error back.
    fn keep(&self, error: CliError) -> Result<CliError, CliError> {
        fs::rename(&self.path, &self.kept)?;
        Ok(error)
    }

    fn forget(&self) -> Result<(), CliError> {
        fs::remove_if_exists(&self.path)?;
        fs::remove_if_exists(&self.kept)?;
        Ok(())
    }
}

/// Returns an ID as a file name: an odd one may be anything.
fn file_name(id: &str) -> String {
    let key = ItemId::key(id);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.len() < 100 && key.chars().all(is_plain) { key } else { fs::hash(key.as_bytes()) }
}

/// Runs the user's editor on a file and returns what is in it then. What it says is
/// for a person: where a program reads our JSON, it goes nowhere.
fn run_editor(path: &Path, output: &Output) -> Result<String, CliError> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = match named("VISUAL").or_else(|| named("EDITOR")) {
        Some(editor) => editor,
        None if std::io::stdin().is_terminal() => EDITOR.to_owned(),
        None => {
            fs::remove_if_exists(path)?;
            return Err(CliError::NoEditor);
        }
    };
    // Users write arguments into the variable, with the quotes of a shell.
    let stream = |is_terminal: bool| {
        if output.is_json() && !is_terminal { Stdio::null() } else { Stdio::inherit() }
    };
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$@\""))
        .arg("sh")
        .arg(path)
        .stdout(stream(output.is_terminal()))
        .stderr(stream(output.is_terminal_beside()))
        .status()
        .map_err(|source| CliError::Io { action: format!("start {editor}"), source })?;
    if !status.success() {
        fs::remove_if_exists(path)?;
        return Err(CliError::Editor { editor, status });
    }
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Reads an edited text as an item.
fn read(draft: &Draft, text: &str) -> Result<BacklogItem, CliError> {
    let refused =
        |problems| CliError::EditRefused { id: draft.id.clone(), text: text.to_owned(), problems };
    let diagnostic = |code: Code, message: String, hint: Option<String>| Diagnostic {
        code,
        message,
        file: draft.kept.clone(),
        line: 0,
        column: 0,
        span: None,
        item: None,
        hint,
    };
    let mapping = yaml::parse_record(text).map_err(|problems| {
        let located = problems.into_iter().map(|problem| Diagnostic {
            line: problem.line,
            column: problem.column,
            span: Some(problem.offset..problem.offset + problem.len),
            ..diagnostic(code_of(problem.kind), problem.message, problem.hint)
        });
        refused(located.collect())
    })?;
    let (item, problems) = BacklogItem::from_mapping(mapping);
    // One entry is a list of one; its place is that below the list's key.
    const HEAD: &str = "items:\n";
    let list = Document::parse(format!("{HEAD}{text}"), "items", &mut |_, _| {}).ok();
    let place = |path: &[Segment]| {
        let steps: Vec<Step> = path.iter().cloned().map(step).collect();
        list.as_ref().and_then(|list| list.locate(Some(0), &steps))
    };
    let errors: Vec<Diagnostic> = problems
        .into_iter()
        .filter(|problem| problem.code.is_error())
        .map(|problem| {
            let found = diagnostic(problem.code, problem.message, problem.hint);
            let Some(at) = place(&problem.path) else {
                return found;
            };
            let offset = at.offset - HEAD.len();
            let span = Some(offset..offset + at.len);
            Diagnostic { line: at.line - 1, column: at.column, span, ..found }
        })
        .collect();
    if errors.is_empty() { Ok(item) } else { Err(refused(errors)) }
}

fn step(segment: Segment) -> Step {
    match segment {
        Segment::Key(key) => Step::Key(key),
        Segment::Index(index) => Step::Index(index),
    }
}

fn code_of(kind: ProblemKind) -> Code {
    match kind {
        ProblemKind::Syntax => Code::Syntax,
        ProblemKind::EmptyFile => Code::EmptyFile,
        ProblemKind::MultipleDocuments => Code::MultipleDocuments,
        ProblemKind::DuplicateKey => Code::DuplicateKey,
        ProblemKind::WrongShape => Code::WrongShape,
        ProblemKind::MergeKey => Code::MergeKey,
    }
}
