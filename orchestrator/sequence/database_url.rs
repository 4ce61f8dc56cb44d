//! Where a database is: `sqlite:PATH` or `postgres://…`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An SQLite file, seen from the current folder.
    Sqlite(PathBuf),
    /// A URL of PostgreSQL, which may have a password in it.
    Postgres(String),
}

/// Why a text is no [`DatabaseUrl`]. It does not repeat the text, which may have a
/// password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is of no kind that we know.
    #[error("it is no database: expected sqlite:PATH or postgres://…")]
    Unknown,
    /// It has parameters, as other programs have them, such as `sqlite:ids.db?mode=rwc`.
    #[error("a file of SQLite has no parameters: leave out what begins with `?`")]
    Parameters,
}

/// Reads `sqlite:PATH`, also written `sqlite://PATH`, or a URL of PostgreSQL.
impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_file = !path.is_empty() && !path.ends_with('/') && path != ":memory:";
            let has_parameters = path.split_once('?').is_some_and(|(_, rest)| rest.contains('='));
            return match is_file {
                _ if has_parameters => Err(DatabaseUrlError::Parameters),
                true => Ok(Self::Sqlite(path.into())),
                false => Err(DatabaseUrlError::Unknown),
            };
        }
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|s| text.starts_with(s));
        match is_postgres {
            true => Ok(Self::Postgres(text.to_owned())),
            false => Err(DatabaseUrlError::Unknown),
        }
    }
}

/// Without what may be a password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_servers() {
        let sqlite = |path: &str| Ok(DatabaseUrl::Sqlite(path.into()));
        assert_eq!("sqlite:ids.db".parse(), sqlite("ids.db"));
        assert_eq!("sqlite:/var/ids.db".parse(), sqlite("/var/ids.db"));
        assert_eq!("sqlite:///var/ids.db".parse(), sqlite("/var/ids.db"));
        assert_eq!("sqlite:a b?c.db".parse(), sqlite("a b?c.db"));
        for url in ["postgres://u:p@h/d", "postgresql://%2Frun/d"] {
            assert_eq!(url.parse(), Ok(DatabaseUrl::Postgres(url.to_owned())));
        }
        for bad in ["", "ids.db", "sqlite:", "sqlite::memory:", "sqlite:a/", "mysql://h/d"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Unknown), "{bad}");
        }
        let parameters = "sqlite:ids.db?mode=rwc".parse::<DatabaseUrl>();
        assert_eq!(parameters, Err(DatabaseUrlError::Parameters));
        let url: DatabaseUrl = "postgres://u:secret@h/d".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
