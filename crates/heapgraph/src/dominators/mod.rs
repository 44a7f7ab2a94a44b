//! Who keeps what: of each object the one thing without which it would be garbage, and how much it keeps so.

mod groups;
mod owners;
mod preorder;
mod semi_nca;
mod sums;
mod unsure;

use std::cmp::Reverse;

use crate::bits::Bits;
use crate::graph::{Graph, Holder, NONE, TooLarge, on_threads};
use crate::layout::ObjectId;
use crate::retained::Retained;
use crate::roots::RootId;
use preorder::Preorder;
use semi_nca::Two;
use sums::{Counting, Sums};

pub use groups::GroupTotals;

/// A node of the top of a dominator tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopNode {
    /// What it is.
    pub holder: Holder,
    /// Index of what dominates it; the first has itself.
    pub dominator: usize,
    /// What it keeps.
    pub retained: Retained,
}

/// The dominator tree of what roots reach, and what each node of it retains.
///
/// It belongs to the graph that it was made of; with another its answers mean nothing.
#[derive(Clone, Debug)]
pub struct Dominators {
    /// Number of each node, `NONE` of garbage: its place in a walk down the dominator tree.
    number: Vec<u32>,
    /// Node of each number.
    node: Vec<u32>,
    /// Number of the immediate dominator, by number: always lower.
    dominator: Vec<u32>,
    /// What each number retains.
    sums: Sums,
    /// Objects that roots reach.
    live: Bits,
}

impl Dominators {
    /// The dominator tree of `graph`. It keeps 16 bytes for each object with a number of its own (20 where
    /// many keep much, 24 in a heap of 32 GiB and more); while it works it takes 20, or 8 and 4 for each
    /// pointer to such an object if that is more; and up to 8 for each pointer over one an object where most
    /// of them lead to few.
    ///
    /// # Errors
    /// Where there are more pointers between objects with numbers than 32 bits count.
    pub fn of(graph: &Graph) -> Result<Self, TooLarge> {
        Ok(Self::with_ranks(graph, &|_| 0)?.0)
    }

    /// As [`Dominators::of`], with each object among the roots held by those of the lowest rank that reach
    /// it: from `graph` is taken what roots of a higher rank hold of that. Roots of one group are of one
    /// rank.
    ///
    /// # Errors
    /// As [`Dominators::of`].
    pub fn settled(graph: &mut Graph, rank: impl Fn(RootId) -> u32) -> Result<Self, TooLarge> {
        let (out, mut left) = Self::with_ranks(graph, &rank)?;
        left.sort_unstable();
        graph.let_go(|root, object| left.binary_search(&(root, object)).is_ok());
        Ok(out)
    }

    fn with_ranks(graph: &Graph, rank: &dyn Fn(RootId) -> u32) -> Result<(Self, Vec<(RootId, ObjectId)>), TooLarge> {
        let Preorder { mut number, parent, crossing, left } = Preorder::of(graph, rank)?;
        let (walked, room) = semi_nca::immediate_dominators(parent, crossing, &number);
        let (dominator, room) = down_the_tree(&mut number, &walked, room);
        let mut node = walked;
        drop(room);
        node.fill(0);
        let (sums, live) = (Sums::Eights(Vec::new()), Bits::default());
        let mut out = Self { number, node, dominator, sums, live };
        for (node, number) in out.number.iter().enumerate().filter(|(_, number)| **number != NONE) {
            out.node[*number as usize] = node as u32;
        }
        // Of leaves that are folded nobody lets go: they have one holder.
        out.weigh(graph);
        Ok((out, left))
    }

