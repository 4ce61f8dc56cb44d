//! A copy of what the file was read as, in `.orchestrator/cache`, so that the next
//! process need not parse a text that nobody changed since.
//!
//! It may be deleted at any time, and serves only the very text whose hash it
//! names, written by this very version of the program. A copy that is torn,
//! damaged or of another version is as good as none: the text is parsed. Only
//! what was read without a single problem is kept, so nothing is left unsaid.

use std::sync::Arc;

use super::load::{Loaded, Plain};
use super::packed::{Packer, Unpacker};
use super::threads::both;
use super::{Paths, StoreError};
use crate::fs::{self, Durability};
use crate::model::BacklogItem;

/// To be raised with every change of what is written, or of what a text means.
const FORMAT: &str = "orchestrator-cache-2";

/// From how many bytes of text on a copy is worth writing.
const MIN_LEN: usize = 64 * 1024;

/// Returns the first line of a copy: whose it is, and what its bytes must hash to.
fn header(text_hash: &str, body: &[u8]) -> String {
    format!("{FORMAT} {} {text_hash} {}\n", env!("CARGO_PKG_VERSION"), fs::hash(body))
}

/// Returns what a text was read as before, where that is known for sure; else the
/// text.
pub(super) fn read(paths: &Paths, text: String) -> Result<Loaded, String> {
    if text.len() < MIN_LEN {
        return Err(text);
    }
    // Whatever is wrong with it only costs a parse.
    let Ok(Some(bytes)) = fs::read_if_exists(&paths.cache()) else {
        return Err(text);
    };
    let end = bytes.iter().take(256).position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (head, body) = bytes.split_at(end);
    let version = format!("{FORMAT} {} ", env!("CARGO_PKG_VERSION"));
    if !head.starts_with(version.as_bytes()) {
        return Err(text);
    }
    let hash = fs::hash(text.as_bytes());
    let is_of_text = head[version.len()..].starts_with(hash.as_bytes());
    if !is_of_text || head != header(&hash, body).as_bytes() {
        return Err(text);
    }
    match unpack(body) {
        Some(plain) => Loaded::from_plain(text, plain),
        None => Err(text),
    }
}

/// Writes the copy, unless it is there already. `hash` is that of the text.
///
/// # Errors
/// Where it cannot be written: nothing depends on it.
pub(super) fn write(paths: &Paths, loaded: &Loaded, hash: &str) -> Result<(), StoreError> {
    if loaded.doc.text().len() < MIN_LEN {
        return Ok(());
    }
    let Some(body) = loaded.as_plain().and_then(|plain| pack(&plain)) else {
        return Ok(());
    };
    let mut bytes = header(hash, &body).into_bytes();
    bytes.extend(body);
    // Not fsynced: what a crash leaves of it is known by its hash.
    let staged = paths.cache().with_added_extension("new");
    fs::remove_if_exists(&staged)?;
    fs::append(&staged, &bytes, Durability::Buffered)?;
    fs::rename(&staged, &paths.cache())?;
    Ok(())
}

fn pack(plain: &Plain) -> Option<Vec<u8>> {
    let mut packer = Packer::default();
    packer.bytes(&plain.index);
    packer.number(plain.version.into());
    let halves = plain.items.split_at(plain.items.len() / 2);
    let (first, second) = both(|| pack_items(halves.0), || pack_items(halves.1));
    packer.bytes(&first?);
    packer.bytes(&second?);
    Some(packer.into_bytes())
}

fn pack_items(items: &[Arc<BacklogItem>]) -> Option<Vec<u8>> {
    let mut packer = Packer::default();
    for item in items {
        packer.item(item)?;
    }
    Some(packer.into_bytes())
}

fn unpack(body: &[u8]) -> Option<Plain> {
    let mut unpacker = Unpacker::new(body);
    let index = unpacker.bytes()?.to_vec();
    let version = u32::try_from(unpacker.number()?).ok()?;
    let halves = (unpacker.bytes()?, unpacker.bytes()?);
    let (first, second) = both(|| unpack_items(halves.0), || unpack_items(halves.1));
    let (mut items, second) = (first?, second?);
    items.extend(second);
    unpacker.is_done().then_some(Plain { index, version, items })
}

