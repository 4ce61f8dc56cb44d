//! The command: what it starts with, what it refuses, what it logs.

use std::fs;

use serde_json::{Value, json};

use super::client::Client;
use super::server::{Server, Store};
use crate::support::{Answer, program};

fn serve(folder: &std::path::Path, args: &[&str], env: &[(&str, &str)]) -> Answer {
    let mut command = program(folder);
    command.env_remove("DATABASE_URL").arg("serve").args(args).envs(env.iter().copied());
    Answer::of(command, "")
}

#[test]
fn without_a_word_it_makes_a_database_and_says_so() {
    let server = Server::on(Store::Sqlite);
    assert!(server.folder().join(".orchestrator/ids.db").exists());
    let made = server.log().into_iter().find(|line| line["path"].is_string()).unwrap();
    assert!(made["path"].as_str().unwrap().ends_with(".orchestrator/ids.db"), "{made}");
    assert!(made["message"].as_str().unwrap().starts_with("made a new database"), "{made}");
    let mut server = server;
    server.get("/ids/next?type=US&project=p").is(200);
    server.killed_and_started();
    assert_eq!(server.get("/ids/next?type=US&project=p").is(200)["next_id"], "US-002");
    let made = server.log();
    let made = made.iter().filter(|line| line["path"].as_str().is_some_and(|p| p.ends_with("db")));
    assert_eq!(made.count(), 1);
}

#[test]
fn a_database_that_was_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let listen = ["--listen", "127.0.0.1:0"];
    let missing = [&listen[..], &["--db", "sqlite:missing.db"]].concat();
    let told = serve(folder.path(), &missing, &[]).fails(3);
    assert!(told.contains("--create") && told.contains("id sync --rebuild"), "{told}");
    // `serve` itself has no such option.
    assert!(told.contains("id next --create --db sqlite:"), "{told}");
    let told = serve(folder.path(), &listen, &[("DATABASE_URL", "sqlite:missing.db")]).fails(3);
    assert!(told.contains("missing.db"), "{told}");
    assert!(!folder.path().join("missing.db").exists());
    fs::write(folder.path().join("text.db"), "no database".repeat(100)).unwrap();
    serve(folder.path(), &[&listen[..], &["--db", "sqlite:text.db"]].concat(), &[]).fails(8);
    let away = ["--db", "postgres://nobody@127.0.0.1:1/none"];
    serve(folder.path(), &[&listen[..], &away].concat(), &[]).fails(8);
}

#[test]
fn what_cannot_be_right_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for minutes in ["0", "-1", "x", "", "1.5", "99999999"] {
        let told = serve(folder.path(), &[], &[("RESERVATION_EXPIRATION_MINUTES", minutes)]);
        let told = told.fails(2);
        assert!(told.contains("RESERVATION_EXPIRATION_MINUTES cannot be used"), "{told}");
        serve(folder.path(), &["--reservation-minutes", minutes], &[]).fails(2);
    }
    let told = serve(folder.path(), &[], &[("DATABASE_URL", "mysql://x/y")]).fails(2);
    assert!(told.contains("DATABASE_URL cannot be used"), "{told}");
    for args in [
        ["--types", "US,US"],
        ["--types", "a b"],
        ["--lease", "0"],
        ["--lease", "10001"],
        ["--isolation", "none"],
        ["--db", "mysql://x/y"],
        ["--cleanup-after", "soon"],
        ["--listen", "nowhere"],
        ["--listen", ":99999"],
    ] {
        serve(folder.path(), &args, &[]).fails(2);
    }
    assert!(!folder.path().join(".orchestrator").exists());
}

