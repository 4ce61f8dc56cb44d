//! What the run loop costs, measured against plain baselines in the same run.
//!
//! - `phase_overhead`: the time of a phase, with an agent that writes its result and
//!   nothing else, git off, one at a time, in a run whose backlog is open already. Its
//!   baseline is a loop that starts the same agent and then writes the backlog's bytes
//!   twice, durably. Expected: at most 1.5 times that, so a ratio of 0.67.
//! - `plan`: the time of a plan in which every open item could start, with two
//!   dependencies for each item. Its baseline is that of the smallest size in the same
//!   round, grown by n log n: a ratio of 1 or more says that it grows no faster.
//!
//! `--json` prints one object, `--quick` has fewer rounds, `--size N` and `--row NAME`
//! run only that.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench makes its own files and prints its table"
)]

#[path = "shared/arguments.rs"]
mod arguments;
#[path = "shared/scratch.rs"]
mod scratch;
#[path = "shared/table.rs"]
mod table;
#[path = "shared/text.rs"]
mod text;

use std::collections::HashSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use orchestrator::config::{Agent, Config, GitMode};
use orchestrator::coordinator::{self, Coordinator, Paths, RunLock};
use orchestrator::engine::{self, Environment, Halt, Observer, RunOptions};
use orchestrator::model::{
    BacklogItem, BacklogSnapshot, IdQuery, ItemStatus, Limits, PhaseSpec, Rules,
};
use orchestrator::runner::{Stop, Supervisor};
use orchestrator::scheduler::{Selection, View, plan};
use orchestrator::store::{BacklogStore, StoreOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use arguments::Arguments;
use table::{Row, median};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

/// The argument that makes this program the agent.
const AGENT: &str = "--agent";
/// Phases of a round.
const PHASES: u32 = 6;
/// The size from which planning grows.
const SMALLEST: usize = 100;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The agent: it does nothing but say that it is done.
fn be_agent() -> Result<()> {
    let variable = |name: &str| std::env::var(format!("ORCHESTRATOR_{name}"));
    let result = serde_json::json!({
        "item_id": variable("ITEM")?, "phase": variable("PHASE")?,
        "result": "phase_complete", "summary": "Nothing stood in the way.",
    });
    fs::write(variable("RESULT_FILE")?, result.to_string())?;
    Ok(())
}

/// A project whose items in progress stand at the first of [`PHASES`] phases and one.
struct Project {
    dir: tempfile::TempDir,
    coordinator: Coordinator,
    running: coordinator::Running,
    paths: Paths,
    options: StoreOptions,
    config: Config,
}

impl Project {
    fn new(size: usize) -> Result<Self> {
        let dir = scratch::folder("run")?;
        let file = fs::canonicalize(dir.path())?.join("BACKLOG.yaml");
        // Done items would be archived first.
        let text = text::backlog(size)
            .replace("status: done ", "status: blocked ")
            .replace("status: in_progress  # by hand\n", "status: in_progress\n    phase: p1\n");
        fs::write(&file, text)?;
        // Old enough to be believed at once.
        let hour = Duration::from_secs(3600);
        File::options().write(true).open(&file)?.set_modified(SystemTime::now() - hour)?;

        let mut config = Config { git: GitMode::Off, ..Config::default() };
        let agent = config.agents.get_mut(Agent::DEFAULT).ok_or("no default agent")?;
        let exe = std::env::current_exe()?;
        agent.command = vec![exe.to_str().ok_or("an odd path")?.to_owned(), AGENT.to_owned()];
        for pipeline in config.pipelines.values_mut() {
            pipeline.phases =
                (1..=PHASES + 1).map(|nth| PhaseSpec::new(&format!("p{nth}"))).collect();
        }
        let rules = Rules { pipelines: config.pipelines.clone(), ..Rules::default() };
        let options = StoreOptions { rules, ..StoreOptions::new(&file) };
        let store = BacklogStore::open(options.clone())?;
        let paths = store.paths().clone();
        let (coordinator, running) = coordinator::open(store)?;
        Ok(Self { dir, coordinator, running, paths, options, config })
    }

    fn environment(&self) -> Result<Environment> {
        Ok(Environment {
            coordinator: self.coordinator.clone(),
            paths: self.paths.clone(),
            config: self.config.clone(),
            rules: self.options.rules.clone(),
            supervisor: Supervisor::new(env!("CARGO_BIN_EXE_orchestrator"), "__supervise"),
            inbox: self.dir.path().join("BACKLOG_INBOX.yaml"),
            lock: RunLock::take(&self.paths, &self.options.holder)?,
            clock: self.options.clock.clone(),
            observer: Observer::new(|event| drop(black_box(event))),
        })
    }

    /// Takes an item through all its phases but the last. Returns the time of each.
    fn run(&self, runtime: &Runtime, item: usize) -> Result<f64> {
        let environment = self.environment()?;
        let targets = vec![IdQuery::new(&format!("WRK-{item:03}"))];
        let selection = Selection { targets, ..Selection::default() };
        let options = RunOptions { selection, cap: Some(PHASES) };
        // Somebody must be left who could stop it.
        let (sender, stop) = watch::channel(Stop::Run);
        let start = Instant::now();
        let (summary, result) = runtime.block_on(engine::run(environment, &options, stop));
        result?;
        let elapsed = start.elapsed();
        drop(sender);
        if summary.phases_executed != PHASES || summary.halt != Halt::Cap {
            return Err(format!("not what was to be measured: {summary:?}").into());
        }
        Ok(millis(elapsed) / f64::from(PHASES))
    }

    /// The same by hand: start the agent, and write the backlog's bytes twice.
    fn baseline(&self, item: usize) -> Result<f64> {
        let bytes = fs::read(&self.paths.file)?;
        let (result, copy) = (self.path("result.json"), self.path("copy"));
        let start = Instant::now();
        for nth in 1..=PHASES {
            let mut agent = Command::new(std::env::current_exe()?);
            agent.arg(AGENT).stdin(Stdio::null()).stdout(Stdio::null());
            agent.env("ORCHESTRATOR_ITEM", format!("WRK-{item:03}"));
            agent.env("ORCHESTRATOR_PHASE", format!("p{nth}"));
            agent.env("ORCHESTRATOR_RESULT_FILE", &result);
            if !agent.status()?.success() {
                return Err("the agent failed".into());
            }
            durable_write(&copy, &bytes)?;
            durable_write(&copy, &bytes)?;
        }
        Ok(millis(start.elapsed()) / f64::from(PHASES))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Write, fsync, rename, fsync the folder.
fn durable_write(path: &Path, text: &[u8]) -> Result<()> {
    let temp = path.with_extension("tmp");
    let mut file = File::create(&temp)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn phase_overhead(size: usize, rounds: usize) -> Result<Row> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let project = Project::new(size)?;
    // Those in progress that depend on nothing, from the middle on.
    let mut items = (size / 2..size).filter(|n| n % 4 == 2 && n % 5 != 0);
    let mut row =
        Row { name: "phase_overhead", size, unit: "ms", rounds: Vec::new(), is_rate: false };
    for round in 0..=rounds {
        let item = items.next().ok_or("too few items")?;
        let ours = project.run(&runtime, item)?;
        let base = project.baseline(item)?;
        if round > 0 {
            row.rounds.push((ours, base));
        }
    }
    let Project { coordinator, running, .. } = project;
    drop(coordinator);
    running.shutdown()?;
    Ok(row)
}

/// Makes a backlog of which each item depends on two that are done.
fn snapshot(size: usize) -> BacklogSnapshot {
    let statuses = [ItemStatus::New, ItemStatus::Ready, ItemStatus::InProgress, ItemStatus::Done];
    let done = |n: usize| format!("WRK-{:03}", n % (size / 4) * 4 + 3);
    let items = (0..size).map(|n| {
        Arc::new(BacklogItem {
            id: Some(format!("WRK-{n:03}")),
            title: format!("Make part {n}"),
            status: statuses[n % 4],
            phase: (n % 4 == 2).then(|| "design".to_owned()),
            created: Some(format!("2026-01-{:02}T00:00:00Z", n * 7 % 28 + 1)),
            dependencies: vec![done(n * 7919), done(n * 104_729 + 1)],
            ..BacklogItem::default()
        })
    });
    BacklogSnapshot { items: items.collect(), archived: Arc::default() }
}

/// Returns how long one plan takes, by the median of several tries of some
/// milliseconds each.
fn planning(snapshot: &BacklogSnapshot) -> Result<f64> {
    let limits = Limits { max_wip: 4, max_concurrent: 4, ..Limits::default() };
    let (rules, selection, none) = (Rules::default(), Selection::default(), HashSet::new());
    let view = View {
        snapshot,
        running: &[],
        limits: &limits,
        rules: &rules,
        selection: &selection,
        moved: &none,
        set_aside: &none,
    };
    let times = (20_000 / snapshot.items.len()).max(2);
    let mut tries = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..times {
            let waiting = plan(black_box(&view)).waiting.len();
            if waiting == 0 {
                return Err("the plan is empty".into());
            }
        }
        tries.push(millis(start.elapsed()) / times as f64);
    }
    tries.sort_by(f64::total_cmp);
    Ok(median(&tries))
}

fn plan_growth(size: usize, rounds: usize) -> Result<Row> {
    let work = |items: usize| items as f64 * (items as f64).ln();
    let (small, own) = (snapshot(SMALLEST), snapshot(size));
    let mut row = Row { name: "plan", size, unit: "ms", rounds: Vec::new(), is_rate: false };
    for round in 0..=rounds {
        let base = planning(&small)? * work(size) / work(SMALLEST);
        let ours = planning(&own)?;
        if round > 0 {
            row.rounds.push((ours, base));
        }
    }
    Ok(row)
}

fn main() -> Result<()> {
    if std::env::args_os().nth(1).is_some_and(|flag| flag == AGENT) {
        return be_agent();
    }
    let arguments = Arguments::read(true)?;
    arguments.begin("items");
    // At the smallest size there must be an item for each round.
    let rounds = if arguments.quick { 5 } else { 8 };
    type One = (&'static str, &'static [usize], fn(usize, usize) -> Result<Row>);
    let all: [One; 2] = [
        ("phase_overhead", &[100, 10_000], phase_overhead),
        ("plan", &[100, 1_000, 10_000], plan_growth),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for (name, sizes, run) in all {
        if !arguments.wants(name) {
            continue;
        }
        let one = arguments.size.map(|size| vec![size.max(SMALLEST)]);
        for size in one.unwrap_or_else(|| sizes.to_vec()) {
            let row = run(size, rounds)?;
            arguments.show(&row);
            rows.push(row);
        }
    }
    arguments.end("run", &rows);
    Ok(())
}
