//! Where in the story the phases of each item are: `events.jsonl` only grows, for as long
//! as there is a backlog, and whoever asks for an item's phases time and again reads only
//! what came since.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;

use super::events::{Event, PHASE_DONE};
use super::{Paths, StoreError};
use crate::fs;

/// The places of the phases that were done.
#[derive(Debug)]
pub struct Story {
    path: PathBuf,
    /// The file that was read, by device and inode, and how much of it.
    file: (u64, u64),
    read: u64,
    /// The lines of each item's phases, by its ID.
    places: HashMap<String, Vec<Range<u64>>>,
}

/// What says of a line whose phase it is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    item: Option<Cow<'a, str>>,
}

impl Story {
    /// Makes the story of a backlog, of which nothing is read yet.
    pub fn new(paths: &Paths) -> Self {
        Self { path: paths.events(), file: (0, 0), read: 0, places: HashMap::new() }
    }

    /// Returns the events of the phases of an item that were done, oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn done(&mut self, id: &str) -> Result<Vec<Event>, StoreError> {
        self.refresh()?;
        let places = self.places.get(id).map_or(&[][..], Vec::as_slice);
        let lines = fs::read_ranges(&self.path, places)?;
        Ok(lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Returns the names of the phases of an item that were done, oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn phases(&mut self, id: &str) -> Result<Vec<String>, StoreError> {
        let details = self.done(id)?.into_iter().filter_map(|event| event.detail);
        let name = |detail: String| detail.split(": ").next().unwrap_or_default().to_owned();
        Ok(details.map(name).collect())
    }

    fn refresh(&mut self) -> Result<(), StoreError> {
        let stamp = fs::stamp(&self.path)?;
        let (file, len) = stamp.map_or(((0, 0), 0), |stamp| ((stamp.dev, stamp.ino), stamp.len));
        if file != self.file || len < self.read {
            (self.file, self.read) = (file, 0);
            self.places.clear();
        }
        if len == self.read {
            return Ok(());
        }
        let since = self.read..len;
        let new = fs::read_ranges(&self.path, std::slice::from_ref(&since))?;
        let new = new.into_iter().next().unwrap_or_default();
        for line in new.split_inclusive(|byte| *byte == b'\n') {
            // One that somebody is writing is read with the next look.
            if !line.ends_with(b"\n") {
                break;
            }
            let place = self.read..self.read + line.len() as u64;
            self.read = place.end;
            if let Ok(Head { event, item: Some(item) }) = serde_json::from_slice(line)
                && event == PHASE_DONE
            {
                self.places.entry(item.into_owned()).or_default().push(place);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::events;

    fn event(event: &str, item: &str, detail: &str) -> Event {
        Event {
            time: "2026-11-28T12:00:00Z".to_owned(),
            event: event.to_owned(),
            item: Some(item.to_owned()),
            detail: Some(detail.to_owned()),
        }
    }

    #[test]
    fn what_came_since_is_read_and_a_story_that_was_lost_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(&dir.path().join("BACKLOG.yaml"), "worklog".as_ref()).unwrap();
        paths.prepare().unwrap();
        let mut story = Story::new(&paths);
        let phases = |story: &mut Story| story.phases("A-1").unwrap();
        assert_eq!(phases(&mut story), [""; 0]);
        let build = event(PHASE_DONE, "A-1", "build: so\n\nand \"so\"");
        let others = [event("added", "A-1", "x: y"), event(PHASE_DONE, "A-10", "prd: x")];
        events::append(&paths, &[build.clone(), others[0].clone(), others[1].clone()]).unwrap();
        assert_eq!(story.done("A-1").unwrap(), std::slice::from_ref(&build));
        // A line that is cut short is none, until it is whole.
        let line = serde_json::to_vec(&event(PHASE_DONE, "A-1", "review: x")).unwrap();
        let (first, rest) = line.split_at(40);
        fs::append(&paths.events(), first, fs::Durability::Buffered).unwrap();
        assert_eq!(phases(&mut story), ["build"]);
        fs::append(&paths.events(), rest, fs::Durability::Buffered).unwrap();
        fs::append(&paths.events(), b"\n", fs::Durability::Buffered).unwrap();
        assert_eq!(phases(&mut story), ["build", "review"]);
        assert_eq!(phases(&mut Story::new(&paths)), ["build", "review"]);
        fs::remove(&paths.events()).unwrap();
        assert_eq!(phases(&mut story), [""; 0]);
        events::append(&paths, &[build]).unwrap();
        assert_eq!(phases(&mut story), ["build"]);
    }
}
