//! What is known of an object, as far as collections are asked for.

use lastgasp_goruntime::TypeReader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use crate::heap::Heap;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// Nothing is known.
    Unknown,
    /// One value of the type at an address.
    One(Addr),
    /// Values of the type at an address in a row.
    Array(Addr),
    /// Bytes of a string.
    String,
    /// The header of a map of the type at an address.
    Map(Addr),
    /// An array of buckets or groups, of which the type of one is at an address.
    Runs(Addr),
    /// Something else.
    Other,
}

impl Heap<'_> {
    /// What an object is.
    pub(crate) fn what(&self, types: &mut TypeReader<'_>, object: ObjectId) -> What {
        let layout = self.graph.layout();
        let Some(at) = self.types.header_of(object) else { return What::Unknown };
        let Some(of) = types.get(at) else { return What::Unknown };
        if of.name.starts_with("map.group[") || of.name.starts_with("map.bucket[") {
            return What::Runs(at);
        }
        // Slots are never twice as large as asked for.
        if layout.bytes(object).saturating_sub(8) / of.size.max(1) >= 2 { What::Array(at) } else { What::One(at) }
    }
}
