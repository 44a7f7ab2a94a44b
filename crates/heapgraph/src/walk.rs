//! A walk from roots that goes on: roots are added one by one, as it is found out which of them count, and
//! whoever asks is told of each object as it is reached.

use crate::bits::Bits;
use crate::graph::Graph;
use crate::layout::ObjectId;

/// What is reached so far: a bit an object, and four bytes for each that waits to be gone through.
#[derive(Clone, Debug)]
pub struct Walk<'g> {
    graph: &'g Graph,
    seen: Bits,
    waiting: Vec<u32>,
}

impl<'g> Walk<'g> {
    /// One that has not begun.
    #[must_use]
    pub fn new(graph: &'g Graph) -> Self {
        Self { graph, seen: Bits::new(graph.layout().bound()), waiting: Vec::new() }
    }

    /// Whether an object is reached.
    #[must_use]
    pub fn has_reached(&self, object: ObjectId) -> bool {
        self.seen.contains(object.0 as usize)
    }

    /// Goes from an object to all that it leads to and was not reached before. `reached` is told of each
    /// once, this one too, and says whether its own pointers count. However often it is called, every pointer
    /// is followed once.
    pub fn from(&mut self, object: ObjectId, mut reached: impl FnMut(ObjectId) -> bool) {
        let Self { graph, seen, waiting } = self;
        let mut meet = |object: u32, waiting: &mut Vec<u32>| {
            // The others point nowhere.
            if seen.insert(object as usize)
                && reached(ObjectId(object))
                && graph.numbered.bits().contains(object as usize)
            {
                waiting.push(object);
            }
        };
        meet(object.0, waiting);
        while let Some(from) = waiting.pop() {
            graph.edges.of(from, |to| meet(to, waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{EdgeWriter, Graph, HeapLayout, ObjectId, Roots, Span, Walk};

    #[test]
    fn each_object_is_told_of_once_and_pointers_that_do_not_count_end_it() {
        let mut layout = HeapLayout::new(vec![Span { base: 0x1000, slot_bytes: 32, slots: 8 }]);
        layout.allocate(0, [0xff]);
        let at = |n: u64| 0x1000 + 32 * n;
        let mut writer = EdgeWriter::new(&layout);
        for (from, to) in [(0, vec![1, 2]), (1, vec![3, 0]), (2, vec![3]), (3, vec![4]), (5, vec![1, 6])] {
            writer.object(ObjectId(from));
            to.into_iter().for_each(|n| {
                writer.pointer(at(n));
            });
        }
        let part = writer.finish();
        let graph = Graph::new(layout, vec![part], Roots::new(), 1).unwrap();
        let mut walk = Walk::new(&graph);
        let mut told = Vec::new();
        for from in [0, 0, 5] {
            walk.from(ObjectId(from), |o| {
                told.push(o.0);
                o.0 != 3
            });
        }
        told.sort_unstable();
        assert_eq!(told, [0, 1, 2, 3, 5, 6], "4 hangs on 3 alone, whose pointers do not count");
        assert!(walk.has_reached(ObjectId(6)) && !walk.has_reached(ObjectId(4)) && !walk.has_reached(ObjectId(7)));
    }
}
