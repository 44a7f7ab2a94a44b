//! The way to a collection's header: plain data.

use lastgasp_inferior::Addr;

use crate::collections::HeaderKind;

/// Most words that are followed behind the first one.
pub const MAX_HOPS: usize = 8;

/// A word that stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// A word of data or bss.
    Variable(Addr),
    /// A word of a goroutine's frame.
    Stack(StackAnchor),
}

/// A variable of a frame, alive by the compiler's map for as long as its goroutine waits below that very
/// call. A stack may be moved: places are counted from its top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StackAnchor {
    /// The `g`.
    pub g: Addr,
    /// Its goroutine: a `g` is used again.
    pub goid: u64,
    /// Bytes from the word to the stack's top.
    pub word: u64,
    /// Bytes from the word with the frame's return address to the stack's top.
    pub pc_word: u64,
    /// That address: where the frame goes on.
    pub pc: Addr,
    /// What the word holds.
    pub object: Addr,
}

/// From a word to the next: what it points to, and so many bytes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hop {
    /// Bytes, as a wrapping number: a pointer may go into the middle of an object.
    pub offset: u64,
    /// What the word in front of the next one must hold, if that is not 0: of an interface its type, so that
    /// a value of another one is not read as this.
    pub tag: u64,
}

/// A way to a collection. Its last word is the pointer to a map, or the first of a slice's header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// Where it begins.
    pub anchor: Anchor,
    /// From word to word.
    pub hops: Vec<Hop>,
    /// What stands at its end.
    pub kind: HeaderKind,
}
