//! `/ids/reservations/expired`: cleaning up.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Looking};
use crate::api::access::{Administer, Caller};
use crate::api::error::ApiError;
use crate::api::service::Service;
use crate::sequence::{Action, Reply};

/// What was cleaned up.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Deleted {
    /// Always true.
    success: bool,
    /// How many reservations.
    deleted_count: u64,
}

/// Deletes expired reservations
///
/// Those that nobody confirmed in time, of all projects. Their IDs stay taken.
#[utoipa::path(
    delete,
    path = "/ids/reservations/expired",
    operation_id = "delete_expired",
    responses((status = 200, body = Deleted), Looking, Asked),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn delete_expired(
    State(service): State<Service>,
    _: Caller<Administer>,
) -> Result<Json<Deleted>, ApiError> {
    let mut deleted_count = 0;
    loop {
        // Each in its own place of the queue, so that others get their numbers between.
        match service.ask(Action::Expire { grace: Duration::ZERO }.into()).await? {
            Reply::Expired { deleted, is_all } => {
                service.inner.metrics.deleted(deleted);
                deleted_count += deleted;
                if is_all {
                    return Ok(Json(Deleted { success: true, deleted_count }));
                }
            }
            other => return Err(ApiError::unexpected(&other)),
        }
    }
}
