//! What stands behind a map, of both kinds.

use lastgasp_inferior::Addr;

/// Overflow buckets of one walk that are kept by address.
pub const MAX_OVERFLOW_KEPT: usize = 1 << 20;

/// What stands behind a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapArrays {
    /// Keys, as the header counts them.
    pub elements: u64,
    /// Keys, as the tables count them; of a map without tables as the header does.
    pub counted: u64,
    /// Slots of the arrays; without overflow buckets, which only a walk finds.
    pub slots: u64,
    /// The arrays of buckets or groups; while a map of buckets grows, the old one last.
    pub arrays: Vec<Addr>,
    /// What else belongs to it: the directory and its tables.
    pub tables: Vec<Addr>,
    /// Whether a map of buckets is between two arrays.
    pub is_growing: bool,
}
