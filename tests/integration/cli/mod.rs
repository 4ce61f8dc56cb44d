//! The command line, through the program itself: what is printed where, JSON, exit
//! codes, and what is in the file afterwards.

mod change;
mod check;
mod edit;
mod errors;
mod lifecycle;
mod project;
mod read;
mod together;
