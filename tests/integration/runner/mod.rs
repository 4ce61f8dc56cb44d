//! Agents as real processes: what they leave, how they end, what is believed.

mod bench;
mod endings;
mod killed;
mod results;
mod timing;
