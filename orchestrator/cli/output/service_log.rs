//! The log of a service: one flat JSON object a line, on stderr.
//!
//! Environment variable `RUST_LOG` takes directives such as `orchestrator=debug`;
//! without it, all from `info` on is logged. A field `reserved_ids` is a list.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Stderr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::log_writer::LogWriter;
use crate::cli::error::chain;

/// The field that holds IDs by comma, and is shown as a list.
const LIST: &str = "reserved_ids";

/// How long the end waits for somebody to read what was logged.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The log, until it ends.
#[derive(Debug)]
pub(crate) struct ServiceLog(Arc<LogWriter<Stderr>>);

impl Drop for ServiceLog {
    fn drop(&mut self) {
        self.0.finish(LAST_LINES);
    }
}

/// Starts the log. What is lost of it, since nobody reads it or it cannot be written, is
/// told to `lose` in numbers of lines.
pub(crate) fn start_service_log(lose: impl Fn(u64) + Send + Sync + 'static) -> ServiceLog {
    let default = || {
        let default = tracing_subscriber::EnvFilter::builder();
        default.with_default_directive(LevelFilter::INFO.into())
    };
    // Read as far as it can be, it would be printed what is wrong, and not logged.
    let (filter, problem) = match default().from_env() {
        Ok(filter) => (filter, None),
        Err(error) => (default().parse_lossy(""), Some(error)),
    };
    let writer = LogWriter::new(io::stderr(), lose);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Arc::clone(&writer));
    // A second start is possible only in tests, and changes nothing.
    if let Err(error) = log.event_format(Flat).try_init() {
        tracing::debug!(%error, "the log was started before");
    }
    if let Some(error) = problem {
        tracing::warn!(%error, "RUST_LOG cannot be used");
    }
    ServiceLog(writer)
}

/// Returns the line that stands for so many others.
#[expect(clippy::disallowed_methods, reason = "a line says when it was written")]
pub(super) fn lost_lines(lost: u64) -> String {
    format!(
        r#"{{"timestamp":"{:.3}","level":"WARN","message":"lines of the log were lost, since nobody read them or they could not be written","lost":{lost}}}"#,
        Timestamp::now(),
    ) + "\n"
}

/// One object a line, without nesting.
struct Flat;

impl<S, N> FormatEvent<S, N> for Flat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "a line says when it was written")]
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields { message: String::new(), others: String::with_capacity(256) };
        event.record(&mut fields);
        let Fields { message, others } = fields;
        let level = event.metadata().level();
        let message = json(&message)?;
        writeln!(
            writer,
            r#"{{"timestamp":"{:.3}","level":"{level}","message":{message}{others}}}"#,
            Timestamp::now(),
        )
    }
}

/// What an event says, as far as it was visited.
struct Fields {
    message: String,
    /// Each with a comma before it.
    others: String,
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, fmt::Error> {
    serde_json::to_string(value).map_err(|_| fmt::Error)
}

impl Fields {
    fn put(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        // Plain values always have a JSON form, and a String takes all text.
        if let Ok(value) = json(value) {
            let name = field.name();
            write!(self.others, r#","{name}":{value}"#).expect("a String takes all text");
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            LIST => self.put(field, &value.split(',').collect::<Vec<_>>()),
            _ => self.put(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &chain(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, &value);
    }
}
