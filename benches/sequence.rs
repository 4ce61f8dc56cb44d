//! What numbers from a database cost, measured against plain designs in the same run.
//!
//! Every variant takes numbers of one sequence with 1, 10 and 50 clients, for the
//! same time, round by round; after each, what was told is checked for duplicates
//! and against the counter. Rows are `STORE_DESIGN_CLIENTS`:
//!
//! - `group`: our authority; with PostgreSQL read committed, or `serializable`. Its
//!   baseline is `postgres_literal_50`, for both stores.
//! - `literal`: a SERIALIZABLE transaction with SELECT FOR UPDATE and UPDATE for
//!   each request; `upsert`: one statement; `threads`: SQLite with a connection for
//!   each thread. Their baseline is the upsert on a single connection.
//! - `batches`: our transactions, against the commits of a single connection;
//!   `lone`: one client of ours, against one that asks the database itself.
//!
//! PostgreSQL is a private server with fsync on. `--json` prints one object,
//! `--quick` has shorter rounds, `--row NAME` measures only that and its baselines.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench makes its own files and prints its table"
)]

#[path = "shared/arguments.rs"]
mod arguments;
#[path = "../tests/integration/support/postgres.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod postgres;
#[path = "shared/scratch.rs"]
mod scratch;
#[path = "sequence/stores.rs"]
mod stores;
#[path = "shared/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orchestrator::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions};
use orchestrator::sequence::sqlite::{Make, SqliteBackend, SqliteOptions};
use orchestrator::sequence::{
    Action, Authority, AuthorityOptions, Backend, Counter, Key, Layout, Reply, Request, Running,
    SequenceError, open,
};
use tokio::runtime::Runtime;

use arguments::Arguments;
use stores::{Design, Postgres, Round, Sqlite, check};
use table::Row;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

const CLIENTS: [usize; 3] = [1, 10, 50];

/// A backend that counts its transactions.
struct Counting<B> {
    backend: B,
    count: Arc<AtomicUsize>,
}

impl<B: Backend> Backend for Counting<B> {
    fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.backend.commit(requests)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError> {
        self.backend.counters()
    }
}

/// Our authority over a store.
struct Group {
    authority: Authority,
    transactions: Arc<AtomicUsize>,
    _running: Running,
}

impl Group {
    fn over(backend: impl Backend) -> Result<Self> {
        let transactions = Arc::new(AtomicUsize::new(0));
        let backend = Counting { backend, count: Arc::clone(&transactions) };
        let (authority, running) = open(backend, AuthorityOptions::default())?;
        Ok(Self { authority, transactions, _running: running })
    }

    async fn run(&self, clients: usize, round: &Round) -> Result<Vec<i64>> {
        let key = Key::new(["US", round.project.as_str()])?;
        let client = || {
            let (authority, key, time) = (self.authority.clone(), key.clone(), round.time);
            tokio::spawn(async move {
                let mut told = Vec::new();
                let begin = Instant::now();
                while begin.elapsed() < time {
                    let action = Action::Next { key: key.clone(), count: 1 };
                    match authority.ask(action.into()).await? {
                        Reply::Issued(issued) => told.push(i64::from(issued.first)),
                        other => return Err(Error::from(format!("{other:?}"))),
                    }
                }
                Ok(told)
            })
        };
        let tasks: Vec<_> = (0..clients).map(|_| client()).collect();
        let mut told = Vec::new();
        for task in tasks {
            told.extend(task.await??);
        }
        Ok(told)
    }
}

/// A thing to measure, apart from the number of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    SqliteGroup,
    SqliteThreads,
    SqliteUpsert,
    PostgresGroup,
    PostgresSerializableGroup,
    PostgresLiteral,
    PostgresUpsert,
}