#[test]
fn each_allocation_is_a_flat_line_of_json() {
    let server = Server::on(Store::Sqlite);
    let mut client = server.client().with("X-Request-Id: mine-1\r\n");
    let answer = client.get("/ids/next?type=US&project=p");
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    let body = json!({"type": "SPEC", "count": 2, "project_id": "q"});
    client.post("/ids/reserve", &body).is(200);
    client.get("/ids/next?type=NO&project=p").failed(400);
    let log = server.log();
    let line = |path: &str, level: &str| {
        let mut lines = log.iter().filter(|line| line["path"] == path && line["level"] == level);
        let line = lines.next().unwrap_or_else(|| panic!("{log:?}")).clone();
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(line["duration_ms"].is_number(), "{line}");
        assert_eq!(line["request_id"], "mine-1");
        let is_flat = |value: &Value| {
            !value.is_object()
                && value.as_array().is_none_or(|list| list.iter().all(Value::is_string))
        };
        assert!(line.as_object().unwrap().values().all(is_flat), "{line}");
        line
    };
    let next = line("/ids/next", "INFO");
    assert_eq!((&next["method"], &next["reserved_ids"]), (&json!("GET"), &json!(["US-001"])));
    assert_eq!((&next["artifact_type"], &next["project_id"]), (&json!("US"), &json!("p")));
    let reserve = line("/ids/reserve", "INFO");
    assert_eq!(reserve["reserved_ids"], json!(["SPEC-001", "SPEC-002"]));
    assert_eq!(reserve["method"], "POST");
    let refused = line("/ids/next", "WARN");
    assert_eq!((&refused["artifact_type"], &refused["status"]), (&json!("NO"), &json!(400)));
}

#[test]
fn other_types_and_times() {
    let args = ["--types", "BUG,OPS", "--reservation-minutes", "60"];
    let server = Server::with(Store::Sqlite, &args);
    let (_, text) = server.get("/ids/next?type=US&project=p").failed(400);
    assert_eq!(text, "Invalid artifact_type: US. Valid types: BUG, OPS");
    assert_eq!(server.get("/ids/next?type=BUG&project=p").is(200)["next_id"], "BUG-001");
    let document = server.get("/openapi.json").is(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["schemas"]["ArtifactType"]["enum"], json!(["BUG", "OPS"]));
    let body = json!({"type": "BUG", "count": 1, "project_id": "p"});
    let reserved = server.client().post("/ids/reserve", &body).is(200);
    let held =
        "SELECT count(*) FROM id_reservations WHERE expires_at > datetime('now', '50 minutes')";
    assert_eq!(server.number(held), 1, "{reserved}");
}

#[test]
fn the_end_of_all_numbers_is_a_clear_error() {
    for store in [Store::Sqlite, Store::postgres()] {
        let server = Server::on(store);
        server.set("p", u32::MAX - 1);
        assert_eq!(server.get("/ids/next?type=US&project=p").is(200)["next_id"], "US-4294967295");
        let (code, _) = server.get("/ids/next?type=US&project=p").failed(409);
        assert_eq!(code, "id_space_exhausted");
        server.get("/ids/next?type=US&project=q").is(200);
    }
}

#[test]
fn what_only_the_service_needs_keeps_nobody_from_making_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let new = ["token", "new", "--project", "p", "--scope", "read"];
    let odd = [("RESERVATION_EXPIRATION_MINUTES", "x"), ("DATABASE_URL", "mysql://x/y")];
    assert!(serve(folder.path(), &new, &odd).ok().starts_with("orch_"));
}

#[test]
fn a_counter_that_is_no_number_is_not_asked_for_again() {
    for store in [Store::Sqlite, Store::postgres()] {
        let server = Server::on(store);
        server.set("p", 3);
        server.execute("UPDATE id_registry SET last_assigned_id = -7");
        let (code, text) = server.get("/ids/next?type=US&project=p").failed(409);
        assert_eq!(code, "counter_damaged");
        assert!(!text.contains('7'), "{text}");
        server.get("/ids/next?type=US&project=q").is(200);
        server.get("/readyz").is(200);
        let log = server.log();
        let line = log.iter().find(|line| line["code"] == "counter_damaged").unwrap();
        let cause = line["cause"].as_str().unwrap();
        assert_eq!(line["level"], "ERROR");
        assert!(cause.contains("-7") && cause.contains("id sync"), "{line}");
    }
}

#[test]
fn the_documentation_has_all_that_is_answered() {
    let server = Server::on(Store::Sqlite);
    let document = server.get("/openapi.json").is(200);
    let answers = |path: &str, method: &str| {
        let answers = &document["paths"][path][method]["responses"];
        answers.as_object().unwrap_or_else(|| panic!("{method} {path}")).clone()
    };
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let answers = answers(path, method);
            assert!(answers["405"]["headers"]["Allow"].is_object(), "{method} {path}");
            assert!(answers.contains_key("500") && answers.contains_key("200"));
            for (status, answer) in &answers {
                assert!(answer["headers"]["X-Request-Id"].is_object(), "{status}");
                let is_refused = answer["headers"]["WWW-Authenticate"].is_object();
                assert_eq!(is_refused, status == "401");
            }
        }
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        let answers = answers(path, "get");
        assert!(!answers.contains_key("401") && !answers.contains_key("403"), "{path}");
    }
    assert!(answers("/ids/next", "get").contains_key("401"));
}

