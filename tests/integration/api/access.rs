//! Tokens: who may ask for what, and what nobody is told.

use std::sync::Arc;

use serde_json::json;

use super::client::{Answer, Client};
use super::server::{Server, Store};
use crate::support::{Answer as Ended, program};

struct Tokens {
    folder: Arc<tempfile::TempDir>,
}

impl Tokens {
    fn none() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()) }
    }

    fn make(&self, args: &[&str]) -> String {
        let mut command = program(self.folder.path());
        command.args(["serve", "token", "new"]).args(args);
        Ended::of(command, "").ok().trim().to_owned()
    }

    fn server(&self) -> Server {
        Server::within(Arc::clone(&self.folder), &[])
    }
}

fn with(server: &Server, token: &str) -> Client {
    server.client().with(&format!("Authorization: Bearer {token}\r\n"))
}

fn next(server: &Server, token: &str, project: &str) -> Answer {
    with(server, token).get(&format!("/ids/next?type=US&project={project}"))
}

#[test]
fn a_token_is_good_for_its_project_its_scope_and_its_time() {
    let tokens = Tokens::none();
    let read = tokens.make(&["--project", "p", "--scope", "read"]);
    let allocate = tokens.make(&["--project", "p", "--scope", "allocate", "--expires", "90d"]);
    let admin = tokens.make(&["--project", "p", "--scope", "admin"]);
    let every = tokens.make(&["--project", "*", "--scope", "allocate"]);
    let expired = tokens.make(&["--project", "p", "--scope", "admin", "--expires", "1ms"]);
    let server = tokens.server();
    let target = "/ids/next?type=US&project=p";

    // Nobody.
    for headers in [
        String::new(),
        "Authorization: \r\n".to_owned(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization: Basic cDpw\r\n".to_owned(),
        format!("Authorization: {allocate}\r\n"),
        format!("Authorization: Bearer {allocate}x\r\n"),
        format!("Authorization: Bearer {}\r\n", allocate.to_uppercase()),
        format!("Authorization: Bearer {expired}\r\n"),
        format!("Authorization: Bearer {allocate}\r\nAuthorization: Bearer {allocate}\r\n"),
        format!("X-Token: {allocate}\r\n"),
    ] {
        let mut client = server.client().with(&headers);
        let answer = client.get(target);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.failed(401).0, "unauthenticated", "{headers}");
        // What is wrong with the request itself is not said either.
        for (method, target) in [
            ("GET", "/ids/next"),
            ("GET", "/ids/next?type=INVALID&project=p"),
            ("DELETE", "/ids/reservations/expired"),
            ("GET", "/metrics"),
        ] {
            client.ask(method, target, "").unwrap().failed(401);
        }
        for path in ["/ids/next", "/ids/reserve", "/ids/confirm"] {
            client.ask("POST", path, "{").unwrap().failed(401);
        }
    }
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);

    // A scope that is too small, and another project, existing or not.
    next(&server, &read, "p").failed(403);
    assert_eq!(with(&server, &read).get("/metrics").status, 200);
    next(&server, &allocate, "p").is(200);
    next(&server, &every, "q").is(200);
    let there = next(&server, &allocate, "q").failed(403);
    for project in ["no-such-project", "no%20project", "*", ""] {
        assert_eq!(there, next(&server, &allocate, project).failed(403));
    }
    let body = json!({"type": "US", "count": 1, "project_id": "q"});
    with(&server, &allocate).post("/ids/reserve", &body).failed(403);
    assert_eq!(server.last("q"), 1);
    let delete = |token: &str| with(&server, token).ask("DELETE", "/ids/reservations/expired", "");
    delete(&allocate).unwrap().failed(403);
    delete(&admin).unwrap().is(200);
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        server.get(path).is(200);
    }
}

