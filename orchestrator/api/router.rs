//! Which path leads to which route, and the API's documentation, made of the same
//! list.

use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use utoipa::PartialSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Failure};
use super::guard::guard;
use super::kinds::ArtifactTypes;
use super::routes::*;
use super::schemas::{IdempotencyKey, of_types};
use super::service::Service;

const ABOUT: &str = "Issues IDs that are never issued twice. An answer is told only after it is \
    durable. Where tokens are asked for, send one as a bearer token.";

/// Returns the service as a router, with all that every request passes.
pub fn router(service: Service) -> Router {
    let (router, document) = routes(&service.inner.types).split_for_parts();
    // A document that was made of plain values can be written.
    let document = document.to_json().expect("the document can be written as JSON");
    router
        .layer(Extension(Document(document.into())))
        .fallback(|| async { ApiError::NoRoute })
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(service.clone(), guard))
        .with_state(service)
}

/// Returns the documentation of a service of these types: OpenAPI 3.1, JSON.
pub fn openapi(types: &ArtifactTypes) -> OpenApi {
    routes(types).into_openapi()
}

/// Axum's own list of what is allowed has HEAD wherever GET is.
async fn not_allowed(uri: Uri) -> ApiError {
    ApiError::Method { allow: (uri.path() == "/ids/next").then_some(NEXT_METHODS) }
}

fn routes(types: &ArtifactTypes) -> OpenApiRouter<Service> {
    let mut router = OpenApiRouter::with_openapi(document())
        .routes(routes!(next_by_query, next_by_body))
        .routes(routes!(reserve))
        .routes(routes!(confirm))
        .routes(routes!(delete_expired))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(openapi_json));
    complete(router.get_openapi_mut());
    if let Some(components) = &mut router.get_openapi_mut().components {
        components.schemas.insert("ArtifactType".to_owned(), of_types(types));
    }
    router
}

/// Returns what the documentation has beside the routes.
fn document() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = ComponentsBuilder::new()
        .schema("Failure", Failure::schema())
        .schema("IdempotencyKey", IdempotencyKey::schema())
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build();
    let info = InfoBuilder::new()
        .title("orchestrator: the ID service")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}
