//! What code says of a value.

use lastgasp_inferior::Addr;

use super::super::Word;

/// What a use of a value says of it; types are named by address, and not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Said {
    /// It points to one value of the type.
    Pointer(Addr),
    /// It points to an array of such values.
    Array(Addr),
    /// It points into an array of such values, at any of them.
    Within(Addr),
    /// It is the first word of a slice of such values: what it points to may be a part of anything.
    Slice(Addr),
    /// It is a map of the type.
    Map(Addr),
    /// It is a channel of the type.
    Chan(Addr),
    /// It points to memory for one or several values of the type.
    Memory(Addr),
    /// It is the first word of a string.
    String,
    /// It is a function's value: a closure.
    Func,
    /// Uses of it disagree.
    Unclear,
}

impl Said {
    /// The type that it names.
    #[must_use]
    pub fn of(self) -> Option<Addr> {
        match self {
            Self::Pointer(of)
            | Self::Array(of)
            | Self::Within(of)
            | Self::Slice(of)
            | Self::Map(of)
            | Self::Chan(of)
            | Self::Memory(of) => Some(of),
            Self::String | Self::Func | Self::Unclear => None,
        }
    }

    /// What a word is by the type of the value that it stands in.
    pub(super) fn of_word(word: Word) -> Option<Self> {
        Some(match word {
            Word::Pointer(of) => Self::Pointer(of),
            Word::Slice(of) => Self::Slice(of),
            Word::Map(of) => Self::Map(of),
            Word::Chan(of) => Self::Chan(of),
            Word::String => Self::String,
            Word::Func => Self::Func,
            // Which type stands there is not said by the word.
            Word::Interface { .. } | Word::Unsafe => return None,
        })
    }
}
