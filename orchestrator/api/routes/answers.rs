//! The errors that a route can answer with, as the API's documentation has them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Type};

const BAD_REQUEST: (&str, &str) = ("400", "What was sent is not understood, or out of range");
const UNAUTHORIZED: (&str, &str) = ("401", "No token that is good");
const FORBIDDEN: (&str, &str) = ("403", "The token is not for this");
const NOT_FOUND: (&str, &str) = ("404", "Reservation expired or not found");
const TIMEOUT: (&str, &str) = ("408", "The body did not arrive in time");
const CONFLICT: (&str, &str) =
    ("409", "The Idempotency-Key was used for another request, or the numbers are used up");
const TOO_LARGE: (&str, &str) = ("413", "The body is too large");
const URI: (&str, &str) = ("414", "The URI is too long");
const MEDIA: (&str, &str) = ("415", "The body is not application/json");
const HEADERS: (&str, &str) = ("431", "The headers are too many or too large");
const UNAVAILABLE: (&str, &str) = ("503", "Overloaded, or the database is away: try again");

type Responses = BTreeMap<String, RefOr<Response>>;

fn failures(kinds: &[(&str, &str)]) -> Responses {
    kinds
        .iter()
        .map(|(status, text)| ((*status).to_owned(), failure(status, text).into()))
        .collect()
}

fn failure(status: &str, text: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure"))).build();
    let response = ResponseBuilder::new().description(text).content("application/json", content);
    if status != UNAVAILABLE.0 {
        return response.build();
    }
    let seconds = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::Integer)))
        .description(Some("After how many seconds to try again"));
    response.header("Retry-After", seconds.build()).build()
}

/// Of a route that takes numbers.
pub(in crate::api) struct Asking;

impl IntoResponses for Asking {
    fn responses() -> Responses {
        let body = [TIMEOUT, CONFLICT, TOO_LARGE, MEDIA];
        let mut all = failures(&[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, URI, HEADERS, UNAVAILABLE]);
        all.extend(failures(&body));
        all
    }
}

/// Of a route that changes something else.
pub(in crate::api) struct Changing;

impl IntoResponses for Changing {
    fn responses() -> Responses {
        let mut all = Asking::responses();
        all.remove(CONFLICT.0);
        all.extend(failures(&[NOT_FOUND]));
        all
    }
}

/// Of a route that needs a token, and takes nothing.
pub(in crate::api) struct Looking;

impl IntoResponses for Looking {
    fn responses() -> Responses {
        failures(&[UNAUTHORIZED, FORBIDDEN, URI, HEADERS, UNAVAILABLE])
    }
}