fn unpack_items(packed: &[u8]) -> Option<Vec<Arc<BacklogItem>>> {
    let mut unpacker = Unpacker::new(packed);
    let mut items = Vec::new();
    while !unpacker.is_done() {
        items.push(Arc::new(unpacker.item()?));
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::super::load::load;
    use super::*;
    use crate::model::change::{ItemPatch, NewItem};
    use crate::model::{Change, Code, IdQuery, Rules};
    use crate::store::{BacklogStore, Request, StoreOptions};

    fn text() -> String {
        let mut text =
            String::from("# c\nschema_version: 2\nnext_item_id: 900\nowner: {a: 1}\nitems:\n");
        for n in 1..=900 {
            let tail = ["", "    tags: [x]\n", "    mine: [1, y]\n\n"][n % 3];
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "  - id: W-{n}\n    title: \"No {n}\"\n    description: |\n      {:60}.\n{tail}",
                "-"
            );
        }
        text
    }

    #[track_caller]
    fn assert_same(ours: &Loaded, text: &str) {
        let fresh = load(text.to_owned(), &Rules::default()).ok().unwrap();
        assert_eq!(ours.doc.text(), text);
        assert_eq!(ours.doc.packed_index(), fresh.doc.packed_index());
        assert_eq!(ours.file, fresh.file);
        assert_eq!(ours.problems, fresh.problems);
        assert_eq!((ours.version, ours.has_mark), (fresh.version, fresh.has_mark));
        assert_eq!(ours.highest, fresh.highest);
        assert!(ours.root_problems.is_empty() && fresh.root_problems.is_empty());
    }

    fn project() -> (tempfile::TempDir, Paths, Loaded) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(&dir.path().join("BACKLOG.yaml"), Path::new("worklog")).unwrap();
        paths.prepare().unwrap();
        (dir, paths, load(text(), &Rules::default()).ok().unwrap())
    }

    #[test]
    fn a_copy_is_as_good_as_a_parse_and_serves_its_own_text_only() {
        let (_dir, paths, loaded) = project();
        assert!(read(&paths, text()).is_err(), "there is none yet");
        write(&paths, &loaded, &fs::hash(text().as_bytes())).unwrap();
        assert_same(&read(&paths, text()).ok().unwrap(), &text());
        let other = text().replace("No 7\"", "No 8\"");
        assert_eq!(read(&paths, other.clone()).err(), Some(other));
    }

    #[test]
    fn a_damaged_copy_is_as_good_as_none() {
        let (_dir, paths, loaded) = project();
        write(&paths, &loaded, &fs::hash(text().as_bytes())).unwrap();
        let whole = fs::read(&paths.cache()).unwrap();
        for at in (0..whole.len()).step_by(997).chain(0..150) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            fs::replace(&paths.cache(), &damaged).unwrap();
            assert!(read(&paths, text()).is_err(), "byte {at}");
            fs::replace(&paths.cache(), &whole[..at]).unwrap();
            assert!(read(&paths, text()).is_err(), "cut at {at}");
        }
        // Sound, and not what belongs to the text: the places do not fit.
        let hash = fs::hash(text().as_bytes());
        for body in [&b""[..], b"\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            let bytes = [header(&hash, body).as_bytes(), body].concat();
            fs::replace(&paths.cache(), &bytes).unwrap();
            assert!(read(&paths, text()).is_err());
        }
    }

    #[test]
    fn a_text_with_problems_is_not_kept() {
        let (_dir, paths, _) = project();
        let odd = text().replacen("title:", "statsu: x\n    title:", 1);
        let loaded = load(odd.clone(), &Rules::default()).ok().unwrap();
        assert_eq!(loaded.problems[0][0].code, Code::UnknownKey);
        write(&paths, &loaded, &fs::hash(odd.as_bytes())).unwrap();
        assert!(fs::stamp(&paths.cache()).unwrap().is_none());
    }

    #[test]
    fn what_a_save_leaves_is_what_a_parse_finds() {
        let (_dir, paths, _) = project();
        fs::replace(&paths.file, text().as_bytes()).unwrap();
        let open = || BacklogStore::open(StoreOptions::new(&paths.file)).unwrap();
        for round in 0..6 {
            let mut store = open();
            let patch = ItemPatch {
                title: Some(format!("now: {round}")),
                tags: vec![crate::model::change::ListEdit::Add(format!("t{round}"))],
                ..ItemPatch::default()
            };
            let changes = [
                Change::Update { item: IdQuery::new(&format!("W-{}", 9 + round)), patch },
                Change::Add(vec![NewItem::titled("one more")]),
                Change::Done { item: IdQuery::new(&format!("W-{}", 20 + round)) },
                Change::ArchiveDone,
            ];
            store.lock().unwrap().save(&changes.map(Request::from)).unwrap();
            store.write_cache().unwrap();
            let text = String::from_utf8(fs::read(&paths.file).unwrap()).unwrap();
            assert_same(&read(&paths, text.clone()).ok().unwrap(), &text);
        }
    }
}
