//! The acceptance criteria of the service's first specification, on both stores.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::server::{Server, Store};

const PROJECT: &str = "ai-agent-mcp-server";

fn body(count: i64) -> Value {
    json!({"type": "US", "count": count, "project_id": PROJECT})
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("US-{number:03}")).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Does this as many clients at the same time.
fn at_once<T: Send>(clients: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let f = &f;
        let started: Vec<_> = (0..clients).map(|i| scope.spawn(move || f(i))).collect();
        started.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

fn retrieve_next_available_id(store: Store) {
    let server = Server::on(store);
    server.set(PROJECT, 27);
    let answer = server.get(&format!("/ids/next?type=US&project={PROJECT}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let expected = json!({
        "success": true, "artifact_type": "US", "next_id": "US-028", "last_assigned": "US-027"
    });
    assert_eq!(answer.is(200), expected);
    assert_eq!(server.last(PROJECT), 28);
    let by_body = json!({"type": "US", "project_id": PROJECT});
    assert_eq!(server.client().post("/ids/next", &by_body).is(200)["next_id"], "US-029");
    let first = server.get("/ids/next?type=US&project=new").is(200);
    assert_eq!((&first["next_id"], &first["last_assigned"]), (&json!("US-001"), &Value::Null));
}

fn reserve_id_range_for_batch_generation(store: Store) {
    let server = Server::on(store);
    server.set(PROJECT, 27);
    let answer = server.client().post("/ids/reserve", &body(6)).is(200);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["artifact_type"], "US");
    assert_eq!(texts(&answer["reserved_ids"]), ids(28..=33));
    assert_eq!(server.last(PROJECT), 33);
    let id = answer["reservation_id"].as_str().unwrap();
    let fits = "SELECT count(*) FROM id_reservations WHERE NOT CAST(confirmed AS BOOLEAN)";
    assert_eq!(server.number(&format!("{fits} AND reservation_id = '{id}'")), 1);
    let expires: jiff::Timestamp = answer["expires_at"].as_str().unwrap().parse().unwrap();
    let left = expires.as_second() - now();
    assert!((14 * 60 - 120..=15 * 60 + 1).contains(&left), "{left} s");
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

fn confirm_reservation_before_expiration(store: Store) {
    let server = Server::on(store);
    let mut client = server.client();
    let reserved = client.post("/ids/reserve", &body(2)).is(200);
    let id = json!({"reservation_id": reserved["reservation_id"]});
    let expected =
        json!({"success": true, "reservation_id": reserved["reservation_id"], "confirmed": true});
    assert_eq!(client.post("/ids/confirm", &id).is(200), expected);
    let confirmed = "SELECT count(*) FROM id_reservations WHERE CAST(confirmed AS BOOLEAN)";
    assert_eq!(server.number(confirmed), 1);
    // A client that heard no answer asks again, even after the time is up.
    server.execute("UPDATE id_reservations SET expires_at = '2001-01-01 00:00:00'");
    assert_eq!(client.post("/ids/confirm", &id).is(200), expected);
}

fn reject_confirmation_of_expired_reservation(store: Store) {
    let server = Server::on(store);
    let mut client = server.client();
    let reserved = client.post("/ids/reserve", &body(2)).is(200);
    server.execute("UPDATE id_reservations SET expires_at = '2001-01-01 00:00:00'");
    let id = json!({"reservation_id": reserved["reservation_id"]});
    let unknown = json!({"reservation_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"});
    for id in [id, unknown] {
        let (code, text) = client.post("/ids/confirm", &id).failed(404);
        assert_eq!(code, "no_such_reservation");
        assert_eq!(text, "Reservation expired or not found");
    }
    let confirmed = "SELECT count(*) FROM id_reservations WHERE CAST(confirmed AS BOOLEAN)";
    assert_eq!(server.number(confirmed), 0);
}

fn concurrent_id_allocation_with_zero_collisions(store: Store) {
    let server = Server::on(store);
    server.set(PROJECT, 0);
    let target = format!("/ids/next?type=US&project={PROJECT}");
    let told = at_once(10, |_| server.get(&target).is(200)["next_id"].clone());
    let told: BTreeSet<&str> = told.iter().filter_map(Value::as_str).collect();
    assert_eq!(told, ids(1..=10).iter().map(String::as_str).collect());
    assert_eq!(server.last(PROJECT), 10);
}

fn concurrent_range_reservation_with_zero_overlap(store: Store) {
    let server = Server::on(store);
    server.set(PROJECT, 0);
    let told = at_once(5, |_| {
        texts(&server.client().post("/ids/reserve", &body(6)).is(200)["reserved_ids"])
    });
    let told: BTreeSet<Vec<String>> = told.into_iter().collect();
    let expected = (0..5).map(|i| ids(i * 6 + 1..=i * 6 + 6)).collect();
    assert_eq!(told, expected);
    assert_eq!(server.last(PROJECT), 30);
}

fn multi_project_isolation_enforced(store: Store) {
    let server = Server::on(store);
    server.set("project-alpha", 10);
    server.set("project-beta", 20);
    let next = server.get("/ids/next?type=US&project=project-alpha").is(200);
    assert_eq!(next["next_id"], "US-011");
    assert_eq!(server.last("project-beta"), 20);
}

fn cleanup_expired_reservations(store: Store) {
    let server = Server::on(store);
    let mut client = server.client();
    let mut last = String::new();
    for i in 0..9 {
        let reserved = client.post("/ids/reserve", &body(1)).is(200);
        let id = json!({"reservation_id": reserved["reservation_id"]});
        if i < 3 {
            client.post("/ids/confirm", &id).is(200);
        }
        last = id["reservation_id"].as_str().unwrap().to_owned();
    }
    server.execute(&format!(
        "UPDATE id_reservations SET expires_at = '2001-01-01 00:00:00' \
         WHERE reservation_id <> '{last}'"
    ));
    let deleted = client.ask("DELETE", "/ids/reservations/expired", "").unwrap().is(200);
    assert_eq!(deleted, json!({"success": true, "deleted_count": 5}));
    let confirmed = "SELECT count(*) FROM id_reservations WHERE CAST(confirmed AS BOOLEAN)";
    assert_eq!(server.number(confirmed), 3);
    assert_eq!(server.number("SELECT count(*) FROM id_reservations"), 4);
    // The numbers of those that are gone stay taken.
    let next = client.get(&format!("/ids/next?type=US&project={PROJECT}")).is(200);
    assert_eq!(next["next_id"], "US-010");
}

fn validate_artifact_type_enum(store: Store) {
    let server = Server::on(store);
    let answer = server.get(&format!("/ids/next?type=INVALID&project={PROJECT}"));
    let (code, text) = answer.failed(400);
    assert_eq!(code, "invalid_type");
    assert_eq!(
        text,
        "Invalid artifact_type: INVALID. Valid types: US, SPEC, TASK, EPIC, PRD, HLS, VIS, INIT, SPIKE, ADR"
    );
    assert_eq!(server.number("SELECT count(*) FROM id_registry"), 0);
}

fn performance_under_concurrent_load(store: Store) {
    const CLIENTS: usize = 50;
    const EACH: usize = 10;
    let server = Server::on(store);
    server.set(PROJECT, 27);
    let told = at_once(CLIENTS, |_| {
        let mut client = server.client();
        let ask = |_| {
            let begin = Instant::now();
            let told = texts(&client.post("/ids/reserve", &body(6)).is(200)["reserved_ids"]);
            (told, begin.elapsed())
        };
        (0..EACH).map(ask).collect::<Vec<_>>()
    });
    let (told, mut took): (Vec<_>, Vec<_>) = told.into_iter().flatten().unzip();
    took.sort();
    // How fast is for a quiet machine and a release build: `benches/http.rs`.
    println!("p95 of {} reservations: {:?}", took.len(), took[took.len() * 95 / 100]);
    let told: BTreeSet<Vec<String>> = told.into_iter().collect();
    let count = u32::try_from(CLIENTS * EACH).unwrap();
    assert_eq!(told, (0..count).map(|i| ids(28 + i * 6..=33 + i * 6)).collect());
    assert_eq!(server.last(PROJECT), 27 + i64::from(count) * 6);
}

macro_rules! scenarios {
    ($($store:ident: $make:expr;)*) => {
        $(mod $store {
            use super::*;

            scenarios! { $make =>
                scenario_1_retrieve_next_available_id: retrieve_next_available_id,
                scenario_2_reserve_id_range_for_batch_generation:
                    reserve_id_range_for_batch_generation,
                scenario_3_confirm_reservation_before_expiration:
                    confirm_reservation_before_expiration,
                scenario_4_reject_confirmation_of_expired_reservation:
                    reject_confirmation_of_expired_reservation,
                scenario_5_concurrent_id_allocation_with_zero_collisions:
                    concurrent_id_allocation_with_zero_collisions,
                scenario_6_concurrent_range_reservation_with_zero_overlap:
                    concurrent_range_reservation_with_zero_overlap,
                scenario_7_multi_project_isolation_enforced: multi_project_isolation_enforced,
                scenario_8_cleanup_expired_reservations: cleanup_expired_reservations,
                scenario_9_validate_artifact_type_enum: validate_artifact_type_enum,
                scenario_10_performance_under_concurrent_load: performance_under_concurrent_load,
            }
        })*
    };
    ($make:expr => $($name:ident: $of:ident,)*) => {
        $(#[test]
        fn $name() {
            $of($make);
        })*
    };
}

scenarios! {
    sqlite: Store::Sqlite;
    postgres: Store::postgres();
}

/// Writes down at which isolation each number is taken.
const WATCH: &str = "
    CREATE TABLE seen (isolation text);
    CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen VALUES (current_setting('transaction_isolation'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER watch AFTER INSERT OR UPDATE ON id_registry
        FOR EACH ROW EXECUTE FUNCTION watch();";

#[test]
fn scenario_5_serializable_is_what_postgresql_was_asked_for() {
    let weaker = ["--isolation", "read-committed"];
    let all: [(&[&str], &str); 2] = [(&[], "serializable"), (&weaker, "read committed")];
    for (arguments, isolation) in all {
        let server = Server::with(Store::postgres(), arguments);
        server.execute(WATCH);
        at_once(10, |_| server.get("/ids/next?type=US&project=p").is(200));
        let reserve = serde_json::json!({"type": "US", "project_id": "p", "count": 3});
        server.client().post("/ids/reserve", &reserve).is(200);
        let of = |condition: &str| server.number(&format!("SELECT count(*) FROM seen {condition}"));
        assert!(of("") >= 2);
        assert_eq!(of(&format!("WHERE isolation <> '{isolation}'")), 0);
    }
}
