//! Garbage of every kind: a JSON error with a 4xx, and the service lives on.

use serde_json::{Value, json};

use super::client::Client;
use super::server::{Server, Store};

const JSON: &str = "Content-Type: application/json\r\n";

/// Sends these bytes as all that a connection sends.
fn raw(server: &Server, bytes: &[u8]) -> std::io::Result<super::client::Answer> {
    let mut client = Client::connect(server.address)?;
    client.send(bytes)?;
    client.read(false)
}

fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What is no reservation, each in its own way.
const BODIES: [&str; 36] = [
    "",
    "{",
    "null",
    "[]",
    "1",
    "\"US\"",
    "{}",
    "\u{feff}{}",
    r#"{"type":"US","count":1}"#,
    r#"{"type":"US","project_id":"p"}"#,
    r#"{"count":1,"project_id":"p"}"#,
    r#"{"type":1,"count":1,"project_id":"p"}"#,
    r#"{"type":null,"count":1,"project_id":"p"}"#,
    r#"{"type":"us","count":1,"project_id":"p"}"#,
    r#"{"type":"US","count":"1","project_id":"p"}"#,
    r#"{"type":"US","count":1.5,"project_id":"p"}"#,
    r#"{"type":"US","count":0,"project_id":"p"}"#,
    r#"{"type":"US","count":-1,"project_id":"p"}"#,
    r#"{"type":"US","count":101,"project_id":"p"}"#,
    r#"{"type":"US","count":1e99,"project_id":"p"}"#,
    r#"{"type":"US","count":1.0e15,"project_id":"p"}"#,
    r#"{"type":"US","count":-0.0,"project_id":"p"}"#,
    r#"{"type":"US","count":101.0,"project_id":"p"}"#,
    r#"{"type":"US","count":null,"project_id":"p"}"#,
    r#"{"type":"US","count":99999999999999999999,"project_id":"p"}"#,
    r#"{"type":"US","count":true,"project_id":"p"}"#,
    r#"{"type":"US","count":1,"project_id":""}"#,
    r#"{"type":"US","count":1,"project_id":"a b"}"#,
    r#"{"type":"US","count":1,"project_id":"a\u0000b"}"#,
    r#"{"type":"US","count":1,"project_id":"../p"}"#,
    r#"{"type":"US","count":1,"project_id":"p'; DROP TABLE id_registry; --"}"#,
    r#"{"type":"US","count":1,"project_id":["p"]}"#,
    r#"{"type":"US","count":1,"project_id":"p","count":2}"#,
    r#"{"type":"US","count":1,"project_id":"p","more":2}"#,
    r#"{"type":"US","count":1,"project_id":"p"} x"#,
    r#"["US",1,"p"]"#,
];

#[test]
fn bodies_that_are_not_understood() {
    let server = Server::on(Store::Sqlite);
    let good = r#"{"type":"US","count":1,"project_id":"p"}"#;
    let bodies: Vec<Vec<u8>> = BODIES
        .iter()
        .map(|body| body.as_bytes().to_vec())
        .chain([
            b"\xff\xfe{}".to_vec(),
            b"{\"type\":\"\xff\",\"count\":1,\"project_id\":\"p\"}".to_vec(),
            "[".repeat(10_000).into_bytes(),
            format!(r#"{{"type":"US","count":1,"project_id":"{}"}}"#, "x".repeat(65)).into_bytes(),
        ])
        .collect();
    for body in bodies {
        let answer = raw(&server, &request("POST", "/ids/reserve", JSON, &body)).unwrap();
        let (_, text) = answer.failed(400);
        assert!(!text.is_empty() && text.len() < 400, "{text}");
    }
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
    assert_eq!(
        raw(&server, &request("POST", "/ids/reserve", JSON, good.as_bytes())).unwrap().status,
        200
    );

    for id in [json!(""), json!("x"), json!(1), Value::Null, json!("a1b2c3d4-e5f6-7890-abcd")] {
        server.client().post("/ids/confirm", &json!({"reservation_id": id})).failed(400);
    }
}

#[test]
fn queries_that_are_not_understood() {
    let server = Server::on(Store::Sqlite);
    for query in [
        "",
        "?",
        "?type=US",
        "?project=p",
        "?type=&project=p",
        "?type=US&project=",
        "?type=US&type=US&project=p",
        "?type=US&project=%00",
        "?type=US&project=%ff",
        "?type=%FF%FE&project=p",
        "?type=US&project=a%20b",
        "?type=US&project=a%2Fb",
        "?type=US&project=%",
        "?type[]=US&project=p",
        "?type=US%27%20OR%201=1--&project=p",
        "?Type=US&project=p",
        "?type=US&project=p&count=5",
    ] {
        server.get(&format!("/ids/next{query}")).failed(400);
    }
    let long = "x".repeat(9000);
    server.get(&format!("/ids/next?type=US&project={long}")).failed(414);
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
}

#[test]
fn methods_and_paths() {
    let server = Server::on(Store::Sqlite);
    let mut client = server.client();
    let target = "/ids/next?type=US&project=p";
    for method in ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = client.ask(method, target, "").unwrap();
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET,POST"), "{method}");
    }
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
    for (method, target, allow) in [
        ("GET", "/ids/reserve", "POST"),
        ("PUT", "/ids/confirm", "POST"),
        ("GET", "/ids/reservations/expired", "DELETE"),
        ("POST", "/healthz", "GET,HEAD"),
        ("DELETE", "/openapi.json", "GET,HEAD"),
    ] {
        let answer = client.ask(method, target, "").unwrap();
        assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
        assert_eq!(answer.failed(405).0, "method_not_allowed");
    }
    for path in ["/", "/ids", "/ids/next/", "//ids/next", "/ids/../ids/next", "/IDS/NEXT", "/%00"] {
        assert_eq!(client.get(path).failed(404).0, "no_such_path");
    }
}

