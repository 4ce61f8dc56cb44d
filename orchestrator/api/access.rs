//! Who asks, and whether they may.
//!
//! A token is looked at before the body is read. Whoever has none hears nothing
//! but that; whoever has one for another project hears the same of projects that
//! exist and of those that do not.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::clock;
use super::error::ApiError;
use super::guard::Call;
use super::service::Service;
use super::tokens::{Grant, Scope};

/// Who asks: nobody in particular where no tokens are asked for.
#[derive(Debug)]
pub(super) struct Caller {
    pub call: Arc<Call>,
    grant: Option<Grant>,
}

impl Caller {
    /// Checks that the caller may do this at all.
    pub(super) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        match &self.grant {
            Some(grant) if !grant.includes(scope) => Err(ApiError::Forbidden),
            _ => Ok(()),
        }
    }

    /// Checks that the caller may do this in a project.
    pub(super) fn needs_project(&self, project: &str) -> Result<(), ApiError> {
        match &self.grant {
            Some(grant) if !grant.is_for(project) => Err(ApiError::Forbidden),
            _ => Ok(()),
        }
    }

    /// Returns what the caller is called where answers are kept.
    pub(super) fn id(&self) -> &str {
        self.grant.as_ref().map_or("anyone", |grant| grant.id.as_str())
    }
}

impl FromRequestParts<Service> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let call = parts.extensions.get::<Arc<Call>>().cloned();
        // The guard puts it there for every request.
        let call = call.ok_or(ApiError::NoRoute)?;
        let Some(tokens) = service.tokens() else {
            return Ok(Self { call, grant: None });
        };
        let token = bearer(&parts.headers).ok_or(ApiError::Unauthenticated)?;
        let grant = tokens.grant(token, clock::now()).ok_or(ApiError::Unauthenticated)?;
        Ok(Self { call, grant: Some(grant) })
    }
}

/// Returns the one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
