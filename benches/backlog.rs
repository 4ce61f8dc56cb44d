//! What the backlog costs, measured against plain baselines in the same run.
//!
//! Each row runs our variant and a baseline alternately in one process, round by
//! round, and tells the median of the rounds' ratios: how many times better ours
//! is. The baselines are what a program without this library would do: read the
//! whole file with serde, change the value, write the whole file again. The rows
//! of whole processes run the program itself, and this bench again as the
//! baseline's process.
//!
//! `--json` prints one object, `--quick` leaves the largest size out,
//! `--size N` and `--row NAME` run only that.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench makes its own files and prints its table"
)]

#[path = "shared/arguments.rs"]
mod arguments;
#[path = "backlog/model.rs"]
mod model;
#[path = "shared/scratch.rs"]
mod scratch;
#[path = "shared/table.rs"]
mod table;
#[path = "shared/text.rs"]
mod text;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use orchestrator::coordinator;
use orchestrator::model::change::{ItemPatch, NewItem};
use orchestrator::model::{BacklogSnapshot, Change, IdQuery};
use orchestrator::store::{BacklogStore, ParsedBacklog, Request, StoreOptions};

use arguments::Arguments;
use table::{Row, median};
use text::backlog;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

/// The argument that makes this program the baseline's process.
const BASELINE_PROCESS: &str = "--baseline-process";
/// Producers that ask at the same time.
const PRODUCERS: usize = 8;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A folder with a backlog in it.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new(text: &str) -> Result<Self> {
        let dir = scratch::folder("backlog")?;
        let project = Self { dir };
        fs::write(project.file(), text)?;
        // Old enough to be believed at once.
        let hour = Duration::from_secs(3600);
        let now = std::time::SystemTime::now();
        File::options().write(true).open(project.file())?.set_modified(now - hour)?;
        Ok(project)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("BACKLOG.yaml")
    }

    fn store(&self) -> Result<BacklogStore> {
        let mut store = BacklogStore::open(StoreOptions::new(&self.file()))?;
        store.file()?;
        Ok(store)
    }
}

fn rename(item: usize, title: String) -> Change {
    let patch = ItemPatch { title: Some(title), ..ItemPatch::default() };
    Change::Update { item: IdQuery::new(&format!("WRK-{item:03}")), patch }
}

/// The whole-file round trip: parse, alter, serialise.
fn round_trip(text: &str, change: impl FnOnce(&mut model::Backlog)) -> Result<String> {
    let mut backlog: model::Backlog = serde_yaml::from_str(text)?;
    change(&mut backlog);
    Ok(serde_yaml::to_string(&backlog)?)
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

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    black_box(work()?);
    Ok(millis(start.elapsed()))
}

/// One update in a warm coordinator, until the new text is ready to be written and
/// the snapshot is made.
fn warm_update(size: usize, rounds: usize) -> Result<Row> {
    let text = backlog(size);
    let project = Project::new(&text)?;
    let mut store = project.store()?;
    let mut row = Row { name: "warm_update", size, unit: "ms", rounds: Vec::new(), is_rate: false };
    for round in 0..=rounds {
        let item = size / 2 + round;
        let mut several = Vec::new();
        for nth in 0..9 {
            let request = Request::from(rename(item, format!("A new title {round} {nth}")));
            let start = Instant::now();
            let elapsed = store.lock()?.rehearse(&[request], |text, file, _| {
                let snapshot = Arc::new(BacklogSnapshot::new(file, Arc::default()));
                let elapsed = start.elapsed();
                black_box((text.len(), snapshot));
                elapsed
            })?;
            several.push(millis(elapsed));
        }
        several.sort_by(f64::total_cmp);
        let ours = median(&several);
        let base = timed(|| {
            round_trip(&text, |backlog| backlog.items[item - 1].title = format!("New {round}"))
        })?;
        if round > 0 {
            row.rounds.push((ours, base));
        }
    }
    Ok(row)
}

/// The same, until it is durable, against a durable write of the same bytes.
fn warm_update_durable(size: usize, rounds: usize) -> Result<Row> {
    let project = Project::new(&backlog(size))?;
    let (coordinator, running) = coordinator::open(project.store()?)?;
    let mut row =
        Row { name: "warm_update_durable", size, unit: "ms", rounds: Vec::new(), is_rate: false };
    for round in 0..=rounds {
        let (mut ours, mut base) = (Vec::new(), Vec::new());
        for nth in 0..7 {
            let change = rename(size / 2 + nth, format!("A new title {round} {nth}"));
            ours.push(timed(|| {
                let changed = coordinator.change_blocking(vec![change])?;
                changed.outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
                Ok(coordinator.snapshot())
            })?);
            let bytes = fs::read(project.file())?;
            base.push(timed(|| durable_write(&project.dir.path().join("other"), &bytes))?);
        }
        ours.sort_by(f64::total_cmp);
        base.sort_by(f64::total_cmp);
        if round > 0 {
            row.rounds.push((median(&ours), median(&base)));
        }
    }
    drop(coordinator);
    running.shutdown()?;
    Ok(row)
}

