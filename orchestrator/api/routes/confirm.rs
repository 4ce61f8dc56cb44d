//! `/ids/confirm`: the IDs of a reservation are used.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Changing;
use crate::api::access::{Allocate, Caller};
use crate::api::error::ApiError;
use crate::api::payload::{Body, reservation_id};
use crate::api::service::Service;
use crate::sequence::{Action, Reply};

/// Which reservation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ConfirmBody {
    /// As `/ids/reserve` told it.
    #[schema(required = true, value_type = Uuid, nullable = false)]
    reservation_id: Option<String>,
}

/// The reservation is confirmed, now or since earlier.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Confirmed {
    /// Always true.
    success: bool,
    /// Which reservation.
    reservation_id: Uuid,
    /// Always true.
    confirmed: bool,
}

/// Confirms a reservation
///
/// Only until its time is up. A repetition gets the same answer.
#[utoipa::path(
    post,
    path = "/ids/confirm",
    operation_id = "confirm",
    request_body = ConfirmBody,
    responses((status = 200, body = Confirmed), Changing),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn confirm(
    State(service): State<Service>,
    _: Caller<Allocate>,
    body: Body<ConfirmBody>,
) -> Result<Json<Confirmed>, ApiError> {
    let text = body.0.reservation_id.ok_or(ApiError::MissingField { name: "reservation_id" })?;
    let id = reservation_id(&text)?;
    match service.ask(Action::Confirm(id).into()).await? {
        Reply::Confirmed(reservation_id) => {
            service.inner.metrics.confirmed();
            service.inner.metrics.pending.confirmed(reservation_id);
            Ok(Json(Confirmed { success: true, reservation_id, confirmed: true }))
        }
        other => Err(ApiError::unexpected(&other)),
    }
}
