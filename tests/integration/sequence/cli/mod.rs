//! The `id` commands on databases, through the program.

mod adopting;
mod answers;
mod issuing;
mod postgres;
mod rebuilding;
mod rebuilding_beside;
mod sources;
mod storm;
mod workshop;
