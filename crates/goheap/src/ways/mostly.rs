//! The type of most of what each root keeps.

use lastgasp_heapgraph::Holder;
use rustc_hash::FxHashMap;

use crate::heap::Heap;

/// What a root keeps most of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mostly {
    /// Type as `%T` spells it.
    pub type_name: String,
    /// Retained bytes of that type.
    pub bytes: u64,
}

/// Of every root, and group of them, that alone keeps something of a known type.
#[must_use]
pub fn mostly(heap: &Heap<'_>) -> FxHashMap<Holder, Mostly> {
    let mut sums: FxHashMap<(Holder, &str), u64> = FxHashMap::default();
    let layout = heap.graph.layout();
    heap.dominators.each_with_owner(&heap.graph, |object, owner| {
        let owner = match owner {
            // Goroutines are told by group.
            Holder::Root(root) => heap.graph.roots().group_of(root).map_or(owner, Holder::Group),
            other => other,
        };
        if let Some((_, name)) = heap.type_of(object) {
            *sums.entry((owner, name)).or_default() += layout.bytes(object);
        }
    });
    let mut out: FxHashMap<Holder, Mostly> = FxHashMap::default();
    for ((owner, name), bytes) in sums {
        let known = out.entry(owner).or_default();
        if (bytes, known.type_name.as_str()) > (known.bytes, name) || known.type_name.is_empty() {
            *known = Mostly { type_name: name.to_owned(), bytes };
        }
    }
    out
}
