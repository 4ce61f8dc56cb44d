//! How an ID is written: `{type}-{n:03}`, and how it is read back.
//!
//! A template has literal text, the parts of the key in braces by name, and once
//! the number: `{n}`, or `{n:03}` for at least three digits. `{{` and `}}` are
//! braces. Widths are minima: after `CL999` comes `CL1000`. Reading takes any
//! width, since files of a project may have been numbered by several programs.

use std::fmt;

use super::SequenceError;

/// Above this width an ID is no longer something that a person reads.
const MAX_WIDTH: usize = 20;

/// An ID format that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A part of the key, by its place in it.
    Part(usize),
    Number {
        width: usize,
    },
}

impl IdTemplate {
    /// Reads a template whose key parts may have these names.
    ///
    /// # Errors
    /// [`SequenceError::Format`] where a brace is not closed, a name is not known or
    /// comes twice, the number is missing or comes twice, or is wider than 20.
    pub fn new(text: &str, names: &[&str]) -> Result<Self, SequenceError> {
        match pieces(text, names) {
            Ok(pieces) => Ok(Self { text: text.to_owned(), pieces }),
            Err(problem) => Err(SequenceError::Format { template: text.to_owned(), problem }),
        }
    }

    /// Writes the ID of a number. A part that the key does not have is left out.
    pub fn render(&self, parts: &[String], number: u32) -> String {
        let mut id = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => id.push_str(text),
                Piece::Part(place) => id.push_str(parts.get(*place).map_or("", String::as_str)),
                Piece::Number { width } => id.push_str(&format!("{number:0width$}")),
            }
        }
        id
    }

    /// Reads the number of an ID of this key, whatever its width; `None` where the
    /// text is no such ID. Since the parts are known, they may end in digits.
    pub fn number(&self, parts: &[String], id: &str) -> Option<u64> {
        let (before, after) = self.around(parts);
        number_of(id.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?)
    }

    /// Returns what stands before and after the number. A part that the key does not
    /// have is left out.
    pub(super) fn around(&self, parts: &[String]) -> (String, String) {
        let (mut before, mut after) = (String::new(), String::new());
        let mut side = &mut before;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => side.push_str(text),
                Piece::Part(place) => side.push_str(parts.get(*place).map_or("", String::as_str)),
                Piece::Number { .. } => side = &mut after,
            }
        }
        (before, after)
    }

    /// Returns the template in which the parts that are known are literal text.
    pub(super) fn with_parts(&self, parts: &[Option<String>]) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in &self.pieces {
            let known = match piece {
                Piece::Literal(text) => Some(text),
                Piece::Part(place) => parts.get(*place).and_then(Option::as_ref),
                Piece::Number { .. } => None,
            };
            match (pieces.last_mut(), known) {
                (Some(Piece::Literal(before)), Some(text)) => before.push_str(text),
                (_, Some(text)) => pieces.push(Piece::Literal(text.clone())),
                (_, None) => pieces.push(piece.clone()),
            }
        }
        Self { text: self.text.clone(), pieces }
    }

    /// Returns its literal text, piece by piece.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Tells whether an ID begins with its number.
    pub(super) fn begins_with_number(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Number { .. }))
    }

    /// Returns what stands after the number, where that is literal text alone.
    pub(super) fn tail(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [.., Piece::Number { .. }] => Some(""),
            [.., Piece::Number { .. }, Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Reads the key parts and the number of an ID: the parts in the order of the
    /// names given to [`IdTemplate::new`], `None` for one the template does not
    /// show. Read from the right, each part is as short as can be, and the first one
    /// takes the rest; so in `A-B-TSK-01` of `{prefix}-{type}-{n}` the prefix is
    /// `A-B`. `None` where the text is no such ID.
    pub fn parse(&self, id: &str, names: usize) -> Option<(Vec<Option<String>>, u64)> {
        let mut parts = vec![None; names];
        let mut number = None;
        let mut rest = id;
        for (i, piece) in self.pieces.iter().enumerate().rev() {
            match piece {
                Piece::Literal(text) => rest = rest.strip_suffix(text.as_str())?,
                Piece::Number { .. } => {
                    let digits =
                        rest.len() - rest.trim_end_matches(|c: char| c.is_ascii_digit()).len();
                    let (left, text) = rest.split_at(rest.len() - digits);
                    number = Some(number_of(text)?);
                    rest = left;
                }
                Piece::Part(place) => {
                    let start = match self.pieces[..i].last() {
                        None => 0,
                        Some(Piece::Literal(text)) => rest.rfind(text.as_str())? + text.len(),
                        // A part that touches another piece has no border to find.
                        Some(_) => rest.char_indices().next_back()?.0,
                    };
                    let (left, part) = rest.split_at(start);
                    if part.is_empty() {
                        return None;
                    }
                    *parts.get_mut(*place)? = Some(part.to_owned());
                    rest = left;
                }
            }
        }
        rest.is_empty().then_some((parts, number?))
    }
}

impl fmt::Display for IdTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn number_of(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

fn pieces(text: &str, names: &[&str]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.next_if_eq(&'{').is_some() => literal.push('{'),
            '}' if chars.next_if_eq(&'}').is_some() => literal.push('}'),
            '}' => return Err("has a `}` too many".to_owned()),
            '{' => {
                let mut inside = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => inside.push(c),
                        None => return Err("has a `{` that is not closed".to_owned()),
                    }
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                let piece = placeholder(&inside, names)?;
                let is_number = |p: &Piece| matches!(p, Piece::Number { .. });
                if pieces.contains(&piece) || is_number(&piece) && pieces.iter().any(is_number) {
                    return Err(format!("has {{{inside}}} twice"));
                }
                pieces.push(piece);
            }
            c if c.is_control() => return Err("has control characters".to_owned()),
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    if !pieces.iter().any(|piece| matches!(piece, Piece::Number { .. })) {
        return Err("has no number: {n} or {n:03}".to_owned());
    }
    Ok(pieces)
}

fn placeholder(inside: &str, names: &[&str]) -> Result<Piece, String> {
    if inside == "n" {
        return Ok(Piece::Number { width: 1 });
    }
    if let Some(width) = inside.strip_prefix("n:0") {
        let width = width.parse().ok().filter(|width| (1..=MAX_WIDTH).contains(width));
        let width =
            width.ok_or_else(|| format!("has no width in {{{inside}}}: 1 to {MAX_WIDTH}"))?;
        return Ok(Piece::Number { width });
    }
    match names.iter().position(|name| *name == inside) {
        Some(place) => Ok(Piece::Part(place)),
        None if names.is_empty() => {
            Err(format!("has {{{inside}}}, but only {{n}} can stand there"))
        }
        None => Err(format!(
            "has {{{inside}}}, but the key has {} and the number {{n}}",
            names.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|&part| part.to_owned()).collect()
    }

    #[test]
    fn widths_are_minima() {
        let credit = IdTemplate::new("CL{n:03}", &["name"]).unwrap();
        let fixed = IdTemplate::new("FV{n:04}", &["name"]).unwrap();
        let next =
            |template: &IdTemplate, n| (template.render(&[], n), template.render(&[], n + 1));
        assert_eq!(next(&credit, 9), ("CL009".into(), "CL010".into()));
        assert_eq!(next(&credit, 999), ("CL999".into(), "CL1000".into()));
        assert_eq!(next(&fixed, 999), ("FV0999".into(), "FV1000".into()));
        assert_eq!(credit.render(&[], u32::MAX), "CL4294967295");
    }

    #[test]
    fn an_id_reads_back_with_any_width() {
        let template = IdTemplate::new("{prefix}-{type}-{n:04}", &["prefix", "type"]).unwrap();
        let key = parts(&["KABSD", "TSK"]);
        for n in [1, 12, 309, 9_999, 10_000, u32::MAX] {
            let id = template.render(&key, n);
            assert_eq!(template.number(&key, &id), Some(u64::from(n)));
            let named = vec![Some("KABSD".to_owned()), Some("TSK".to_owned())];
            assert_eq!(template.parse(&id, 2), Some((named, u64::from(n))));
        }
        for id in ["KABSD-TSK-7", "KABSD-TSK-0000007"] {
            assert_eq!(template.number(&key, id), Some(7));
        }
        for id in ["KABSD-TSK-", "KABSD-TSK-7x", "KABSD-FTR-7", "XKABSD-TSK-7", "KABSD-TSK-+7"] {
            assert_eq!(template.number(&key, id), None, "{id}");
        }
        let far = "KABSD-TSK-99999999999999999999";
        assert_eq!((template.number(&key, far), template.parse(far, 2)), (None, None));
    }

    #[test]
    fn prefixes_with_digits_and_dashes() {
        let template = IdTemplate::new("{prefix}-{type}-{n}", &["prefix", "type"]).unwrap();
        let named = |a: &str, b: &str| vec![Some(a.to_owned()), Some(b.to_owned())];
        assert_eq!(template.parse("A-B2-T3-4", 2), Some((named("A-B2", "T3"), 4)));
        assert_eq!(template.parse("-T-4", 2), None);
        let glued = IdTemplate::new("{type}{n:03}", &["type", "project"]).unwrap();
        assert_eq!(glued.number(&parts(&["P2"]), "P2001"), Some(1));
        assert_eq!(glued.parse("P001", 2), Some((vec![Some("P".to_owned()), None], 1)));
        let braces = IdTemplate::new("{{{n}}}", &[]).unwrap();
        assert_eq!(braces.render(&[], 5), "{5}");
        assert_eq!(braces.number(&[], "{05}"), Some(5));
    }

    #[test]
    fn templates_that_cannot_be_used() {
        for bad in [
            "",
            "CL",
            "{n",
            "n}",
            "{n}{n:03}",
            "{n:3}",
            "{n:0}",
            "{n:00}",
            "{n:021}",
            "{kind}{n}",
            "{type}{type}{n}",
            "{n:03x}",
            "a\n{n}",
        ] {
            let made = IdTemplate::new(bad, &["type"]);
            assert!(matches!(made, Err(SequenceError::Format { .. })), "{bad:?}");
        }
    }
}
