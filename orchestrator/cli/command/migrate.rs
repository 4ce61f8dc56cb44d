//! `migrate`: an old backlog written in the current schema, now.

use crate::cli::args::Migrate;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::unified;
use crate::cli::session::{Context, with_writer};
use crate::wire::MigrateReport;

/// Migrates the file, or shows what that would change.
pub(crate) fn migrate(args: &Migrate, context: &Context<'_>) -> Result<Exit, CliError> {
    let mut session = context.open()?;
    session.warn(&[])?;
    let path = session.store.paths().shown.clone();
    let schema_version = session.store.file()?.schema_version;
    let before = session.store.text()?.to_owned();
    let after = session.store.migrated_text()?.map(str::to_owned);
    let is_needed = after.is_some();
    let diff = after.filter(|_| args.dry_run).map(|after| unified(&path, &before, &after));
    let migrated = is_needed && !args.dry_run;
    if migrated {
        with_writer(session.store, |coordinator| Ok(coordinator.change_blocking(Vec::new())?))?;
    }
    let output = context.output;
    if output.is_json() {
        let diff = diff.map(|diff| anstream::adapter::strip_str(&diff).to_string());
        output.document("migrate", MigrateReport { schema_version, is_needed, migrated, diff })?;
    } else if let Some(diff) = diff {
        output.text(&diff)?;
    } else if migrated {
        let path = path.display();
        output.line(&format!("{path} is of version {schema_version} now"))?;
        output.note("the original is in .orchestrator/backup/");
    } else {
        output.note(&format!("nothing to migrate: version {schema_version} is current"));
    }
    Ok(Exit::Done)
}
