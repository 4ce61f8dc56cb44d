//! Choices: a stream of bytes, read as decisions.
//!
//! When the bytes are used up every choice is the first, so that a short input
//! makes a small case.

/// Reads decisions off a byte slice.
#[derive(Debug, Clone)]
pub(crate) struct Choice<'d> {
    data: &'d [u8],
}

impl<'d> Choice<'d> {
    /// Starts at the first byte.
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self { data }
    }

    /// Returns a number below `end` (which is above 0).
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let mut number = self.byte();
        if end > 256 {
            number = number << 8 | self.byte();
        }
        number % end
    }

    /// Returns true once in `times`, never when the bytes are used up.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Returns one of several.
    pub(crate) fn of<'o, T: ?Sized>(&mut self, options: &[&'o T]) -> &'o T {
        options[self.below(options.len())]
    }

    fn byte(&mut self) -> usize {
        match self.data.split_first() {
            Some((first, rest)) => {
                self.data = rest;
                usize::from(*first)
            }
            None => 0,
        }
    }
}
