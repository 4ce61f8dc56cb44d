//! The property: an edit does what it says and nothing else, or nothing at all.
//!
//! `ORCHESTRATOR_FUZZ_CASES` sets how many cases each test runs.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::body::{Choice, Tally, run, run_on};
use super::fixtures;

fn runner() -> TestRunner {
    let set = std::env::var("ORCHESTRATOR_FUZZ_CASES").ok();
    let cases = set.and_then(|cases| cases.parse().ok()).unwrap_or(300);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Runs a body on random bytes, and checks that its edits are made often enough to
/// prove anything.
#[expect(clippy::print_stdout, reason = "the numbers tell how much was proven")]
fn hold(body: impl Fn(&[u8]) -> Tally) {
    let total = Cell::new(Tally::default());
    let bytes = prop::collection::vec(any::<u8>(), 0..240);
    let outcome = runner().run(&bytes, |data| {
        let (one, mut sum) = (body(&data), total.get());
        sum.made += one.made;
        sum.refused += one.refused;
        sum.rejected += one.rejected;
        total.set(sum);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let total = total.get();
    println!("{total:?}");
    assert!(total.made > total.refused, "{total:?}");
}

#[test]
fn random_edits_of_random_documents() {
    hold(run);
}

#[test]
fn random_edits_of_the_fixtures() {
    let fixtures = fixtures();
    hold(|data| {
        let mut choice = Choice::new(data);
        let (_, text) = &fixtures[choice.below(fixtures.len())];
        run_on(&mut choice, text.clone())
    });
}
