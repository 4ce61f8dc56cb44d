//! The store on a real disk.

mod corpus;
mod crashes;
mod editors;
mod ids;
mod inbox;
mod saving;
