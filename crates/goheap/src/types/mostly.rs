//! The types of most of what each root keeps.

use lastgasp_heapgraph::{Graph, Holder, Retained};
use rustc_hash::FxHashMap;

use super::{ObjectType, Types};

/// Types of a root that are told.
const MOST: usize = 6;

/// What a root keeps of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mostly {
    /// Type as `%T` spells it.
    pub type_name: String,
    /// What such an object is, to who asks where it is made.
    pub of: ObjectType,
    /// Retained objects of that type.
    pub objects: u32,
    /// Retained bytes of that type.
    pub bytes: u64,
}

/// Of every root, and group of them, that alone keeps something of a known type: the types of most of it,
/// most first; never none. `held` is what each owner has of each known type.
pub(super) fn mostly(
    types: &Types,
    graph: &Graph,
    held: Vec<(Holder, u32, Retained)>,
) -> FxHashMap<Holder, Vec<Mostly>> {
    let mut sums: FxHashMap<(Holder, u32), Retained> = FxHashMap::default();
    for (owner, number, of) in held {
        let owner = match owner {
            // Goroutines are told by group.
            Holder::Root(root) => graph.roots().group_of(root).map_or(owner, Holder::Group),
            other => other,
        };
        sums.entry((owner, number)).or_default().add(of);
    }
    // In an order that hangs on nothing but the heap.
    let named = |((owner, number), of): ((Holder, u32), Retained)| {
        let (type_name, object) = types.named(number)?;
        Some((owner, Mostly { type_name: type_name.to_owned(), of: object, objects: of.objects, bytes: of.bytes }))
    };
    let mut sums: Vec<(Holder, Mostly)> = sums.into_iter().filter_map(named).collect();
    sums.sort_by(|a, b| (b.1.bytes, &a.1.type_name).cmp(&(a.1.bytes, &b.1.type_name)));
    let mut out: FxHashMap<Holder, Vec<Mostly>> = FxHashMap::default();
    for (owner, of) in sums {
        let types = out.entry(owner).or_default();
        if types.len() < MOST {
            types.push(of);
        }
    }
    out
}