#[test]
fn the_file_holds_no_token_and_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;

    let tokens = Tokens::none();
    let token = tokens.make(&["--project", "p", "--scope", "allocate"]);
    let path = tokens.folder.path().join(".orchestrator/tokens.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&token[5..]), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let other = tokens.make(&["--project", "p", "--scope", "allocate"]);
    assert_ne!(token, other);

    // Whatever its mode was.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    tokens.make(&["--project", "p", "--scope", "read"]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    for bad in [&["--project", "a b"][..], &["--project", "p", "--expires", "0s"]] {
        let mut command = program(tokens.folder.path());
        command.args(["serve", "token", "new", "--scope", "read"]).args(bad);
        Ended::of(command, "").fails(2);
    }
    std::fs::write(&path, "[[token]]\nid = 1\n").unwrap();
    let mut bad = program(tokens.folder.path());
    bad.args(["serve", "--listen", "127.0.0.1:0"]);
    Ended::of(bad, "").fails(7);
}

#[test]
fn a_token_that_was_taken_back_is_good_no_longer() {
    let tokens = Tokens::none();
    let token = tokens.make(&["--project", "p", "--scope", "allocate"]);
    let server = tokens.server();
    next(&server, &token, "p").is(200);
    let path = tokens.folder.path().join(".orchestrator/tokens.toml");
    std::fs::write(&path, "not = a file").unwrap();
    server.signal("-HUP");
    wait_until(|| server.log().iter().any(|line| line["level"] == "ERROR"));
    next(&server, &token, "p").is(200);
    std::fs::remove_file(&path).unwrap();
    server.signal("-HUP");
    wait_until(|| next(&server, &token, "p").status == 401);
}

#[test]
fn tokens_that_are_made_later_are_asked_for_from_the_next_reload_on() {
    let tokens = Tokens::none();
    let server = tokens.server();
    server.get("/ids/next?type=US&project=p").is(200);
    server.signal("-HUP");
    wait_until(|| server.log().iter().any(|line| line["level"] == "WARN"));
    server.get("/ids/next?type=US&project=p").is(200);
    let token = tokens.make(&["--project", "p", "--scope", "allocate"]);
    server.signal("-HUP");
    wait_until(|| server.get("/ids/next?type=US&project=p").status == 401);
    next(&server, &token, "p").is(200);
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(120), "it never came");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn what_others_can_reach_needs_tokens() {
    let tokens = Tokens::none();
    let serve = |args: &[&str]| {
        let mut command = program(tokens.folder.path());
        command.env_remove("DATABASE_URL").arg("serve").args(args);
        Ended::of(command, "")
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let told = serve(&["--listen", address]).fails(2);
        assert!(told.contains("serve token new"), "{told}");
    }
    serve(&["--listen", "127.0.0.1:0", "--tokens", "missing.toml"]).fails(3);
    assert!(!tokens.folder.path().join(".orchestrator").exists());
}

#[test]
fn without_tokens_no_page_of_another_site_takes_numbers() {
    let server = Server::on(Store::Sqlite);
    let reserve = r#"{"type":"US","count":1,"project_id":"p"}"#;
    let confirm = r#"{"reservation_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890"}"#;
    let changes = [
        ("GET", "/ids/next?type=US&project=p", ""),
        ("POST", "/ids/next", r#"{"type":"US","project_id":"p"}"#),
        ("POST", "/ids/reserve", reserve),
        ("POST", "/ids/confirm", confirm),
        ("DELETE", "/ids/reservations/expired", ""),
    ];
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: http://localhost:1\r\n",
        "Sec-Fetch-Site: same-origin\r\nOrigin: \u{fc}\r\n",
    ] {
        let mut client = server.client().with(headers);
        for (method, target, body) in changes {
            let answer = client.ask(method, target, body).unwrap();
            assert_eq!(answer.failed(403).0, "cross_site", "{method} {target} {headers}");
        }
        // Nothing is taken by these, nor does another page see the answer.
        for target in ["/metrics", "/healthz", "/readyz", "/openapi.json"] {
            assert_eq!(client.get(target).status, 200);
        }
    }
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
    let answers = &server.get("/openapi.json").is(200)["paths"]["/ids/next"]["get"]["responses"];
    assert!(answers["403"]["description"].as_str().unwrap().contains("another site"));
    // No page knows a token.
    let tokens = Tokens::none();
    let token = tokens.make(&["--project", "p", "--scope", "allocate"]);
    let server = tokens.server();
    let headers = format!("Authorization: Bearer {token}\r\nSec-Fetch-Site: cross-site\r\n");
    let mut client = server.client().with(&headers);
    client.get("http://ids.example/ids/next?type=US&project=p").is(200);
}

