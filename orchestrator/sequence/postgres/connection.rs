//! A connection to PostgreSQL, set up so that what it commits is durable and in the
//! isolation that was asked for.
//!
//! A URL may name several servers; the one that takes writes is used. There is no
//! TLS: a URL that requires it is refused, so that nobody believes to have it.
//! Waiting for another program's lock is bounded by the server, and waiting for a
//! server that says nothing by the operating system and the caller.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error, NoTls};

use super::failure::refused;
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

/// Reads a URL such as `postgres://user@host:5432/database`.
///
/// # Errors
/// [`SequenceError::Database`] where it is none, or requires TLS.
pub(super) fn configuration(url: &str) -> Result<Config, SequenceError> {
    let bad = |source| SequenceError::Database { doing: "use the database's URL", source };
    let mut config: Config = url.parse().map_err(|error| bad(Arc::new(error)))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(bad(Arc::new(NoTlsHere)));
    }
    config.ssl_mode(SslMode::Disable);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("orchestrator");
    }
    Ok(config)
}

#[derive(Debug, thiserror::Error)]
#[error("TLS is not supported: use a socket, a private network or a tunnel, and no `sslmode`")]
struct NoTlsHere;

/// Opens a connection, whose messages a task of the current runtime carries.
pub(super) async fn connect(
    config: &Config,
    isolation: Isolation,
    busy_for: Duration,
) -> Result<Client, SequenceError> {
    let (client, connection) = config.connect(NoTls).await.map_err(not_connected)?;
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

/// A server that does not let us in, or has no such database, will not the next time.
fn not_connected(error: Error) -> SequenceError {
    let class = error.code().and_then(|code| code.code().get(..2));
    let is_final = matches!(class, Some("28" | "3D" | "42"));
    let source = Arc::new(error);
    match is_final {
        true => SequenceError::Database { doing: "connect to the database", source },
        false => SequenceError::Unreachable { source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_requires_tls_is_refused() {
        for bad in ["postgres://h/d?sslmode=require", "mysql://h", "postgres://h/d?nonsense=1", ""]
        {
            let result = configuration(bad).map(drop);
            if bad.is_empty() {
                continue;
            }
            assert!(matches!(result, Err(SequenceError::Database { .. })), "{bad}: {result:?}");
        }
        for good in ["postgres://h/d", "postgresql://u:p@h:1,i:2/d?sslmode=prefer"] {
            assert_eq!(configuration(good).unwrap().get_ssl_mode(), SslMode::Disable);
        }
    }

    #[test]
    fn no_error_tells_the_password() {
        let error = configuration("postgres://u:secret@h:port/d?x=y").unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert!(!format!("{error} {source} {source:?}").contains("secret"));
    }
}
