//! Runs through the program itself, with an agent that follows a script.

mod effects;
mod ends;
mod workshop;
