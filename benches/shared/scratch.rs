//! Where a bench puts its files: beside what cargo builds, on the disk that projects are
//! on. The system's folder for temporary files is in memory on many machines, where a
//! durable write costs nothing, and else full of what others have just deleted, which some
//! file systems look through for each new file.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::Result;

/// Makes a folder that is a repository of its own, as projects are: else its files would
/// belong to the one that the bench was built in.
pub(crate) fn folder(bench: &str) -> Result<TempDir> {
    let above = env!("CARGO_TARGET_TMPDIR");
    fs::create_dir_all(above)?;
    let folder = tempfile::Builder::new().prefix(&format!("{bench}-")).tempdir_in(above)?;
    let init = Command::new("git").args(["init", "-q", "--template="]).arg(folder.path()).status();
    if init?.success() { Ok(folder) } else { Err("git makes no repository".into()) }
}