    /// Own bytes and those of folded leaves, then all summed up the tree.
    fn weigh(&mut self, graph: &Graph) {
        let (layout, number) = (graph.layout(), &self.number);
        let sums = Counting::new(layout, self.dominator.len());
        let of = |object: u32| Retained { bytes: layout.bytes(ObjectId(object)), objects: 1 };
        let number_of = |object: u32| graph.node_of(object).map(|node| number[node as usize]);
        // Leaves, by who points to them: each is of one run.
        let mut live = graph.in_runs(|run| {
            let mut live = Bits::new(layout.bound());
            graph.edges.each(run, |from, to| {
                let mut leaves = to.iter().copied().filter(|t| !graph.numbered.bits().contains(*t as usize)).peekable();
                if leaves.peek().is_none() {
                    return;
                }
                let Some(at) = number_of(from).filter(|at| *at != NONE) else { return };
                let mut sum = Retained::default();
                for leaf in leaves {
                    live.insert(leaf as usize);
                    sum.add(of(leaf));
                }
                sums.add(at, sum);
            });
            live
        });
        // Objects with numbers themselves.
        let from = graph.objects_from();
        live.extend(on_threads(&graph.numbered.bits().ranges(graph.threads()), graph.threads(), |range| {
            let mut live = Bits::new(layout.bound());
            let first = from + graph.numbered.rank_below(range.start as u32) as usize;
            let objects = graph.numbered.bits().iter_range(range.clone());
            for (object, at) in objects.zip(&number[first..]).filter(|(_, at)| **at != NONE) {
                live.insert(object);
                sums.add(*at, of(object as u32));
            }
            live
        }));
        let mut all = live.pop().unwrap_or_else(|| Bits::new(layout.bound()));
        live.iter().for_each(|other| all.unite(other));
        drop(live);
        for (root, object) in graph.roots().held().iter().filter(|(_, o)| graph.node_of(o.0).is_none()) {
            all.insert(object.0 as usize);
            sums.add(number[graph.node_of_root(*root) as usize], of(object.0));
        }
        let mut sums = sums.finish();
        sums.add_up(&self.dominator);
        self.sums = sums.packed();
        self.live = all;
    }

    /// Objects that roots reach; all other allocated ones are garbage.
    pub fn live(&self) -> &Bits {
        &self.live
    }

    fn at(&self, number: u32) -> Retained {
        self.sums.get(number)
    }

    /// Number of what is reached and no folded leaf.
    fn number_of(&self, graph: &Graph, holder: Holder) -> Option<u32> {
        graph.node(holder).and_then(|node| self.number.get(node as usize)).copied().filter(|n| *n != NONE)
    }

    /// All that is live.
    pub fn total(&self) -> Retained {
        self.at(0)
    }

    /// What one holder keeps alive alone; `None` for garbage, and for what there is not.
    pub fn retained(&self, graph: &Graph, holder: Holder) -> Option<Retained> {
        if let Some(number) = self.number_of(graph, holder) {
            return Some(self.at(number));
        }
        match holder {
            Holder::Object(object) if self.live.contains(object.0 as usize) => {
                Some(Retained { bytes: graph.layout().bytes(object), objects: 1 })
            }
            _ => None,
        }
    }

    /// The immediate dominator: the nearest thing without which `holder` would be garbage. `None` for
    /// garbage, and for [`Holder::All`]. Of a folded leaf it is its only holder, found by a look at all
    /// pointers.
    pub fn dominator(&self, graph: &Graph, holder: Holder) -> Option<Holder> {
        if holder == Holder::All {
            return None;
        }
        if let Some(number) = self.number_of(graph, holder) {
            return graph.holder(self.node[self.dominator[number as usize] as usize]);
        }
        match holder {
            Holder::Object(object) if self.live.contains(object.0 as usize) => graph.holder_of_leaf(object),
            _ => None,
        }
    }

    /// What `holder` dominates immediately, with what each retains: at most `most` of them, those that retain
    /// most first, equal ones by their place in the graph. Folded leaves are not among them.
    pub fn dominated(&self, graph: &Graph, holder: Holder, most: usize) -> Vec<(Holder, Retained)> {
        let Some(above) = self.number_of(graph, holder) else { return Vec::new() };
        let below = (1..self.dominator.len() as u32).filter(|v| self.dominator[*v as usize] == above);
        let largest = self.largest(below, most, |v| self.node[v as usize]);
        largest.into_iter().filter_map(|v| Some((self.holder(graph, v)?, self.at(v)))).collect()
    }

