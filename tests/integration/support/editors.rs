//! Editors that save while programs add: the two ways in which editors write, and
//! how long a race of them with programs lasts.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How an editor puts its text on disk.
pub(crate) type SaveAs = fn(&Path, &str);

/// Writes a new file and moves it over the old one, as vim does.
pub(crate) fn by_rename(path: &Path, text: &str) {
    let temp = path.with_extension("swp");
    fs::write(&temp, text).unwrap();
    fs::rename(&temp, path).unwrap();
}

/// Empties the file and writes it, in two pieces, as a large file would be.
pub(crate) fn in_place(path: &Path, text: &str) {
    let mut file = fs::File::create(path).unwrap();
    let (one, two) = text.split_at(text.len() / 2);
    file.write_all(one.as_bytes()).unwrap();
    thread::yield_now();
    file.write_all(two.as_bytes()).unwrap();
}

/// A race of an editor with adding programs.
///
/// The editor saves every 20 ms. On a disk where a save of ours takes longer than
/// that, each one finds another edit and goes forward again, and perhaps none gets
/// through; so where nothing was told when its time is over, the race goes on, and
/// the editor takes ever longer breaks.
pub(crate) struct Race {
    until: Instant,
    told: AtomicU32,
    is_over: AtomicBool,
}

impl Race {
    /// The longest that a race without progress goes on.
    const PATIENCE: Duration = Duration::from_secs(90);

    pub(crate) fn of_seconds(seconds: u64) -> Self {
        let until = Instant::now() + Duration::from_secs(seconds);
        Self { until, told: AtomicU32::new(0), is_over: AtomicBool::new(false) }
    }

    /// Tells whether an adding program goes on.
    pub(crate) fn goes_on(&self) -> bool {
        let now = Instant::now();
        let is_without_progress = self.told.load(Ordering::Relaxed) == 0;
        now < self.until || (is_without_progress && now < self.until + Self::PATIENCE)
    }

    pub(crate) fn tell(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the editor.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Calls `save` again and again, after a break each time, until the race is ended.
    pub(crate) fn edit(&self, mut save: impl FnMut()) {
        let mut pause = Duration::from_millis(20);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(pause);
            if Instant::now() > self.until {
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            save();
        }
    }
}
