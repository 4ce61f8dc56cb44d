//! A copy of what the file was read as, in `.orchestrator/cache`, so that the next
//! process need not parse a text that nobody changed since.
//!
//! It may be deleted at any time, and serves only the very text whose hash it
//! names, written by this very version of the program. A copy that is torn,
//! damaged or of another version is as good as none: the text is parsed. Only
//! what was read without a single problem is kept, so nothing is left unsaid.

use super::load::{Loaded, Plain};
use super::packed::{Packer, Unpacker};
use super::{Paths, StoreError};
use crate::fs::{self, Durability};

/// To be raised with every change of what is written, or of what a text means.
const FORMAT: &str = "orchestrator-cache-1";

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
    packer.number(u64::try_from(plain.items.len()).ok()?);
    for item in &plain.items {
        packer.item(item)?;
    }
    Some(packer.into_bytes())
}

fn unpack(body: &[u8]) -> Option<Plain> {
    let mut unpacker = Unpacker::new(body);
    let index = unpacker.bytes()?.to_vec();
    let version = u32::try_from(unpacker.number()?).ok()?;
    let count = usize::try_from(unpacker.number()?).ok()?;
    // No item is packed into less than a byte.
    let mut items = Vec::with_capacity(count.min(body.len()));
    for _ in 0..count {
        items.push(unpacker.item()?.into());
    }
    unpacker.is_done().then_some(Plain { index, version, items })
}