#[test]
fn types_sizes_and_codings() {
    let server = Server::on(Store::Sqlite);
    let good = br#"{"type":"US","count":1,"project_id":"p"}"#;
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: \r\n",
        "Content-Type: json\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: \u{fc}\r\n",
    ] {
        let answer = raw(&server, &request("POST", "/ids/reserve", headers, good)).unwrap();
        assert_eq!(answer.failed(415).0, "unsupported_media_type", "{headers}");
    }
    let charset = "Content-Type: Application/JSON; charset=utf-8\r\n";
    raw(&server, &request("POST", "/ids/reserve", charset, good)).unwrap().is(200);
    for coding in ["gzip", "br", "identity, gzip", "identity\r\nContent-Encoding: gzip", ""] {
        let headers = format!("{JSON}Content-Encoding: {coding}\r\n");
        let answer = raw(&server, &request("POST", "/ids/reserve", &headers, good)).unwrap();
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
        assert_eq!(answer.failed(415).0, "unsupported_media_type", "{coding}");
    }
    let plain = format!("{JSON}Content-Encoding: Identity\r\n");
    raw(&server, &request("POST", "/ids/reserve", &plain, good)).unwrap().is(200);

    let large = [&good[..], &vec![b' '; 17 * 1024]].concat();
    raw(&server, &request("POST", "/ids/reserve", JSON, &large)).unwrap().failed(413);
    // It is not read to the end to be refused.
    let head = format!("POST /ids/reserve HTTP/1.1\r\nHost: localhost\r\n{JSON}");
    let told = format!("{head}Content-Length: 9999999999\r\n\r\n");
    raw(&server, told.as_bytes()).unwrap().failed(413);
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    raw(&server, chunks.as_bytes()).unwrap().failed(413);
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    raw(&server, chunks.as_bytes()).unwrap().failed(400);
}

#[test]
fn headers_that_are_too_many_or_odd() {
    let server = Server::on(Store::Sqlite);
    let target = "/ids/next?type=US&project=p";
    let many: String = (0..500).map(|i| format!("X-{i}: 1\r\n")).collect();
    raw(&server, &request("GET", target, &many, b"")).unwrap().failed(431);
    let long = format!("X-Long: {}\r\n", "x".repeat(40_000));
    raw(&server, &request("GET", target, &long, b"")).unwrap().failed(431);
    for key in ["", " ", "a b", "\u{fc}", &"x".repeat(256)] {
        let headers = format!("Idempotency-Key: {key}\r\n");
        let answer = raw(&server, &request("GET", target, &headers, b"")).unwrap();
        assert_eq!(answer.failed(400).0, "invalid_idempotency_key", "{key:?}");
    }
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n";
    raw(&server, &request("GET", target, twice, b"")).unwrap().failed(400);
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
}

#[test]
fn what_is_not_http() {
    let server = Server::on(Store::Sqlite);
    let mut told = Vec::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /ids/next?type=US&project=p HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /ids/next HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /ids/next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = raw(&server, bytes).unwrap();
        told.push(answer.header("x-request-id").unwrap().to_owned());
        answer.failed(400);
    }
    server.get("/healthz").is(200);
    // Answered in the version of the request before it.
    let mut client = server.client();
    client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGARBAGE\r\n\r\n").unwrap();
    client.read(false).unwrap().is(200);
    let answer = client.read(false).unwrap();
    told.push(answer.header("x-request-id").unwrap().to_owned());
    answer.failed(400);
    // They are logged and counted as all others are.
    let log = server.log();
    for id in &told {
        let line = log.iter().find(|line| line["request_id"] == **id).unwrap();
        assert_eq!((&line["level"], &line["status"]), (&json!("WARN"), &json!(400)));
    }
    let metrics = server.get("/metrics").body;
    let counted = r#"orchestrator_http_requests_total{endpoint="other",status="400"}"#;
    assert!(metrics.contains(&format!("{counted} {}\n", told.len())), "{metrics}");
}

#[test]
fn heads_that_others_could_take_for_another_one() {
    let server = Server::on(Store::Sqlite);
    let next = "/ids/next?type=US&project=p";
    let (host, chunks) = ("Host: localhost\r\n", "\r\n2\r\n{}\r\n0\r\n\r\n");
    for head in [
        format!("GET {next} HTTP/1.1\r\n\r\n"),
        format!("GET {next} HTTP/1.1\r\n{host}{host}\r\n"),
        format!("GET ftp://localhost{next} HTTP/1.1\r\n{host}\r\n"),
        format!("GET http://user@localhost{next} HTTP/1.1\r\n{host}\r\n"),
        format!("POST /ids/next HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n{chunks}"),
    ] {
        assert_eq!(raw(&server, head.as_bytes()).unwrap().failed(400).0, "malformed_request");
    }
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
    raw(&server, format!("GET {next} HTTP/1.0\r\n\r\n").as_bytes()).unwrap().is(200);
}

#[test]
fn a_client_that_goes_away_costs_nobody_anything() {
    let server = Server::on(Store::Sqlite);
    for _ in 0..50 {
        let mut client = server.client();
        client
            .send(b"GET /ids/next?type=US&project=p HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
    }
    let mut client = server.client();
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let next = client.get("/ids/next?type=US&project=p").is(200);
        assert!(told.insert(next["next_id"].to_string()));
    }
}
