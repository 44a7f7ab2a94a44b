//! What alone holds an object, from one object or root to it: looked for once for all who ask, as a leaf has
//! no place of its own in the graph, and who looks for its holder looks at every pointer of the heap.

use lastgasp_heapgraph::{Holder, ObjectId};

use crate::heap::Heap;

/// Holders that were looked for together.
pub(crate) struct Direct {
    /// Ascending.
    objects: Vec<ObjectId>,
    /// Of each of these what alone holds it; `None` where several do, or nothing.
    holders: Vec<Option<Holder>>,
}

impl Direct {
    fn of(&self, object: ObjectId) -> Option<Option<Holder>> {
        self.holders.get(self.objects.binary_search(&object).ok()?).copied()
    }
}

impl Heap<'_> {
    /// Looks for the holders of all of `objects`, for who asks for some of them later. Done once: what is
    /// looked for a second time is looked for when it is asked for.
    pub(crate) fn look_for_holders(&self, mut objects: Vec<ObjectId>) {
        self.direct.get_or_init(|| {
            objects.sort_unstable();
            objects.dedup();
            let holders = self.graph.only_holders(&objects);
            Direct { objects, holders }
        });
    }

    /// What alone holds each of `objects` directly; `None` where several do, or nothing.
    pub(crate) fn only_holders(&self, objects: &[ObjectId]) -> Vec<Option<Holder>> {
        let known = |object: &ObjectId| self.direct.get()?.of(*object);
        let unknown: Vec<ObjectId> = objects.iter().copied().filter(|object| known(object).is_none()).collect();
        let mut found = self.graph.only_holders(&unknown).into_iter();
        // What is not known was asked for in this order.
        objects.iter().map(|object| known(object).unwrap_or_else(|| found.next().flatten())).collect()
    }
}
