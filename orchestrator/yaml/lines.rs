//! Lines: where they begin and end, and which line and column an offset is on.
//!
//! A line ends with `\n`, `\r\n` or a lone `\r`, as YAML 1.2 has it. Columns are
//! counted in characters from 1, lines from 1. The table of line numbers is made
//! when it is first asked for, and holds one number per 4 KiB of text.

use std::sync::OnceLock;

/// Bytes of text per entry of the table.
const CHUNK: usize = 4 * 1024;

/// Returns whether the byte ends a line.
pub(super) const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Returns whether the byte separates tokens within a line.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns the offset of the first byte of the line that holds `at`.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut start = at.min(bytes.len());
    // Between the two bytes of `\r\n` one is still on the line they end.
    if start > 0 && bytes.get(start) == Some(&b'\n') && bytes[start - 1] == b'\r' {
        start -= 1;
    }
    while start > 0 && !is_break(bytes[start - 1]) {
        start -= 1;
    }
    start
}

/// Returns the offset of the line break that ends the line of `at`, or the end of
/// the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at.min(bytes.len());
    while end < bytes.len() && !is_break(bytes[end]) {
        end += 1;
    }
    end
}

/// Returns the offset after the line break at `at`, or `at` where there is none.
pub(super) fn after_break(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at..) {
        Some([b'\r', b'\n', ..]) => at + 2,
        Some([b'\n' | b'\r', ..]) => at + 1,
        _ => at,
    }
}

/// Returns the offset of the line after the one that holds `at`, or the end of
/// the text.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    after_break(text, line_end(text, at))
}

/// Returns the line break nearest to `at`: the one before it, else the one after
/// it, else `\n`.
pub(super) fn break_near(text: &str, at: usize) -> &'static str {
    let start = line_start(text, at);
    let bytes = text.as_bytes();
    let before = match bytes.get(..start) {
        Some([.., b'\r', b'\n']) => Some("\r\n"),
        Some([.., b'\n']) => Some("\n"),
        Some([.., b'\r']) => Some("\r"),
        _ => None,
    };
    before.unwrap_or_else(|| {
        let end = line_end(text, at);
        match bytes.get(end..) {
            Some([b'\r', b'\n', ..]) => "\r\n",
            Some([b'\r', ..]) => "\r",
            _ => "\n",
        }
    })
}

/// Returns how many bytes the line break before `at` takes; 0 where `at` is not
/// the start of a line, or the start of the text.
pub(super) fn break_before(text: &str, at: usize) -> usize {
    match text.as_bytes().get(..at) {
        Some([.., b'\r', b'\n']) => 2,
        Some([.., b'\n' | b'\r']) => 1,
        _ => 0,
    }
}

/// Returns the offset of the first byte at or after `at` that is neither blank,
/// nor a line break, nor inside a comment.
pub(super) fn skip_to_token(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = at;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'#' {
            at = line_end(text, at);
        } else if is_blank(byte) || is_break(byte) {
            at += 1;
        } else {
            break;
        }
    }
    at
}

/// Returns the offset of the first byte at or after `at` that is not blank.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| is_blank(**b)).count()
}

/// Returns the number of spaces that `line` starts with.
pub(super) fn indent_of(line: &str) -> usize {
    line.bytes().take_while(|b| *b == b' ').count()
}

/// Returns whether only blanks are left of `line`.
pub(super) fn is_blank_line(line: &str) -> bool {
    line.bytes().all(is_blank)
}

/// Splits a text into its lines, without their breaks.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let start = at?;
        let end = line_end(text, start);
        let next = after_break(text, end);
        at = (next > end).then_some(next);
        if start == text.len() {
            return None;
        }
        Some(&text[start..end])
    })
}

/// Line numbers of a text, counted once and then looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct LineTable {
    /// How many lines end before the chunk of the same number.
    breaks: OnceLock<Vec<u32>>,
}

impl LineTable {
    /// Forgets what was counted, for a text that has changed.
    pub(super) fn clear(&mut self) {
        self.breaks.take();
    }

    /// Returns line and column of an offset into `text`, both from 1; `head` is
    /// where the first line begins (after a byte order mark).
    pub(super) fn line_column(&self, text: &str, head: usize, offset: usize) -> (u32, u32) {
        let mut offset = offset.clamp(head.min(text.len()), text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = line_start(text, offset).max(head);
        let breaks = self.breaks.get_or_init(|| count_all(text.as_bytes()));
        let chunk = start / CHUNK;
        let before = breaks.get(chunk).copied().unwrap_or(0);
        let line = before + count(text.as_bytes(), chunk * CHUNK, start) + 1;
        let column = text[start..offset].chars().count() + 1;
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// Counts the lines that end before each chunk.
fn count_all(text: &[u8]) -> Vec<u32> {
    let mut total = 0;
    let mut breaks = vec![0];
    for start in (0..text.len()).step_by(CHUNK) {
        total += count(text, start, (start + CHUNK).min(text.len()));
        breaks.push(total);
    }
    breaks
}

/// Counts the line breaks whose last byte lies in the range.
fn count(text: &[u8], start: usize, end: usize) -> u32 {
    let range = &text[start..end];
    let feeds = range.iter().filter(|b| **b == b'\n').count();
    // A `\r` counts by itself only where no `\n` follows it.
    let returns = range.iter().filter(|b| **b == b'\r').count();
    let mut lone = 0;
    if returns > 0 {
        lone = (start..end)
            .filter(|&at| text[at] == b'\r' && text.get(at + 1) != Some(&b'\n'))
            .count();
    }
    u32::try_from(feeds + lone).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind_are_counted_once() {
        let text = "a\nb\r\nc\rd\u{fc}x";
        let table = LineTable::default();
        let at = |c: char| table.line_column(text, 0, text.find(c).unwrap());
        assert_eq!(at('a'), (1, 1));
        assert_eq!(at('b'), (2, 1));
        assert_eq!(at('c'), (3, 1));
        assert_eq!(at('d'), (4, 1));
        assert_eq!(at('x'), (4, 3));
        assert_eq!(table.line_column(text, 0, 4), (2, 3), "on the feed");
        assert_eq!(lines(text).collect::<Vec<_>>(), ["a", "b", "c", "d\u{fc}x"]);
        assert_eq!(lines("a\n\n").collect::<Vec<_>>(), ["a", ""]);
    }

    #[test]
    fn numbers_agree_with_a_plain_count_across_chunks() {
        let mut text = String::new();
        for n in 0..30_000 {
            text.push_str(if n % 7 == 0 { "k: v\r\n" } else { "key: value\n" });
        }
        let table = LineTable::default();
        for offset in (0..text.len()).step_by(4093) {
            let start = line_start(&text, offset);
            let line = text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
            let column = offset - start + 1;
            let (l, c) = table.line_column(&text, 0, offset);
            assert_eq!((l as usize, c as usize), (line, column), "offset {offset}");
        }
    }

    #[test]
    fn the_nearest_break_is_the_one_before() {
        assert_eq!(break_near("a\r\nb\nc", 3), "\r\n");
        assert_eq!(break_near("a\r\nb\nc", 5), "\n");
        assert_eq!(break_near("a\r\nb", 0), "\r\n");
        assert_eq!(break_near("a", 0), "\n");
    }
}
