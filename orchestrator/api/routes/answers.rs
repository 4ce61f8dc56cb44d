//! The errors that a route can answer with, as the API's documentation has them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::{
    ContentBuilder, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder, Type,
};

const BAD_REQUEST: (&str, &str) = ("400", "What was sent is not understood, or out of range");
const UNAUTHORIZED: (&str, &str) = ("401", "No token that is good");
const FORBIDDEN: (&str, &str) = (
    "403",
    "The token is not for this; or, where no tokens are asked for, a page of another site asks, \
     or the service is asked by a name that is not this machine's own",
);
const NOT_FOUND: (&str, &str) = ("404", "Reservation expired or not found");
const METHOD: (&str, &str) = ("405", "The method is not allowed here");
const TIMEOUT: (&str, &str) = ("408", "The request did not arrive in time");
const CONFLICT: (&str, &str) = (
    "409",
    "The Idempotency-Key was used for another request, the numbers are used up, or the counter \
     is damaged",
);
const TOO_LARGE: (&str, &str) = ("413", "The body is too large");
const URI: (&str, &str) = ("414", "The URI is too long");
const MEDIA: (&str, &str) = ("415", "The body is not application/json, or it is compressed");
const HEADERS: (&str, &str) = ("431", "The headers are too many or too large");
const FAULT: (&str, &str) = ("500", "A fault of the service itself");
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
    match status {
        "401" => response.header("WWW-Authenticate", header(Type::String, "Always `Bearer`")),
        "405" => response.header("Allow", header(Type::String, "The methods that are allowed")),
        "415" => {
            let codings = "`identity`, where the body is compressed";
            response.header("Accept-Encoding", header(Type::String, codings))
        }
        "503" => {
            let seconds = "After how many seconds to try again";
            response.header("Retry-After", header(Type::Integer, seconds))
        }
        _ => response,
    }
    .build()
}

fn header(of: Type, text: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(of))).description(Some(text)).build()
}

/// Adds what every route can answer, and what every answer has.
pub(in crate::api) fn complete(document: &mut OpenApi) {
    let operations =
        document.paths.paths.values_mut().flat_map(|path| {
            [&mut path.get, &mut path.post, &mut path.delete].into_iter().flatten()
        });
    for operation in operations {
        let responses = &mut operation.responses.responses;
        responses.extend(failures(&[METHOD, FAULT]));
        for response in responses.values_mut() {
            if let RefOr::T(response) = response {
                let all = [
                    ("X-Request-Id", "Under which the service's log has it"),
                    ("Cache-Control", "Always `no-store`"),
                ];
                let headers =
                    all.map(|(name, text)| (name.into(), header(Type::String, text).into()));
                response.headers.extend(headers);
            }
        }
    }
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

/// Of a route that anybody may look at.
pub(in crate::api) struct Open;

impl IntoResponses for Open {
    fn responses() -> Responses {
        failures(&[BAD_REQUEST, TIMEOUT, URI, HEADERS])
    }
}

/// Of a route that needs a token, and takes nothing.
pub(in crate::api) struct Looking;

impl IntoResponses for Looking {
    fn responses() -> Responses {
        failures(&[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, TIMEOUT, URI, HEADERS])
    }
}

/// Of a route that asks the database, beside the others.
pub(in crate::api) struct Asked;

impl IntoResponses for Asked {
    fn responses() -> Responses {
        failures(&[UNAVAILABLE])
    }
}
