//! What groups of objects hold and retain: types, spans, allocation sites, all at once.

use super::Dominators;
use crate::bits::Bits;
use crate::graph::{Graph, Holder};
use crate::layout::ObjectId;
use crate::retained::Retained;

/// What the live objects of a group are and keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupTotals {
    /// The objects themselves.
    pub own: Retained,
    /// What its objects keep each by itself, nothing counted twice. What only several of them together keep
    /// is not in it: [`Dominators::retained_together`] has that, of one group at a time.
    pub retained: Retained,
}

impl Dominators {
    /// Totals of `count` groups; `group_of` says which one an object is of, if any. It is asked several times
    /// for each live object. Takes 8 bytes for each node meanwhile.
    pub fn by_group(
        &self,
        graph: &Graph,
        count: usize,
        group_of: impl Fn(ObjectId) -> Option<u32>,
    ) -> Vec<GroupTotals> {
        let layout = graph.layout();
        let group_of = |object: ObjectId| group_of(object).map(|g| g as usize).filter(|g| *g < count);
        let mut out = vec![GroupTotals::default(); count];
        let (mut with_nodes, mut with_leaves) = (Bits::new(count), Bits::new(count));
        for object in self.live.iter().map(|o| ObjectId(o as u32)) {
            let Some(group) = group_of(object) else { continue };
            out[group].own.add(Retained { bytes: layout.bytes(object), objects: 1 });
            let folded = graph.node_of(object.0).is_none();
            if folded { &mut with_leaves } else { &mut with_nodes }.insert(group);
        }
        // A leaf counts beside what its group retains unless something above it is of its group. Mostly no
        // group has both leaves and others (Go's types have pointers or have none), and then none is asked.
        let mixed = with_leaves.iter().any(|g| with_nodes.contains(g));
        let (order, end) = self.by_subtree();
        let mut until = vec![0; count];
        for (at, v) in order.iter().enumerate() {
            let Some(holder) = graph.holder(self.node[*v as usize]) else { continue };
            let object = if let Holder::Object(object) = holder { Some(object) } else { None };
            if let Some(group) = object.and_then(group_of)
                && at as u32 >= until[group]
            {
                out[group].retained.add(self.at(*v));
                until[group] = end[*v as usize];
            }
            if !mixed {
                continue;
            }
            let mut each = |to: u32| {
                let leaf = ObjectId(to);
                if graph.node_of(to).is_none()
                    && let Some(group) = group_of(leaf)
                    && at as u32 >= until[group]
                {
                    out[group].retained.add(Retained { bytes: layout.bytes(leaf), objects: 1 });
                }
            };
            match holder {
                Holder::Object(object) => graph.edges.of(object.0, each),
                Holder::Root(root) => graph.roots().held_by(root).for_each(|o| each(o.0)),
                Holder::All | Holder::Group(_) => {}
            }
        }
        if !mixed {
            with_leaves.iter().for_each(|g| out[g].retained = out[g].own);
        }
        out
    }

    /// What all of `set` together keep alive: what would be garbage if none of them were there. Exact for any
    /// set; it costs a walk over all that is live without them.
    pub fn retained_together(&self, graph: &Graph, set: impl Fn(Holder) -> bool) -> Retained {
        let (all, rest) = (self.total(), graph.reach(|holder| !set(holder)).retained);
        Retained { bytes: all.bytes.saturating_sub(rest.bytes), objects: all.objects.saturating_sub(rest.objects) }
    }

    /// Numbers in the order of a walk down the dominator tree, and for each number the place in that order at
    /// which its subtree ends.
    fn by_subtree(&self) -> (Vec<u32>, Vec<u32>) {
        let n = self.dominator.len();
        // First how many nodes are below each; from when a node has its place, where its next child's is.
        let mut end = vec![1u32; n];
        for v in (1..n).rev() {
            end[self.dominator[v] as usize] += end[v];
        }
        let mut order = vec![0; n];
        end[0] = 1;
        for v in 1..n {
            let above = self.dominator[v] as usize;
            let at = end[above];
            end[above] += end[v];
            end[v] = at + 1;
            order[at as usize] = v as u32;
        }
        (order, end)
    }
}
