//! Runs through the program itself, with an agent that follows a script.

mod concurrency;
mod effects;
mod ends;
mod git;
mod workshop;
