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
    let mut sums: FxHashMap<(Holder, u32), u64> = FxHashMap::default();
    // What comes in a row is mostly alike.
    let mut last = ((Holder::All, u32::MAX), 0);
    let layout = heap.graph.layout();
    heap.dominators.each_with_owner(&heap.graph, |object, owner| {
        let owner = match owner {
            // Goroutines are told by group.
            Holder::Root(root) => heap.graph.roots().group_of(root).map_or(owner, Holder::Group),
            other => other,
        };
        let Some(name) = heap.types.name_number(layout, object) else { return };
        if last.0 != (owner, name) {
            *sums.entry(last.0).or_default() += last.1;
            last = ((owner, name), 0);
        }
        last.1 += layout.bytes(object);
    });
    *sums.entry(last.0).or_default() += last.1;
    // In an order that hangs on nothing but the heap.
    let named = |((owner, name), bytes): ((Holder, u32), u64)| Some(((owner, heap.types.name_of(name)?), bytes));
    let mut sums: Vec<((Holder, &str), u64)> = sums.into_iter().filter_map(named).collect();
    sums.sort_by(|a, b| (b.1, a.0.1).cmp(&(a.1, b.0.1)));
    let mut out: FxHashMap<Holder, Mostly> = FxHashMap::default();
    for ((owner, name), bytes) in sums {
        out.entry(owner).or_insert_with(|| Mostly { type_name: name.to_owned(), bytes });
    }
    out
}