#[test]
fn without_tokens_the_service_goes_by_the_machines_own_names() {
    let server = Server::on(Store::Sqlite);
    let port = server.address.port();
    for host in ["evil.example", "evil.example:80", "localhost.evil.example", "10.0.0.1", "x y", ""]
    {
        let mut client = server.client();
        let head = format!("GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(head.as_bytes()).unwrap();
        assert_eq!(client.read(false).unwrap().failed(403).0, "foreign_host", "{host}");
    }
    let absolute = "http://evil.example/ids/next?type=US&project=p";
    assert_eq!(server.get(absolute).failed(403).0, "foreign_host");
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);

    // Programs, pages of the service itself, and what a person typed.
    for head in [
        "GET /ids/next?type=US&project=p HTTP/1.0\r\n".to_owned(),
        format!("GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"),
        format!(
            "GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: LOCALHOST:{port}\r\n\
             Origin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"
        ),
        "GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: [::1]\r\nSec-Fetch-Site: none\r\n"
            .to_owned(),
    ] {
        let mut client = server.client();
        client.send(format!("{head}\r\n").as_bytes()).unwrap();
        client.read(false).unwrap().is(200);
    }
}

#[test]
fn a_repetition_gets_the_same_answer() {
    for store in [Store::Sqlite, Store::postgres()] {
        let server = Server::on(store);
        let target = "/ids/next?type=US&project=p";
        let keyed = |key: &str| server.client().with(&format!("Idempotency-Key: {key}\r\n"));
        let first = keyed("k").get(target).is(200);
        assert_eq!(keyed("k").get(target).is(200), first);
        // The same request in another form.
        let body = json!({"type": "US", "project_id": "p"});
        assert_eq!(keyed("k").post("/ids/next", &body).is(200), first);
        let (code, _) = keyed("k").get("/ids/next?type=US&project=q").failed(409);
        assert_eq!(code, "idempotency_conflict");
        assert_ne!(keyed("other").get(target).is(200), first);

        let body = json!({"type": "US", "count": 3, "project_id": "p"});
        let reserved = keyed("k").post("/ids/reserve", &body).is(200);
        assert_eq!(keyed("k").post("/ids/reserve", &body).is(200), reserved);
        let more = json!({"type": "US", "count": 4, "project_id": "p"});
        keyed("k").post("/ids/reserve", &more).failed(409);
        assert_eq!(server.last("p"), 5);

        // Many at the same moment get one answer.
        let told: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let ask = || keyed("together").get(target).is(200).to_string();
            let asked: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert_eq!(told.len(), 1);
        assert_eq!(server.last("p"), 6);
    }
}

#[test]
fn the_same_key_of_two_tokens_is_two() {
    let tokens = Tokens::none();
    let all = ["--project", "*", "--scope", "allocate"];
    let [one, two] = [tokens.make(&all), tokens.make(&all)];
    let server = tokens.server();
    let ask = |token: &str| {
        let headers = format!("Authorization: Bearer {token}\r\nIdempotency-Key: k\r\n");
        let mut client = server.client().with(&headers);
        client.get("/ids/next?type=US&project=p").is(200)["next_id"].clone()
    };
    assert_eq!(ask(&one), "US-001");
    assert_eq!(ask(&two), "US-002");
    assert_eq!(ask(&one), "US-001");
}
