//! Reads what a request holds: its JSON body, its query, its headers.
//!
//! A body is read to a limit and within a time. What is wrong with it is said in
//! the words of the service, whatever library found it.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Query};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::access::Caller;
use super::error::ApiError;
use super::kinds::is_project;
use super::metrics::Endpoint;
use super::service::Service;
use crate::sequence::{Action, Idempotency, Key, Request};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_IDEMPOTENCY_KEY: usize = 255;
/// How long an answer is kept for a repetition.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Service> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: extract::Request, service: &Service) -> Result<Self, ApiError> {
        let max = service.inner.limits.body;
        let headers = request.headers();
        if !is_json(headers) {
            return Err(ApiError::ContentType);
        }
        let codings = headers.get_all(CONTENT_ENCODING).iter();
        if !codings.map(HeaderValue::as_bytes).all(|it| it.eq_ignore_ascii_case(b"identity")) {
            return Err(ApiError::ContentEncoding);
        }
        // Who says that it is too much need not send it.
        let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if told.and_then(|told| told.parse::<u64>().ok()).is_some_and(|told| told > max as u64) {
            return Err(ApiError::TooLarge { max });
        }
        let read = to_bytes(request.into_body(), max);
        let bytes = match tokio::time::timeout(service.inner.limits.body_time, read).await {
            Err(_) => return Err(ApiError::BodyTimeout),
            Ok(Err(error)) if is_too_large(&error) => return Err(ApiError::TooLarge { max }),
            Ok(Err(_)) => {
                return Err(ApiError::Body { problem: "it broke off".to_owned() });
            }
            Ok(Ok(bytes)) => bytes,
        };
        // Serde would take a list of the values as well.
        if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(ApiError::Body { problem: "an object is expected".to_owned() });
        }
        let read = serde_json::from_slice(&bytes);
        read.map(Body).map_err(|error| ApiError::Body { problem: error.to_string() })
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| {
        let essence = essence.trim().to_ascii_lowercase();
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

/// The parameters of a query.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, ApiError> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(ApiError::Query { problem: rejection.body_text() }),
        }
    }
}

/// The key under which a request may be repeated.
#[derive(Debug)]
pub(super) struct Repeatable(pub Option<String>);

impl FromRequestParts<Service> for Repeatable {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value,
            _ => return Err(ApiError::IdempotencyKey),
        };
        let key = value.to_str().map_err(|_| ApiError::IdempotencyKey)?;
        let is_plain = (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len())
            && key.chars().all(|c| c.is_ascii_graphic());
        if is_plain { Ok(Self(Some(key.to_owned()))) } else { Err(ApiError::IdempotencyKey) }
    }
}

impl Repeatable {
    /// Returns the request for an action that this key makes repeatable.
    pub(super) fn request<R>(
        self,
        action: Action,
        caller: &Caller<R>,
        endpoint: Endpoint,
    ) -> Request {
        let scope = || format!("{}{}", caller.id(), endpoint.path());
        let idempotency = self.0.map(|key| Idempotency { scope: scope(), key, keep: KEPT });
        Request { action, idempotency }
    }
}

/// Returns the sequence of a type in a project, both as a client wrote them.
pub(super) fn key(service: &Service, kind: &str, project: &str) -> Result<Key, ApiError> {
    if !service.inner.types.has(kind) {
        let valid = service.inner.types.clone();
        return Err(ApiError::Type { name: kind.to_owned(), valid });
    }
    if !is_project(project) {
        return Err(ApiError::Project { name: project.to_owned() });
    }
    Ok(Key::new([kind, project])?)
}

/// Reads the name of a reservation.
pub(super) fn reservation_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::ReservationId { text: text.to_owned() })
}
