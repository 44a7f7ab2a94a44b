//! What alone holds an object, from one object or root to it: looked for once for all who ask, as a leaf has
//! no place of its own in the graph, and who looks for its holder looks at every pointer of the heap.

use std::sync::OnceLock;

use lastgasp_heapgraph::{Graph, Holder, ObjectId};

/// Holders that were looked for together, where somebody has.
#[derive(Default)]
pub(crate) struct Direct {
    known: OnceLock<Known>,
}

struct Known {
    /// Ascending.
    objects: Vec<ObjectId>,
    /// Of each of these what alone holds it; `None` where several do, or nothing.
    holders: Vec<Option<Holder>>,
}

impl Direct {
    /// Looks for the holders of all of `objects`, for who asks for some of them later. Done once: what is
    /// looked for a second time is looked for when it is asked for.
    pub(crate) fn look_for(&self, graph: &Graph, mut objects: Vec<ObjectId>) {
        self.known.get_or_init(|| {
            objects.sort_unstable();
            objects.dedup();
            let holders = graph.only_holders(&objects);
            Known { objects, holders }
        });
    }

    /// What alone holds each of `objects` directly; `None` where several do, or nothing.
    pub(crate) fn only_holders(&self, graph: &Graph, objects: &[ObjectId]) -> Vec<Option<Holder>> {
        let unknown: Vec<ObjectId> = objects.iter().copied().filter(|object| self.of(*object).is_none()).collect();
        let mut found = graph.only_holders(&unknown).into_iter();
        // What is not known was asked for in this order.
        objects.iter().map(|object| self.of(*object).unwrap_or_else(|| found.next().flatten())).collect()
    }

    fn of(&self, object: ObjectId) -> Option<Option<Holder>> {
        let known = self.known.get()?;
        known.holders.get(known.objects.binary_search(&object).ok()?).copied()
    }
}