#[test]
fn a_reason_that_lasts_is_logged_once() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let mut command = std::process::Command::new("sh");
    let few = "ulimit -n 40 && exec \"$0\" \"$@\"";
    command.args(["-c", few]).arg(program(folder.path()).get_program());
    command.current_dir(folder.path());
    let server = Server::run(command, folder, Store::Sqlite, "127.0.0.1:0", &[]);
    let many: Vec<Client> = (0..60).map(|_| server.client()).collect();
    let lines = || {
        let log = server.log();
        let is_about = |line: &&Value| line["message"].as_str().unwrap().contains("accepted");
        log.iter().filter(is_about).count()
    };
    while lines() == 0 {}
    // Several pauses later.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(lines(), 1);
    drop(many);
    server.get("/healthz").is(200);
}

#[test]
fn metrics_tell_what_happened() {
    let server = Server::on(Store::Sqlite);
    let mut client = server.client();
    client.get("/ids/next?type=US&project=secret-project").is(200);
    let body = json!({"type": "US", "count": 5, "project_id": "secret-project"});
    let reserved = client.post("/ids/reserve", &body).is(200);
    client.post("/ids/reserve", &body).is(200);
    client.post("/ids/confirm", &json!({"reservation_id": reserved["reservation_id"]})).is(200);
    let mut again = server.client().with("Idempotency-Key: k\r\n");
    let spec = "/ids/next?type=SPEC&project=secret-project";
    let first = again.get(spec).is(200);
    assert_eq!(again.get(spec).is(200), first);
    let body = json!({"type": "SPEC", "count": 3, "project_id": "secret-project"});
    let reserved = again.post("/ids/reserve", &body).is(200);
    again.post("/ids/confirm", &json!({"reservation_id": reserved["reservation_id"]})).is(200);
    assert_eq!(again.post("/ids/reserve", &body).is(200), reserved);
    let metrics = client.get("/metrics").body;
    for line in [
        r#"orchestrator_ids_allocated_total{endpoint="/ids/next",artifact_type="SPEC"} 1"#,
        r#"orchestrator_ids_repeated_total{endpoint="/ids/next",artifact_type="SPEC"} 1"#,
        r#"orchestrator_ids_allocated_total{endpoint="/ids/reserve",artifact_type="SPEC"} 3"#,
        r#"orchestrator_ids_repeated_total{endpoint="/ids/reserve",artifact_type="SPEC"} 3"#,
        r#"orchestrator_ids_repeated_total{endpoint="/ids/next",artifact_type="US"} 0"#,
        r#"orchestrator_ids_allocated_total{endpoint="/ids/next",artifact_type="US"} 1"#,
        r#"orchestrator_ids_allocated_total{endpoint="/ids/reserve",artifact_type="US"} 10"#,
        "orchestrator_reservations_open 1",
        "orchestrator_reservations_confirmed_total 2",
        "orchestrator_reservations_expired_total 0",
        "orchestrator_queue_depth 0",
        "orchestrator_batch_requests_count 9",
        "orchestrator_commit_duration_seconds_count 9",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("secret-project"));
}

#[test]
fn a_named_database_that_was_emptied_is_a_lost_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ids.db"), "").unwrap();
    let args = ["--listen", "127.0.0.1:0", "--db", "sqlite:ids.db"];
    serve(folder.path(), &args, &[]).fails(3);
    assert_eq!(fs::read(folder.path().join("ids.db")).unwrap(), b"");
}

