//! Files that the tests read: the hand-edited oddities under tests/fixtures.
#![expect(
    clippy::disallowed_methods,
    reason = "the product reads no files in its yaml module; its tests do"
)]

use std::path::Path;

/// Returns the names and texts of all files of a folder that end in `.yaml`, in
/// the order of their names; none where there is no such folder.
pub(super) fn texts(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("a readable text"))
        })
        .collect()
}

/// Returns the hand-edited oddities.
pub(super) fn fixtures() -> Vec<(String, String)> {
    let found = texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/yaml"));
    assert!(!found.is_empty(), "the fixtures are part of the repository");
    found
}
