//! From the command line to a service, and from a signal to its end.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::signals::end;
use super::token;
use crate::api::{self, Measured, Metrics, Service, ServiceOptions};
use crate::batch::Callers;
use crate::cli::args::{IsolationLevel, Serve, ServeCommand, TokenCommand, reservation_minutes};
use crate::cli::command::sequence::url_of_environment;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::start_service_log;
use crate::cli::session::Context;
use crate::cli::signals::Signals;
use crate::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions};
use crate::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use crate::sequence::{
    self, Authority, AuthorityOptions, Backend, Cleanup, DatabaseUrl, Layout, Running,
    SequenceError,
};

/// The database of a service that was not told of another one.
const DEFAULT_DATABASE: &str = ".orchestrator/ids.db";

/// How long batches under way may take at the end, after the requests had their time:
/// a database that hangs may keep them for longer.
const LAST_BATCHES: Duration = Duration::from_secs(10);
/// How often the service looks whether its authority is alive.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Does one of the commands of the service.
pub(crate) fn serve(args: Serve, context: &Context<'_>) -> Result<Exit, CliError> {
    let tokens = args.tokens.as_deref();
    match &args.command {
        Some(ServeCommand::Token(token)) => match &token.command {
            TokenCommand::New(new) => token::new(new, tokens, context),
        },
        None => start(&args, context),
    }
}

fn start(args: &Serve, context: &Context<'_>) -> Result<Exit, CliError> {
    let metrics = Arc::new(Metrics::new(&args.types));
    let counting = Arc::clone(&metrics);
    let _log = start_service_log(move |lost| counting.lost_log_lines(lost));
    let defaults = ServiceOptions::default();
    let reservation = match args.reservation_minutes {
        Some(time) => time,
        None => reservation_of_environment()?.unwrap_or(defaults.reservation),
    };
    let tokens = token::load(args.tokens.as_deref())?;
    let listener = bind(&args.listen, tokens.is_some())?;
    let failed = |source| CliError::Io { action: format!("listen on {}", args.listen), source };
    let address = listener.local_addr().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let signals = {
        let _within = runtime.enter();
        Signals::new().map_err(failed)?
    };

    let (authority, running) = open(args, &metrics)?;
    let options = ServiceOptions { types: args.types.clone(), reservation, tokens, ..defaults };
    let service = Service::new(authority, options, metrics);
    tell(address, context)?;
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let tokens = args.tokens.clone();
        let reloads = service.clone();
        let (stop, now) = end(signals, move || reload(&reloads, tokens.as_deref()));
        tokio::select! {
            ended = until_the_end(listener, service, stop, running) => ended,
            () = now => {
                tracing::warn!("ended at once, since somebody asked for it twice");
                Ok(())
            }
        }
    });
    // What hangs is left behind.
    runtime.shutdown_background();
    ended?;
    tracing::info!("ended");
    Ok(Exit::Done)
}

/// Serves until somebody wants the end, and then ends what is under way in order.
async fn until_the_end(
    listener: tokio::net::TcpListener,
    service: Service,
    stop: impl Future<Output = ()>,
    running: Running,
) -> Result<(), CliError> {
    let failed = |source| CliError::Io { action: "serve".to_owned(), source };
    let stop = async {
        tokio::select! {
            () = stop => {}
            // Without it there is no answer but an error: somebody has to start anew.
            () = died(&running) => tracing::error!("the authority died"),
        }
    };
    let is_drained = api::serve(listener, service, stop).await.map_err(failed)?;
    let last = tokio::task::spawn_blocking(move || running.shutdown_within(LAST_BATCHES));
    let is_ended = last.await.map_err(|error| failed(error.into()))??;
    if !(is_drained && is_ended) {
        tracing::warn!("requests that took too long were cut");
    }
    Ok(())
}

