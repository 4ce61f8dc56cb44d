//! The integration tests: one binary, a folder per module.

mod yaml;
