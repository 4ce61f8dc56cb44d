//! TLS to PostgreSQL, with the parameters and the meanings of its own clients.
//!
//! `sslmode` in the URL says how much is asked of the server, and `sslrootcert` whose
//! signature under its certificate is believed: a file of PEM certificates, or
//! `system` for what this machine trusts. Certificates of clients are not supported.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    VerifierBuilderError, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{self, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fs::{self, FsError};

/// How much is asked of the server, from the least on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// No TLS.
    Disable,
    /// TLS where the server has it.
    Prefer,
    /// TLS, whatever the certificate.
    Require,
    /// A certificate that is signed by whom we believe.
    VerifyCa,
    /// The same, and made out for the host of the URL.
    VerifyFull,
}

/// Whose signatures are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Roots {
    System,
    File(PathBuf),
}

/// What a URL says of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: Mode,
    roots: Option<Roots>,
}

/// Why a URL's parameters, or what they name, cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error(
        "`sslmode={0}` is not known; there are disable, prefer, require, verify-ca and verify-full"
    )]
    Mode(String),
    #[error(
        "`sslrootcert=system` believes anybody with a certificate: it needs `sslmode=verify-full`"
    )]
    WeakSystem,
    #[error("`sslrootcert` cannot be read")]
    Unreadable(#[source] FsError),
    #[error("{path}, named by `sslrootcert`, is not a file of PEM certificates")]
    NotPem { path: PathBuf, source: pem::Error },
    #[error("no certificate in {0}, named by `sslrootcert`")]
    Empty(PathBuf),
    #[error("this machine has no certificates of its own; `sslrootcert=FILE` names some")]
    NoSystem,
    #[error("the certificates of `sslrootcert` cannot be used")]
    Unusable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Tls {
    /// Takes the parameters that the driver does not know out of a URL; returns what is
    /// left of it, and what they say.
    pub(super) fn take_from(url: &str) -> Result<(String, Self), TlsError> {
        // The driver too takes all up to the first `@` for the user and password, in
        // which a `?` stands for itself.
        let credentials = url.find('@').map_or(0, |at| at + 1);
        let Some(query) = url[credentials..].find('?').map(|at| credentials + at) else {
            return Ok((url.to_owned(), Self::new(None, None)?));
        };
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for parameter in url[query + 1..].split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(value),
                _ => others.push(parameter),
            }
        }
        let mut rest = url[..query].to_owned();
        if !others.is_empty() {
            rest = format!("{rest}?{}", others.join("&"));
        }
        Ok((rest, Self::new(mode, roots)?))
    }

    fn new(mode: Option<&str>, roots: Option<&str>) -> Result<Self, TlsError> {
        let roots = roots.map(|name| match name {
            "system" => Roots::System,
            file => Roots::File(decoded(file)),
        });
        let mode = match (mode, &roots) {
            (None, Some(Roots::System)) | (Some("verify-full"), _) => Mode::VerifyFull,
            (Some("verify-ca"), _) => Mode::VerifyCa,
            (Some("require"), _) => Mode::Require,
            (None | Some("prefer"), _) => Mode::Prefer,
            (Some("disable"), _) => Mode::Disable,
            (Some(other), _) => return Err(TlsError::Mode(other.to_owned())),
        };
        if roots == Some(Roots::System) && mode < Mode::VerifyFull {
            return Err(TlsError::WeakSystem);
        }
        Ok(Self { mode, roots })
    }

    /// Returns what the driver is told of it.
    pub(super) fn driver_mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// Reads the certificates, and returns what makes connections.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, TlsError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let verifier = Verifier {
            known: provider.signature_verification_algorithms,
            believed: self.believed()?,
            checks_name: self.mode == Mode::VerifyFull,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    /// Returns whom to believe, `None` where no certificate is looked at.
    fn believed(&self) -> Result<Option<Believed>, TlsError> {
        let named = match &self.roots {
            _ if self.mode == Mode::Disable => return Ok(None),
            Some(Roots::File(path)) => certificates(path)?,
            // A name without authorities is checked against those of the machine.
            None if self.mode < Mode::VerifyCa => return Ok(None),
            None | Some(Roots::System) => rustls_native_certs::load_native_certs().certs,
        };
        if named.is_empty() {
            return Err(match &self.roots {
                Some(Roots::File(path)) => TlsError::Empty(path.clone()),
                None | Some(Roots::System) => TlsError::NoSystem,
            });
        }
        let mut signers = RootCertStore::empty();
        signers.add_parsable_certificates(named.iter().cloned());
        if signers.is_empty() {
            return Err(unusable(VerifierBuilderError::NoRootAnchors));
        }
        let itself = if matches!(self.roots, Some(Roots::File(_))) { named } else { Vec::new() };
        Ok(Some(Believed { signers, itself }))
    }
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> TlsError {
    TlsError::Unusable(Arc::new(error))
}

