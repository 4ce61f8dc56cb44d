//! Finding and loading the configuration that governs a folder or a backlog.
//!
//! A configuration governs the backlog beside it, and the one further down that
//! it names. A backlog that no configuration governs has the defaults: one that
//! happens to lie above it, and knows nothing of it, changes nothing.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, ConfigProblem};
use super::settings::{Config, Project};
use crate::fs;
use crate::model::Code;

/// The name of the configuration file.
pub const CONFIG_NAME: &str = "orchestrator.toml";

/// A backlog and the configuration that governs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The configuration; the defaults where there is no file.
    pub config: Config,
    /// Its file.
    pub config_path: Option<PathBuf>,
    /// The backlog; it need not exist where a configuration names it.
    pub backlog: PathBuf,
}

/// Finds the backlog of a folder: in it, or in the nearest folder above that has
/// a backlog of the default name or a configuration. `None` where there is
/// neither.
///
/// # Errors
/// Where a folder cannot be looked into, and where a configuration on the way is
/// wrong.
pub fn locate(folder: &Path) -> Result<Option<Located>, ConfigError> {
    let folder = fs::resolve(folder).map_err(ConfigError::Read)?;
    for folder in folder.ancestors() {
        let config = folder.join(CONFIG_NAME);
        if exists(&config)? {
            let config = Config::load(&config)?;
            let backlog = config.backlog_path(folder);
            return Ok(Some(Located {
                config,
                config_path: Some(folder.join(CONFIG_NAME)),
                backlog,
            }));
        }
        let backlog = folder.join(Project::default().backlog);
        if exists(&backlog)? {
            return locate_backlog(&backlog).map(Some);
        }
    }
    Ok(None)
}

/// Finds the configuration of a backlog, which need not exist, though its folder
/// must.
///
/// # Errors
/// Where a folder cannot be looked into, and where a configuration on the way is
/// wrong.
pub fn locate_backlog(backlog: &Path) -> Result<Located, ConfigError> {
    let resolved = fs::resolve(backlog).map_err(ConfigError::Read)?;
    let root = resolved.parent().unwrap_or(&resolved);
    for folder in root.ancestors() {
        let path = folder.join(CONFIG_NAME);
        if !exists(&path)? {
            continue;
        }
        let config = Config::load(&path)?;
        // A path that leads nowhere is not the one we came from.
        let names_it =
            fs::resolve(&config.backlog_path(folder)).is_ok_and(|named| named == resolved);
        if folder == root || names_it {
            return Ok(Located { config, config_path: Some(path), backlog: backlog.to_owned() });
        }
    }
    Ok(Located { config: Config::default(), config_path: None, backlog: backlog.to_owned() })
}

fn exists(path: &Path) -> Result<bool, ConfigError> {
    fs::stamp(path).map(|stamp| stamp.is_some()).map_err(ConfigError::Read)
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Where it cannot be read, and where anything in it is wrong: then with all
    /// problems and the text they are in.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = fs::read(path).map_err(ConfigError::Read)?;
        let invalid =
            |text: String, problems| ConfigError::Invalid { path: path.to_owned(), text, problems };
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, path).map_err(|problems| invalid(text, problems)),
            Err(error) => {
                let start = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let message = "the file is not UTF-8".to_owned();
                let problem = ConfigProblem::new(Code::NotUtf8, path, &text, start..start, message);
                Err(invalid(text, vec![problem]))
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files they look for")]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("a/b/c")).unwrap();
        (dir, top)
    }

    /// The configuration file and the backlog of a folder, below the top.
    fn located(top: &Path, folder: &str) -> Option<(Option<String>, String)> {
        let located = locate(&top.join(folder)).unwrap()?;
        let below = |path: &Path| path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        Some((located.config_path.as_deref().map(below), below(&located.backlog)))
    }

    #[test]
    fn the_nearest_configuration_or_backlog_decides() {
        let (_dir, top) = project();
        let beside =
            |config: &str, backlog: &str| Some((Some(config.to_owned()), backlog.to_owned()));
        assert_eq!(located(&top, "a/b/c"), None);

        std::fs::write(top.join(CONFIG_NAME), "").unwrap();
        assert_eq!(located(&top, "a/b/c"), beside("orchestrator.toml", "BACKLOG.yaml"));

        std::fs::write(top.join("a/BACKLOG.yaml"), "").unwrap();
        assert_eq!(located(&top, "a/b/c"), Some((None, "a/BACKLOG.yaml".to_owned())));

        std::fs::write(top.join("a/orchestrator.toml"), "").unwrap();
        assert_eq!(located(&top, "a/b/c"), beside("a/orchestrator.toml", "a/BACKLOG.yaml"));
        assert_eq!(located(&top, "."), beside("orchestrator.toml", "BACKLOG.yaml"));
    }

    #[test]
    fn a_configuration_governs_the_backlog_it_names_further_down() {
        let (_dir, top) = project();
        std::fs::write(top.join("a/BACKLOG.yaml"), "").unwrap();
        let text = "[project]\nprefix = \"UP\"\nbacklog = \"./b/../a/BACKLOG.yaml\"\n";
        std::fs::create_dir(top.join("b")).unwrap();
        std::fs::write(top.join(CONFIG_NAME), text).unwrap();
        for folder in ["a", "a/b", "."] {
            let located = locate(&top.join(folder)).unwrap().unwrap();
            assert_eq!(located.config.project.prefix.as_deref(), Some("UP"), "{folder}");
        }
        let other = locate_backlog(&top.join("a/OTHER.yaml")).unwrap();
        assert_eq!((other.config, other.config_path), (Config::default(), None));

        std::fs::write(top.join(CONFIG_NAME), "backlog = 1").unwrap();
        assert!(matches!(locate(&top.join("a/b")), Err(ConfigError::Invalid { .. })));
    }

    #[test]
    fn a_configuration_beside_a_backlog_governs_it_whatever_its_name() {
        let (_dir, top) = project();
        std::fs::write(top.join("a/orchestrator.toml"), "[project]\nprefix = \"A\"\n").unwrap();
        let other = locate_backlog(&top.join("a/OTHER.yaml")).unwrap();
        assert_eq!(other.config.project.prefix.as_deref(), Some("A"));
        assert_eq!(other.backlog, top.join("a/OTHER.yaml"));
    }

    #[test]
    fn loading_names_the_file() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join(CONFIG_NAME);
        assert!(matches!(Config::load(&path), Err(ConfigError::Read(_))));

        std::fs::write(&path, "[project]\nprefix = \"ABC\"\n").unwrap();
        assert_eq!(Config::load(&path).unwrap().project.prefix.as_deref(), Some("ABC"));

        std::fs::write(&path, "[project]\nprefix = 1\nbacklog = 2\n").unwrap();
        let error = Config::load(&path).unwrap_err().to_string();
        assert!(
            error.ends_with(":2:10: `prefix` must be a string, not an integer (and 1 more)"),
            "{error}"
        );

        std::fs::write(&path, b"[project]\nprefix = \"\xff\"\n").unwrap();
        let error = Config::load(&path).unwrap_err().to_string();
        assert!(error.ends_with(":2:11: the file is not UTF-8"), "{error}");
    }
}
