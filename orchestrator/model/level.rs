//! The closed sets of values an item's fields can take: sizes, levels, kinds of
//! blocks. Each reads its words in any letter case and names them all when it
//! meets another.

/// A word that is none of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{value}`, expected one of {}", .expected.join(", "))]
pub struct UnknownValue {
    /// What the word should have been: `size`, `status` …
    pub what: &'static str,
    /// The word.
    pub value: String,
    /// All words of the set.
    pub expected: &'static [&'static str],
}

/// Defines a closed set of words as an enum: reading, writing, serde.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All words, in order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Returns the word that stands in a file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownValue;

            fn from_str(text: &str) -> Result<Self, $crate::model::UnknownValue> {
                $(if $crate::model::level::same_word(text, $word) { return Ok(Self::$variant); })+
                Err($crate::model::UnknownValue { what: $what, value: text.to_owned(), expected: Self::WORDS })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// Returns whether a text is a word, letter case aside and with dashes and spaces
/// for underscores.
pub(crate) fn same_word(text: &str, word: &str) -> bool {
    let text = text.trim();
    text.len() == word.len()
        && text.bytes().zip(word.bytes()).all(|(t, w)| match t {
            b'-' | b' ' => w == b'_',
            t => t.to_ascii_lowercase() == w,
        })
}

words! {
    /// How much work an item is.
    Size, "size", {
        /// Small.
        Small = "small",
        /// Medium.
        Medium = "medium",
        /// Large.
        Large = "large",
    }
}

words! {
    /// How complex, how risky or how valuable an item is.
    Level, "level", {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

words! {
    /// What a blocked item waits for.
    BlockType, "kind of block", {
        /// A question to be answered.
        Clarification = "clarification",
        /// A choice to be made.
        Decision = "decision",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case() {
        assert_eq!("Small".parse(), Ok(Size::Small));
        assert_eq!(" HIGH ".parse(), Ok(Level::High));
        let error = "huge".parse::<Size>().unwrap_err();
        assert_eq!(error.to_string(), "unknown size `huge`, expected one of small, medium, large");
    }
}
