//! What groups of objects hold and retain: types, spans, allocation sites, all at once.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU16, AtomicU32};

use super::Dominators;
use super::owners::Sums;
use crate::bits::Bits;
use crate::graph::{ALL, Graph, Holder, NONE, on_threads};
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

/// Which groups have leaves, and which have others that keep something.
///
/// A leaf counts beside what its group retains unless something above it is of its group. Mostly no group has
/// both leaves and others that keep something (of Go's types few have both), and then none is asked.
struct Sets {
    with_nodes: Bits,
    with_leaves: Bits,
}

impl Sets {
    fn is_mixed(&self, group: u32) -> bool {
        self.with_leaves.contains(group as usize) && self.with_nodes.contains(group as usize)
    }
}

/// The group of each number, written by several threads: in two bytes, where no group has a number that needs
/// more.
enum GroupOf {
    Short(Vec<AtomicU16>),
    Long(Vec<AtomicU32>),
}

impl GroupOf {
    /// Of so many numbers none is in one of `count` groups yet.
    fn new(numbers: usize, count: usize) -> Self {
        if count <= usize::from(u16::MAX) {
            Self::Short((0..numbers).map(|_| AtomicU16::new(u16::MAX)).collect())
        } else {
            Self::Long((0..numbers).map(|_| AtomicU32::new(NONE)).collect())
        }
    }

    fn put(&self, number: u32, group: u32) {
        match self {
            Self::Short(all) => all[number as usize].store(group as u16, Relaxed),
            Self::Long(all) => all[number as usize].store(group, Relaxed),
        }
    }

    /// Those that are in a group, ascending, with it.
    fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let len = match self {
            Self::Short(all) => all.len(),
            Self::Long(all) => all.len(),
        };
        let of = move |number: usize| match self {
            Self::Short(all) => Some(all[number].load(Relaxed)).filter(|g| *g != u16::MAX).map(u32::from),
            Self::Long(all) => Some(all[number].load(Relaxed)).filter(|g| *g != NONE),
        };
        (0..len).filter_map(move |number| Some((number as u32, of(number)?)))
    }
}

impl Dominators {
    /// Totals of `count` groups; `group_of` says which one an object is of, if any. It is asked once for each
    /// live object, and for some leaves again. Takes 2 bytes for each node meanwhile (4 from 65,536
    /// groups on), and 8 for each leaf of a group that retains others too.
    pub fn by_group(
        &self,
        graph: &Graph,
        count: usize,
        group_of: impl Fn(ObjectId) -> Option<u32> + Sync,
    ) -> Vec<GroupTotals> {
        self.totals(graph, count, &|_| ALL, &group_of).0
    }

    /// The same, and who holds what: of each owner and group the live objects that are its own, in no order.
    /// An object's owner is the root that dominates it; the group of roots, where only several roots of one
    /// group together do; [`Holder::All`], where roots of several groups hold it.
    pub fn by_group_and_owner(
        &self,
        graph: &Graph,
        count: usize,
        group_of: impl Fn(ObjectId) -> Option<u32> + Sync,
    ) -> (Vec<GroupTotals>, Vec<(Holder, u32, Retained)>) {
        let owners = self.owners(graph);
        let (totals, sums) = self.totals(graph, count, &|number| owners.of(number), &group_of);
        let named = |(owner, group, sum)| Some((graph.holder(owner)?, group, sum));
        (totals, sums.into_iter().filter_map(named).collect())
    }

