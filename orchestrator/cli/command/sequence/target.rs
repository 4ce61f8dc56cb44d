//! Which sequence is meant: options, what `orchestrator.toml` has under a name, and
//! the layout that both fit.

use std::collections::BTreeMap;

use crate::cli::args::SequenceArgs;
use crate::cli::error::CliError;
use crate::cli::session::Context;
use crate::config::SequenceSettings;
use crate::model::did_you_mean;
use crate::sequence::{DatabaseUrl, Key, Layout};

/// The variable that names the database where no option does.
const DATABASE_URL: &str = "DATABASE_URL";

/// What IDs of a table of one's own look like, where nothing else is said.
const PLAIN_FORMAT: &str = "{n}";

/// Sequences of a database: one, or all whose key has some values.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) layout: Layout,
    /// The parts of the key that are known, by name.
    named: Vec<(String, String)>,
    /// The database, where one was named.
    url: Option<DatabaseUrl>,
    /// Whether anything said which layout it is, or what IDs look like.
    pub(super) names_layout: bool,
    names_format: bool,
}

impl Target {
    /// Makes out what the options mean.
    pub(super) fn of(args: &SequenceArgs, context: &Context<'_>) -> Result<Self, CliError> {
        let settings = match &args.sequence {
            Some(name) => settings(name, context)?,
            None => SequenceSettings::default(),
        };
        let named = named(args, &settings);
        let format = args.format.as_ref().or(settings.format.as_ref());
        let own_layout = args.layout.is_some() || args.table.is_some();
        let (table, value) = match own_layout {
            true => (&args.table, &args.value_column),
            false => (&settings.table, &settings.value_column),
        };
        let layout = if let (Some(table), Some(value)) = (table, value) {
            let columns: Vec<&str> = named.iter().map(|(column, _)| column.as_str()).collect();
            let format = format.map_or(PLAIN_FORMAT, String::as_str);
            if columns.is_empty() {
                let message = format!("a key of {table} is missing: --key COLUMN=VALUE");
                return Err(CliError::Options { message, hint: None });
            }
            Layout::custom(table, &columns, value, format)?
        } else {
            let chosen = args.layout.map(|layout| layout.as_str());
            let chosen = chosen.or(settings.layout.as_deref()).or_else(|| fitting(&named));
            let layout = chosen.and_then(Layout::by_name).unwrap_or_default();
            match format {
                Some(format) => layout.with_format(format)?,
                None => layout,
            }
        };
        let names_layout =
            args.sequence.is_some() || own_layout || format.is_some() || !named.is_empty();
        let names_format = format.is_some();
        Ok(Self { layout, named, url: url(args)?, names_layout, names_format })
    }

