//! Collections of a Go program: maps of both kinds, slices, strings, channels, `sync.Map` and `sync.Pool`,
//! read by where they stand and, for maps, by the layout that their type has.
//!
//! Three depths, each with its price. A *header* is one small read: elements and capacity. The *arrays* add
//! what stands behind a map. A *walk* reads all of it, in pieces through a buffer that is used again, and
//! tells of each key and value where it stands and what bytes it has. All are bounded by what the caller
//! gives ([`ReadBudget`]): a map that says it has a billion slots costs no more than that.

mod buckets;
mod budget;
mod channels;
mod groups;
pub(crate) mod headers;
#[cfg(test)]
mod hostile;
mod map_arrays;
mod maps;
mod runs;
mod sequences;
mod sync_map;
mod sync_pool;
pub(crate) mod words;

pub use budget::{Broken, ReadBudget};
pub use channels::ChanHeader;
pub use headers::{
    HeaderKind, HeaderReader, HeaderReading, KnownHeader, MAP_ARRAY, MAP_HEADER, MapGuess, guess_map, map_header,
};
pub use map_arrays::{MAX_OVERFLOW_KEPT, MapArrays};
pub use maps::{Entry, MapReader, Walk};
pub use sequences::{SliceHeader, StringHeader};
pub use sync_map::walk_sync_map;
pub use sync_pool::pooled_objects;