/// Waits until the authority has ended by itself.
async fn died(running: &Running) {
    while !running.is_finished() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn tell(address: SocketAddr, context: &Context<'_>) -> Result<(), CliError> {
    tracing::info!(%address, "listening");
    let url = format!("http://{address}");
    let output = context.output;
    if output.is_json() {
        return output.document("serve", serde_json::json!({ "url": url }));
    }
    output.line(&format!("listening on {url}"))
}

/// Binds an address; one that others can reach only where tokens are asked for.
fn bind(address: &str, has_tokens: bool) -> Result<TcpListener, CliError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidInput => CliError::Options {
            message: format!("--listen {address:?}: {source}"),
            hint: Some("a host and a port, such as 127.0.0.1:8080".to_owned()),
        },
        _ => CliError::Io { action: format!("listen on {address}"), source },
    };
    let resolved: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
    if !has_tokens && !resolved.iter().all(|address| address.ip().is_loopback()) {
        return Err(CliError::OpenToAll { address: address.to_owned() });
    }
    TcpListener::bind(&resolved[..]).map_err(failed)
}

/// Takes the tokens as they are now; where they cannot be read, those of before
/// stay.
fn reload(service: &Service, path: Option<&Path>) {
    match token::load(path) {
        Ok(tokens) => {
            if service.set_tokens(tokens) {
                tracing::info!("the tokens were read again");
            } else {
                tracing::warn!("there are no tokens: everyone may ask");
            }
        }
        Err(error) => {
            let cause: &dyn std::error::Error = &error;
            tracing::error!(error = cause, "the tokens cannot be read; the old ones stay");
        }
    }
}

/// Returns how long the environment lets a reservation last.
fn reservation_of_environment() -> Result<Option<Duration>, CliError> {
    const NAME: &str = "RESERVATION_EXPIRATION_MINUTES";
    let Some(text) = std::env::var_os(NAME) else { return Ok(None) };
    let time = reservation_minutes(&text.to_string_lossy());
    time.map(Some).map_err(|error| CliError::Options {
        message: format!("{NAME} cannot be used: {error}"),
        hint: Some("--reservation-minutes goes before it".to_owned()),
    })
}

fn open(args: &Serve, metrics: &Arc<Metrics>) -> Result<(Authority, Running), CliError> {
    let cleanup = Cleanup { grace: args.cleanup_after, ..Cleanup::default() };
    let options = AuthorityOptions {
        lease: args.lease(),
        cleanup: Some(cleanup),
        callers: Callers::Far,
        ..AuthorityOptions::default()
    };
    let db = match &args.db {
        Some(db) => Some(db.clone()),
        None => url_of_environment()?,
    };
    match &db {
        Some(DatabaseUrl::Postgres(url)) => {
            let isolation = match args.isolation {
                IsolationLevel::Serializable => Isolation::Serializable,
                IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
            };
            let store =
                PostgresOptions { isolation, make_tables: true, ..PostgresOptions::default() };
            measured(PostgresBackend::open(url, Layout::registry(), store)?, options, metrics)
        }
        Some(DatabaseUrl::Sqlite(path)) => measured(sqlite(path, Make::Tables)?, options, metrics),
        None => {
            let backend = sqlite(&PathBuf::from(DEFAULT_DATABASE), Make::File)?;
            if backend.was_made() {
                let path = backend.path().display();
                tracing::info!(%path, "made a new database; every sequence starts at 1");
            }
            measured(backend, options, metrics)
        }
    }
}

fn sqlite(path: &Path, make: Make) -> Result<SqliteBackend, CliError> {
    let options = SqliteOptions { make, presize: true, ..SqliteOptions::default() };
    SqliteBackend::open(path, Layout::registry(), options).map_err(|error| match error {
        // What its text tells is of the other commands.
        SequenceError::Missing { path } => CliError::NoDatabase { path },
        other => other.into(),
    })
}

fn measured(
    backend: impl Backend,
    options: AuthorityOptions,
    metrics: &Arc<Metrics>,
) -> Result<(Authority, Running), CliError> {
    Ok(sequence::open(Measured::new(backend, Arc::clone(metrics)), options)?)
}
