//! Runs through the program itself, with an agent that follows a script.

mod agents;
mod by_hand;
mod concurrency;
mod effects;
mod ends;
mod git;
mod log;
mod storm;
#[cfg(target_os = "linux")]
mod terminal;
mod workshop;
