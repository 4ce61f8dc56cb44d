//! What the ID service costs, measured against a route that does nothing and against
//! the plain design, in the same run.
//!
//! All variants stand behind the same service, with a token, metrics and limits, and
//! write the same log line. For the same time, round by round, 50 and 256
//! connections ask for one number after the other; what was told is checked for
//! duplicates. Rows are `STORE_CONNECTIONS`, requests per second, with `nothing` as
//! the baseline:
//!
//! - `sqlite`, `postgres`: our authority; `lease`: on SQLite, with blocks of 1000.
//! - `literal`: on PostgreSQL, a SERIALIZABLE transaction with SELECT FOR UPDATE and
//!   UPDATE for each request, over 20 connections.
//! - `redis`: INCR with `appendfsync always`, where redis-server is installed.
//! - `STORE_50_literal` has the plain design as its baseline, and `STORE_50_p95`,
//!   milliseconds, its p95.
//! - `STORE_CONNECTIONS_wrk` is the same asked for by `wrk` instead of our own clients,
//!   where it is installed, and not with `--quick`.
//!
//! PostgreSQL is a private server with fsync on. `--json` prints one object,
//! `--quick` has shorter rounds, `--row NAME` measures only that and its baselines.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench starts a server of its own and prints its table"
)]

#[path = "shared/arguments.rs"]
mod arguments;
#[path = "http/client.rs"]
mod client;
#[path = "http/plain.rs"]
mod plain;
#[path = "../tests/integration/support/postgres.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod postgres;
#[path = "http/redis.rs"]
mod redis;
#[path = "shared/scratch.rs"]
mod scratch;
#[path = "shared/table.rs"]
mod table;
#[path = "http/wrk.rs"]
mod wrk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use orchestrator::api::{
    ArtifactTypes, Issue, Measured, Metrics, Scope, Service, ServiceOptions, Source, Tokens, serve,
};
use orchestrator::batch::Callers;
use orchestrator::sequence::postgres::{PostgresBackend, PostgresOptions};
use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{self, AuthorityOptions, Backend, Layout, Running};
use tokio::runtime::Runtime;

use arguments::Arguments;
use client::Load;
use plain::{Literal, Nothing};
use redis::{Redis, RedisServer, is_installed};
use table::Row;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

const CONNECTIONS: [usize; 2] = [50, 256];
const LEASE: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    Nothing,
    Sqlite,
    Lease,
    Postgres,
    Literal,
    Redis,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Sqlite => "sqlite",
            Self::Lease => "lease",
            Self::Postgres => "postgres",
            Self::Literal => "literal",
            Self::Redis => "redis",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Clients {
    Ours,
    Wrk,
}

/// Services at work, and who may ask them.
struct Services {
    server: Runtime,
    clients: Runtime,
    token: String,
    tokens: Tokens,
    addresses: BTreeMap<Variant, SocketAddr>,
    running: Vec<Running>,
    redis: Option<RedisServer>,
}

impl Services {
    fn start(dir: &std::path::Path, cluster: &postgres::Cluster) -> Result<Self> {
        let mut tokens = Tokens::default();
        let now = "2026-01-01T00:00:00Z".parse()?;
        let issue = Issue { project: "*".to_owned(), scope: Scope::Allocate, now, expires: None };
        let token = tokens.issue(issue)?;
        let (server, clients) = (Runtime::new()?, Runtime::new()?);
        let (addresses, running) = (BTreeMap::new(), Vec::new());
        let redis = None;
        let mut services = Self { server, clients, token, tokens, addresses, running, redis };

        services.serve(Variant::Nothing, Nothing::new(), new_metrics())?;
        for (variant, lease) in [(Variant::Sqlite, None), (Variant::Lease, NonZeroU32::new(LEASE))]
        {
            let path = dir.join(format!("{}.db", variant.name()));
            let options =
                SqliteOptions { make: Make::File, presize: true, ..SqliteOptions::default() };
            let backend = SqliteBackend::open(&path, Layout::registry(), options)?;
            services.authority(variant, backend, lease)?;
        }
        let url = cluster.url(&cluster.database());
        let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
        let backend = PostgresBackend::open(&url, Layout::registry(), options)?;
        services.authority(Variant::Postgres, backend, None)?;

        let url = cluster.url(&cluster.database());
        let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
        drop(PostgresBackend::open(&url, Layout::registry(), options)?);
        let literal = services.server.block_on(Literal::connect(&url))?;
        services.serve(Variant::Literal, literal, new_metrics())?;
        if is_installed("redis-server") {
            let (redis, server) = services.server.block_on(Redis::start(dir))?;
            services.redis = Some(server);
            services.serve(Variant::Redis, redis, new_metrics())?;
        }
        Ok(services)
    }

    fn authority(
        &mut self,
        variant: Variant,
        backend: impl Backend,
        lease: Option<NonZeroU32>,
    ) -> Result<()> {
        let metrics = new_metrics();
        let callers = Callers::Far;
        let options = AuthorityOptions { lease, callers, ..AuthorityOptions::default() };
        let backend = Measured::new(backend, Arc::clone(&metrics));
        let (authority, running) = sequence::open(backend, options)?;
        self.running.push(running);
        self.serve(variant, authority, metrics)
    }

