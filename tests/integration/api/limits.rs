//! Slow clients, and too many of them: a service with small limits, in this
//! process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use orchestrator::api::{
    self, ArtifactTypes, Issue, Limits, Metrics, Scope, Service, ServiceOptions, Tokens,
};
use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{
    self, AuthorityOptions, Backend, Counter, Layout, Reply, Request, SequenceError,
};
use tokio::sync::oneshot;

use super::client::Client;

/// A store that carries out nothing until it is let go on.
struct Held {
    backend: SqliteBackend,
    gate: Arc<std::sync::Mutex<()>>,
    requests: Arc<std::sync::Mutex<usize>>,
}

impl Backend for Held {
    fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        let _open = self.gate.lock().unwrap();
        *self.requests.lock().unwrap() += requests.len();
        self.backend.commit(requests)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError> {
        self.backend.counters()
    }
}

pub(super) struct InProcess {
    pub(super) address: SocketAddr,
    /// Locked, it keeps the store from carrying anything out.
    pub(super) gate: Arc<std::sync::Mutex<()>>,
    /// How many requests the store was asked to carry out.
    pub(super) requests: Arc<std::sync::Mutex<usize>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
    _folder: tempfile::TempDir,
}

impl InProcess {
    pub(super) fn with(limits: Limits, authority: AuthorityOptions) -> Self {
        Self::of(ServiceOptions { limits, ..ServiceOptions::default() }, authority)
    }

    fn of(options: ServiceOptions, authority: AuthorityOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteOptions { make: Make::File, ..SqliteOptions::default() };
        let path = folder.path().join("ids.db");
        let backend = SqliteBackend::open(&path, Layout::registry(), store).unwrap();
        let gate = Arc::new(std::sync::Mutex::new(()));
        let requests = Arc::default();
        let backend = Held { backend, gate: Arc::clone(&gate), requests: Arc::clone(&requests) };
        let (authority, running) = sequence::open(backend, authority).unwrap();
        let metrics = Arc::new(Metrics::new(&ArtifactTypes::default()));
        let service = Service::new(authority, options, metrics);
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let is_drained = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stop = async { drop(stopped.await) };
                api::serve(listener, service, stop).await.unwrap()
            });
            running.shutdown().unwrap();
            is_drained
        });
        let (stop, thread) = (Some(stop), Some(thread));
        Self { address, gate, requests, stop, thread, _folder: folder }
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// Ends it; returns whether all that was under way was answered.
    pub(super) fn end(&mut self) -> bool {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }
}

const NEXT: &[u8] = b"GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_body_that_is_too_slow_is_told_so() {
    let limits = Limits { body_time: Duration::from_millis(100), ..Limits::default() };
    let mut server = InProcess::with(limits, AuthorityOptions::default());
    let mut client = server.client();
    let head =
        b"POST /ids/reserve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Content-Length: 50\r\n\r\n{\"type\":";
    client.send(head).unwrap();
    assert_eq!(client.read(false).unwrap().failed(408).0, "request_timeout");
    assert!(server.end());
}

#[test]
fn a_head_that_is_too_slow_is_cut() {
    let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
    let mut server = InProcess::with(limits, AuthorityOptions::default());
    for start in [&b"GET /ids/next?type=US"[..], b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "] {
        let mut client = server.client();
        client.send(start).unwrap();
        assert_eq!(client.read(false).unwrap().failed(408).0, "request_timeout");
    }
    // Who only rests is let go without a word.
    let mut client = server.client();
    assert!(client.read(false).is_err());
    let mut client = server.client();
    client.get("/healthz").is(200);
    assert!(client.read(false).is_err());
    let metrics = server.client().get("/metrics").body;
    let counted = r#"orchestrator_http_requests_total{endpoint="other",status="408"} 2"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    assert!(server.end());
}

#[test]
fn who_never_reads_its_answers_is_cut() {
    let limits = Limits { write_time: Duration::from_millis(100), ..Limits::default() };
    let mut server = InProcess::with(limits, AuthorityOptions::default());
    let mut client = server.client();
    let asking = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let cut = loop {
        if let Err(error) = client.send(&asking) {
            break error.kind();
        }
    };
    let is_closed = [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::BrokenPipe];
    assert!(is_closed.contains(&cut), "{cut}");
    assert!(server.end());
}

