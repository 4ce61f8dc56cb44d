//! `/ids/next`: the next ID.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Asking;
use crate::api::access::{Allocate, Caller};
use crate::api::error::ApiError;
use crate::api::guard::About;
use crate::api::metrics::Endpoint;
use crate::api::payload::{Body, Params, Repeatable, key};
use crate::api::schemas::{ArtifactType, IdempotencyKey, ProjectId};
use crate::api::service::Service;
use crate::sequence::{Action, Reply};

/// What `/ids/next` allows: not HEAD, which must not take a number.
pub(in crate::api) const NEXT_METHODS: &str = "GET,POST";

/// Of what the next ID is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct NextQuery {
    /// The type of artifact.
    #[param(required = true, value_type = ArtifactType, nullable = false)]
    r#type: Option<String>,
    /// The project.
    #[param(required = true, value_type = ProjectId, nullable = false)]
    project: Option<String>,
}

/// Of what the next ID is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NextBody {
    /// The type of artifact.
    #[schema(required = true, value_type = ArtifactType, nullable = false)]
    r#type: Option<String>,
    /// The project.
    #[schema(required = true, value_type = ProjectId, nullable = false)]
    project_id: Option<String>,
}

/// The next ID, which nobody else has got.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Next {
    /// Always true.
    success: bool,
    /// The type that was asked for.
    artifact_type: String,
    /// The ID.
    next_id: String,
    /// The ID before it; `null` where this is the first.
    #[schema(required = true)]
    last_assigned: Option<String>,
}

/// Takes the next ID
///
/// Each call takes another one, unless it repeats an Idempotency-Key.
#[utoipa::path(
    get,
    path = "/ids/next",
    operation_id = "next_by_query",
    params(NextQuery, ("Idempotency-Key" = Option<IdempotencyKey>, Header, nullable = false)),
    responses((status = 200, body = Next), Asking),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn next_by_query(
    State(service): State<Service>,
    method: Method,
    caller: Caller<Allocate>,
    idempotency: Repeatable,
    query: Params<NextQuery>,
) -> Result<Response, ApiError> {
    // axum would let HEAD in as well, and this takes a number.
    if method == Method::HEAD {
        return Err(ApiError::Method { allow: Some(NEXT_METHODS) });
    }
    let Params(NextQuery { r#type, project }) = query;
    let kind = r#type.ok_or(ApiError::MissingParameter { name: "type" })?;
    let project = project.ok_or(ApiError::MissingParameter { name: "project" })?;
    next(&service, &caller, idempotency, kind, project).await
}

/// Takes the next ID
///
/// Each call takes another one, unless it repeats an Idempotency-Key.
#[utoipa::path(
    post,
    path = "/ids/next",
    operation_id = "next_by_body",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, nullable = false)),
    request_body = NextBody,
    responses((status = 200, body = Next), Asking),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn next_by_body(
    State(service): State<Service>,
    caller: Caller<Allocate>,
    idempotency: Repeatable,
    body: Body<NextBody>,
) -> Result<Response, ApiError> {
    let Body(NextBody { r#type, project_id }) = body;
    let kind = r#type.ok_or(ApiError::MissingField { name: "type" })?;
    let project = project_id.ok_or(ApiError::MissingField { name: "project_id" })?;
    next(&service, &caller, idempotency, kind, project).await
}

async fn next(
    service: &Service,
    caller: &Caller<Allocate>,
    idempotency: Repeatable,
    kind: String,
    project: String,
) -> Result<Response, ApiError> {
    caller.needs_project(&project)?;
    let about = About { artifact_type: kind, project_id: project };
    let taken = async {
        let key = key(service, &about.artifact_type, &about.project_id)?;
        let action = Action::Next { key, count: 1 };
        let request = idempotency.request(action, caller, Endpoint::Next);
        match service.ask(request).await?.told() {
            (Reply::Issued(issued), is_repeated) => Ok((issued, is_repeated)),
            (other, _) => Err(ApiError::unexpected(&other)),
        }
    };
    let (issued, is_repeated) = match taken.await {
        Ok(taken) => taken,
        Err(error) => return Ok(about.with(error)),
    };
    let layout = service.layout();
    let next_id = layout.id(&issued.key, issued.first);
    service.inner.metrics.told(Endpoint::Next, &about.artifact_type, 1, is_repeated);
    caller.call.told(&about, std::slice::from_ref(&next_id), is_repeated);
    let last_assigned = issued.previous(layout);
    let artifact_type = about.artifact_type;
    Ok(Json(Next { success: true, artifact_type, next_id, last_assigned }).into_response())
}
