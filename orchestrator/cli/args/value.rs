//! Values that options take, beyond words of a closed set: names, IDs, edits of a
//! list, keys that are not ours.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde_yaml::Value;

use crate::model::change::{Assign, ListEdit};
use crate::model::{ITEM_KEYS, IdFormat, IdQuery};

/// The word that clears a field.
pub(super) const NONE: &str = "none";

/// Known keys that `update` has no option for.
const WITHOUT_OPTION: &[&str] = &[
    "id",
    "requires_human_review",
    "origin",
    "blocked_from_status",
    "blocked_reason",
    "blocked_type",
    "unblock_context",
    "approved",
    "created",
    "updated",
    "phase_pool",
    "last_phase_commit",
];

/// Why a value cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("it is blank")]
    Blank,
    #[error("it begins or ends with white space")]
    WhiteSpace,
    #[error("a prefix is letters, digits, `_`, `.` and dashes, and starts with a letter")]
    Prefix,
    #[error("it is no duration; write it like 500ms, 10s or 1m30s")]
    Duration,
    #[error("it is longer than a thousand years")]
    Lifetime,
    #[error("it would be over at once")]
    NoLifetime,
    #[error("it is no number of minutes: 1 to {MINUTES_A_YEAR}")]
    Minutes,
    #[error("expected KEY=VALUE")]
    NoEquals,
    #[error("`{key}` is a field of its own: use `{option}`")]
    KnownKey { key: String, option: String },
    #[error("`{key}` is a field of its own: use `orchestrator edit`")]
    EditOnly { key: String },
    #[error("`{key}` is not a plain key")]
    OddKey { key: String },
    #[error("the value must be a YAML scalar, not a list or a map")]
    NotScalar,
    #[error("the value is not YAML; quote it: {key}='\"…\"'")]
    NotYaml { key: String },
}

/// Reads a text that must say something.
pub(super) fn title(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() {
        return Err(ValueError::Blank);
    }
    Ok(text.to_owned())
}

/// Reads a name: a text that must say something, without white space around it.
pub(super) fn name(text: &str) -> Result<String, ValueError> {
    title(text.trim())
}

/// Reads a part of a sequence's key. White space around it is an error: taken away, or
/// taken along, it would lead to another sequence.
pub(super) fn of_key(text: &str) -> Result<String, ValueError> {
    if text.trim() == text { title(text) } else { title(text).and(Err(ValueError::WhiteSpace)) }
}

/// Reads how a person names an item.
pub(super) fn item(text: &str) -> Result<IdQuery, ValueError> {
    name(text).map(|name| IdQuery::new(&name))
}

/// Reads a duration; `0s` waits for nobody.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    SpanParser::new().parse_unsigned_duration(text.trim()).map_err(|_| ValueError::Duration)
}

/// The longest that anything may last.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Reads a duration, which may be in days, such as `90d`; at most [`LONGEST`], since
/// dates end somewhere.
pub(super) fn lifetime(text: &str) -> Result<Duration, ValueError> {
    let time = match text.trim().strip_suffix('d') {
        None => duration(text)?,
        Some(days) => {
            let days: u32 = days.trim().parse().map_err(|_| ValueError::Duration)?;
            Duration::from_secs(24 * 3600 * u64::from(days))
        }
    };
    if time > LONGEST { Err(ValueError::Lifetime) } else { Ok(time) }
}

/// Reads a [`lifetime`] that is not over at once.
pub(super) fn some_lifetime(text: &str) -> Result<Duration, ValueError> {
    let time = lifetime(text)?;
    if time.is_zero() { Err(ValueError::NoLifetime) } else { Ok(time) }
}

const MINUTES_A_YEAR: u32 = 366 * 24 * 60;

/// Reads for how many minutes a reservation can be confirmed.
pub(crate) fn reservation_minutes(text: &str) -> Result<Duration, ValueError> {
    let minutes = text.trim().parse().ok().filter(|n| (1..=MINUTES_A_YEAR).contains(n));
    let minutes = minutes.ok_or(ValueError::Minutes)?;
    Ok(Duration::from_secs(60 * u64::from(minutes)))
}

/// Reads the prefix of IDs.
pub(super) fn prefix(text: &str) -> Result<String, ValueError> {
    if IdFormat::is_valid_prefix(text) { Ok(text.to_owned()) } else { Err(ValueError::Prefix) }
}

/// Reads a text, or `none`, which clears the field, as an empty text does.
pub(super) fn clearable_text(text: &str) -> Result<Assign<String>, ValueError> {
    let clears = text.trim().is_empty() || text.trim().eq_ignore_ascii_case(NONE);
    Ok(if clears { Assign::Clear } else { Assign::To(text.to_owned()) })
}

/// Reads `+x` or `x` (add) or `-x` (take away).
pub(super) fn list_edit(text: &str) -> Result<ListEdit, ValueError> {
    let text = text.trim();
    if let Some(entry) = text.strip_prefix('-') {
        return name(entry).map(ListEdit::Remove);
    }
    name(text.strip_prefix('+').unwrap_or(text)).map(ListEdit::Add)
}

/// Reads `COLUMN=VALUE`.
pub(super) fn key_part(text: &str) -> Result<(String, String), ValueError> {
    let (column, value) = text.split_once('=').ok_or(ValueError::NoEquals)?;
    Ok((name(column)?, of_key(value)?))
}

/// Reads `KEY=VALUE`: a key that is not ours, and a YAML scalar.
pub(super) fn assignment(text: &str) -> Result<(String, Value), ValueError> {
    let (key, value) = text.split_once('=').ok_or(ValueError::NoEquals)?;
    let key = key.trim();
    if key.is_empty() {
        return Err(ValueError::Blank);
    }
    if ITEM_KEYS.contains(&key) {
        return Err(known_key(key));
    }
    // A merge key would be refused when the file is read again.
    if key == "<<" || key.chars().any(char::is_control) {
        return Err(ValueError::OddKey { key: key.escape_default().to_string() });
    }
    let value =
        serde_yaml::from_str(value).map_err(|_| ValueError::NotYaml { key: key.to_owned() })?;
    match value {
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => Err(ValueError::NotScalar),
        scalar => Ok((key.to_owned(), scalar)),
    }
}

fn known_key(key: &str) -> ValueError {
    let key = key.to_owned();
    if WITHOUT_OPTION.contains(&key.as_str()) {
        return ValueError::EditOnly { key };
    }
    let option = match key.as_str() {
        "tags" => "--tag".to_owned(),
        "dependencies" => "--depends-on".to_owned(),
        "pipeline_type" => "--pipeline".to_owned(),
        other => format!("--{other}"),
    };
    ValueError::KnownKey { key, option }
}
