//! What every request passes: a request ID, limits, and the one place where errors
//! are written out, logged and counted.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::error::{ApiError, Failure};
use super::metrics::Endpoint;
use super::service::Service;

/// Under which a client may name its request, and finds it in the answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The most characters of a name of a client's.
const MAX_REQUEST_ID: usize = 64;
const MAX_URI: usize = 8 * 1024;
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// A request, for those who log it.
#[derive(Debug)]
pub(super) struct Call {
    pub id: String,
    /// As much of it as any has that is known.
    pub method: String,
    pub path: String,
    pub begin: Instant,
}

impl Call {
    /// Returns how long it has taken so far, in milliseconds.
    pub(super) fn millis(&self) -> f64 {
        (self.begin.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }

    /// Logs that IDs are told.
    pub(super) fn told(&self, about: &About, ids: &[String], is_repeated: bool) {
        let Self { id, method, path, .. } = self;
        let About { artifact_type, project_id } = about;
        let duration_ms = self.millis();
        // A field holds one value; no ID has a comma.
        let reserved_ids = ids.join(",");
        tracing::info!(
            method,
            path,
            artifact_type,
            project_id,
            count = ids.len(),
            reserved_ids,
            duration_ms,
            request_id = id,
            "{}",
            if is_repeated { "repeated" } else { "allocated" }
        );
    }
}

/// What an error was about, for the log.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub artifact_type: String,
    pub project_id: String,
}

impl About {
    /// Returns the answer of an error that is about this.
    pub(super) fn with(self, error: ApiError) -> Response {
        let mut response = error.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Lets a request through, and gives its answer what every answer has.
pub(super) async fn guard(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let call = Arc::new(Call {
        id: request_id(request.headers()),
        method: cut(request.method().as_str()),
        path: cut(request.uri().path()),
        begin: Instant::now(),
    });
    let endpoint = endpoint(&call.path);
    request.extensions_mut().insert(Arc::clone(&call));
    let metrics = Arc::clone(&service.inner.metrics);
    let answer = move |response: Response, call: &Call| {
        let response = finish(response, call);
        metrics.answered(endpoint, response.status().as_u16(), call.begin.elapsed());
        response
    };
    if let Err(error) = admit(&request) {
        return answer(error.into_response(), &call);
    }
    if endpoint.is_none() {
        return answer(next.run(request).await, &call);
    }
    let Ok(permit) = Arc::clone(&service.inner.permits).try_acquire_owned() else {
        return answer(ApiError::Overloaded.into_response(), &call);
    };
    let (told, fault) = (Arc::clone(&call), answer.clone());
    // A task of its own, which goes on where the client has gone away: numbers that were
    // taken are logged and counted, also where nobody is left to hear of them.
    let task = tokio::spawn(async move {
        let response = answer(next.run(request).await, &told);
        drop(permit);
        response
    });
    task.await.unwrap_or_else(|error| fault(ApiError::died(&error).into_response(), &call))
}

/// Returns the beginning of a text of a client's, for the log.
fn cut(text: &str) -> String {
    text.chars().take(256).collect()
}

fn endpoint(path: &str) -> Option<Endpoint> {
    let all = [Endpoint::Next, Endpoint::Reserve, Endpoint::Confirm, Endpoint::Expire];
    all.into_iter().find(|endpoint| endpoint.path() == path)
}

/// Returns the client's name of the request where it can be logged, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:+/=".contains(c))
    };
    given.filter(is_plain).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn admit(request: &Request) -> Result<(), ApiError> {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length > MAX_URI {
        return Err(ApiError::UriTooLong { max: MAX_URI });
    }
    let headers = request.headers();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if headers.len() > MAX_HEADERS || bytes.sum::<usize>() > MAX_HEADER_BYTES {
        return Err(ApiError::Headers);
    }
    match malformed(request) {
        Some(problem) => Err(ApiError::Malformed { problem }),
        None => Ok(()),
    }
}

/// Returns what is wrong with a head that hyper lets in and that a proxy before us may
/// take for another one.
fn malformed(request: &Request) -> Option<&'static str> {
    let (uri, headers) = (request.uri(), request.headers());
    let hosts = headers.get_all(HOST).iter().count();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        Some("one Host is expected")
    } else if !headers.get_all(TRANSFER_ENCODING).iter().all(is_chunked) {
        Some("the one Transfer-Encoding is chunked")
    } else if uri.scheme_str().is_some_and(|scheme| !["http", "https"].contains(&scheme)) {
        Some("the scheme of the target is not HTTP's")
    } else if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        Some("the target names a user")
    } else {
        None
    }
}

fn finish(mut response: Response, call: &Call) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let about = response.extensions_mut().remove::<About>();
        log(&error, response.status(), about.as_ref(), call);
        let text = error.to_string();
        let (_, code) = error.kind();
        let failure = Failure { success: false, error: &text, code, request_id: &call.id };
        // Texts in a flat object always have a JSON form.
        let body = serde_json::to_vec(&failure).expect("texts can be written as JSON");
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&call.id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn log(error: &ApiError, status: StatusCode, about: Option<&About>, call: &Call) {
    let Call { id, method, path, .. } = call;
    let (_, code) = error.kind();
    let cause = match error {
        ApiError::Sequence(cause) => Some(chain(cause)),
        ApiError::Unexpected { reply } => Some(reply.clone()),
        _ => None,
    };
    let fields = about.map(|about| (cut(&about.artifact_type), cut(&about.project_id)));
    let (artifact_type, project_id) = fields.unzip();
    let (duration_ms, status) = (call.millis(), status.as_u16());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                method, path, artifact_type, project_id, status, code, %error, cause,
                duration_ms, request_id = id, "refused"
            )
        };
    }
    if error.is_ours() {
        event!(error);
    } else {
        event!(warn);
    }
}

/// Returns an error with all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
