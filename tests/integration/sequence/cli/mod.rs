//! The `id` commands on databases, through the program.

mod adopting;
mod answers;
mod issuing;
mod postgres;
mod rebuilding;
mod sources;
mod storm;
mod workshop;
