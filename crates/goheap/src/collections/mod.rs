//! The collections of a heap, found by what they are and not by who holds them.
//!
//! - `maps`, `map_types`: maps of both kinds.
//! - `channels`: channels with a buffer.
//! - `arrays`: arrays, and from where to where pointers lead into each.

pub(crate) mod arrays;
pub(crate) mod channels;
pub(crate) mod map_types;
pub(crate) mod maps;
pub(crate) mod slots;
pub(crate) mod what;
