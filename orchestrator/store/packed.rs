//! Items as few bytes that are quick to read: for our own eyes only.
//!
//! Texts are their length and their bytes, numbers are in base 128, lowest first.
//! What is absent has the length 0, and every other length is one more than it is.
//! Values that are not ours are JSON, and an item is packed only where that reads
//! back as the very same value.

use std::str::FromStr;

use serde_yaml::Mapping;

use crate::model::{BacklogItem, Description, StructuredDescription};

/// Packs values one after the other.
#[derive(Default)]
pub(super) struct Packer {
    out: Vec<u8>,
}

impl Packer {
    /// Returns what was packed.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64 + 1);
        self.out.extend_from_slice(bytes);
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes(text.as_bytes()),
            None => self.number(0),
        }
    }

    fn list(&mut self, list: &[String]) {
        self.number(list.len() as u64);
        for entry in list {
            self.bytes(entry.as_bytes());
        }
    }

    fn mapping(&mut self, mapping: &Mapping) -> Option<()> {
        if mapping.is_empty() {
            self.number(0);
            return Some(());
        }
        let json = serde_json::to_vec(mapping).ok()?;
        let again: Mapping = serde_json::from_slice(&json).ok()?;
        // In order, and with the same tags.
        (again == *mapping && again.iter().eq(mapping)).then(|| self.bytes(&json))
    }

    /// Packs an item; none where it would not read back the same.
    pub(super) fn item(&mut self, item: &BacklogItem) -> Option<()> {
        let BacklogItem {
            id,
            title,
            status,
            phase,
            phase_pool,
            pipeline_type,
            last_phase_commit,
            size,
            complexity,
            risk,
            impact,
            requires_human_review,
            description,
            origin,
            tags,
            dependencies,
            blocked_from_status,
            blocked_reason,
            blocked_type,
            unblock_context,
            approved,
            created,
            updated,
            extra,
        } = item;
        for text in [id, phase, pipeline_type, last_phase_commit, origin, blocked_reason] {
            self.text(text.as_deref());
        }
        for text in [unblock_context, approved, created, updated] {
            self.text(text.as_deref());
        }
        self.bytes(title.as_bytes());
        self.bytes(status.as_str().as_bytes());
        self.text(phase_pool.map(|word| word.as_str()));
        self.text(size.map(|word| word.as_str()));
        for level in [complexity, risk, impact] {
            self.text(level.map(|word| word.as_str()));
        }
        self.text(blocked_from_status.map(|word| word.as_str()));
        self.text(blocked_type.map(|word| word.as_str()));
        self.number((*requires_human_review).into());
        self.list(tags);
        self.list(dependencies);
        self.description(description.as_ref())?;
        self.mapping(extra)
    }

    fn description(&mut self, description: Option<&Description>) -> Option<()> {
        match description {
            None => self.number(0),
            Some(Description::Text(text)) => {
                self.number(1);
                self.bytes(text.as_bytes());
            }
            Some(Description::Structured(parts)) => {
                let StructuredDescription {
                    context,
                    problem,
                    solution,
                    impact,
                    sizing_rationale,
                    extra,
                } = &**parts;
                self.number(2);
                for text in [context, problem, solution, impact, sizing_rationale] {
                    self.text(text.as_deref());
                }
                self.mapping(extra)?;
            }
        }
        Some(())
    }
}

