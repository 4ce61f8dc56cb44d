//! Random sequences of everything that happens to a backlog, against a plain oracle
//! in memory: commands, hand edits, checkouts, a second worktree, crashes, deleted
//! state.
//!
//! What must hold after each step: no ID is told twice, no mark goes down, the file
//! parses, what a person wrote beside our fields is in the file or the worklog, and
//! every told item is in the backlog, in the worklog, or reported as lost.
//!
//! `ORCHESTRATOR_MODEL_CASES` says how many sequences, `ORCHESTRATOR_MODEL_SEED`
//! repeats a run. A sequence that fails is shortened before it is shown.

mod hand;
mod oracle;
mod step;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use world::{Violation, World};

use crate::support::{Random, count};

/// Steps of a sequence.
const STEPS: usize = 14;
/// Sequences at a time: most of their time they wait for files to settle.
const TOGETHER: usize = 32;

/// A sequence: how the world begins, and a seed for each step, so that steps can be
/// left out and the others stay what they are.
#[derive(Debug, Clone)]
struct Case {
    start: u64,
    steps: Vec<u64>,
}

/// Runs a sequence; what went wrong, with the steps so far.
fn run(case: &Case) -> Result<(), String> {
    let mut log = Vec::new();
    let ran = catch_unwind(AssertUnwindSafe(|| -> Result<(), Violation> {
        let mut world = World::new(case.start);
        for seed in &case.steps {
            step::take(&mut world, &mut Random::new(*seed), &mut log)?;
        }
        world.finish(&mut log)
    }));
    let what = match ran {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Violation(what))) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let word = panic.downcast_ref::<&str>().map(|&word| word.to_owned());
            format!("a panic: {}", text.or(word).unwrap_or_default())
        }
    };
    Err(format!("{}\n=> {what}", log.join("\n")))
}

/// Leaves out every step that the failure does not need.
fn shorten(mut case: Case, mut failure: String) -> (Case, String) {
    let mut tries = 0;
    let mut index = case.steps.len();
    while index > 0 && tries < 300 {
        index -= 1;
        let mut shorter = case.clone();
        shorter.steps.remove(index);
        tries += 1;
        if let Err(what) = run(&shorter) {
            case = shorter;
            failure = what;
            index = case.steps.len();
        }
    }
    (case, failure)
}

#[test]
fn random_sequences_keep_every_promise() {
    let cases = count("ORCHESTRATOR_MODEL_CASES", 2_000);
    let seeds = Mutex::new(Random::from_env("ORCHESTRATOR_MODEL_SEED"));
    let left = AtomicUsize::new(cases);
    let failed: Mutex<Option<(Case, String)>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                let one_less = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                    let case = {
                        let mut random = seeds.lock().unwrap();
                        let steps = (0..STEPS).map(|_| random.next()).collect();
                        Case { start: random.next(), steps }
                    };
                    if let Err(failure) = run(&case) {
                        failed.lock().unwrap().get_or_insert((case, failure));
                        left.store(0, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if let Some((case, failure)) = failed.into_inner().unwrap() {
        let (case, failure) = shorten(case, failure);
        panic!("{case:?}\n{failure}");
    }
}
