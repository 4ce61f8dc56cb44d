//! Every error that the service answers with: status, code, text.
//!
//! A route returns an [`ApiError`]; the guard, which knows the request, writes it
//! out and logs it. What a client cannot help is a 503 with `Retry-After`: the
//! request may be sent again, and where its outcome is unknown, the numbers that it
//! may have taken are a gap.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::kinds::ArtifactTypes;
use crate::sequence::{Reply, SequenceError};

/// The most characters of a client's text that an error repeats.
const MAX_ECHO: usize = 64;

/// What an answer is where something went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failure<'a> {
    /// Always false.
    pub success: bool,
    /// What is wrong, for people.
    pub error: &'a str,
    /// What is wrong, for programs.
    pub code: &'a str,
    /// Under which the service's log has it.
    pub request_id: &'a str,
}

/// Why a request was not answered as it wished.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ApiError {
    #[error("Missing query parameter: {name}")]
    MissingParameter { name: &'static str },
    #[error("Missing field: {name}")]
    MissingField { name: &'static str },
    #[error("Invalid query: {problem}")]
    Query { problem: String },
    #[error("Invalid JSON body: {problem}")]
    Body { problem: String },
    #[error("Invalid artifact_type: {}. Valid types: {valid}", echo(name))]
    Type { name: String, valid: ArtifactTypes },
    #[error(
        "Invalid project_id: {}. 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first",
        echo(name)
    )]
    Project { name: String },
    #[error("Invalid count: {count}. Valid counts: 1 to {max}")]
    Count { count: i64, max: u32 },
    #[error("Invalid reservation_id: {}. A UUID is expected", echo(text))]
    ReservationId { text: String },
    #[error("Invalid Idempotency-Key: 1 to 255 visible ASCII characters are expected")]
    IdempotencyKey,
    #[error("A bearer token is required")]
    Unauthenticated,
    #[error("This token does not allow that")]
    Forbidden,
    #[error("Pages of other sites may take no numbers, where no tokens are asked for")]
    CrossSite,
    #[error(
        "This is not {:?}: without tokens, ask by localhost or by a loopback address",
        echo(name)
    )]
    Host { name: String },
    #[error("The request is not well-formed HTTP/1.1: {problem}")]
    Malformed { problem: &'static str },
    #[error("There is no such path")]
    NoRoute,
    #[error("The method is not allowed here")]
    Method { allow: Option<&'static str> },
    #[error("The body did not arrive in time")]
    BodyTimeout,
    #[error("The body is larger than {max} bytes")]
    TooLarge { max: usize },
    #[error("The URI is longer than {max} bytes")]
    UriTooLong { max: usize },
    #[error("The content type must be application/json")]
    ContentType,
    #[error("The body must not be compressed")]
    ContentEncoding,
    #[error("The headers are too many or too large")]
    Headers,
    #[error("Reservation expired or not found")]
    NoReservation,
    #[error("Too many requests are under way; try again in a moment")]
    Overloaded,
    #[error("{}", said(.0))]
    Sequence(SequenceError),
    /// The authority answered something else: a fault of ours.
    #[error("The service is at fault")]
    Unexpected { reply: String },
}

/// Returns the start of a client's text.
fn echo(text: &str) -> String {
    text.chars().take(MAX_ECHO).collect()
}

/// Returns what a client is told of an error of the authority; the log has more.
fn said(error: &SequenceError) -> String {
    match error {
        SequenceError::OutcomeUnknown { .. } | SequenceError::TimedOut { .. } => {
            "The database did not answer; whether numbers were taken is unknown".to_owned()
        }
        SequenceError::QueueFull => "Too many requests are waiting; try again in a moment".into(),
        SequenceError::Busy { .. } => "The database is locked by others; try again".to_owned(),
        SequenceError::Closed => "The service is shutting down".to_owned(),
        SequenceError::Key { .. }
        | SequenceError::Count { .. }
        | SequenceError::Exhausted { .. }
        | SequenceError::NoSequence { .. }
        | SequenceError::IdempotencyConflict => error.to_string(),
        SequenceError::Counter { .. } => {
            "The counter of this sequence is damaged, until somebody puts it right".to_owned()
        }
        _ => "The database cannot be used at the moment".to_owned(),
    }
}

impl From<SequenceError> for ApiError {
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::NoReservation => Self::NoReservation,
            other => Self::Sequence(other),
        }
    }
}

impl ApiError {
    /// Returns the error of a reply that was not asked for.
    pub(super) fn unexpected(reply: &Reply) -> Self {
        Self::Unexpected { reply: format!("{reply:?}") }
    }