/// Reads a file of certificates in PEM.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = fs::read(path).map_err(TlsError::Unreadable)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    all.map_err(|source| TlsError::NotPem { path: path.to_owned(), source })
}

/// Decodes `%2F` and its like.
fn decoded(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    std::ffi::OsString::from_vec(bytes).into()
}

/// Who may have signed a server's certificate.
#[derive(Debug)]
struct Believed {
    signers: RootCertStore,
    /// Certificates that need no signature: one that a server made for itself is often
    /// marked as an authority, as PostgreSQL's manual has it made, and an authority is
    /// not taken for a server otherwise. Their dates are not looked at.
    itself: Vec<CertificateDer<'static>>,
}

/// Looks at a server's certificate as far as a [`Mode`] asks for it.
#[derive(Debug)]
struct Verifier {
    known: WebPkiSupportedAlgorithms,
    believed: Option<Believed>,
    checks_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(Believed { signers, itself }) = &self.believed else {
            return Ok(ServerCertVerified::assertion());
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !itself.contains(end_entity) {
            let known = self.known.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                signers,
                intermediates,
                now,
                known,
            )?;
        }
        if self.checks_name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.known.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(url: &str) -> (String, Mode) {
        let (rest, tls) = Tls::take_from(url).unwrap();
        (rest, tls.mode)
    }

    #[test]
    fn parameters_of_tls_are_taken_and_others_left() {
        let cases = [
            ("postgres://h/d", "postgres://h/d", Mode::Prefer),
            ("postgres://h/d?sslmode=require", "postgres://h/d", Mode::Require),
            (
                "postgres://u:p?sslmode=disable@h/d?a=b&sslmode=verify-ca&sslrootcert=%2Fr&c=d",
                "postgres://u:p?sslmode=disable@h/d?a=b&c=d",
                Mode::VerifyCa,
            ),
            ("postgres://h/d?sslrootcert=system", "postgres://h/d", Mode::VerifyFull),
            ("postgres://h/d?sslmode=disable", "postgres://h/d", Mode::Disable),
        ];
        for (url, rest, mode) in cases {
            assert_eq!(taken(url), (rest.to_owned(), mode), "{url}");
        }
    }

    #[test]
    fn the_file_of_certificates_may_have_any_name() {
        let (_, tls) = Tls::take_from("postgres://h/d?sslrootcert=%2Fmy%20%C3%BC.pem").unwrap();
        assert_eq!(tls.roots, Some(Roots::File("/my ü.pem".into())));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let wrong = ["sslmode=on", "sslmode=", "sslmode=require&sslrootcert=system"];
        for query in wrong {
            let taken = Tls::take_from(&format!("postgres://h/d?{query}"));
            assert!(taken.is_err(), "{query}: {taken:?}");
        }
        for (content, wanted) in [
            (&b"no certificate"[..], "no certificate in "),
            (
                b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                "is not a file of PEM",
            ),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::io::Write::write_all(&mut file.as_file(), content).unwrap();
            let url = format!("postgres://h/d?sslrootcert={}", file.path().display());
            let error = Tls::take_from(&url).unwrap().1.connector().map(drop).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
        let url = "postgres://h/d?sslmode=verify-ca&sslrootcert=/not/there.pem";
        let error = Tls::take_from(url).unwrap().1.connector().map(drop).unwrap_err();
        assert!(matches!(error, TlsError::Unreadable(_)), "{error}");
    }
}
