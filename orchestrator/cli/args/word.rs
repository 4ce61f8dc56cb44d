//! Words of a closed set as values of options: read in any letter case, offered
//! by completion, and all named where another one is typed.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::value::NONE;
use crate::model::change::Assign;
use crate::model::{UnknownValue, did_you_mean};

/// Returns a parser of the words of a set.
pub(super) fn word<T>(words: &'static [&'static str]) -> Words<T> {
    Words { words, parsed: PhantomData }
}

/// Returns a parser of the words of a set, and of `none`, which clears a field.
pub(super) fn clearable<T>(words: &'static [&'static str]) -> Clearable<T> {
    Clearable(word(words))
}

/// Reads a word of a closed set.
#[derive(Debug)]
pub(super) struct Words<T> {
    words: &'static [&'static str],
    parsed: PhantomData<fn() -> T>,
}

// Derived, these would ask that `T` can be cloned.
impl<T> Clone for Words<T> {
    fn clone(&self) -> Self {
        word(self.words)
    }
}

impl<T> TypedValueParser for Words<T>
where
    T: FromStr<Err = UnknownValue> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let typed = value.to_string_lossy();
        typed.parse().map_err(|_| unknown(cmd, arg, &typed, self.words))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().copied().map(PossibleValue::new)))
    }
}

/// Reads a word of a closed set, or `none`.
#[derive(Debug)]
pub(super) struct Clearable<T>(Words<T>);

impl<T> Clone for Clearable<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> TypedValueParser for Clearable<T>
where
    T: FromStr<Err = UnknownValue> + Clone + Send + Sync + 'static,
{
    type Value = Assign<T>;

    fn parse_ref(
        &self,
        cmd: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Assign<T>, clap::Error> {
        let typed = value.to_string_lossy();
        if typed.trim().eq_ignore_ascii_case(NONE) {
            return Ok(Assign::Clear);
        }
        let words: Vec<&'static str> = self.0.words.iter().copied().chain([NONE]).collect();
        typed.parse().map(Assign::To).map_err(|_| unknown(cmd, arg, &typed, &words))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = self.0.words.iter().copied().chain([NONE]);
        Some(Box::new(words.map(PossibleValue::new)))
    }
}

fn unknown(cmd: &Command, arg: Option<&Arg>, typed: &str, words: &[&'static str]) -> clap::Error {
    let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(cmd);
    let text = |text: String| ContextValue::String(text);
    if let Some(arg) = arg {
        error.insert(ContextKind::InvalidArg, text(arg.to_string()));
    }
    error.insert(ContextKind::InvalidValue, text(typed.to_owned()));
    let valid = words.iter().map(|word| (*word).to_owned()).collect();
    error.insert(ContextKind::ValidValue, ContextValue::Strings(valid));
    if let Some(near) = did_you_mean(typed, words.iter().copied()) {
        error.insert(ContextKind::SuggestedValue, text(near.to_owned()));
    }
    error
}
