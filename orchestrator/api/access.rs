//! Who asks, and whether they may.
//!
//! A token and its scope are looked at before anything else of the request is, so that
//! whoever may not ask keeps no place while its body is awaited. Whoever has none hears
//! nothing but that; whoever has one for another project hears the same of projects that
//! exist and of those that do not.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::clock;
use super::error::ApiError;
use super::guard::Call;
use super::same_machine;
use super::service::Service;
use super::tokens::{Grant, Scope};

/// What a route needs of whoever asks.
pub(super) trait Right {
    const SCOPE: Scope;
}

/// To look.
#[derive(Debug)]
pub(super) enum Read {}
/// To take numbers.
#[derive(Debug)]
pub(super) enum Allocate {}
/// To do what is about all projects.
#[derive(Debug)]
pub(super) enum Administer {}

impl Right for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Right for Allocate {
    const SCOPE: Scope = Scope::Allocate;
}

impl Right for Administer {
    const SCOPE: Scope = Scope::Admin;
}

/// Who asks, and has this right: nobody in particular where no tokens are asked for.
#[derive(Debug)]
pub(super) struct Caller<R> {
    pub call: Arc<Call>,
    grant: Option<Grant>,
    right: PhantomData<R>,
}

impl<R> Caller<R> {
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

impl<R: Right> FromRequestParts<Service> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let call = parts.extensions.get::<Arc<Call>>().cloned();
        // The guard puts it there for every request.
        let call = call.ok_or(ApiError::NoRoute)?;
        let Some(tokens) = service.tokens() else {
            same_machine::check_host(parts)?;
            if R::SCOPE != Scope::Read {
                same_machine::check_site(parts)?;
            }
            return Ok(Self { call, grant: None, right: PhantomData });
        };
        let token = bearer(&parts.headers).ok_or(ApiError::Unauthenticated)?;
        let grant = tokens.grant(token, clock::now()).ok_or(ApiError::Unauthenticated)?;
        if !grant.includes(R::SCOPE) {
            return Err(ApiError::Forbidden);
        }
        Ok(Self { call, grant: Some(grant), right: PhantomData })
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