/// Changes per second that several producers get made, each durable before it is
/// answered, against a model in memory that is serialised and written for each.
fn producers(size: usize, rounds: usize) -> Result<Row> {
    let text = backlog(size);
    let project = Project::new(&text)?;
    let mut memory: model::Backlog = serde_yaml::from_str(&text)?;
    let (coordinator, running) = coordinator::open(project.store()?)?;
    let each = 12;
    let mut row =
        Row { name: "producers_8", size, unit: "changes/s", rounds: Vec::new(), is_rate: true };
    for round in 0..=rounds {
        let elapsed = timed(|| {
            thread::scope(|scope| {
                let producers: Vec<_> = (0..PRODUCERS)
                    .map(|producer| {
                        let coordinator = coordinator.clone();
                        scope.spawn(move || -> Result<()> {
                            for nth in 0..each {
                                let change = if nth % 4 == 0 {
                                    Change::Add(vec![NewItem::titled(&format!(
                                        "From {producer}, {round} {nth}"
                                    ))])
                                } else {
                                    let item = (producer * 11 + nth * 5) % size + 1;
                                    rename(item, format!("By {producer}, {round} {nth}"))
                                };
                                let changed = coordinator.change_blocking(vec![change])?;
                                changed
                                    .outcomes
                                    .into_iter()
                                    .try_for_each(|outcome| outcome.map(drop))?;
                            }
                            Ok(())
                        })
                    })
                    .collect();
                producers
                    .into_iter()
                    .try_for_each(|producer| producer.join().map_err(|_| "a producer died")?)
            })
        })?;
        let commands = if size >= 10_000 { 1 } else { 3 };
        let base = timed(|| {
            (0..commands).try_for_each(|nth| {
                memory.items[nth].title = format!("By the baseline, {round} {nth}");
                durable_write(
                    &project.dir.path().join("other"),
                    serde_yaml::to_string(&memory)?.as_bytes(),
                )
            })
        })?;
        if round > 0 {
            let rate = |count: usize, elapsed: f64| count as f64 / elapsed * 1e3;
            row.rounds.push((rate(PRODUCERS * each, elapsed), rate(commands, base)));
        }
    }
    drop(coordinator);
    running.shutdown()?;
    Ok(row)
}

/// A one-line hand edit, from the new text in memory until the items and what is
/// wrong with them are known, against reading all of it.
fn hand_edit_reload(size: usize, rounds: usize) -> Result<Row> {
    let text = backlog(size);
    let options = StoreOptions::new(Path::new("BACKLOG.yaml"));
    let mut parsed = ParsedBacklog::parse(text.clone(), &options.rules)?;
    black_box(parsed.diagnostics().len());
    let mut row =
        Row { name: "hand_edit_reload", size, unit: "ms", rounds: Vec::new(), is_rate: false };
    for round in 0..=rounds {
        let mut several = Vec::new();
        for nth in 0..9 {
            let item = size / 10 * (nth + 1);
            let old = format!("title: Make part {item} of");
            let new = format!("title: Edit {round} {nth} of part {item} of");
            // One line differs from the text before: an edit made, or taken back.
            let edited = match nth % 2 {
                0 => text.replacen(&old, &new, 1),
                _ => text.clone(),
            };
            several.push(timed(|| {
                parsed.reload(edited)?;
                Ok(parsed.diagnostics().len())
            })?);
        }
        several.sort_by(f64::total_cmp);
        let edited = parsed.text().to_owned();
        let base = timed(|| {
            let parsed = ParsedBacklog::parse(edited, &options.rules)?;
            let count = parsed.diagnostics().len();
            Ok((parsed, count))
        })?;
        if round > 0 {
            row.rounds.push((median(&several), base));
        }
    }
    Ok(row)
}

/// Runs a process to its end and returns how long that took.
fn process(mut command: Command) -> Result<f64> {
    timed(|| {
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(())
    })
}

fn add_process(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.arg("--file").arg(file).args(["add", "One more thing"]);
    command
}

fn baseline_process(file: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(BASELINE_PROCESS).arg(file);
    Ok(command)
}

