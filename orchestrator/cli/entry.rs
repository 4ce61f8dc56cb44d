//! The way through the program: read the command line, do the command, show what
//! failed, end with the code that says so.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

use super::args::{Cli, ColorWhen, Command, Global};
use super::command as run;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Output, start_log};
use super::session::Context;
use crate::runner::supervise_main;

/// The hidden subcommand under which an agent's supervisor runs.
pub(crate) const SUPERVISE: &str = "__supervise";

/// Runs the program with the arguments of this process. Returns the exit code:
/// what kind of failure it was, 0 where it was none.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == SUPERVISE) {
        return supervise(&arguments[2..]);
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let error = CliError::Usage(without_password(error));
            Output::of_process(&as_far_as_known(&arguments)).error(&error);
            return error.exit().into();
        }
    };
    match &cli.command {
        // The service has a log of its own.
        Command::Serve(serve) if serve.command.is_none() => {}
        _ => start_log(&cli.global),
    }
    let output = Output::of_process(&cli.global);
    match dispatch(cli, &output) {
        Ok(exit) => {
            output.finish();
            exit.into()
        }
        Err(error) => {
            output.error(&error);
            error.exit().into()
        }
    }
}

/// Hides what may be a password in a URL that is none: standard error goes into logs.
fn without_password(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && let Some((before, after)) = value.rsplit_once('@')
        && let Some((user, _)) = before.rsplit_once(':')
        && matches!(error.get(ContextKind::InvalidArg),
            Some(ContextValue::String(option)) if option.starts_with("--db"))
    {
        let hidden = ContextValue::String(format!("{user}:…@{after}"));
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}

/// Watches over one agent: what a run starts, and no person.
fn supervise(arguments: &[OsString]) -> ExitCode {
    match supervise_main(arguments.iter().cloned()) {
        Ok(code) => code.into(),
        Err(error) => {
            Output::of_process(&Global::default()).error(&CliError::Supervisor(error));
            Exit::Io.into()
        }
    }
}

fn dispatch(cli: Cli, output: &Output) -> Result<Exit, CliError> {
    let Cli { global, command } = cli;
    if let Some(folder) = &global.directory {
        std::env::set_current_dir(folder).map_err(|source| {
            let action = format!("work in {}", folder.display());
            CliError::Io { action, source }
        })?;
    }
    let context = &Context { global: &global, output, name: command.name() };
    match command {
        Command::Init(args) => run::init(&args, context),
        Command::Add(args) => run::add(args, context),
        Command::List(args) => run::list(&args, context),
        Command::Show(args) => run::show(&args, context),
        Command::Log(args) => run::log(&args, context),
        Command::Update(args) => run::update(args, context),
        Command::Edit(args) => run::edit(&args, context),
        Command::Advance(args) => run::advance(args, context),
        Command::Block(args) => run::block(args, context),
        Command::Unblock(args) => run::unblock(args, context),
        Command::Done(args) => run::done(args, context),
        Command::Archive(args) => run::archive(args, context),
        Command::Restore(args) => run::restore(&args, context),
        Command::Merge(args) => run::merge(&args, context),
        Command::Ingest(args) => run::ingest(&args, context),
        Command::Status => run::status(context),
        Command::Run(args) => run::run(&args, context),
        Command::Triage(args) => run::triage(&args, context),
        Command::Check(args) => run::check(&args, context),
        Command::Migrate(args) => run::migrate(&args, context),
        Command::Id(args) => run::id(args.command, context),
        Command::Serve(args) => run::serve(args, context),
        Command::Schema => run::schema(output),
        Command::Completions(args) => run::completions(&args, output),
    }
}

/// Returns how to show that the arguments are none of ours: what can be told of
/// them without understanding them.
fn as_far_as_known(arguments: &[OsString]) -> Global {
    let before_dashes = arguments.iter().take_while(|argument| *argument != "--");
    let known: Vec<&OsString> = before_dashes.collect();
    let env_is_set = std::env::var("ORCHESTRATOR_JSON").is_ok_and(|value| {
        let falsy = ["", "0", "n", "no", "f", "false", "off"];
        !falsy.contains(&value.to_lowercase().as_str())
    });
    let colour = |word: &str| {
        let joined = format!("--color={word}");
        known.iter().any(|argument| **argument == *joined)
            || known.windows(2).any(|pair| pair[0] == "--color" && pair[1] == word)
    };
    Global {
        json: env_is_set || known.iter().any(|argument| *argument == "--json"),
        color: match (colour("always"), colour("never")) {
            (true, _) => ColorWhen::Always,
            (_, true) => ColorWhen::Never,
            _ => ColorWhen::Auto,
        },
        ..Global::default()
    }
}
