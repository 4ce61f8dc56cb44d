//! Tokens on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{Issue, Tokens};
use crate::cli::args::TokenNew;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::fs::{self, FileLock, Holder};
use crate::store::Clock;

/// Where tokens are, unless somebody says otherwise.
const DEFAULT: &str = ".orchestrator/tokens.toml";
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the tokens that are good; `None` where none are asked for.
pub(super) fn load(named: Option<&Path>) -> Result<Option<Tokens>, CliError> {
    let path = named.unwrap_or(Path::new(DEFAULT));
    match read(path)? {
        // Whoever names a file wants tokens to be asked for.
        None if named.is_some() => Err(CliError::NoTokens { path: path.to_owned() }),
        tokens => Ok(tokens),
    }
}

fn read(path: &Path) -> Result<Option<Tokens>, CliError> {
    let Some(bytes) = fs::read_if_exists(path)? else {
        return Ok(None);
    };
    let tokens = Tokens::parse(&String::from_utf8_lossy(&bytes));
    tokens.map(Some).map_err(|source| CliError::Tokens { path: path.to_owned(), source })
}

/// Makes a token, and prints it.
pub(super) fn new(
    args: &TokenNew,
    named: Option<&Path>,
    context: &Context<'_>,
) -> Result<Exit, CliError> {
    let path = named.unwrap_or(Path::new(DEFAULT)).to_owned();
    let failed = |source| CliError::Tokens { path: path.clone(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let clock = Clock::system();
    let holder =
        Holder::this_process(None, "orchestrator serve token new", clock.now().to_string());
    let lock = FileLock::acquire(&lock_path(&path), LOCK_TIMEOUT, &holder)?;
    let mut tokens = read(&path)?.unwrap_or_default();
    let now = clock.now();
    let expires = args.expires.and_then(|span| now.checked_add(span).ok());
    let issue = Issue { project: args.project.clone(), scope: args.scope, now, expires };
    let token = tokens.issue(issue).map_err(failed)?;
    let text = tokens.to_toml().map_err(failed)?;
    fs::replace_private(&path, text.as_bytes())?;
    drop(lock);
    let output = context.output;
    if output.is_json() {
        output.document("token", serde_json::json!({ "token": token }))?;
    } else {
        output.line(&token)?;
    }
    output.note(&format!("its hash is in {}; the token is not shown again", path.display()));
    Ok(Exit::Done)
}

fn lock_path(path: &Path) -> PathBuf {
    path.with_added_extension("lock")
}
