//! The `id` in the head of a Markdown file: YAML between two lines of `---`.

use std::borrow::Cow;

use serde_yaml::{Mapping, Value};

/// What the head of a file says of its ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontMatter {
    /// The file has no head.
    None,
    /// The ID, as it is written.
    Id(String),
}

/// Why the head of a file says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontMatterError {
    /// The file is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// The line that ends the head is missing.
    #[error("its front matter has no end")]
    NoEnd,
    /// What stands in the head is no YAML map.
    #[error("its front matter is no YAML map")]
    NotYaml,
    /// The map has no `id`.
    #[error("its front matter has no `id`")]
    NoId,
    /// The `id` is a list, a map, or nothing.
    #[error("the `id` of its front matter is no text")]
    OddId,
}

/// Reads the ID in the head of a file, of which the beginning suffices.
///
/// A head begins on the first line, a byte order mark aside, with `---`, and ends
/// with a line of `---` or `...`. UTF-16 is known by its mark; lines may end with a
/// carriage return alone.
///
/// # Errors
/// Where there is a head, but no ID in it.
pub fn front_matter(bytes: &[u8]) -> Result<FrontMatter, FrontMatterError> {
    let decoded = decoded(bytes);
    let bytes = decoded.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&decoded);
    let Some(rest) = bytes.strip_prefix(b"---") else { return Ok(FrontMatter::None) };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    if !rest[..end].trim_ascii().is_empty() {
        // A rule of more dashes, or a text that happens to begin so.
        return Ok(FrontMatter::None);
    }
    let mut head = end;
    for line in rest[end..].split_inclusive(|byte| *byte == b'\n') {
        if matches!(line.trim_ascii_end(), b"---" | b"...") {
            return id_in(&rest[end..head]);
        }
        head += line.len();
    }
    Err(FrontMatterError::NoEnd)
}

/// Returns a text in UTF-8, with line feeds, as far as it can be told.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let decode = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.into_bytes()
    };
    let mut bytes = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(decode(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(decode(rest, u16::from_be_bytes)),
        _ => Cow::Borrowed(bytes),
    };
    if bytes.contains(&b'\r') && !bytes.contains(&b'\n') {
        bytes.to_mut().iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
    bytes
}

fn id_in(head: &[u8]) -> Result<FrontMatter, FrontMatterError> {
    let text = std::str::from_utf8(head).map_err(|_| FrontMatterError::NotUtf8)?;
    let map: Mapping = serde_yaml::from_str(text).map_err(|_| FrontMatterError::NotYaml)?;
    match map.get("id") {
        None => Err(FrontMatterError::NoId),
        Some(Value::String(id)) if !id.trim().is_empty() => {
            Ok(FrontMatter::Id(id.trim().to_owned()))
        }
        Some(Value::Number(id)) => Ok(FrontMatter::Id(id.to_string())),
        Some(_) => Err(FrontMatterError::OddId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_as_it_is_written() {
        for text in [
            "---\nid: KABSD-TSK-0309\nuid: 0\n---\n\n# Context\n",
            "---\narea: general\nexternal:\n  azure_id: null\nid: KABSD-TSK-0309\n---",
            "\u{feff}---  \r\nid: \"KABSD-TSK-0309\"\r\ntags: []\r\n---\r\ntext",
            "---\nid: ' KABSD-TSK-0309 '\n...\n---\nid: other\n---\n",
        ] {
            let id = FrontMatter::Id("KABSD-TSK-0309".to_owned());
            assert_eq!(front_matter(text.as_bytes()), Ok(id), "{text:?}");
        }
        let text = "---\nid: Größe-TSK-0309\n---\nÄ\n";
        let id = FrontMatter::Id("Größe-TSK-0309".to_owned());
        let little = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes);
        let big = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes);
        for bytes in [little.collect(), big.collect(), text.replace('\n', "\r").into_bytes()] {
            let bytes: Vec<u8> = bytes;
            assert_eq!(front_matter(&bytes), Ok(id.clone()), "{bytes:?}");
        }
        let number = front_matter(b"---\nid: 7\n---\n");
        assert_eq!(number, Ok(FrontMatter::Id("7".to_owned())));
    }

    #[test]
    fn a_file_without_a_head_says_nothing() {
        for text in ["", "# Title\n---\nid: A-1\n---\n", "----\nid: A-1\n----\n", "--- a\n", "--"] {
            assert_eq!(front_matter(text.as_bytes()), Ok(FrontMatter::None), "{text:?}");
        }
    }

    #[test]
    fn a_head_that_is_damaged_is_told() {
        use FrontMatterError::*;
        for (text, error) in [
            ("---", NoEnd),
            ("---\nid: A-1\n", NoEnd),
            ("---\nid: A-1\n ---\n", NoEnd),
            ("---\n---\n", NoId),
            ("---\n- id: A-1\n---\n", NotYaml),
            ("---\nid: A-1\nid: A-2\n---\n", NotYaml),
            ("---\nid: [\n---\n", NotYaml),
            ("---\ntitle: t\n---\n", NoId),
            ("---\nid:\n---\n", OddId),
            ("---\nid: ''\n---\n", OddId),
            ("---\nid: [A-1]\n---\n", OddId),
        ] {
            assert_eq!(front_matter(text.as_bytes()), Err(error), "{text:?}");
        }
        assert_eq!(front_matter(b"---\nid: \xff\n---\n"), Err(NotUtf8));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let mut head = b"---\n".to_vec();
            head.extend(bytes);
            let _any = front_matter(&head);
            head.extend(b"\n---\n");
            let _any = front_matter(&head);
        }
    }
}
