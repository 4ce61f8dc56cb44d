//! Random edits of hostile YAML files, driven by coverage.
//!
//! `cargo +nightly fuzz run edit`; the body is that of the property tests.
#![no_main]

#[path = "../body/mod.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
