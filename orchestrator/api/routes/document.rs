//! `/openapi.json`: the documentation of the API.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Open;

/// The documentation as it is sent; the router has it for the route.
#[derive(Debug, Clone)]
pub(in crate::api) struct Document(pub Bytes);

/// Tells what the service answers, in OpenAPI 3.1
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((status = 200, body = Object, description = "This document"), Open)
)]
pub(in crate::api) async fn openapi_json(
    Extension(Document(document)): Extension<Document>,
) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document)
}
