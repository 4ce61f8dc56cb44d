//! A connection to PostgreSQL, set up so that what it commits is durable and in the
//! isolation that was asked for.
//!
//! A URL may name several servers; the one that takes writes is used.
//! Waiting for another program's lock is bounded by the server, and waiting for a
//! server that says nothing by the operating system and the caller.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::refused;
use super::tls::Tls;
use crate::sequence::SequenceError;

/// How long a server may take to let us in, and to acknowledge what it was sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How transactions are kept apart. Numbers are unique with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// As if one ran after the other; a transaction that would notice otherwise is
    /// tried again.
    #[default]
    Serializable,
    /// Rows are locked and read anew. Faster where several servers share a database.
    ReadCommitted,
}

impl Isolation {
    fn sql(self) -> &'static str {
        match self {
            Self::Serializable => "serializable",
            Self::ReadCommitted => "read committed",
        }
    }
}

/// A database, and how to get to it.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: MakeRustlsConnect,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl Target {
    /// Reads a URL such as `postgres://user@host:5432/database?sslmode=verify-full`, and
    /// the certificates that it names. A password that it does not have is that of
    /// `PGPASSWORD`, where there is one.
    ///
    /// # Errors
    /// [`SequenceError::Database`] where it, or what it names, cannot be used.
    pub(super) fn new(url: &str) -> Result<Self, SequenceError> {
        const DOING: &str = "use the database's URL";
        let bad = |source| SequenceError::Database { doing: DOING, source };
        let (rest, tls) = Tls::take_from(url).map_err(|error| bad(Arc::new(error)))?;
        let mut config: Config = rest.parse().map_err(|error| bad(Arc::new(error)))?;
        if config.get_hosts().is_empty() {
            return Err(bad(Arc::new(NoHost)));
        }
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        // A socket file has no TLS, as for PostgreSQL's own clients.
        config.ssl_mode(if is_local { SslMode::Disable } else { tls.driver_mode() });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(CONNECT_TIMEOUT);
        }
        // As PostgreSQL's own clients do: a command line can be read by all.
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
            && !password.is_empty()
        {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("orchestrator");
        }
        let tls = tls.connector().map_err(|error| bad(Arc::new(error)))?;
        Ok(Self { config, tls })
    }

    /// Takes any server, also one that is read only.
    pub(super) fn for_reading(mut self) -> Self {
        self.config.target_session_attrs(TargetSessionAttrs::Any);
        self
    }
}

/// Opens a connection, whose messages a task of the current runtime carries.
pub(super) async fn connect(
    target: &Target,
    isolation: Isolation,
    busy_for: Duration,
) -> Result<Client, SequenceError> {
    let connected = target.config.connect(target.tls.clone()).await;
    let (client, connection) = connected.map_err(not_connected)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the database ended");
        }
    });
    // What a server is set to must not make an answer less than durable. A setting
    // for standbys to have it too is left alone.
    let setup = format!(
        "SET default_transaction_isolation TO '{}'; SET lock_timeout TO {}; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
        isolation.sql(),
        // 0 would be without end.
        busy_for.as_millis().clamp(1, 1 << 30)
    );
    client.batch_execute(&setup).await.map_err(|error| refused("set up a connection", error))?;
    Ok(client)
}

/// A server that does not let us in, or has no such database, or no certificate to
/// believe, will not the next time.
fn not_connected(error: Error) -> SequenceError {
    const DOING: &str = "connect to the database";
    if refuses_tls(&error) {
        return SequenceError::Database { doing: DOING, source: Arc::new(NoTls { source: error }) };
    }
    // Of several servers another may take them soon.
    let is_read_only = std::error::Error::source(&error)
        .is_some_and(|source| source.to_string() == "database does not allow writes");
    if is_read_only {
        let source = Arc::new(TakesNoWrites { source: error });
        return SequenceError::Unreachable { source };
    }
    let class = error.code().and_then(|code| code.code().get(..2));
    // The driver has no other name for what it was not given.
    let lacks_password = std::error::Error::source(&error)
        .is_some_and(|source| source.to_string() == "password missing");
    if lacks_password {
        let source = Arc::new(NoPassword { source: error });
        return SequenceError::Database { doing: DOING, source };
    }
    let is_final = matches!(class, Some("28" | "3D" | "42"));
    let source = Arc::new(error);
    match is_final {
        true => SequenceError::Database { doing: DOING, source },
        false => SequenceError::Unreachable { source },
    }
}

/// Tells whether there was a server, but no TLS with it, as far as was asked for.
fn refuses_tls(error: &Error) -> bool {
    let Some(source) = std::error::Error::source(error) else { return false };
    match source.downcast_ref::<io::Error>() {
        Some(source) => source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        // The driver has no other name for it.
        None => source.to_string() == "server does not support TLS",
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no TLS with the server as the URL asks for it: `sslmode` says how much is asked, \
     `sslrootcert=FILE` names whose signature under its certificate is believed"
)]
struct NoTls {
    source: Error,
}

#[derive(Debug, thiserror::Error)]
#[error("the URL names no server: postgres://USER@HOST/DATABASE, or %2Frun%2Fpostgresql for HOST")]
struct NoHost;

#[derive(Debug, thiserror::Error)]
#[error(
    "the server takes no writes: it is a standby, or `default_transaction_read_only` is on for \
     this role or database"
)]
struct TakesNoWrites {
    source: Error,
}

#[derive(Debug, thiserror::Error)]
#[error("the server asks for a password: put it into the URL, or into PGPASSWORD")]
struct NoPassword {
    source: Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_says_nothing_sensible_is_refused() {
        for bad in ["postgres://h/d?sslmode=maybe", "mysql://h", "postgres://h/d?nonsense=1"] {
            let result = Target::new(bad).map(drop);
            assert!(matches!(result, Err(SequenceError::Database { .. })), "{bad}: {result:?}");
        }
    }

    #[test]
    fn tls_is_asked_for_as_the_url_says() {
        let cases = [
            ("postgres://h/d", SslMode::Prefer),
            ("postgresql://u:p@h:1,i:2/d?sslmode=disable", SslMode::Disable),
            ("postgresql://u:p@h:1,i:2/d?sslmode=require", SslMode::Require),
            ("postgres://u@%2Frun%2Fpostgresql/d?sslmode=require", SslMode::Disable),
        ];
        for (url, wanted) in cases {
            assert_eq!(Target::new(url).unwrap().config.get_ssl_mode(), wanted, "{url}");
        }
    }

    #[test]
    fn no_error_tells_the_password() {
        let error = Target::new("postgres://u:secret@h:port/d?x=y").unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert!(!format!("{error} {source} {source:?}").contains("secret"));
    }
}