impl Variant {
    const ALL: [Self; 7] = [
        Self::SqliteGroup,
        Self::SqliteThreads,
        Self::SqliteUpsert,
        Self::PostgresGroup,
        Self::PostgresSerializableGroup,
        Self::PostgresLiteral,
        Self::PostgresUpsert,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::SqliteGroup => "sqlite_group",
            Self::SqliteThreads => "sqlite_threads",
            Self::SqliteUpsert => "sqlite_upsert",
            Self::PostgresGroup => "postgres_group",
            Self::PostgresSerializableGroup => "postgres_serializable_group",
            Self::PostgresLiteral => "postgres_literal",
            Self::PostgresUpsert => "postgres_upsert",
        }
    }

    fn clients(self) -> &'static [usize] {
        if self == Self::SqliteUpsert { &[1] } else { &CLIENTS }
    }

    fn is_group(self) -> bool {
        matches!(self, Self::SqliteGroup | Self::PostgresGroup | Self::PostgresSerializableGroup)
    }

    /// One connection of the same store, which asks by itself.
    fn single(self) -> (Self, usize) {
        match self {
            Self::SqliteGroup | Self::SqliteThreads | Self::SqliteUpsert => (Self::SqliteUpsert, 1),
            _ => (Self::PostgresUpsert, 1),
        }
    }
}

/// Per second.
#[derive(Clone, Copy)]
struct Rates {
    numbers: f64,
    transactions: f64,
}

/// All stores, open.
struct Stores {
    runtime: Runtime,
    sqlite_group: Group,
    postgres_group: Group,
    postgres_serializable_group: Group,
    sqlite: Sqlite,
    postgres: Postgres,
}

impl Stores {
    fn open(dir: &std::path::Path, server: &postgres::Cluster) -> Result<Self> {
        let runtime = Runtime::new()?;
        let path = dir.join("ours.db");
        let options = SqliteOptions { make: Make::File, presize: true, ..SqliteOptions::default() };
        let sqlite_group = Group::over(SqliteBackend::open(&path, Layout::registry(), options)?)?;
        let most = CLIENTS.into_iter().max().unwrap_or(1);
        let ours = |isolation| {
            let url = server.url(&server.database());
            let options =
                PostgresOptions { isolation, make_tables: true, ..PostgresOptions::default() };
            Group::over(PostgresBackend::open(&url, Layout::registry(), options)?)
        };
        let plain = server.url(&server.database());
        Ok(Self {
            sqlite_group,
            postgres_group: ours(Isolation::ReadCommitted)?,
            postgres_serializable_group: ours(Isolation::Serializable)?,
            sqlite: Sqlite::open(&dir.join("plain.db"), most)?,
            postgres: runtime.block_on(Postgres::connect(&plain, most))?,
            runtime,
        })
    }

    fn measure(&mut self, variant: Variant, clients: usize, round: &Round) -> Result<Rates> {
        let group = match variant {
            Variant::SqliteGroup => Some(&self.sqlite_group),
            Variant::PostgresGroup => Some(&self.postgres_group),
            Variant::PostgresSerializableGroup => Some(&self.postgres_serializable_group),
            _ => None,
        };
        let before = group.map(|group| group.transactions.load(Ordering::Relaxed));
        let begin = Instant::now();
        let told = match (group, variant) {
            (Some(group), _) => self.runtime.block_on(group.run(clients, round))?,
            (None, Variant::SqliteThreads) => self.sqlite.run(clients, round)?,
            (None, Variant::SqliteUpsert) => self.sqlite.run_one(round)?,
            (None, Variant::PostgresLiteral) => {
                self.runtime.block_on(self.postgres.run(Design::Literal, clients, round))?
            }
            (None, _) => {
                self.runtime.block_on(self.postgres.run(Design::Upsert, clients, round))?
            }
        };
        let seconds = begin.elapsed().as_secs_f64();
        let transactions = match (group, before) {
            (Some(group), Some(before)) => group.transactions.load(Ordering::Relaxed) - before,
            _ => told.len(),
        };
        let numbers = check(variant.name(), told)?;
        Ok(Rates { numbers: numbers as f64 / seconds, transactions: transactions as f64 / seconds })
    }
}

