//! Holders that may be none: words of a running goroutine's stack which may be left over from calls that
//! have ended.

use super::Dominators;
use crate::graph::{Graph, TooLarge};
use crate::layout::ObjectId;
use crate::roots::RootId;

/// Part of what is live, as one in so many, that nobody holds alone, from which on it is worth the time to
/// ask whether such words are why. Chosen.
const SHARED_ONE_IN: u64 = 4;

impl Dominators {
    /// As [`Dominators::settled`]; of pairs in `unsure`, sorted, nobody knows whether the root holds the
    /// object: what others hold for certain is theirs, and what is reached by unsure ones alone stays with
    /// those, and says nothing of who holds the rest.
    ///
    /// One stale word into the middle of a list, or to what is left of one who walked through it, takes all
    /// of it from whoever holds the list (seen from outside: gofakes3, whose objects a skip list keeps; a
    /// goroutine that read a request had once looked one up). It is asked only where a good part of the heap
    /// has no holder, and costs a walk over what is live and a second tree.
    ///
    /// # Errors
    /// As [`Dominators::of`].
    pub fn settled_beside(
        graph: &mut Graph,
        rank: impl Fn(RootId) -> u32,
        unsure: &[(RootId, ObjectId)],
    ) -> Result<Self, TooLarge> {
        let out = Self::settled(graph, &rank)?;
        if unsure.is_empty() || out.without_holder(graph) < out.total().bytes / SHARED_ONE_IN {
            return Ok(out);
        }
        drop(out);
        let is_unsure = |root, object| unsure.binary_search(&(root, object)).is_ok();
        let for_certain = graph.reach_by(|root, object| !is_unsure(root, object)).objects;
        graph.let_go(|root, object| is_unsure(root, object) && for_certain.contains(object.0 as usize));
        graph.prefer(for_certain);
        Self::settled(graph, rank)
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
    use crate::{EdgeWriter, HeapLayout, Holder, Paths, Roots, Span};

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
        // What is left of one who walked through it, and holds something of its own.
        let edges: Vec<(u64, u64)> = edges.into_iter().chain([(5, 3), (5, 6)]).collect();
        let mut g = graph(7, &edges, &[(0, 0), (1, 5)], 2);
        let left = (RootId(1), g.layout().object_at(0x1050).unwrap());
        let plain = Dominators::settled(&mut g.clone(), |_| 0).unwrap();
        assert_eq!((bytes(&plain, &g, 0), bytes(&plain, &g, 1)), (0, 32));
        let d = Dominators::settled_beside(&mut g, |_| 0, &[left]).unwrap();
        assert_eq!((bytes(&d, &g, 0), bytes(&d, &g, 1), d.total().bytes), (80, 32, 112));
        let paths = Paths::of(&g, |_| true);
        let object = g.layout().object_at(0x1030).unwrap();
        let way = paths.to(&g, object).unwrap();
        assert_eq!(way.first(), Some(&Holder::Root(RootId(0))));
        // What nobody holds for certain stays with those that may.
        let mut g = graph(7, &edges, &[(0, 0), (1, 3)], 2);
        let head = (RootId(0), g.layout().object_at(0x1000).unwrap());
        let d = Dominators::settled_beside(&mut g, |_| 0, &[head, middle]).unwrap();
        assert_eq!((bytes(&d, &g, 0), bytes(&d, &g, 1), d.total().bytes), (0, 0, 80));
    }
}
