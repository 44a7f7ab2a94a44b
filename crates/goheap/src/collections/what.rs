//! What is known of an object, as far as collections are asked for.

use lastgasp_goruntime::TypeReader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use crate::heap::Heap;
use crate::types::ObjectType;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// Nothing is known.
    Unknown,
    /// One value of the type at an address.
    One(Addr),
    /// Values of the type at an address in a row.
    Array(Addr),
    /// The header of a map of the type at an address.
    Map(Addr),
    /// A channel of elements of the type at an address.
    Chan(Addr),
    /// An array of buckets or groups, of which the type of one is at an address.
    Runs(Addr),
    /// An array of buckets or groups of a map of the type at an address.
    RunsOf(Addr),
    /// Something else.
    Other,
}

impl Heap<'_> {
    /// What an object is.
    pub(crate) fn what(&self, types: &mut TypeReader<'_>, object: ObjectId) -> What {
        let Some((of, _)) = self.types.get(self.graph.layout(), object) else { return What::Unknown };
        let mut is_run = |at: Addr| {
            types.get(at).is_some_and(|t| t.name.starts_with("map.group[") || t.name.starts_with("map.bucket["))
        };
        match of {
            // The allocator notes the type of a bucket or group and not that of the map.
            ObjectType::Value(at) | ObjectType::Values(at) if is_run(at) => What::Runs(at),
            ObjectType::Value(at) => What::One(at),
            ObjectType::Values(at) => What::Array(at),
            ObjectType::Map(at) => What::Map(at),
            ObjectType::Chan(at) => What::Chan(at),
            ObjectType::MapRuns(at) => What::RunsOf(at),
            ObjectType::String | ObjectType::Other => What::Other,
        }
    }

    /// Bytes of the runtime's own in front of an object.
    pub(crate) fn header_of(&self, object: ObjectId) -> u64 {
        let at = self.graph.layout().address(object);
        let span = at.and_then(|at| self.objects.find(Addr(at))).and_then(|o| self.objects.spans().get(o.span));
        span.map_or(0, lastgasp_goruntime::ObjectSpan::header)
    }

    /// Whether the objects of the span that begins at an address hold no pointers.
    pub(crate) fn is_noscan(&self, span: u64) -> bool {
        let found = self.objects.spans().binary_search_by_key(&span, |s| s.start.0).ok();
        found.and_then(|i| self.objects.spans().get(i)).is_some_and(lastgasp_goruntime::ObjectSpan::noscan)
    }

    /// Whether an object holds no pointers.
    pub(crate) fn is_noscan_object(&self, object: ObjectId) -> bool {
        let at = self.graph.layout().address(object);
        let span = at.and_then(|at| self.objects.find(Addr(at))).and_then(|o| self.objects.spans().get(o.span));
        span.is_some_and(lastgasp_goruntime::ObjectSpan::noscan)
    }
}