type Round1 = BTreeMap<(Variant, usize), Rates>;

/// The rows that a variant with so many clients makes.
fn rows(variant: Variant, clients: usize, rounds: &[Round1]) -> Vec<Row> {
    let row = |design: String, unit, of: &dyn Fn(&Round1) -> (f64, f64)| Row {
        name: format!("{design}_{clients}").leak(),
        size: clients,
        unit,
        rounds: rounds.iter().map(of).collect(),
        is_rate: true,
    };
    let ours = |round: &Round1| round[&(variant, clients)];
    let single = |round: &Round1| round[&variant.single()].numbers;
    let literal = |round: &Round1| round[&(Variant::PostgresLiteral, 50)].numbers;
    let name = variant.name();
    if !variant.is_group() {
        let of = |round: &Round1| (ours(round).numbers, single(round));
        return vec![row(name.to_owned(), "id/s", &of)];
    }
    let of = |round: &Round1| (ours(round).numbers, literal(round));
    let mut rows = vec![row(name.to_owned(), "id/s", &of)];
    if clients == 1 {
        let of = |round: &Round1| (ours(round).numbers, single(round));
        rows.push(row(name.replace("group", "lone"), "id/s", &of));
    }
    if clients == 50 {
        let of = |round: &Round1| (ours(round).transactions, single(round));
        rows.push(row(name.replace("group", "batches"), "tx/s", &of));
    }
    rows
}

/// What is to be measured for one row: its variant, and its baselines.
fn needed(row: &str, plan: &[(Variant, usize)]) -> Vec<(Variant, usize)> {
    let mut needed = vec![(Variant::PostgresLiteral, 50)];
    for &(variant, clients) in plan {
        let name = |design: &str| format!("{}_{clients}", variant.name().replace("group", design));
        if ["group", "lone", "batches"].into_iter().any(|design| name(design) == row) {
            needed.extend([(variant, clients), variant.single()]);
        }
    }
    needed
}

fn main() -> Result<()> {
    let arguments = Arguments::read(false)?;
    let dir = scratch::folder("sequence")?;
    let server = postgres::Cluster::private();
    let mut stores = Stores::open(dir.path(), &server)?;
    let (count, millis) = if arguments.quick { (5, 150) } else { (9, 1_000) };
    let mut plan: Vec<(Variant, usize)> = Vec::new();
    for variant in Variant::ALL {
        plan.extend(variant.clients().iter().map(|&clients| (variant, clients)));
    }
    if let Some(row) = &arguments.row {
        let needed = needed(row, &plan);
        plan.retain(|which| needed.contains(which));
    }
    let mut rounds = Vec::new();
    // The first warms up, and is not counted.
    for number in 0..=count {
        let warm_up = number == 0;
        let time = Duration::from_millis(if warm_up { 50 } else { millis });
        let mut round = Round1::new();
        for &(variant, clients) in &plan {
            let project = format!("{}_{clients}_{number}", variant.name());
            let rates = stores.measure(variant, clients, &Round { project, time })?;
            round.insert((variant, clients), rates);
        }
        if !warm_up {
            rounds.push(round);
        }
    }
    let is_asked_for = |row: &Row| arguments.wants(row.name);
    let is_complete = |variant: Variant| plan.contains(&variant.single());
    let of = |&(variant, clients): &(Variant, usize)| rows(variant, clients, &rounds);
    let measured = plan.iter().filter(|(variant, _)| is_complete(*variant));
    let rows: Vec<Row> = measured.flat_map(of).filter(is_asked_for).collect();
    arguments.begin("clients");
    rows.iter().for_each(|row| arguments.show(row));
    arguments.end("sequence", &rows);
    Ok(())
}
