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
    // In an order that hangs on nothing but the heap.
    let mut sums: Vec<((Holder, &str), u64)> = sums.into_iter().collect();
    sums.sort_by(|a, b| (b.1, a.0.1).cmp(&(a.1, b.0.1)));
    let mut out: FxHashMap<Holder, Mostly> = FxHashMap::default();
    for ((owner, name), bytes) in sums {
        out.entry(owner).or_insert_with(|| Mostly { type_name: name.to_owned(), bytes });
    }
    out
}
