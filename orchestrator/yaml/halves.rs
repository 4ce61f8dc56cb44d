//! Reading a long text on two threads.
//!
//! A block list's record reads the same alone as in its file, so the text is cut
//! before one: what comes before is a document by itself, and so is the rest, once
//! the list's key is put above it. Where the two do not fit together exactly (the
//! cut was inside a quoted text, there are anchors or directives, anything is
//! wrong), there is no answer, and the text must be read in one piece.

use serde_yaml::Mapping;

use super::index::{Index, List, index};

/// From how many bytes on it pays to start a thread.
const MIN_LEN: usize = 128 * 1024;

/// Returns where a text may be cut in two: a line near its middle that looks like
/// that of a record. None where it is short, or its list in an unusual layout.
pub(super) fn cut(text: &str, list: &str) -> Option<usize> {
    if text.len() < MIN_LEN || std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return None;
    }
    let key = format!("{list}:");
    let is_at_line = |at: usize| at == 0 || text.as_bytes()[at - 1] == b'\n';
    let (at, _) = text.match_indices(&key).find(|(at, _)| is_at_line(*at))?;
    let first = text[at..].split_inclusive('\n').skip(1).find(|line| {
        let line = line.trim_start_matches(' ');
        !(line.trim_end().is_empty() || line.starts_with('#'))
    })?;
    let dash = first.find("- ").filter(|dash| first[..*dash].bytes().all(|b| b == b' '))?;
    let wanted = format!("\n{}- ", " ".repeat(dash));
    let mut middle = at + (text.len() - at) / 2;
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    Some(middle + text[middle..].find(&wanted)? + 1)
}

/// Reads a text without byte order mark as [`index`] does, cut in two. Returns the
/// index, and for each record what `read` made of its value; none where only a
/// reading in one piece can tell.
pub(super) fn index_halves<T: Send>(
    text: &str,
    list: &str,
    cut: usize,
    read: &(impl Fn(Mapping) -> T + Sync),
) -> Option<(Index, Vec<T>)> {
    let (head, tail) = text.split_at_checked(cut)?;
    let header = format!("{list}:\n");
    let (first, second) = std::thread::scope(|scope| {
        let rest = std::thread::Builder::new().spawn_scoped(scope, || {
            let text = format!("{header}{tail}");
            let mut made = Vec::new();
            let read = index(&text, 0, list, &mut |_, mapping| made.push(read(mapping)));
            read.ok().map(|index| (index, made))
        });
        let mut made = Vec::new();
        let first = index(head, 0, list, &mut |_, mapping| made.push(read(mapping)));
        let first = first.ok().map(|index| (index, made));
        (first, rest.ok().and_then(|rest| rest.join().ok()).flatten())
    });
    let ((first, mut made), (second, rest)) = (first?, second?);
    let index = joined(first, second, head, header.len())?;
    made.extend(rest);
    Some((index, made))
}

/// Puts the indexes of two halves together, where they are those of one text.
fn joined(first: Index, second: Index, head: &str, header: usize) -> Option<Index> {
    let (mut first, mut second) = (first, second);
    let is_block = matches!(first.root.list, List::Block { .. });
    let begins = first.records.first()?.start;
    let has_directive = head[..begins].lines().any(|line| line.starts_with('%'));
    let fit = is_block
        && first.root.list == second.root.list
        && !(first.root.anchors || second.root.anchors)
        && !(first.root.braces || second.root.braces)
        && first.root.tail == head.len()
        && second.records.first()?.start == header
        && second.root.keys.first()?.offset == 0
        && !has_directive;
    let is_twice = |name: &str| first.root.keys.iter().any(|key| key.name == name);
    let keys = second.root.keys.split_off(1);
    if !fit || keys.iter().any(|key| is_twice(&key.name)) {
        return None;
    }
    let delta = head.len().cast_signed() - header.cast_signed();
    second.root.keys = keys;
    second.shift(0, 0, delta);
    first.records.append(&mut second.records);
    first.root.keys.append(&mut second.root.keys);
    first.root.tail = second.root.tail;
    for (key, value) in second.root.values {
        if first.root.values.insert(key, value).is_some() {
            return None;
        }
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut before any line, a text reads as it does in one piece, or not at all.
    /// Returns how many cuts it bears.
    fn cuts(text: &str) -> usize {
        let mut whole = Vec::new();
        let read = index(text, 0, "items", &mut |_, mapping| whole.push(mapping)).ok();
        let mut found = 0;
        for (at, _) in text.match_indices('\n') {
            let halves = index_halves(text, "items", at + 1, &|mapping| mapping);
            if let Some((index, records)) = halves {
                assert_eq!(Some(&index), read.as_ref(), "cut at {at}: {text}");
                assert_eq!(records, whole);
                found += 1;
            }
        }
        found
    }

    #[test]
    fn halves_are_as_good_as_the_whole() {
        let plain = "# c\nv: 2\nitems:\n  - a: 1\n    b: |+\n      x\n\n  # c\n\n  - a: 2\n  - {a: 3}\nlast: 1\n";
        assert_eq!(cuts(plain), 2);
        assert_eq!(cuts("items:\n- a: 1\n- a: 2\n- a: 3\nlast: 1\n"), 2);
        assert_eq!(cuts("items:\n- a: 1\n- a: 2\n...\n"), 1);
        // Cuts that lie, or would change what the rest means.
        assert_eq!(cuts("items:\n- a: \"x\n- y\"\n"), 0);
        assert_eq!(cuts("items:\n- a: [x,\n- y]\n"), 0);
        assert_eq!(cuts("items:\n- a: &x 1\n- a: *x\n"), 0);
        assert_eq!(cuts("%TAG ! tag:e.org,2000:\n---\nitems:\n- a: !x 1\n- a: !x 1\n"), 0);
        assert_eq!(cuts("items:\n- a: 1\n...\n---\nitems:\n- a: 2\n"), 0);
        assert_eq!(cuts("last: 1\nitems:\n- a: 1\n- a: 2\nlast: 1\n"), 0);
        assert_eq!(cuts("other:\n  - a: 1\n  - a: 2\nitems: []\n"), 0);
        assert_eq!(cuts("items:\n  - - a\n    - b\n"), 0);
    }

    #[test]
    fn a_long_text_is_cut_near_its_middle() {
        let mut text = String::from("# c\n\nitems: # c\n\n  # c\n");
        for n in 0..10_000 {
            text.push_str(&format!("  - id: A-{n}\n    text: |\n      - x\n"));
        }
        if let Some(at) = cut(&text, "items") {
            assert!(text[at..].starts_with("  - id: A-"));
            assert!(at.abs_diff(text.len() / 2) < 200);
            assert!(index_halves(&text, "items", at, &|_| ()).is_some());
        }
        assert_eq!(cut("items:\n  - a: 1\n", "items"), None);
        assert_eq!(cut(&text.replace("items:", "itms:"), "items"), None);
    }
}
