//! `init`: a backlog, its configuration and its state, where they are missing.

use std::path::{Path, PathBuf};

use crate::cli::args::Init;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::{Context, current_folder, shortened};
use crate::config::{CONFIG_NAME, Config, Located, locate_backlog};
use crate::fs;
use crate::store::{self, BacklogStore, Initialised};
use crate::wire::InitReport;

/// Makes what is missing and leaves the rest as it is.
pub(crate) fn init(args: &Init, context: &Context<'_>) -> Result<Exit, CliError> {
    let (located, config_path) = find(context)?;
    let mut options = context.options(&located)?;
    let mut created = Vec::new();
    let made = store::init(&options)?;
    if made != Initialised::Untouched {
        created.push(named(&located.backlog)?);
    }
    if let Some(prefix) = &args.prefix {
        options.rules.prefix.clone_from(prefix);
        options.prefix_is_configured = true;
    }
    // A backlog that was there may have a prefix in use already.
    let mut backlog = BacklogStore::open(options)?;
    backlog.file()?;
    let prefix = backlog.options().rules.prefix.clone();
    match fs::create_new(&config_path, Config::template(&prefix).as_bytes()) {
        Ok(()) => created.push(named(&config_path)?),
        Err(error) if error.is_already_exists() => {
            let own = located.config.project.prefix.as_deref();
            if args.prefix.as_deref().is_some_and(|asked| own != Some(asked)) {
                context.output.warn(&format!(
                    "{} is there already, and stays: set `prefix` in it",
                    named(&config_path)?
                ));
            }
        }
        Err(error) => return Err(error.into()),
    }
    report(&located.backlog, &config_path, created, context)
}

/// Finds where the backlog and the configuration are, or are to be.
fn find(context: &Context<'_>) -> Result<(Located, PathBuf), CliError> {
    let folder = current_folder()?;
    let global = context.global;
    let config_path = match (&global.config, &global.file) {
        (Some(path), _) => path.clone(),
        (None, Some(file)) => file.with_file_name(CONFIG_NAME),
        (None, None) => folder.join(CONFIG_NAME),
    };
    let is_there = fs::stamp(&config_path)?.is_some();
    let config = if is_there { Config::load(&config_path)? } else { Config::default() };
    let beside = config_path.parent().unwrap_or_else(|| Path::new(""));
    let backlog = global.file.clone().unwrap_or_else(|| config.backlog_path(beside));
    if !is_there && let Located { config, config_path: Some(path), .. } = locate_backlog(&backlog)?
    {
        // One further up governs this backlog by name.
        return Ok((Located { config, config_path: Some(path.clone()), backlog }, path));
    }
    Ok((Located { config, config_path: Some(config_path.clone()), backlog }, config_path))
}

fn named(path: &Path) -> Result<String, CliError> {
    Ok(shortened(path)?.to_string_lossy().into_owned())
}

fn report(
    backlog: &Path,
    config: &Path,
    created: Vec<String>,
    context: &Context<'_>,
) -> Result<Exit, CliError> {
    let output = context.output;
    if output.is_json() {
        let report = InitReport { backlog: named(backlog)?, config: named(config)?, created };
        output.document("init", report)?;
        return Ok(Exit::Done);
    }
    for path in &created {
        output.line(&format!("created {path}"))?;
    }
    if created.is_empty() {
        output.note("there is a backlog already: nothing was changed");
    }
    Ok(Exit::Done)
}