    fn serve(
        &mut self,
        variant: Variant,
        source: impl Source,
        metrics: Arc<Metrics>,
    ) -> Result<()> {
        let tokens = Some(self.tokens.clone());
        let options = ServiceOptions { tokens, ..ServiceOptions::default() };
        let service = Service::new(source, options, metrics);
        let listener = self.server.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        self.addresses.insert(variant, listener.local_addr()?);
        self.server.spawn(serve(listener, service, std::future::pending()));
        Ok(())
    }

    fn measure(&self, (variant, connections, who): Asked, load: &Load) -> Result<Rates> {
        if who == Clients::Wrk {
            let address = self.addresses[&variant];
            let requests = wrk::run(load, address, &self.token, connections)?;
            return Ok(Rates { requests, p95: f64::NAN });
        }
        let address = self.addresses[&variant];
        let told = self.clients.block_on(load.run(address, &self.token, connections))?;
        let mut numbers: Vec<u32> = told.numbers;
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() != count {
            return Err(format!("{} told a number twice", variant.name()).into());
        }
        let mut took = told.took;
        took.sort_unstable();
        let p95 = took.get(took.len() * 95 / 100).copied().unwrap_or_default();
        Ok(Rates {
            requests: count as f64 / told.elapsed.as_secs_f64(),
            p95: p95.as_secs_f64() * 1e3,
        })
    }
}

fn new_metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(&ArtifactTypes::default()))
}

/// Of one variant in one round.
#[derive(Clone, Copy)]
struct Rates {
    /// Per second.
    requests: f64,
    /// Milliseconds.
    p95: f64,
}

/// What is measured.
type Asked = (Variant, usize, Clients);
type Round = BTreeMap<Asked, Rates>;

fn rows(rounds: &[Round]) -> Vec<Row> {
    let row = |name: String, size, unit, is_rate, of: &dyn Fn(&Round) -> (f64, f64)| Row {
        name: name.leak(),
        size,
        unit,
        rounds: rounds.iter().map(of).collect(),
        is_rate,
    };
    let mut rows = Vec::new();
    for &(variant, connections, who) in rounds[0].keys() {
        let by = if who == Clients::Wrk { "_wrk" } else { "" };
        let name = format!("{}_{connections}{by}", variant.name());
        let of = |round: &Round| {
            let nothing = round[&(Variant::Nothing, connections, who)].requests;
            (round[&(variant, connections, who)].requests, nothing)
        };
        rows.push(row(name, connections, "req/s", true, &of));
    }
    let is_measured = |variant| rounds[0].contains_key(&(variant, 50, Clients::Ours));
    for variant in [Variant::Sqlite, Variant::Postgres] {
        if !is_measured(variant) || !is_measured(Variant::Literal) {
            continue;
        }
        let at = |round: &Round, variant| round[&(variant, 50, Clients::Ours)];
        let pair = |round: &Round| (at(round, variant), at(round, Variant::Literal));
        let of = |round: &Round| {
            let (ours, literal) = pair(round);
            (ours.requests, literal.requests)
        };
        rows.push(row(format!("{}_50_literal", variant.name()), 50, "req/s", true, &of));
        let of = |round: &Round| {
            let (ours, literal) = pair(round);
            (ours.p95, literal.p95)
        };
        rows.push(row(format!("{}_50_p95", variant.name()), 50, "ms", false, &of));
    }
    rows
}

/// Tells whether a variant is what a row is about, or a baseline of it.
fn is_needed(row: &str, variant: Variant) -> bool {
    let has_literal = row.ends_with("_literal") || row.ends_with("_p95");
    let is_baseline = match variant {
        Variant::Nothing => true,
        Variant::Literal => has_literal,
        _ => false,
    };
    is_baseline || row.starts_with(variant.name())
}

fn main() -> Result<()> {
    let arguments = Arguments::read(false)?;
    let dir = scratch::folder("http")?;
    // Each line is made and written, and nobody reads it.
    let log = std::sync::Mutex::new(tempfile::tempfile_in(&dir)?);
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(log).init();
    let cluster = postgres::Cluster::private();
    let services = Services::start(dir.path(), &cluster)?;
    let (count, millis) = if arguments.quick { (5, 500) } else { (9, 2_000) };
    let has_wrk = !arguments.quick && is_installed("wrk");
    let all = [Clients::Ours, Clients::Wrk];
    let mut rounds = Vec::new();
    // The first warms up, and is not counted.
    for number in 0..=count {
        let is_warm_up = number == 0;
        let mut round = Round::new();
        let who = if has_wrk && !is_warm_up { &all[..] } else { &all[..1] };
        for (who, connections) in who.iter().flat_map(|who| CONNECTIONS.map(|n| (*who, n))) {
            let needs = |variant| match &arguments.row {
                None => true,
                Some(row) => is_needed(row, variant),
            };
            for &variant in services.addresses.keys().filter(|variant| needs(**variant)) {
                let time = Duration::from_millis(if is_warm_up { 100 } else { millis });
                let load = Load { project: format!("p{number}-{connections}"), time };
                let asked = (variant, connections, who);
                round.insert(asked, services.measure(asked, &load)?);
            }
        }
        if !is_warm_up {
            rounds.push(round);
        }
    }
    let wanted = |row: &Row| arguments.wants(row.name);
    let rows: Vec<Row> = rows(&rounds).into_iter().filter(wanted).collect();
    arguments.begin("clients");
    rows.iter().for_each(|row| arguments.show(row));
    arguments.end("http", &rows);
    Ok(())
}
