//! `/ids/reserve`: several IDs that follow each other, held until they are confirmed.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Asking;
use crate::api::access::{Allocate, Caller};
use crate::api::clock;
use crate::api::error::ApiError;
use crate::api::guard::About;
use crate::api::metrics::Endpoint;
use crate::api::payload::{Body, Repeatable, key};
use crate::api::schemas::{ArtifactType, IdempotencyKey, ProjectId};
use crate::api::service::Service;
use crate::sequence::{Action, Reply};

/// The most IDs of a reservation.
const MAX_COUNT: u32 = 100;

/// What is to be reserved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ReserveBody {
    /// The type of artifact.
    #[schema(required = true, value_type = ArtifactType, nullable = false)]
    r#type: Option<String>,
    /// How many IDs.
    #[serde(default, deserialize_with = "whole")]
    #[schema(required = true, minimum = 1, maximum = 100, nullable = false)]
    count: Option<i64>,
    /// The project.
    #[schema(required = true, value_type = ProjectId, nullable = false)]
    project_id: Option<String>,
}

/// Reads a whole number, which in JSON may be written as 1.0 too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let of_float = || {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        // Beyond that is beyond any count, and may not be exact.
        (float.abs() < 1e15).then_some(float as i64)
    };
    let whole = number.as_i64().or_else(of_float);
    whole.map(Some).ok_or_else(|| D::Error::custom(format!("{number} is no count")))
}

/// IDs that follow each other, which nobody else has got.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Reserved {
    /// Always true.
    success: bool,
    /// Under which they are confirmed.
    reservation_id: Uuid,
    /// The type that was asked for.
    artifact_type: String,
    /// The IDs, ascending.
    reserved_ids: Vec<String>,
    /// Until when they can be confirmed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: String,
}

/// Reserves IDs
///
/// They are never issued to anybody else, confirmed or not.
#[utoipa::path(
    post,
    path = "/ids/reserve",
    operation_id = "reserve",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, nullable = false)),
    request_body = ReserveBody,
    responses((status = 200, body = Reserved), Asking),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn reserve(
    State(service): State<Service>,
    caller: Caller<Allocate>,
    idempotency: Repeatable,
    body: Body<ReserveBody>,
) -> Result<Response, ApiError> {
    let Body(ReserveBody { r#type, count, project_id }) = body;
    let kind = r#type.ok_or(ApiError::MissingField { name: "type" })?;
    let count = count.ok_or(ApiError::MissingField { name: "count" })?;
    let project = project_id.ok_or(ApiError::MissingField { name: "project_id" })?;
    caller.needs_project(&project)?;
    let about = About { artifact_type: kind, project_id: project };
    let taken = async {
        let key = key(&service, &about.artifact_type, &about.project_id)?;
        let valid = u32::try_from(count).ok().filter(|count| (1..=MAX_COUNT).contains(count));
        let count = valid.ok_or(ApiError::Count { count, max: MAX_COUNT })?;
        let action = Action::Reserve { key, count, ttl: service.inner.reservation };
        let request = idempotency.request(action, &caller, Endpoint::Reserve);
        match service.ask(request).await?.told() {
            (Reply::Reserved(reservation), is_repeated) => Ok((reservation, is_repeated)),
            (other, _) => Err(ApiError::unexpected(&other)),
        }
    };
    let (reservation, is_repeated) = match taken.await {
        Ok(taken) => taken,
        Err(error) => return Ok(about.with(error)),
    };
    let reserved_ids = reservation.issued.ids(service.layout());
    let (metrics, kind) = (&service.inner.metrics, &about.artifact_type);
    metrics.told(Endpoint::Reserve, kind, reservation.issued.count, is_repeated);
    if !is_repeated {
        metrics.pending.made(reservation.id, reservation.expires_at, clock::now());
    }
    caller.call.told(&about, &reserved_ids, is_repeated);
    let reserved = Reserved {
        success: true,
        reservation_id: reservation.id,
        artifact_type: about.artifact_type,
        reserved_ids,
        expires_at: format!("{:.0}", reservation.expires_at),
    };
    Ok(Json(reserved).into_response())
}
