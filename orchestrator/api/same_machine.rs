//! Who asks a service on a loopback address that asks for no tokens: programs of this
//! machine, and no web page that a browser on it shows.
//!
//! A browser lets any page send simple requests to any address, and each of them could
//! use up a number; what is asked by a page it says in headers that no page can change. A
//! page whose own name was made to lead to this machine is of the same site to the
//! browser, so the name by which the service is asked must be the machine's own.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName};

use super::error::ApiError;

/// In which relation a page is to what it asks, as the browser says.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Stands in the requests to a service that listens on a loopback address.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnLoopback;

/// Checks that no name of others was asked for, where the service is on a loopback
/// address.
pub(super) fn check_host(parts: &Parts) -> Result<(), ApiError> {
    if parts.extensions.get::<OnLoopback>().is_none() {
        return Ok(());
    }
    let of_header = values(&parts.headers, HOST);
    let of_uri = parts.uri.authority().map(Authority::as_str);
    match of_header.chain(of_uri).find(|host| !is_loopback(host)) {
        Some(name) => Err(ApiError::Host { name: name.to_owned() }),
        None => Ok(()),
    }
}

/// Checks that no page of another site asks.
pub(super) fn check_site(parts: &Parts) -> Result<(), ApiError> {
    let mut sites = values(&parts.headers, SITE);
    let host = values(&parts.headers, HOST).next();
    let is_own = |origin: &str| {
        let of_origin = origin.split_once("://").map(|(_, host)| host);
        of_origin.zip(host).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    };
    if sites.any(|site| !["none", "same-origin"].contains(&site))
        || !values(&parts.headers, ORIGIN).all(is_own)
    {
        return Err(ApiError::CrossSite);
    }
    Ok(())
}

/// Returns the values of a header, those that are no text as an empty one.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

/// Tells whether a name, with or without a port, leads to this machine alone.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for own in
            ["localhost", "LocalHost:8080", "a.localhost", "127.0.0.1:1", "127.1.2.3", "[::1]:80"]
        {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "",
            "x",
            "localhost.evil.com",
            "evillocalhost",
            "127.0.0.1.evil.com",
            "10.0.0.1:80",
            "0.0.0.0",
            "[::]",
            "[::1",
            "a b",
            "localhost/x",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
