//! What can be asked for: a file per resource.
//!
//! A route reads its request, asks, and tells the answer; the documentation of the
//! API is made of what is written here.

mod answers;
mod confirm;
mod document;
mod expired;
mod health;
mod next;
mod reserve;

pub(super) use answers::{Asked, Asking, Changing, Looking, Open, complete};
pub(super) use confirm::{__path_confirm, confirm};
pub(super) use document::{__path_openapi_json, Document, openapi_json};
pub(super) use expired::{__path_delete_expired, delete_expired};
pub(super) use health::{__path_healthz, __path_metrics, __path_readyz, healthz, metrics, readyz};
pub(super) use next::{
    __path_next_by_body, __path_next_by_query, NEXT_METHODS, next_by_body, next_by_query,
};
pub(super) use reserve::{__path_reserve, reserve};
