//! Random edits of hostile files, fixtures, and real files of a public project.

#[path = "../../../fuzz/body/mod.rs"]
mod body;
mod corpus;
mod edits;
mod files;

use files::fixtures;
