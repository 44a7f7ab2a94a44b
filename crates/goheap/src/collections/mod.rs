//! The collections of a heap, found by what they are and not by who holds them.

pub(crate) mod map_types;
pub(crate) mod maps;
pub(crate) mod what;