    /// Totals, and what they are of each owner; that is a node, and `owner` says it of a number.
    fn totals(
        &self,
        graph: &Graph,
        count: usize,
        owner: &(dyn Fn(u32) -> u32 + Sync),
        group_of: &(dyn Fn(ObjectId) -> Option<u32> + Sync),
    ) -> (Vec<GroupTotals>, Vec<(u32, u32, Retained)>) {
        let layout = graph.layout();
        let group_of = |object: u32| group_of(ObjectId(object)).filter(|g| (*g as usize) < count);
        let of = |object: u32| Retained { bytes: layout.bytes(ObjectId(object)), objects: 1 };
        // Objects with numbers first, and by number the group; memory is gone through in order, so that
        // little is looked up.
        let groups = GroupOf::new(self.node.len(), count);
        let numbered = graph.numbered.bits();
        let mut sums = on_threads(&numbered.ranges(graph.threads()), graph.threads(), |range| {
            let mut sums = Sums::new();
            let first = graph.objects_from() + graph.numbered.rank_below(range.start as u32) as usize;
            let numbers = self.number.get(first..).unwrap_or_default();
            for (object, number) in numbered.iter_range(range.clone()).zip(numbers).filter(|(_, n)| **n != NONE) {
                if let Some(group) = group_of(object as u32) {
                    sums.add(owner(*number), group, of(object as u32));
                    groups.put(*number, group);
                }
            }
            sums
        });
        let numbers = || groups.iter();
        let mut with_nodes = Bits::new(count);
        for (_, group) in numbers().filter(|(number, _)| self.at(*number).objects > 1) {
            with_nodes.insert(group as usize);
        }
        // Then leaves by their holders. Those of groups with nodes that keep something come again, by the
        // number of their holder.
        let is_leaf = |object: u32| !numbered.contains(object as usize);
        let number = |node: u32| self.number.get(node as usize).copied().filter(|n| *n != NONE);
        let leaf = |sums: &mut Sums, again: &mut Vec<u64>, number: u32, leaf: u32| {
            let Some(group) = group_of(leaf) else { return };
            sums.add(owner(number), group, of(leaf));
            if with_nodes.contains(group as usize) {
                again.push(u64::from(number) << 32 | u64::from(leaf));
            }
        };
        let mut found = graph.in_runs(|run| {
            let (mut sums, mut again) = (Sums::new(), Vec::new());
            graph.edges.each(run, |from, to| {
                let mut leaves = to.iter().copied().filter(|to| is_leaf(*to)).peekable();
                if leaves.peek().is_some()
                    && let Some(number) = graph.node_of(from).and_then(number)
                {
                    leaves.for_each(|to| leaf(&mut sums, &mut again, number, to));
                }
            });
            (sums, again)
        });
        let (mut of_roots, mut again) = (Sums::new(), Vec::new());
        for (root, to) in graph.roots().held().iter().filter(|(_, o)| is_leaf(o.0)) {
            if let Some(number) = number(graph.node_of_root(*root)) {
                leaf(&mut of_roots, &mut again, number, to.0);
            }
        }
        found.push((of_roots, again));
        let (of_leaves, leaves): (Vec<Sums>, Vec<Vec<u64>>) = found.into_iter().unzip();
        let (mut together, mut with_leaves) = (Sums::new(), Bits::new(count));
        for (owner, group, sum) in Sums::finish(of_leaves) {
            with_leaves.insert(group as usize);
            together.add(owner, group, sum);
        }
        sums.push(together);
        let all: Vec<(u32, u32, Retained)> = Sums::finish(sums).collect();
        let mut out = vec![GroupTotals::default(); count];
        all.iter().for_each(|(_, group, sum)| out[*group as usize].own.add(*sum));
        let sets = Sets { with_nodes, with_leaves };
        self.add_retained(graph, &mut out, numbers(), &sets, leaves.concat(), &group_of);
        (out, all)
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
        let mut with_nodes = Bits::new(count);
        for (_, group) in numbers.iter().filter(|(number, _)| self.at(*number).objects > 1) {
            with_nodes.insert(*group as usize);
        }
        let sets = Sets { with_nodes, with_leaves };
        let any_mixed = sets.with_leaves.iter().any(|g| sets.with_nodes.contains(g));
        let is_mixed = |leaf: u32| group_of(leaf).is_some_and(|group| sets.is_mixed(group));
        let leaves = if any_mixed { self.leaves_where(graph, is_mixed) } else { Vec::new() };
        self.add_retained(graph, &mut out, numbers.into_iter(), &sets, leaves, &group_of);
        out
    }

    /// What groups retain: `numbers` are those of their members, ascending, each with its group, `leaves`
    /// those of mixed groups as of [`Dominators::leaves_where`].
    fn add_retained(
        &self,
        graph: &Graph,
        out: &mut [GroupTotals],
        numbers: impl Iterator<Item = (u32, u32)>,
        sets: &Sets,
        mut leaves: Vec<u64>,
        group_of: &dyn Fn(u32) -> Option<u32>,
    ) {
        let (layout, count) = (graph.layout(), out.len());
        leaves.sort_unstable();
        let mut leaves = leaves.into_iter().peekable();
        // Numbers are a walk down the tree. Of each group the one above all others on the way to where the
        // walk is, if there is one: the lowest comes last.
        let mut way: Vec<(u32, u32)> = Vec::new();
        let (mut is_above, mut at) = (Bits::new(count), 0);
        let mut numbers = numbers.peekable();
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
        let others = |g: &usize| !sets.is_mixed(*g as u32);
        sets.with_leaves.iter().filter(others).for_each(|g| out[g].retained = out[g].own);
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
