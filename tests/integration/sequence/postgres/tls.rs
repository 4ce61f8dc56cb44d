//! TLS, against servers with a certificate: what each `sslmode` asks for, and what is
//! told where there is less.

use std::fs;
use std::net::TcpListener;

use orchestrator::sequence::postgres::{PostgresBackend, PostgresOptions};
use orchestrator::sequence::{Layout, SequenceError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::super::conformance::{ask, next, range, us};
use crate::support::{Answer, Cluster, Private, program};

/// A server that takes connections on a port, whose certificate is for `localhost`.
struct Server {
    cluster: Private,
    port: u16,
    database: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one; without TLS where it has no certificate and key.
    fn start(certificate: Option<(String, String)>) -> Self {
        let cluster = Cluster::private();
        let database = cluster.database();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut settings = format!("listen_addresses = '127.0.0.1'\nport = {port}\n");
        if let Some((certificate, key)) = certificate {
            settings += "ssl = on\n";
            cluster.write("server.crt", &certificate);
            cluster.write("server.key", &key);
            // Who comes without TLS is not let in.
            cluster.write("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        }
        cluster.stop_immediately();
        cluster.append("postgresql.conf", &settings);
        drop(listener);
        cluster.start();
        Self { cluster, port, database, folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://orchestrator@{host}:{}/{}?{query}", self.port, self.database)
    }

    /// Writes certificates to a file; returns the parameter that names it.
    fn roots(&self, name: &str, certificates: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, certificates).unwrap();
        format!("sslrootcert={}", path.display())
    }

    fn open(&self, host: &str, query: &str) -> Result<PostgresBackend, SequenceError> {
        let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
        PostgresBackend::open(&self.url(host, query), Layout::registry(), options)
    }

    #[track_caller]
    fn takes(&self, host: &str, query: &str) {
        let mut backend = self.open(host, query).unwrap_or_else(|error| {
            panic!("{host} {query}: {error:?}");
        });
        range(ask(&mut backend, next(&us(), 1)));
    }

    /// Asserts that it is told at once, and how to go on.
    #[track_caller]
    fn refuses(&self, host: &str, query: &str, because: &str) {
        let error = self.open(host, query).map(drop).unwrap_err();
        assert!(matches!(error, SequenceError::Database { .. }), "{host} {query}: {error:?}");
        let mut told = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            told = format!("{told}: {cause}");
            source = cause.source();
        }
        assert!(told.contains(because), "{host} {query}: {told}");
        assert!(told.contains("sslmode") && told.contains("sslrootcert"), "{told}");
    }
}

/// Returns an authority's certificate, and a server's that it signed, with its key.
fn signed(by: &str) -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, by);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap().pem();
    (root, server, key.serialize_pem())
}

#[test]
fn a_server_is_believed_as_far_as_the_url_says() {
    let (root, certificate, key) = signed("ours");
    let server = Server::start(Some((certificate, key)));
    let ours = server.roots("ours.pem", &root);
    let others = server.roots("others.pem", &signed("others").0);
    // Whatever the certificate, where nobody asks for it.
    for query in ["", "sslmode=prefer", "sslmode=require", "application_name=a&sslmode=require"] {
        server.takes("127.0.0.1", query);
    }
    // Signed by whom we believe; for the host of the URL where that is asked for too.
    server.takes("localhost", &format!("sslmode=verify-full&{ours}"));
    server.takes("127.0.0.1", &format!("sslmode=verify-ca&{ours}"));
    server.takes("127.0.0.1", &format!("sslmode=require&{ours}"));
    server.refuses("127.0.0.1", &format!("sslmode=verify-full&{ours}"), "not valid for name");
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        server.refuses("localhost", &format!("sslmode={mode}&{others}"), "UnknownIssuer");
    }
    // This machine's own authorities have not signed it.
    server.refuses("localhost", "sslmode=verify-full", "");
    server.refuses("localhost", "sslrootcert=system", "");

    let error = server.open("127.0.0.1", "sslmode=disable").map(drop).unwrap_err();
    assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
}

#[test]
fn a_certificate_that_a_server_made_for_itself_can_be_named() {
    let mut itself = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // As PostgreSQL's manual has it made.
    itself.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = itself.self_signed(&key).unwrap().pem();
    let server = Server::start(Some((certificate.clone(), key.serialize_pem())));
    let roots = server.roots("itself.pem", &certificate);
    server.takes("localhost", &format!("sslmode=verify-full&{roots}"));
    server.takes("127.0.0.1", &format!("sslmode=verify-ca&{roots}"));
    server.refuses("127.0.0.1", &format!("sslmode=verify-full&{roots}"), "not valid for name");
}

#[test]
fn a_server_without_tls_is_told_where_it_is_asked_for() {
    let server = Server::start(None);
    server.takes("127.0.0.1", "");
    server.takes("127.0.0.1", "sslmode=disable");
    server.refuses("127.0.0.1", "sslmode=require", "server does not support TLS");

    let url = server.url("127.0.0.1", "sslmode=require");
    let mut command = program(server.folder.path());
    command.args(["id", "next", "--project", "alpha", "--type", "US", "--db", &url]);
    let told = Answer::of(command, "").fails(8);
    assert!(told.contains("sslmode"), "{told}");
    // The server goes before the folder that it must not outlive.
    drop(server.cluster);
}

#[test]
fn a_password_that_the_url_does_not_have_is_the_environments() {
    let server = Server::start(None);
    super::block_on(async {
        let client = super::connect(&server.url("127.0.0.1", "")).await;
        let role = "CREATE ROLE guest LOGIN SUPERUSER PASSWORD 'open sesame'";
        client.batch_execute(role).await.unwrap();
        server.cluster.write("pg_hba.conf", "host all guest 127.0.0.1/32 scram-sha-256\n");
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    });
    let url = server.url("127.0.0.1", "").replace("orchestrator@", "guest@");
    let next = |password: Option<&str>| {
        let mut command = program(server.folder.path());
        command.args(["id", "next", "--project", "alpha", "--type", "US", "--create"]);
        command.args(["--db", &url]).env_remove("PGPASSWORD");
        command.envs(password.map(|password| ("PGPASSWORD", password)));
        Answer::of(command, "")
    };
    // The server reads its rules again in its own time.
    let begin = std::time::Instant::now();
    while next(None).code == 0 {
        assert!(begin.elapsed().as_secs() < 60, "the rules are never read");
    }
    assert_ne!(next(Some("wrong")).code, 0);
    assert!(next(Some("open sesame")).ok().starts_with("US-"));
    drop(server.cluster);
}
