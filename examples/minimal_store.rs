//! Adds an item to a backlog from a program of your own, with the core alone: no
//! feature of the crate is needed.
//!
//! ```sh
//! cargo run --example minimal_store --no-default-features -- path/to/BACKLOG.yaml
//! ```
//!
//! Without a path it works in a temporary folder. A backlog that is not there is
//! made; one that is there keeps every byte but the mark and the new item.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use orchestrator::model::Change;
use orchestrator::model::change::NewItem;
use orchestrator::store::{BacklogStore, StoreOptions, init};

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => scratch.path().join("BACKLOG.yaml"),
    };
    let options = StoreOptions::new(&path);
    init(&options)?;
    let mut store = BacklogStore::open(options)?;

    // The lock is taken, the file read again, the change made, the file saved: when
    // `save` returns, the ID is durable and may be told to anyone.
    let add = Change::Add(vec![NewItem::titled("Write the release notes")]);
    let saved = store.lock()?.save(&[add.into()])?;

    let mut stdout = std::io::stdout().lock();
    for outcome in saved.outcomes {
        for item in outcome?.added {
            writeln!(stdout, "{}", item.id.as_deref().unwrap_or_default())?;
        }
    }
    for warning in store.take_warnings() {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    Ok(())
}
