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
    /// live object, and for some leaves again. Takes 4 bytes for each node meanwhile, and 8 for each leaf of
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
        let numbers = || (0..).zip(groups.iter().copied()).filter(|(_, group)| *group != NONE);
        self.add_retained(graph, &mut out, numbers, &with_leaves, &group_of);
        out
    }

    /// As [`Dominators::by_group`], of a few objects, each given with its group; of one that is given twice
    /// the last is taken. No other object is asked for.
    pub fn of_few(&self, graph: &Graph, count: usize, members: &[(ObjectId, u32)]) -> Vec<GroupTotals> {
        let is_one =
            |(object, group): &&(ObjectId, u32)| self.live.contains(object.0 as usize) && (*group as usize) < count;
        // In the order of objects: of one the last comes first, and then alone.
        let last_first = members.iter().rev().filter(is_one);
        let mut members: Vec<(u32, u32)> = last_first.map(|(object, group)| (object.0, *group)).collect();
        members.sort_by_key(|(object, _)| *object);
        members.dedup_by_key(|(object, _)| *object);
        let mut out = vec![GroupTotals::default(); count];
        let mut numbers: Vec<(u32, u32)> = Vec::new();
        let (mut with_leaves, mut leaves) = (Bits::new(count), Bits::new(graph.layout().bound()));
        for (object, group) in &members {
            let own = Retained { bytes: graph.layout().bytes(ObjectId(*object)), objects: 1 };
            out[*group as usize].own.add(own);
            match graph.node_of(*object).and_then(|node| self.number.get(node as usize)) {
                Some(number) => numbers.push((*number, *group)),
                None => {
                    with_leaves.insert(*group as usize);
                    leaves.insert(*object as usize);
                }
            }
        }
        let group_of = |object: u32| {
            let is_one = leaves.contains(object as usize);
            let at = if is_one { members.binary_search_by_key(&object, |m| m.0).ok() } else { None };
            members.get(at?).map(|(_, group)| *group)
        };
        numbers.sort_unstable();
        self.add_retained(graph, &mut out, || numbers.iter().copied(), &with_leaves, &group_of);
        out
    }

    /// What groups retain: `numbers` are those of their members, ascending, each with its group, and
    /// `with_leaves` says which groups have leaves; `group_of` is asked of leaves alone.
    fn add_retained<I: Iterator<Item = (u32, u32)>>(
        &self,
        graph: &Graph,
        out: &mut [GroupTotals],
        numbers: impl Fn() -> I,
        with_leaves: &Bits,
        group_of: &(dyn Fn(u32) -> Option<u32> + Sync),
    ) {
        let (layout, count) = (graph.layout(), out.len());
        // A leaf counts beside what its group retains unless something above it is of its group. Mostly no
        // group has both leaves and others that keep something (of Go's types few have both), and then none
        // is asked.
        let mut with_nodes = Bits::new(count);
        for (number, group) in numbers() {
            if self.at(number).objects > 1 {
                with_nodes.insert(group as usize);
            }
        }
        let mixed = |group: u32| with_leaves.contains(group as usize) && with_nodes.contains(group as usize);
        let any_mixed = with_leaves.iter().any(|g| with_nodes.contains(g));
        // Leaves of mixed groups by the number of their holder: a walk comes by.
        let mut leaves =
            if any_mixed { self.leaves_where(graph, |leaf| group_of(leaf).is_some_and(mixed)) } else { Vec::new() };
        leaves.sort_unstable();
        let mut leaves = leaves.into_iter().peekable();
        // Numbers are a walk down the tree. Of each group the one above all others on the way to where the
        // walk is, if there is one: the lowest comes last.
        let mut way: Vec<(u32, u32)> = Vec::new();
        let (mut is_above, mut at) = (Bits::new(count), 0);
        let mut numbers = numbers().peekable();
        loop {
            let number = numbers.peek().map_or(NONE, |(number, _)| *number);
            let v = number.min(leaves.peek().map_or(NONE, |leaf| (leaf >> 32) as u32));
            if v == NONE {
                break;
            }
            // Step by step back up to what dominates each, as far as there is anything on the way.
            while at < v && !way.is_empty() {
                at += 1;
                let dominator = self.dominator[at as usize];
                while let Some((_, group)) = way.pop_if(|(above, _)| *above > dominator) {
                    is_above.remove(group as usize);
                }
            }
            at = v;
            if v == number
                && let Some((_, group)) = numbers.next()
                && is_above.insert(group as usize)
            {
                out[group as usize].retained.add(self.at(v));
                way.push((v, group));
            }
            while let Some(leaf) = leaves.next_if(|l| l >> 32 == u64::from(v)).map(|l| l as u32) {
                if let Some(group) = group_of(leaf).map(|g| g as usize)
                    && !is_above.contains(group)
                {
                    out[group].retained.add(Retained { bytes: layout.bytes(ObjectId(leaf)), objects: 1 });
                }
            }
        }
        // Leaves of the other groups keep themselves; nodes among them that keep nothing else are counted.
        let others = |g: &usize| !mixed(*g as u32);
        with_leaves.iter().filter(others).for_each(|g| out[g].retained = out[g].own);
    }

    /// Live folded leaves that `wanted` lets pass, below the number of their holder: `number << 32 | leaf`.
    fn leaves_where(&self, graph: &Graph, wanted: impl Fn(u32) -> bool + Sync) -> Vec<u64> {
        let is_wanted = |leaf: u32| graph.node_of(leaf).is_none() && wanted(leaf);
        let pair = |node: u32, leaf: u32| {
            let number = self.number.get(node as usize).filter(|n| **n != NONE)?;
            Some(u64::from(*number) << 32 | u64::from(leaf))
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
}
