//! A long run of many items that is killed again and again, while people edit the
//! file, programs add to it, and phases propose more.
//!
//! `ORCHESTRATOR_STORM_ITEMS` says how many items (24), `ORCHESTRATOR_STORM_KILLS` how
//! many kills (5); `ORCHESTRATOR_STORM_SEED` repeats the choices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::workshop::Workshop;
use crate::support::{Random, count};
use orchestrator::fs::{FileLock, Holder};

const PHASES: [&str; 3] = ["design", "build", "review"];

const PIPELINE: &str = "
[[pipelines.feature.phases]]
name = \"design\"
[[pipelines.feature.phases]]
name = \"build\"
destructive = true
[[pipelines.feature.phases]]
name = \"review\"
";

const LIMITS: &str = "max_concurrent = 4\nmax_wip = 6\nphase_cap = 100000";

/// What the agents are to do, and what must have come of it.
struct Plot {
    items: usize,
    script: String,
    /// Titles of follow-ups, by the item that proposes them.
    follow_ups: BTreeMap<String, Vec<String>>,
    /// Items whose agent asks a person.
    asks: BTreeSet<String>,
}

fn id(number: usize) -> String {
    format!("WRK-{number:03}")
}

impl Plot {
    fn new(items: usize, random: &mut Random) -> Self {
        let mut plot = Self {
            items,
            script: String::new(),
            follow_ups: BTreeMap::new(),
            asks: BTreeSet::new(),
        };
        for number in 1..=items {
            let id = id(number);
            for phase in PHASES {
                if random.below(12) == 0 {
                    plot.script.push_str(&format!("{id}/{phase}/1: exit 3\n"));
                }
                let mut actions = String::new();
                for n in 0..random.below(8).saturating_sub(5) {
                    let title = format!("More of {id} {phase} {n}.");
                    actions.push_str(&format!("follow-up {title}; "));
                    plot.follow_ups.entry(id.clone()).or_default().push(title);
                }
                let asks = random.below(30) == 0;
                if asks {
                    plot.asks.insert(id.clone());
                }
                let result = if asks { "blocked Which one?" } else { "phase_complete Fine." };
                plot.script.push_str(&format!("{id}/{phase}/*: {actions}result {result}\n"));
                if asks {
                    break;
                }
            }
        }
        plot.script.push_str("*/triage/*: result blocked What for?\n");
        plot
    }

    fn backlog(&self) -> String {
        let mut text = format!(
            "# the head\nschema_version: 2\nnext_item_id: {}\nowner: ann # ours\nitems:\n",
            self.items
        );
        for number in 1..=self.items {
            let id = id(number);
            text.push_str(&format!(
                "  - id: {id}\n    title: Item {number}. # comment {number}.\n    status: ready\n"
            ));
        }
        text
    }
}

/// What was done from outside, and must be there.
#[derive(Default)]
struct Outside {
    /// What `add` told, with the titles.
    added: Vec<(String, String)>,
    /// Comments that were written by hand.
    comments: Vec<String>,
    /// Titles of items that were written by hand.
    written: Vec<String>,
    /// Titles that were changed by hand.
    titles: Vec<String>,
    /// Items that were blocked by hand.
    blocked: BTreeSet<String>,
}

/// Edits the file by hand, as somebody who has it open for no time at all: an editor
/// with an old text would drop what was saved since, whoever had saved it.
fn edit(shop: &Workshop, random: &mut Random, n: usize, outside: &Mutex<Outside>) {
    let lock = shop.project.root().join(".orchestrator/lock");
    let holder = Holder::this_process(None, "a person", "now");
    let Ok(_lock) = FileLock::acquire(&lock, Duration::from_secs(60), &holder) else { return };
    // A killed save may have left the file away from its place only in between.
    let text = shop.text();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let titles: Vec<usize> =
        (0..lines.len()).filter(|line| lines[*line].contains("title: Item ")).collect();
    let mut outside = outside.lock().unwrap();
    match random.below(4) {
        0 => {
            let title = format!("By hand {n}.");
            lines
                .push(format!("  - title: {title}\n    status: blocked\n    blocked_reason: Mine"));
            outside.written.push(title);
        }
        1 if !titles.is_empty() => {
            let at = *random.pick(&titles);
            let own = format!("edited {n}.");
            lines[at] = lines[at].replace(". # ", &format!(". {own} # "));
            outside.titles.push(own);
        }
        2 if !titles.is_empty() => {
            let at = *random.pick(&titles);
            let Some(status) = (at..lines.len()).find(|line| lines[*line].contains("status: "))
            else {
                return;
            };
            if lines[status].contains("blocked") || lines[status].contains("done") {
                return;
            }
            let id = lines[at - 1].split("id: ").nth(1).unwrap_or_default().to_owned();
            lines[status] = "    status: blocked\n    blocked_reason: By hand".to_owned();
            outside.blocked.insert(id);
        }
        _ => {
            let comment = format!("# remark {n}.");
            lines.insert(3, comment.clone());
            outside.comments.push(comment);
        }
    }
    let staged = shop.project.root().join(".edited");
    fs::write(&staged, lines.join("\n") + "\n").unwrap();
    fs::rename(staged, shop.project.file()).unwrap();
}

