//! Many clients at once: every number once, ranges without holes, none lost.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};

use super::client::Client;
use super::server::{Server, Store};

pub(super) const PROJECTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// What a client was told: in which project, which numbers.
pub(super) type Told = Vec<(&'static str, Vec<u32>)>;

/// Asks for one number or for some, by turns.
pub(super) fn ask(
    client: &mut Client,
    turn: usize,
) -> std::io::Result<Result<(&'static str, Vec<u32>), u16>> {
    let project = PROJECTS[turn % 3];
    let answer = if turn.is_multiple_of(2) {
        client.ask("GET", &format!("/ids/next?type=US&project={project}"), "")?
    } else {
        let body = json!({"type": "US", "count": 1 + turn % 7, "project_id": project});
        client.ask("POST", "/ids/reserve", &body.to_string())?
    };
    if answer.status != 200 {
        return Ok(Err(answer.status));
    }
    let body = answer.json();
    let number = |id: &Value| {
        let id = id.as_str().unwrap();
        id.strip_prefix("US-").unwrap().parse().unwrap()
    };
    let numbers = match body.get("next_id") {
        Some(id) => vec![number(id)],
        None => body["reserved_ids"].as_array().unwrap().iter().map(number).collect(),
    };
    Ok(Ok((project, numbers)))
}

/// Returns all numbers by project, sorted; none may be there twice, and those of
/// one answer must follow each other.
pub(super) fn all_of(told: impl IntoIterator<Item = Told>) -> BTreeMap<&'static str, Vec<u32>> {
    let mut all: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (project, numbers) in told.into_iter().flatten() {
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        all.entry(project).or_default().extend(numbers);
    }
    for (project, numbers) in &mut all {
        numbers.sort_unstable();
        let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "told twice in {project}");
    }
    all
}

fn storm(store: Store, clients: usize, each: usize) {
    let server = Server::on(store);
    let told: Vec<Told> = thread::scope(|scope| {
        let server = &server;
        let client = |i: usize| {
            move || {
                let mut client = server.client();
                let turns = i..i + each;
                turns.map(|turn| ask(&mut client, turn).unwrap().unwrap()).collect()
            }
        };
        let started: Vec<_> = (0..clients).map(|i| scope.spawn(client(i))).collect();
        started.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for (project, numbers) in all_of(told) {
        let count = u32::try_from(numbers.len()).unwrap();
        assert!(numbers.iter().copied().eq(1..=count), "{project} has holes");
        assert_eq!(server.last(project), i64::from(count));
    }
    let metrics = server.get("/metrics").body;
    let count = clients * each;
    let counted: usize = ["/ids/next", "/ids/reserve"]
        .iter()
        .map(|path| {
            let name = "orchestrator_http_requests_total";
            let start = format!("{name}{{endpoint=\"{path}\",status=\"200\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap().parse::<usize>().unwrap()
        })
        .sum();
    assert_eq!(counted, count);
}

#[test]
fn fifty_clients_on_sqlite() {
    storm(Store::Sqlite, 50, 20);
}

#[test]
fn fifty_clients_on_postgresql() {
    storm(Store::postgres(), 50, 20);
}

#[test]
fn many_clients_on_sqlite() {
    storm(Store::Sqlite, 256, 6);
}

#[test]
fn many_clients_on_postgresql() {
    storm(Store::postgres(), 256, 6);
}

#[test]
fn two_servers_on_one_database() {
    let store = Store::postgres();
    let servers = [Server::on(store.clone()), Server::on(store)];
    let told: Vec<Told> = thread::scope(|scope| {
        let servers = &servers;
        let client = |i: usize| {
            move || {
                let mut client = servers[i % 2].client();
                (i..i + 20).map(|turn| ask(&mut client, turn).unwrap().unwrap()).collect()
            }
        };
        let started: Vec<_> = (0..20).map(|i| scope.spawn(client(i))).collect();
        started.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for (project, numbers) in all_of(told) {
        assert_eq!(servers[0].last(project), i64::try_from(numbers.len()).unwrap());
    }
}

#[test]
fn a_lease_hands_out_every_number_once() {
    let server = Server::with(Store::Sqlite, &["--lease", "50"]);
    let told: Vec<Told> = thread::scope(|scope| {
        let server = &server;
        let client = |i: usize| {
            move || {
                let mut client = server.client();
                (i..i + 20).map(|turn| ask(&mut client, turn).unwrap().unwrap()).collect()
            }
        };
        let started: Vec<_> = (0..20).map(|i| scope.spawn(client(i))).collect();
        started.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for (project, numbers) in all_of(told) {
        let highest = numbers.last().copied().unwrap();
        assert!(server.last(project) >= i64::from(highest));
    }
}