#[test]
fn too_many_requests_hear_that_it_is_busy() {
    let limits = Limits { requests: 3, ..Limits::default() };
    let mut server = InProcess::with(limits, AuthorityOptions::default());
    let gate = Arc::clone(&server.gate);
    let held = gate.lock().unwrap();
    let mut waiting: Vec<Client> = (0..3).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send(NEXT).unwrap();
    }
    let mut late = server.client();
    let begin = std::time::Instant::now();
    loop {
        // Those before may not have arrived yet; whatever is let in waits.
        assert!(begin.elapsed() < Duration::from_secs(60));
        let depth = late.get("/metrics").body;
        if depth.lines().any(|line| line == "orchestrator_queue_depth 3") {
            break;
        }
    }
    let answer = late.get("/ids/next?type=US&project=p");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.failed(503).0, "busy");
    late.get("/healthz").is(200);
    drop(held);
    for client in &mut waiting {
        client.read(false).unwrap().is(200);
    }
    late.get("/ids/next?type=US&project=p").is(200);
    drop((waiting, late));
    assert!(server.end());
}

#[test]
fn who_may_not_ask_holds_no_place_with_a_slow_body() {
    let mut tokens = Tokens::default();
    let mut make = |scope| {
        let now = jiff::Timestamp::UNIX_EPOCH;
        tokens.issue(Issue { project: "p".to_owned(), scope, now, expires: None }).unwrap()
    };
    let [read, allocate] = [make(Scope::Read), make(Scope::Allocate)];
    let limits = Limits { requests: 2, body_time: Duration::from_secs(120), ..Limits::default() };
    let options = ServiceOptions { limits, tokens: Some(tokens), ..ServiceOptions::default() };
    let mut server = InProcess::of(options, AuthorityOptions::default());
    let mut slow = Vec::new();
    for (headers, status) in
        [(String::new(), 401), (format!("Authorization: Bearer {read}\r\n"), 403)]
    {
        for path in ["/ids/next", "/ids/reserve", "/ids/confirm"] {
            let mut client = server.client();
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 {headers}Content-Length: 50\r\n\r\n{{"
            );
            client.send(head.as_bytes()).unwrap();
            // It is told before its body is there.
            client.read(false).unwrap().failed(status);
            slow.push(client);
        }
    }
    let mut client = server.client().with(&format!("Authorization: Bearer {allocate}\r\n"));
    client.get("/ids/next?type=US&project=p").is(200);
    drop((slow, client));
    assert!(server.end());
}

#[test]
fn a_database_that_does_not_answer_is_a_503() {
    let deadline = Duration::from_millis(100);
    let authority = AuthorityOptions { deadline, ..AuthorityOptions::default() };
    let mut server = InProcess::with(Limits::default(), authority);
    let gate = Arc::clone(&server.gate);
    let held = gate.lock().unwrap();
    let mut client = server.client();
    assert_eq!(client.get("/ids/next?type=US&project=p").failed(503).0, "outcome_unknown");
    assert_eq!(client.get("/readyz").failed(503).0, "outcome_unknown");
    client.get("/healthz").is(200);
    drop(held);
    // The number of the request that nobody waited for is a gap, or was not taken.
    let begin = std::time::Instant::now();
    while client.get("/ids/next?type=US&project=p").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(120));
    }
    assert!(server.end());
}

#[test]
fn what_is_under_way_is_answered_at_the_end() {
    let mut server = InProcess::with(Limits::default(), AuthorityOptions::default());
    let gate = Arc::clone(&server.gate);
    let held = gate.lock().unwrap();
    let mut waiting = server.client();
    waiting.send(NEXT).unwrap();
    let mut watching = server.client();
    while !watching.get("/metrics").body.contains("orchestrator_queue_depth 1") {}
    drop(server.stop.take());
    // No more are accepted.
    let begin = std::time::Instant::now();
    while Client::connect(server.address).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(held);
    assert_eq!(waiting.read(false).unwrap().is(200)["next_id"], "US-001");
    assert!(server.end());
}

#[test]
fn what_takes_too_long_at_the_end_is_cut() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let mut server = InProcess::with(limits, AuthorityOptions::default());
    let mut stuck = server.client();
    stuck.send(b"POST /ids/reserve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n").unwrap();
    let mut watching = server.client();
    watching.get("/healthz").is(200);
    let is_drained = server.end();
    // The request may have come after the end began, and is then closed at once.
    if !is_drained {
        assert!(stuck.read(false).is_err());
    }
}
