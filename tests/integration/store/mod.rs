//! The store on a real disk.

mod crashes;
mod ids;
mod saving;