    /// The objects that retain most, at most `most` of them, whatever dominates them.
    pub fn largest_objects(&self, graph: &Graph, most: usize) -> Vec<(Holder, Retained)> {
        let from = graph.objects_from() as u32;
        let objects = (1..self.node.len() as u32).filter(|v| self.node[*v as usize] >= from);
        let largest = self.largest(objects, most, |v| self.node[v as usize]);
        largest.into_iter().filter_map(|v| Some((self.holder(graph, v)?, self.at(v)))).collect()
    }

    /// The top of the dominator tree: what retains most, at most `most` nodes, none without its dominator,
    /// which stands before it. The first is [`Holder::All`]. Folded leaves are not among them.
    pub fn top(&self, graph: &Graph, most: usize) -> Vec<TopNode> {
        // Who dominates has a lower number and retains no less: cut anywhere in this order, it is there.
        let mut numbers = self.largest(0..self.node.len() as u32, most.max(1), |v| v);
        numbers.sort_unstable();
        let place = |v: u32| numbers.binary_search(&self.dominator[v as usize]).unwrap_or(0);
        let node = |v: &u32| {
            let holder = self.holder(graph, *v).unwrap_or(Holder::All);
            TopNode { holder, dominator: place(*v), retained: self.at(*v) }
        };
        numbers.iter().map(node).collect()
    }

    fn holder(&self, graph: &Graph, number: u32) -> Option<Holder> {
        graph.holder(self.node[number as usize])
    }

    /// Those numbers that retain most, in that order; equal ones in the order of `then`.
    fn largest(&self, numbers: impl Iterator<Item = u32>, most: usize, then: impl Fn(u32) -> u32) -> Vec<u32> {
        let mut kept: Vec<(Reverse<Retained>, u32, u32)> = Vec::new();
        // What the least of those that are kept retains, when there are enough.
        let mut least = Retained::default();
        for v in numbers {
            let retained = self.at(v);
            if retained < least {
                continue;
            }
            kept.push((Reverse(retained), then(v), v));
            // Twice as many as wanted are kept before the lesser half is let go.
            if kept.len() >= most.saturating_mul(2).max(64) && kept.len() > most {
                kept.select_nth_unstable(most);
                kept.truncate(most);
                least = kept.iter().map(|(Reverse(retained), ..)| *retained).min().unwrap_or_default();
            }
        }
        kept.sort_unstable();
        kept.truncate(most);
        kept.into_iter().map(|(.., v)| v).collect()
    }
}

/// The next place that a child of a node takes, and the node's own.
const NEXT: usize = 0;
const PLACE: usize = 1;

/// Numbers nodes anew, in a walk down the dominator tree: what a node dominates comes right behind it, so
/// sums up and walks down go through memory in order. `number` and `dominator` have other numbers of which no
/// node has a lower one than its dominator; gives the new dominators. `room` is memory for as many numbers
/// and pairs of them: the latter is given back.
fn down_the_tree(number: &mut [u32], dominator: &[u32], room: (Vec<u32>, Vec<Two>)) -> (Vec<u32>, Vec<Two>) {
    let n = dominator.len();
    let (mut out, mut places) = room;
    // First how many nodes are below each and itself; from when a node has its place, that of its next child.
    places.fill([1, 0]);
    for v in (1..n).rev() {
        let below = places[v][NEXT];
        places[dominator[v] as usize][NEXT] += below;
    }
    if let (Some(first), Some(place)) = (out.first_mut(), places.first_mut()) {
        (*first, *place) = (0, [1, 0]);
    }
    for v in 1..n {
        let above = dominator[v] as usize;
        let [at, place_above] = places[above];
        places[above][NEXT] += places[v][NEXT];
        places[v] = [at + 1, at];
        out[at as usize] = place_above;
    }
    for number in number.iter_mut().filter(|number| **number != NONE) {
        *number = places[*number as usize][PLACE];
    }
    (out, places)
}