/// Runs, kills, and runs again: after some progress each time, so that the kills are
/// spread over all of the work.
fn runs(shop: &Workshop, items: usize, kills: usize, random: &mut Random) {
    let entries = || shop.worklog().matches("\n## ").count();
    let step = 2 * PHASES.len() * items / kills.max(1);
    for n in 0..kills {
        let wanted = entries() + random.below(step + 1);
        let mut run = shop.start("run");
        while entries() < wanted && run.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(random.below(300) as u64));
        run.kill().unwrap();
        let is_late = run.wait().unwrap().code().is_some();
        println!("kill {n}: {} entries{}", entries(), if is_late { ", too late" } else { "" });
    }
}

#[test]
fn a_killed_and_edited_run_does_everything_once() {
    let mut random = Random::from_env("ORCHESTRATOR_STORM_SEED");
    let items = count("ORCHESTRATOR_STORM_ITEMS", 24);
    let kills = count("ORCHESTRATOR_STORM_KILLS", 5);
    let plot = Plot::new(items, &mut random);
    let shop = Workshop::with_pipeline(&plot.backlog(), &plot.script, LIMITS, PIPELINE);
    let outside = Mutex::new(Outside::default());
    let is_over = AtomicBool::new(false);
    let mut others = Random::new(random.next());
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(Duration::from_millis(20 + others.below(300) as u64));
                if others.below(3) == 0 {
                    let title = format!("Outside {n}.");
                    let id = shop.run(&format!("add Outside-{n}.")).ok().trim().to_owned();
                    outside.lock().unwrap().added.push((id, title.replace(' ', "-")));
                } else {
                    edit(&shop, &mut others, n, &outside);
                }
            }
        });
        runs(&shop, items, kills, &mut random);
        is_over.store(true, Ordering::Relaxed);
    });
    let (code, report) = shop.report("run");
    assert!(code < 2, "{code}: {report}");
    println!("{items} items, {kills} kills, {:.0?}", start.elapsed());
    check(&shop, &plot, &outside.into_inner().unwrap());
}

fn check(shop: &Workshop, plot: &Plot, outside: &Outside) {
    shop.run("check --strict").ok();
    let (text, worklog) = (shop.text(), shop.worklog());
    let all = format!("{text}{worklog}");
    let once = |what: &str| {
        assert_eq!(all.matches(what).count(), 1, "{what}\n{text}\n{worklog}");
    };
    for number in 1..=plot.items {
        let id = id(number);
        let copies = archived_twice(&id, &worklog);
        assert_eq!(all.matches(&format!("id: {id}\n")).count(), copies, "{id}\n{text}\n{worklog}");
        let comment = format!("# comment {number}.\n");
        assert_eq!(all.matches(&comment).count(), copies, "{comment}{text}\n{worklog}");
        let is_done = worklog.contains(&format!("\n## {id} — "))
            || worklog.starts_with(&format!("## {id} — "));
        let may_wait = plot.asks.contains(&id) || outside.blocked.contains(&id);
        assert!(is_done || may_wait, "{id} is neither done nor blocked\n{text}");
        for phase in PHASES {
            let entry = format!("## {id} / {phase} — phase_complete\n");
            let entries = worklog.matches(&entry).count();
            assert!(entries == 1 || (entries == 0 && !is_done), "{entry}: {entries}\n{worklog}");
        }
        for title in plot.follow_ups.get(&id).into_iter().flatten() {
            let phase = title.split(' ').nth(3).unwrap();
            // One that failed while a person blocked its item is not tried again.
            let has_ended = ["phase_complete", "blocked"]
                .iter()
                .any(|end| worklog.contains(&format!("## {id} / {phase} — {end}\n")));
            let titles = all.matches(&format!("title: {title}\n")).count();
            assert_eq!(titles, usize::from(has_ended), "{title}\n{text}\n{worklog}");
        }
    }
    for title in &outside.written {
        once(&format!("title: {title}\n"));
    }
    for own in outside.titles.iter().chain(&outside.comments) {
        assert!(all.contains(own), "{own} is lost\n{text}\n{worklog}");
    }
    for (id, title) in &outside.added {
        once(&format!("id: {id}\n"));
        once(&format!("title: {title}\n"));
    }
    assert!(text.starts_with("# the head\n") && text.contains("owner: ann # ours\n"), "{text}");
    ids_are_unique(&text, &worklog);
    // What is left waits for a person, and says why.
    let left = text.matches("  - id: ").count();
    assert_eq!(left, text.matches("    status: blocked").count(), "{text}");
    assert_eq!(left, text.matches("    blocked_reason: ").count(), "{text}");
}

/// Returns how many entries an item may have in file and worklog: one, or two where a
/// kill came between the worklog and the file, and somebody edited the item before it
/// was archived again: then the entry that came first holds what the item was.
fn archived_twice(id: &str, worklog: &str) -> usize {
    let head = format!("- id: {id}\n");
    let titles: Vec<&str> =
        worklog.split(&head).skip(1).filter_map(|rest| rest.lines().next()).collect();
    match titles.as_slice() {
        [first, second] if first != second => 2,
        _ => 1,
    }
}

fn ids_are_unique(text: &str, worklog: &str) {
    let ids_of = |text: &str| -> Vec<String> {
        let lines = text.lines();
        let ids = lines.filter_map(|line| line.trim_start().strip_prefix("- id: "));
        ids.map(str::to_owned).collect()
    };
    let (mut ids, archived) = (ids_of(text), ids_of(worklog));
    ids.extend(archived.into_iter().collect::<BTreeSet<_>>());
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}
