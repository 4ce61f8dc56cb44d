//! The property: an edit does what it says and nothing else, or nothing at all.
//!
//! `ORCHESTRATOR_FUZZ_CASES` sets how many cases are run.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::body::{Choice, Tally, run, run_on};

fn cases() -> u32 {
    let set = std::env::var("ORCHESTRATOR_FUZZ_CASES").ok();
    set.and_then(|cases| cases.parse().ok()).unwrap_or(1500)
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn random_edits_of_random_documents() {
    let total = std::cell::Cell::new(Tally::default());
    let outcome = runner().run(&prop::collection::vec(any::<u8>(), 0..240), |data| {
        let one = run(&data);
        let mut sum = total.get();
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
    assert!(
        total.made > total.refused,
        "too few edits are made: {total:?}"
    );
}
