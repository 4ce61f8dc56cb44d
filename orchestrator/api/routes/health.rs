//! Whether the service lives, whether it can work, and how it fares.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Looking, Open};
use crate::api::access::{Caller, Read};
use crate::api::error::ApiError;
use crate::api::service::Service;

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Healthy {
    /// Always true.
    success: bool,
    /// Always `ok`.
    status: &'static str,
}

const HEALTHY: Json<Healthy> = Json(Healthy { success: true, status: "ok" });

/// Tells that the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    responses((status = 200, body = Healthy), Open)
)]
pub(in crate::api) async fn healthz() -> Json<Healthy> {
    HEALTHY
}

/// Tells whether the database can commit
///
/// As of a second ago at most: a write that means nothing is committed, and all who ask
/// meanwhile hear what became of it.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    responses((status = 200, body = Healthy), Open, Asked)
)]
pub(in crate::api) async fn readyz(
    State(service): State<Service>,
) -> Result<Json<Healthy>, ApiError> {
    service.inner.readiness.tell(&service).await.map(|()| HEALTHY)
}

/// Tells how the service fares, in the text format of Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"), Looking),
    security((), ("bearer" = []))
)]
pub(in crate::api) async fn metrics(
    State(service): State<Service>,
    _: Caller<Read>,
) -> Result<impl IntoResponse, ApiError> {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((headers, service.inner.metrics.render()))
}
