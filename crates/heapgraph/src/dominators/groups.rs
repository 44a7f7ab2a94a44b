//! What groups of objects hold and retain: types, spans, allocation sites, all at once.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use super::Dominators;
use crate::bits::Bits;
use crate::graph::{Graph, Holder, NONE, on_threads};
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
    /// Totals of `count` groups; `group_of` says which one an object is of, if any. It is asked once for each
    /// live object, and for some leaves again. Takes 12 bytes for each node meanwhile, and 8 for each leaf of
    /// a group that retains others too.
    pub fn by_group(
        &self,
        graph: &Graph,
        count: usize,
        group_of: impl Fn(ObjectId) -> Option<u32> + Sync,
    ) -> Vec<GroupTotals> {
        let layout = graph.layout();
        let group_of = |object: u32| group_of(ObjectId(object)).filter(|g| (*g as usize) < count);
        // Own amounts, and by number the group; memory is gone through in order, so that little is looked up.
        let groups: Vec<AtomicU32> = self.node.iter().map(|_| AtomicU32::new(NONE)).collect();
        let parts = on_threads(&self.live.ranges(graph.threads()), graph.threads(), |range| {
            let (mut own, mut with_leaves) = (vec![Retained::default(); count], Bits::new(count));
            for object in self.live.iter_range(range.clone()).map(|o| o as u32) {
                let Some(group) = group_of(object) else { continue };
                own[group as usize].add(Retained { bytes: layout.bytes(ObjectId(object)), objects: 1 });
                match graph.node_of(object).and_then(|node| self.number.get(node as usize)) {
                    Some(number) => groups[*number as usize].store(group, Relaxed),
                    None => drop(with_leaves.insert(group as usize)),
                }
            }
            (own, with_leaves)
        });
        let mut out = vec![GroupTotals::default(); count];
        let mut with_leaves = Bits::new(count);
        for (own, leaves) in parts {
            out.iter_mut().zip(own).for_each(|(total, own)| total.own.add(own));
            with_leaves.unite(&leaves);
        }
        let groups: Vec<u32> = groups.into_iter().map(AtomicU32::into_inner).collect();
        // A leaf counts beside what its group retains unless something above it is of its group. Mostly no
        // group has both leaves and others that keep something (of Go's types few have both), and then none
        // is asked.
        let mut with_nodes = Bits::new(count);
        for (number, group) in groups.iter().enumerate() {
            if *group != NONE && self.objects[number] > 1 {
                with_nodes.insert(*group as usize);
            }
        }
        let mixed = |group: u32| with_leaves.contains(group as usize) && with_nodes.contains(group as usize);
        let any_mixed = with_leaves.iter().any(|g| with_nodes.contains(g));
        let (place, end) = self.by_subtree();
        // Leaves of mixed groups by the place of their holder: a walk comes by.
        let mut leaves = if any_mixed {
            self.leaves_where(graph, |leaf| group_of(leaf).is_some_and(mixed), &place)
        } else {
            Vec::new()
        };
        let order = inverse(place);
        leaves.sort_unstable();
        let mut leaves = leaves.into_iter().peekable();
        let mut until = vec![0; count];
        for (at, v) in order.iter().enumerate() {
            let group = groups[*v as usize];
            if group != NONE && at as u32 >= until[group as usize] {
                out[group as usize].retained.add(self.at(*v));
                until[group as usize] = end[*v as usize];
            }
            while let Some(leaf) = leaves.next_if(|l| l >> 32 == at as u64).map(|l| l as u32) {
                if let Some(group) = group_of(leaf).map(|g| g as usize)
                    && at as u32 >= until[group]
                {
                    out[group].retained.add(Retained { bytes: layout.bytes(ObjectId(leaf)), objects: 1 });
                }
            }
        }
        // Leaves of the other groups keep themselves; nodes among them that keep nothing else are counted.
        let others = |g: &usize| !mixed(*g as u32);
        with_leaves.iter().filter(others).for_each(|g| out[g].retained = out[g].own);
        out
    }

    /// Live folded leaves that `wanted` lets pass, below the place of their holder: `place << 32 | leaf`.
    fn leaves_where(&self, graph: &Graph, wanted: impl Fn(u32) -> bool + Sync, place: &[u32]) -> Vec<u64> {
        let is_wanted = |leaf: u32| graph.node_of(leaf).is_none() && wanted(leaf);
        let pair = |node: u32, leaf: u32| {
            let number = self.number.get(node as usize).filter(|n| **n != NONE)?;
            Some(u64::from(*place.get(*number as usize)?) << 32 | u64::from(leaf))
        };
        let parts = graph.in_runs(|run| {
            let mut found = Vec::new();
            graph.edges.each(run, |from, to| {
                let mut leaves = to.iter().copied().filter(|leaf| is_wanted(*leaf)).peekable();
                if leaves.peek().is_some()
                    && let Some(node) = graph.node_of(from)
                {
                    found.extend(leaves.filter_map(|leaf| pair(node, leaf)));
                }
            });
            found
        });
        let mut all: Vec<u64> = parts.into_iter().flatten().collect();
        let of_roots = graph.roots().held().iter().filter(|(_, leaf)| is_wanted(leaf.0));
        all.extend(of_roots.filter_map(|(root, leaf)| pair(graph.node_of_root(*root), leaf.0)));
        all
    }

    /// What all of `set` together keep alive: what would be garbage if none of them were there. Exact for any
    /// set; it costs a walk over all that is live without them.
    pub fn retained_together(&self, graph: &Graph, set: impl Fn(Holder) -> bool) -> Retained {
        let (all, rest) = (self.total(), graph.reach(|holder| !set(holder)).retained);
        Retained { bytes: all.bytes.saturating_sub(rest.bytes), objects: all.objects.saturating_sub(rest.objects) }
    }

    /// Of each number its place in a walk down the dominator tree, and the place at which its subtree ends.
    fn by_subtree(&self) -> (Vec<u32>, Vec<u32>) {
        let n = self.dominator.len();
        // First how many nodes are below each; from when a node has its place, where its next child's is.
        let mut end = vec![1u32; n];
        for v in (1..n).rev() {
            end[self.dominator[v] as usize] += end[v];
        }
        let mut place = vec![0; n];
        end[0] = 1;
        for v in 1..n {
            let above = self.dominator[v] as usize;
            let at = end[above];
            end[above] += end[v];
            end[v] = at + 1;
            place[v] = at;
        }
        (place, end)
    }
}

/// Turns a permutation of numbers below 2^31 around, in its own memory.
fn inverse(mut of: Vec<u32>) -> Vec<u32> {
    const DONE: u32 = 1 << 31;
    for start in 0..of.len() as u32 {
        // Around a cycle, each pointing back to where it was come from.
        let (mut from, mut at) = (start, of[start as usize]);
        while at & DONE == 0 {
            let next = of[at as usize];
            if next & DONE != 0 {
                break;
            }
            of[at as usize] = from | DONE;
            (from, at) = (at, next);
        }
    }
    of.iter_mut().for_each(|v| *v &= !DONE);
    of
}

#[cfg(test)]
mod tests {
    use super::inverse;

    #[test]
    fn a_permutation_turned_around() {
        assert_eq!(inverse(vec![0, 3, 1, 2, 5, 4]), [0, 2, 3, 1, 5, 4]);
        assert_eq!(inverse(inverse(vec![4, 0, 3, 1, 2])), [4, 0, 3, 1, 2]);
        assert!(inverse(Vec::new()).is_empty());
    }
}
