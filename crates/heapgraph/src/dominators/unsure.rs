//! Holders that may be none: words of a running goroutine's stack which may be left over from calls that
//! have ended.

use super::Dominators;
use crate::graph::{ALL, Graph, TooLarge};
use crate::layout::ObjectId;
use crate::roots::RootId;

/// Part of what is live, as one in so many, that nobody holds alone, from which on it is worth the time to
/// ask whether such words are why. Chosen.
const SHARED_ONE_IN: u64 = 4;

impl Dominators {
    /// As [`Dominators::settled`]; of pairs in `unsure`, sorted, nobody knows whether the root holds the
    /// object: where others hold it for certain, those are its holders. What unsure ones alone hold stays
    /// theirs.
    ///
    /// One stale word into the middle of a list takes all of it from whoever holds the list (seen from
    /// outside: gofakes3, whose objects a skip list keeps; a goroutine that read a request had once looked
    /// one up). It is asked only where a good part of the heap has no holder, and costs a walk over what is
    /// live and a second tree.
    ///
    /// # Errors
    /// As [`Dominators::of`].
    pub fn settled_beside(
        graph: &mut Graph,
        rank: impl Fn(RootId) -> u32,
        unsure: &[(RootId, ObjectId)],
    ) -> Result<Self, TooLarge> {
        let out = Self::settled(graph, &rank)?;
        let held_by_others: Vec<(RootId, ObjectId)> =
            unsure.iter().copied().filter(|(_, object)| out.has_no_holder(graph, *object)).collect();
        if held_by_others.is_empty() || out.without_holder(graph) < out.total().bytes / SHARED_ONE_IN {
            return Ok(out);
        }
        let is_unsure = |root, object| held_by_others.binary_search(&(root, object)).is_ok();
        let for_certain = graph.reach_by(|root, object| !is_unsure(root, object)).objects;
        let gone = |root, object: ObjectId| is_unsure(root, object) && for_certain.contains(object.0 as usize);
        if !held_by_others.iter().any(|(root, object)| gone(*root, *object)) {
            return Ok(out);
        }
        drop(out);
        graph.let_go(gone);
        Self::settled(graph, rank)
    }

    /// Whether roots of several groups lead to an object, by ways that have nothing in common.
    fn has_no_holder(&self, graph: &Graph, object: ObjectId) -> bool {
        let number = graph.node_of(object.0).and_then(|node| self.number.get(node as usize));
        let dominator = number.and_then(|number| self.dominator.get(*number as usize));
        dominator.is_some_and(|dominator| self.node.get(*dominator as usize) == Some(&ALL))
    }

    /// Bytes of the live heap that no root, and no group of them, keeps alone.
    fn without_holder(&self, graph: &Graph) -> u64 {
        let objects_from = graph.objects_from() as u32;
        let held = (1..self.dominator.len() as u32).filter(|v| {
            self.dominator.get(*v as usize) == Some(&0) && self.node.get(*v as usize).is_some_and(|n| *n < objects_from)
        });
        self.total().bytes.saturating_sub(held.map(|v| self.at(v).bytes).fold(0, u64::saturating_add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgeWriter, HeapLayout, Holder, Roots, Span};

    /// Objects of 16 bytes, numbered as they stand, with pointers between them.
    fn graph(objects: u64, edges: &[(u64, u64)], held: &[(u32, u64)], roots: u32) -> Graph {
        let mut layout = HeapLayout::new(vec![Span { base: 0x1000, slot_bytes: 16, slots: objects as u32 }]);
        layout.allocate(0, std::iter::once(u8::MAX >> (8 - objects)));
        let at = |i: u64| 0x1000 + 16 * i;
        let mut writer = EdgeWriter::new(&layout);
        for from in 0..objects {
            writer.object(layout.object_at(at(from)).unwrap());
            edges.iter().filter(|(f, _)| *f == from).for_each(|(_, to)| {
                writer.pointer(at(*to));
            });
        }
        let parts = vec![writer.finish()];
        let mut all = Roots::new();
        (0..roots).for_each(|_| {
            all.root(None);
        });
        held.iter().for_each(|(root, object)| {
            all.hold(RootId(*root), &layout, at(*object));
        });
        Graph::new(layout, parts, all, 1).unwrap()
    }

    #[test]
    fn a_stale_word_takes_no_list_from_its_holder() {
        // A list with ways back, its head held by one, its middle named by a word of another.
        let edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 3), (3, 2), (2, 1), (1, 0)];
        let held = [(0, 0), (1, 3)];
        let mut g = graph(6, &edges, &held, 2);
        let middle = (RootId(1), g.layout().object_at(0x1030).unwrap());
        let bytes = |d: &Dominators, g: &Graph, root| d.retained(g, Holder::Root(RootId(root))).unwrap().bytes;
        let plain = Dominators::settled(&mut g.clone(), |_| 0).unwrap();
        assert_eq!((bytes(&plain, &g, 0), bytes(&plain, &g, 1)), (0, 0));
        let d = Dominators::settled_beside(&mut g, |_| 0, &[middle]).unwrap();
        assert_eq!((bytes(&d, &g, 0), bytes(&d, &g, 1), d.total().bytes), (80, 0, 80));
        // What nobody holds for certain stays with those that may.
        let mut g = graph(6, &edges, &[(0, 0), (1, 3)], 2);
        let head = (RootId(0), g.layout().object_at(0x1000).unwrap());
        let d = Dominators::settled_beside(&mut g, |_| 0, &[head, middle]).unwrap();
        assert_eq!((bytes(&d, &g, 0), bytes(&d, &g, 1), d.total().bytes), (0, 0, 80));
    }
}