/// `add` as a process, against a process that reads, adds and writes with serde:
/// in a project where programs write, and with no cache there.
fn cold_add(size: usize, rounds: usize) -> Result<[Row; 2]> {
    let text = backlog(size);
    let (ours, fresh, theirs) = (Project::new(&text)?, Project::new(&text)?, Project::new(&text)?);
    let row = |name| Row { name, size, unit: "ms", rounds: Vec::new(), is_rate: false };
    let mut rows = [row("cold_add"), row("cold_add_no_cache")];
    for round in 0..=rounds {
        let base = process(baseline_process(&theirs.file())?)?;
        let warm = process(add_process(&ours.file()))?;
        let cache = fresh.dir.path().join(".orchestrator/cache");
        if cache.exists() {
            fs::remove_file(cache)?;
        }
        let cold = process(add_process(&fresh.file()))?;
        if round > 0 {
            rows[0].rounds.push((warm, base));
            rows[1].rounds.push((cold, base));
        }
    }
    Ok(rows)
}

/// The most memory that `add` takes as a process, against the file's size.
///
/// The answer is printed when all work is done. It goes into a pipe that is full,
/// so that the process stands still there, and its high-water mark can be read at
/// leisure: no look can come too late.
fn peak_memory(size: usize, rounds: usize) -> Result<Row> {
    let project = Project::new(&backlog(size))?;
    let mut row =
        Row { name: "peak_memory", size, unit: "bytes", rounds: Vec::new(), is_rate: false };
    for _ in 0..rounds {
        let len = fs::metadata(project.file())?.len();
        let (mut reader, writer) = std::io::pipe()?;
        let mut filler = writer.try_clone()?;
        // More than any pipe holds by default: its end is written when it is drained.
        let filling = thread::spawn(move || filler.write_all(&vec![b'.'; 4 << 20]));
        thread::sleep(Duration::from_millis(20));
        let mut command = add_process(&project.file());
        let mut child = command.stdin(Stdio::null()).stdout(writer).spawn()?;
        drop(command);
        let peak = standstill(&project.file(), child.id());
        let mut drained = Vec::new();
        reader.read_to_end(&mut drained)?;
        filling.join().map_err(|_| "the pipe broke")??;
        if !child.wait()?.success() {
            return Err("the process failed".into());
        }
        row.rounds.push((peak? as f64, len as f64));
    }
    Ok(row)
}

/// Waits until a process has written the file and stands still; returns its peak.
fn standstill(file: &Path, id: u32) -> Result<u64> {
    let before = fs::metadata(file)?.modified()?;
    let status = |key: &str, name: &str| -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{id}/{name}"))?;
        let line = text.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
        Ok(line.split_whitespace().nth(1).ok_or("an odd line")?.parse()?)
    };
    let start = Instant::now();
    let mut last = (0, 0);
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(150) || fs::metadata(file)?.modified()? == before
    {
        let now = (status("VmHWM:", "status")?, status("voluntary_ctxt_switches:", "status")?);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if start.elapsed() > Duration::from_secs(30) {
            return Err("the process does not come to an end".into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(last.0 * 1024)
}

/// The baseline's process: read, add an item, write durably.
fn be_baseline(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let text = round_trip(&text, |backlog| {
        backlog.next_item_id += 1;
        let id = format!("WRK-{:03}", backlog.next_item_id);
        let title = "One more thing".to_owned();
        backlog.items.push(model::Item {
            id,
            title,
            status: "new".into(),
            ..model::Item::default()
        });
    })?;
    durable_write(path, text.as_bytes())
}

fn main() -> Result<()> {
    let raw: Vec<_> = std::env::args_os().collect();
    if let [_, flag, path] = raw.as_slice()
        && flag == BASELINE_PROCESS
    {
        return be_baseline(Path::new(path));
    }
    let arguments = Arguments::read(true)?;
    let sizes: Vec<usize> = match (arguments.size, arguments.quick) {
        (Some(size), _) => vec![size],
        (None, true) => vec![100, 1_000, 10_000],
        (None, false) => vec![100, 1_000, 10_000, 100_000],
    };
    arguments.begin("items");
    let mut rows: Vec<Row> = Vec::new();
    let keep = |rows: &mut Vec<Row>, row: Row| {
        arguments.show(&row);
        rows.push(row);
    };
    for size in sizes {
        let rounds = if arguments.quick || size > 10_000 { 5 } else { 9 };
        type One = (&'static str, fn(usize, usize) -> Result<Row>);
        let singles: [One; 4] = [
            ("warm_update", warm_update),
            ("warm_update_durable", warm_update_durable),
            ("producers_8", producers),
            ("hand_edit_reload", hand_edit_reload),
        ];
        for (name, run) in singles {
            if arguments.wants(name) {
                keep(&mut rows, run(size, rounds)?);
            }
        }
        if arguments.wants("cold_add") {
            for row in cold_add(size, rounds)? {
                keep(&mut rows, row);
            }
        }
        if arguments.wants("peak_memory") {
            keep(&mut rows, peak_memory(size, rounds)?);
        }
    }
    arguments.end("backlog", &rows);
    Ok(())
}
