//! Whose each object is: the root, or group of roots, that alone keeps it.

use super::Dominators;
use crate::graph::{ALL, Graph, Holder, NONE};
use crate::layout::ObjectId;

impl Dominators {
    /// Calls `each` for every live object, folded leaves too, with its owner: the root that dominates it; the
    /// group, where only several roots of one group together do; [`Holder::All`], where roots of several
    /// groups hold it. Objects come in no order of theirs, but always in the same. Takes 4 bytes for each
    /// node.
    ///
    /// Summed up by owner and type it says who holds what.
    pub fn each_with_owner(&self, graph: &Graph, mut each: impl FnMut(ObjectId, Holder)) {
        let objects_from = graph.objects_from() as u32;
        // Dominators have lower numbers: theirs are known first.
        let mut owners: Vec<u32> = Vec::with_capacity(self.node.len());
        for (node, dominator) in self.node.iter().zip(&self.dominator) {
            // The first is its own.
            let owner = if *node < objects_from { *node } else { owners[*dominator as usize] };
            owners.push(owner);
        }
        let owner = |node: u32| {
            let number = *self.number.get(node as usize).filter(|number| **number != NONE)?;
            graph.holder(*owners.get(number as usize)?)
        };
        let numbered = graph.numbered.bits().iter().zip(objects_from..);
        for (object, owner) in numbered.filter_map(|(object, node)| Some((object, owner(node)?))) {
            each(ObjectId(object as u32), owner);
        }
        let is_leaf = |object: u32| graph.node_of(object).is_none();
        for (root, leaf) in graph.roots().held().iter().filter(|(_, o)| is_leaf(o.0)) {
            each(*leaf, Holder::Root(*root));
        }
        graph.edges.each_of_all(|from, to| {
            let mut leaves = to.iter().filter(|to| is_leaf(**to)).peekable();
            if leaves.peek().is_some()
                && let Some(owner) = owner(graph.node_of(from).unwrap_or(ALL))
            {
                leaves.for_each(|leaf| each(ObjectId(*leaf), owner));
            }
        });
    }
}