#[test]
fn a_log_that_cannot_be_written_costs_nobody_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = program(folder.path());
    command.env_remove("DATABASE_URL").args(["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(full).spawn().unwrap();
    let mut line = String::new();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    for n in 1..=3 {
        let mut client = Client::connect(address).unwrap();
        let body = client.get("/ids/next?type=US&project=p").is(200);
        assert_eq!(body["next_id"], format!("US-00{n}"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_that_nobody_reads_costs_nobody_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.env_remove("DATABASE_URL").args(["serve", "--listen", "127.0.0.1:0"]);
    let (out, err) = (std::process::Stdio::piped(), std::process::Stdio::piped());
    let mut child = command.stdout(out).stderr(err).spawn().unwrap();
    let mut line = String::new();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let mut client = Client::connect(address).unwrap();
    let lost = |client: &mut Client| {
        let metrics = client.get("/metrics").body;
        let mut lines = metrics.lines();
        let lost = lines.find_map(|line| line.strip_prefix("orchestrator_log_lines_lost_total "));
        lost.unwrap().parse::<u64>().unwrap()
    };
    // More than a pipe takes, and than is kept.
    let long = format!("/ids/next?type=NO&project={}", "x".repeat(300));
    let mut refused = 0;
    while lost(&mut client) == 0 {
        for _ in 0..100 {
            client.get(&long).failed(400);
        }
        refused += 100;
    }
    client.get("/ids/next?type=US&project=p").is(200);
    let lost = lost(&mut client);
    // Who reads again is told what is missing.
    let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut read = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut log, &mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    };
    let mut kept = 0;
    let told = loop {
        let line = read();
        kept += u64::from(line["message"] == "refused");
        if line["lost"].is_u64() {
            break line["lost"].as_u64().unwrap();
        }
    };
    assert_eq!(told, lost);
    assert_eq!(kept + lost, refused + 1);
    client.get("/ids/next?type=US&project=p").is(200);
    assert_eq!(read()["reserved_ids"], json!(["US-002"]));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn directives_of_the_log_that_cannot_be_used_are_told_in_it() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "RUST_LOG='[[[=x' exec \"$0\" \"$@\""]);
    command.arg(program(folder.path()).get_program()).current_dir(folder.path());
    let server = Server::run(command, folder, Store::Sqlite, "127.0.0.1:0", &[]);
    server.get("/ids/next?type=US&project=p").is(200);
    let log = server.log();
    let is_told = |line: &Value| line["message"] == "RUST_LOG cannot be used";
    assert!(log.iter().any(is_told), "{log:?}");
    assert!(log.iter().any(|line| line["message"] == "allocated"), "{log:?}");
}

#[test]
fn the_end_waits_for_nobody_who_reads_no_log() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let (read, write) = std::io::pipe().unwrap();
    // Full before it begins.
    let flags = fcntl_getfl(&write).unwrap();
    fcntl_setfl(&write, flags | OFlags::NONBLOCK).unwrap();
    while std::io::Write::write(&mut &write, &[b'\n'; 4096]).is_ok() {}
    fcntl_setfl(&write, flags).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.env_remove("DATABASE_URL").args(["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(write).spawn().unwrap();
    let mut line = String::new();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    drop(read);
}

#[test]
fn numbers_of_a_client_that_is_gone_are_logged_and_counted() {
    let server = Server::on(Store::Sqlite);
    let mut watching = server.client();
    let theirs = server.sqlite();
    theirs.execute_batch("BEGIN IMMEDIATE").unwrap();
    let stream = std::net::TcpStream::connect(server.address).unwrap();
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\
        GET /ids/next?type=US&project=gone HTTP/1.1\r\nHost: localhost\r\n\r\n";
    std::io::Write::write_all(&mut &stream, ask).unwrap();
    let waits = |client: &mut Client| {
        client.get("/metrics").body.lines().any(|line| line == "orchestrator_queue_depth 1")
    };
    while !waits(&mut watching) {}
    // To close it with an answer unread resets the connection.
    stream.peek(&mut [0]).unwrap();
    drop(stream);
    for _ in 0..20 {
        assert!(waits(&mut watching), "it was given up");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    theirs.execute_batch("ROLLBACK").unwrap();
    let told = loop {
        let is_about = |line: &Value| line["project_id"] == "gone";
        if let Some(line) = server.log().into_iter().find(is_about) {
            break line;
        }
    };
    let expected = (&json!("allocated"), &json!(["US-001"]));
    assert_eq!((&told["message"], &told["reserved_ids"]), expected);
    assert_eq!(server.last("gone"), 1);
    let metrics = watching.get("/metrics").body;
    let counted = r#"orchestrator_ids_allocated_total{endpoint="/ids/next",artifact_type="US"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[test]
fn who_has_closed_its_side_is_answered_and_logged() {
    use std::io::{Read, Write};
    let server = Server::on(Store::Sqlite);
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"GET /ids/next?type=US&project=half HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""next_id":"US-001""#), "{answer}");
    assert!(server.log().iter().any(|line| line["message"] == "allocated"));
}
