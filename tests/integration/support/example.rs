//! The programs under `examples/` that tests start.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Returns the path of an example, which cargo builds along with the tests; it is
/// built here only where the tests were built alone.
pub(crate) fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().join("examples")
    });
    let path = folder.join(name);
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", name]);
        assert!(cargo.status().unwrap().success(), "the example {name} was not built");
    }
    path
}