    /// Returns the error of a task that did not come to its end.
    pub(super) fn died(error: &tokio::task::JoinError) -> Self {
        Self::Unexpected { reply: error.to_string() }
    }

    /// Tells whether it is nothing that the client could help.
    pub(super) fn is_ours(&self) -> bool {
        self.kind().0.is_server_error()
            || matches!(self, Self::Sequence(SequenceError::Counter { .. }))
    }

    /// Tells whether the next request may fail of the same.
    pub(super) fn is_of_the_database(&self) -> bool {
        matches!(self.kind(), (StatusCode::SERVICE_UNAVAILABLE, "database" | "outcome_unknown"))
    }

    /// Returns the status of the answer, and the word for it.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingParameter { .. } | Self::Query { .. } => {
                (StatusCode::BAD_REQUEST, "invalid_query")
            }
            Self::MissingField { .. } | Self::Body { .. } => {
                (StatusCode::BAD_REQUEST, "invalid_body")
            }
            Self::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed_request"),
            Self::Type { .. } => (StatusCode::BAD_REQUEST, "invalid_type"),
            Self::Project { .. } => (StatusCode::BAD_REQUEST, "invalid_project"),
            Self::Count { .. } => (StatusCode::BAD_REQUEST, "invalid_count"),
            Self::ReservationId { .. } => (StatusCode::BAD_REQUEST, "invalid_reservation_id"),
            Self::IdempotencyKey => (StatusCode::BAD_REQUEST, "invalid_idempotency_key"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site"),
            Self::Host { .. } => (StatusCode::FORBIDDEN, "foreign_host"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::NoReservation => (StatusCode::NOT_FOUND, "no_such_reservation"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UriTooLong { .. } => (StatusCode::URI_TOO_LONG, "uri_too_long"),
            Self::ContentType | Self::ContentEncoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::Headers => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "header_fields_too_large")
            }
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Sequence(error) => of_sequence(error),
            Self::Unexpected { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "fault"),
        }
    }

    /// Returns the headers that go with it.
    fn headers(&self, status: StatusCode) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set =
            |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        match self {
            Self::Unauthenticated => drop(set(WWW_AUTHENTICATE, "Bearer")),
            Self::Method { allow: Some(allow) } => drop(set(ALLOW, allow)),
            Self::ContentEncoding => drop(set(ACCEPT_ENCODING, "identity")),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => drop(set(RETRY_AFTER, "1")),
            _ => {}
        }
        headers
    }
}

fn of_sequence(error: &SequenceError) -> (StatusCode, &'static str) {
    match error {
        SequenceError::Key { .. } => (StatusCode::BAD_REQUEST, "invalid_key"),
        SequenceError::Count { .. } => (StatusCode::BAD_REQUEST, "invalid_count"),
        SequenceError::IdempotencyConflict => (StatusCode::CONFLICT, "idempotency_conflict"),
        SequenceError::Exhausted { .. } => (StatusCode::CONFLICT, "id_space_exhausted"),
        // To ask again would not help.
        SequenceError::Counter { .. } => (StatusCode::CONFLICT, "counter_damaged"),
        SequenceError::NoSequence { .. } => (StatusCode::NOT_FOUND, "no_such_sequence"),
        SequenceError::QueueFull | SequenceError::Busy { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "busy")
        }
        SequenceError::OutcomeUnknown { .. } | SequenceError::TimedOut { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown")
        }
        SequenceError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "database"),
    }
}

/// A status and, for the guard, the error itself.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.kind();
        let mut response = (status, self.headers(status)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_database_cannot_help_is_never_a_500() {
        let waited = Duration::from_secs(1);
        for error in [
            SequenceError::QueueFull,
            SequenceError::Busy { waited },
            SequenceError::TimedOut { waited },
            SequenceError::Closed,
            SequenceError::NoTable { table: "t".to_owned() },
        ] {
            let response = ApiError::from(error).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(RETRY_AFTER));
        }
    }

    #[test]
    fn texts_are_those_that_programs_look_for() {
        let name = "INVALID".to_owned();
        let error = ApiError::Type { name, valid: ArtifactTypes::default() };
        assert_eq!(
            error.to_string(),
            "Invalid artifact_type: INVALID. Valid types: US, SPEC, TASK, EPIC, PRD, HLS, VIS, INIT, SPIKE, ADR"
        );
        let error = ApiError::from(SequenceError::NoReservation);
        assert_eq!(error.to_string(), "Reservation expired or not found");
        assert_eq!(error.kind().0, StatusCode::NOT_FOUND);
        let long = ApiError::Project { name: "x".repeat(10_000) };
        assert!(long.to_string().len() < 200);
    }
}
