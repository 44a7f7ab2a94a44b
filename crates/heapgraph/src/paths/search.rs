//! The search for shortest paths.

use super::{Paths, Turns};
use crate::bits::{Bits, Ranked};
use crate::edges::Cursor;
use crate::graph::{Graph, Holder, NONE, TooLarge};
use crate::layout::ObjectId;
use crate::roots::RootId;

/// Objects whose targets are asked for together.
const BATCH: usize = 64;

/// Paths as they are found.
struct Found {
    /// Nodes that have one.
    met: Bits,
    /// Objects among them: most pointers lead to one, and its node need not be looked up.
    seen: Bits,
    order: Vec<u32>,
    /// For each place of the order that was gone on from: a member for each that was met there, then none.
    links: Bits,
    /// The place in `links` that comes next.
    link: usize,
    wanted: Bits,
    /// How many of those that are wanted have no path yet.
    left: usize,
}

impl Found {
    /// Comes to a node; `entry` is what stands for it in the order.
    fn meet(&mut self, node: u32, entry: u32, enter: impl FnOnce() -> bool) -> bool {
        let new = !self.met.contains(node as usize) && enter();
        if new {
            self.met.insert(node as usize);
            self.order.push(entry);
            self.left -= usize::from(self.wanted.contains(node as usize));
        }
        new
    }

    /// The same from the place that is gone on from.
    fn go(&mut self, node: u32, object: ObjectId, enter: impl FnOnce() -> bool) {
        if self.meet(node, object.0, enter) {
            self.seen.insert(object.0 as usize);
            self.links.insert(self.link);
            self.link += 1;
        }
    }
}

/// Goes on until all is found, or all of `wanted`, of which so many are left: from roots that are `last` only
/// when the others lead no further.
pub(super) fn search(
    graph: &Graph,
    enter: impl Fn(Holder) -> bool,
    last: impl Fn(RootId) -> bool,
    wanted: Option<(Bits, usize)>,
) -> Result<Paths, TooLarge> {
    let (wanted, left) = wanted.unwrap_or((Bits::default(), usize::MAX));
    let (met, links) = (Bits::new(graph.nodes()), Bits::new(2 * graph.nodes()));
    let seen = Bits::new(graph.layout().bound());
    let mut found = Found { met, seen, order: Vec::new(), links, link: 0, wanted, left };
    // What roots do not reach has no place in it: mostly nothing.
    found.order.reserve_exact(graph.nodes() - graph.roots().groups() - 1);
    let roots = || (0..graph.roots().len() as u32).map(RootId);
    for root in roots().filter(|root| !last(*root)) {
        let node = graph.node_of_root(root);
        found.meet(node, node, || enter(Holder::Root(root)));
    }
    let first = found.order.len();
    for root in roots().filter(|root| last(*root)) {
        let node = graph.node_of_root(root);
        found.meet(node, node, || enter(Holder::Root(root)));
    }
    let roots = found.order.len();
    let mut batch = Batch::default();
    found.go_on_from_roots(graph, &enter, 0..first);
    let at = found.go_on_from_objects(graph, &enter, roots, &mut batch);
    let turns = Turns { first: first as u32, last: (roots - first) as u32, early: (found.order.len() - roots) as u32 };
    if found.left > 0 {
        found.go_on_from_roots(graph, &enter, first..roots);
        found.go_on_from_objects(graph, &enter, at, &mut batch);
    }
    let Found { met, order, links, .. } = found;
    Ok(Paths { met, order, roots, turns, links: Ranked::new(links).ok_or(TooLarge)? })
}

impl Found {
    /// Goes on from the roots at those places of the order.
    fn go_on_from_roots(&mut self, graph: &Graph, enter: &impl Fn(Holder) -> bool, places: std::ops::Range<usize>) {
        for at in places {
            if self.left == 0 {
                return;
            }
            if let Some(Holder::Root(root)) = graph.holder(self.order[at]) {
                for to in graph.roots().held_by(root) {
                    let next = graph.node_of(to.0);
                    next.into_iter().for_each(|next| self.go(next, to, || enter(Holder::Object(to))));
                }
            }
            self.link += 1;
        }
    }

    /// Goes on from the object at a place of the order and from all behind it, a handful at a time; gives the
    /// place at which it ends. Each stands somewhere else in memory, and so does what is known of its
    /// targets: who goes from one to the next waits most of the time, and what is asked of many at once is
    /// waited for together.
    fn go_on_from_objects(
        &mut self,
        graph: &Graph,
        enter: &impl Fn(Holder) -> bool,
        mut at: usize,
        batch: &mut Batch,
    ) -> usize {
        while at < self.order.len() && self.left > 0 {
            let end = self.order.len().min(at + BATCH);
            batch.fill(graph, &self.order[at..end], &self.seen);
            at = end;
            let mut targets = batch.targets.iter().zip(&batch.pointed);
            for (place, count) in (at - batch.counts.len()..).zip(&batch.counts) {
                let from = self.order[place];
                if self.left == 0 {
                    break;
                }
                let says_nothing = |next: u32, to: u32| next == NONE || graph.is_cut(from, to);
                for (next, to) in targets.by_ref().take(*count).filter(|(next, to)| !says_nothing(**next, **to)) {
                    let to = ObjectId(*to);
                    self.go(*next, to, || enter(Holder::Object(to)));
                }
                self.link += 1;
            }
        }
        at
    }
}

/// Neighbours in the order, and where they point.
#[derive(Default)]
struct Batch {
    /// How many targets each has.
    counts: Vec<usize>,
    /// Objects that they point to.
    pointed: Vec<u32>,
    /// Of each of these its node; `NONE` of a folded leaf, and of what was met before.
    targets: Vec<u32>,
}

impl Batch {
    /// Asks for the targets of `objects`. One step is done for all of them before the next, so that what
    /// stands somewhere in memory is waited for together.
    fn fill(&mut self, graph: &Graph, objects: &[u32], seen: &Bits) {
        self.counts.clear();
        self.pointed.clear();
        self.targets.clear();
        std::hint::black_box(objects.iter().fold(0, |seen, object| seen ^ graph.edges.glance(*object)));
        // What is met in a row often stands in a row.
        let mut cursor = Cursor::default();
        for object in objects {
            let first = self.pointed.len();
            graph.edges.of_next(&mut cursor, *object, |to| self.pointed.push(to));
            self.counts.push(self.pointed.len() - first);
        }
        let node = |to: &u32| if seen.contains(*to as usize) { None } else { graph.node_of(*to) };
        self.targets.extend(self.pointed.iter().map(|to| node(to).unwrap_or(NONE)));
    }
}