/// Reads packed values one after the other; none where there is something else.
pub(super) struct Unpacker<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    /// Starts at the beginning.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns whether all was read.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Reads bytes that are there.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        self.maybe_bytes()?
    }

    fn maybe_bytes(&mut self) -> Option<Option<&'a [u8]>> {
        let Some(len) = usize::try_from(self.number()?).ok()?.checked_sub(1) else {
            return Some(None);
        };
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Some(bytes))
    }

    fn maybe_str(&mut self) -> Option<Option<&'a str>> {
        match self.maybe_bytes()? {
            Some(bytes) => std::str::from_utf8(bytes).ok().map(Some),
            None => Some(None),
        }
    }

    fn text(&mut self) -> Option<Option<String>> {
        Some(self.maybe_str()?.map(str::to_owned))
    }

    fn word<T: FromStr>(&mut self) -> Option<Option<T>> {
        match self.maybe_str()? {
            Some(word) => word.parse().ok().map(Some),
            None => Some(None),
        }
    }

    fn list(&mut self) -> Option<Vec<String>> {
        let len = self.number()?;
        (0..len).map(|_| self.text()?).collect()
    }

    fn mapping(&mut self) -> Option<Mapping> {
        match self.maybe_bytes()? {
            Some(json) => serde_json::from_slice(json).ok(),
            None => Some(Mapping::new()),
        }
    }

    /// Reads an item.
    pub(super) fn item(&mut self) -> Option<BacklogItem> {
        // In the order in which they were packed.
        Some(BacklogItem {
            id: self.text()?,
            phase: self.text()?,
            pipeline_type: self.text()?,
            last_phase_commit: self.text()?,
            origin: self.text()?,
            blocked_reason: self.text()?,
            unblock_context: self.text()?,
            approved: self.text()?,
            created: self.text()?,
            updated: self.text()?,
            title: self.text()??,
            status: self.word()??,
            phase_pool: self.word()?,
            size: self.word()?,
            complexity: self.word()?,
            risk: self.word()?,
            impact: self.word()?,
            blocked_from_status: self.word()?,
            blocked_type: self.word()?,
            requires_human_review: self.number()? != 0,
            tags: self.list()?,
            dependencies: self.list()?,
            description: self.description()?,
            extra: self.mapping()?,
        })
    }

    fn description(&mut self) -> Option<Option<Description>> {
        match self.number()? {
            0 => Some(None),
            1 => Some(Some(Description::Text(self.text()??))),
            2 => Some(Some(Description::Structured(Box::new(StructuredDescription {
                context: self.text()?,
                problem: self.text()?,
                solution: self.text()?,
                impact: self.text()?,
                sizing_rationale: self.text()?,
                extra: self.mapping()?,
            })))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn round_trip(yaml: &str) -> bool {
        let (item, problems) = BacklogItem::from_mapping(serde_yaml::from_str(yaml).unwrap());
        assert_eq!(problems, []);
        let mut packer = Packer::default();
        if packer.item(&item).is_none() {
            return false;
        }
        let bytes = packer.into_bytes();
        let mut unpacker = Unpacker::new(&bytes);
        assert_eq!(unpacker.item(), Some(item), "{yaml}");
        assert!(unpacker.is_done());
        for end in 0..bytes.len() {
            assert_eq!(Unpacker::new(&bytes[..end]).item(), None, "cut at {end}");
        }
        true
    }

    #[test]
    fn what_is_packed_comes_back() {
        assert!(round_trip("title: t"));
        assert!(round_trip(
            "id: A-1\ntitle: t\nstatus: blocked\nphase: p\nsize: small\ncomplexity: low\nrisk: high\nimpact: medium\n\
            requires_human_review: true\norigin: o\ntags: [a, '']\ndependencies: [A-2]\nblocked_from_status: new\n\
            blocked_reason: r\nblocked_type: decision\nunblock_context: u\napproved: 2026-01-01T00:00:00Z\n\
            created: 2026-01-01T00:00:00Z\nupdated: 2026-01-02T00:00:00Z\npipeline_type: f\ndescription: \"d\\n\"\n\
            phase_pool: pre\nlast_phase_commit: c\nzz: {b: 1, a: [1.5, null, true, '2']}\nmine: -3\n"
        ));
        assert!(round_trip("title: t\ndescription: {context: c, impact: i, mine: [x]}"));
    }

    #[test]
    fn what_json_cannot_say_is_not_packed() {
        assert!(!round_trip("title: t\nmine: !tag x"));
        assert!(!round_trip("title: t\nmine: .nan"));
        assert!(!round_trip("title: t\nmine: {1: x}"));
    }
}