    /// Returns the parts of the key that are known.
    pub(super) fn named(&self) -> Vec<(&str, &str)> {
        self.named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Returns the whole key.
    pub(super) fn key(&self) -> Result<Key, CliError> {
        let columns = self.layout.key_columns();
        let is_given = |column: &&crate::sequence::KeyColumn| {
            !self.named.iter().any(|(name, _)| *name == column.name || *name == column.column)
        };
        let option = |name: &String| format!("--{name}");
        let missing: Vec<String> =
            columns.iter().filter(is_given).map(|column| option(&column.name)).collect();
        if missing.is_empty() {
            return Ok(self.layout.key(&self.named())?);
        }
        let all: Vec<String> = columns.iter().map(|column| option(&column.name)).collect();
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let message = format!(
            "which sequence? layout {} needs {}; {} {verb} missing",
            self.layout.layout_name(),
            all.join(" and "),
            missing.join(" and ")
        );
        let hint = "other layouts: --prefix P --type T, --name N, or --table with --key".to_owned();
        Err(CliError::Options { message, hint: Some(hint) })
    }

    /// Takes over what `orchestrator.toml` says of the IDs of single sequences of this
    /// layout, where nothing says it of all; returns the sequences.
    pub(super) fn configure(&mut self, context: &Context<'_>) -> Result<Vec<Key>, CliError> {
        let mut configured = Vec::new();
        if self.names_format {
            return Ok(configured);
        }
        for settings in sequences(context)?.into_values().filter(|one| one.table.is_none()) {
            let named: Vec<_> =
                settings.key.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let layout = settings.layout.as_deref().or_else(|| fitting(&settings.key));
            let is_of_this = layout.unwrap_or("registry") == self.layout.layout_name();
            let Some(key) = self.layout.key(&named).ok().filter(|_| is_of_this) else { continue };
            if let Some(format) = &settings.format {
                self.layout = self.layout.clone().with_format_for(key.clone(), format)?;
            }
            configured.push(key);
        }
        Ok(configured)
    }

    /// Returns the database.
    pub(super) fn url(&self) -> Result<&DatabaseUrl, CliError> {
        self.url.as_ref().ok_or_else(|| CliError::Options {
            message: "this command needs a database".to_owned(),
            hint: Some(format!(
                "name one with --db sqlite:PATH, --db postgres://… or {DATABASE_URL}"
            )),
        })
    }

    /// Tells whether a database was named.
    pub(super) fn has_url(&self) -> bool {
        self.url.is_some()
    }
}

fn url(args: &SequenceArgs) -> Result<Option<DatabaseUrl>, CliError> {
    if args.db.is_some() {
        return Ok(args.db.clone());
    }
    url_of_environment()
}

/// Returns the database that the environment names.
pub(in crate::cli::command) fn url_of_environment() -> Result<Option<DatabaseUrl>, CliError> {
    let text = std::env::var(DATABASE_URL).ok().filter(|text| !text.trim().is_empty());
    let Some(text) = text else { return Ok(None) };
    let url = text.trim().parse();
    url.map(Some).map_err(|error| CliError::Options {
        message: format!("{DATABASE_URL} cannot be used: {error}"),
        hint: Some("--db goes before it".to_owned()),
    })
}

/// Returns the parts of the key: those of the options, then what else was configured.
fn named(args: &SequenceArgs, settings: &SequenceSettings) -> Vec<(String, String)> {
    let parts = [
        ("project", &args.project),
        ("type", &args.kind),
        ("prefix", &args.prefix),
        ("name", &args.name),
    ];
    let part = |(name, value): (&str, &Option<String>)| {
        value.as_ref().map(|value| (name.to_owned(), value.clone()))
    };
    let mut named: Vec<(String, String)> =
        parts.into_iter().filter_map(part).chain(args.key.iter().cloned()).collect();
    for (name, value) in &settings.key {
        if !named.iter().any(|(given, _)| given == name) {
            named.push((name.clone(), value.clone()));
        }
    }
    named
}

/// Returns the layout that has a part of this name, where only one has.
fn fitting(named: &[(String, String)]) -> Option<&'static str> {
    let has = |part: &str| named.iter().any(|(name, _)| name == part);
    match () {
        () if has("prefix") => Some("prefix-type"),
        () if has("name") => Some("name"),
        () => None,
    }
}

fn sequences(context: &Context<'_>) -> Result<BTreeMap<String, SequenceSettings>, CliError> {
    match context.locate() {
        Ok(located) => Ok(located.config.sequences),
        Err(CliError::NoBacklog { .. }) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

fn settings(name: &str, context: &Context<'_>) -> Result<SequenceSettings, CliError> {
    let mut sequences = sequences(context)?;
    sequences.remove(name).ok_or_else(|| {
        let near = did_you_mean(name, sequences.keys().map(String::as_str));
        let all: Vec<&str> = sequences.keys().map(String::as_str).collect();
        let hint = match (near, all.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "orchestrator.toml has no [sequences.NAME] yet".to_owned(),
            (None, all) => format!("there are: {}", all.join(", ")),
        };
        CliError::Options { message: format!("there is no sequence `{name}`"), hint: Some(hint) }
    })
}
