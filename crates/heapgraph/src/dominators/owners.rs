//! Whose each object is: the root, or group of roots, that alone keeps it; and amounts that are summed up by
//! two numbers, owner and group.

use rustc_hash::FxHashMap;

use super::Dominators;
use crate::graph::Graph;
use crate::retained::Retained;

/// Sums that are at hand while objects come: neighbours mostly are of few owners and groups.
const AT_HAND: usize = 512;

/// Sums by two numbers.
pub(super) struct Sums {
    /// Of each pair at its place; what was there before goes to the others.
    at_hand: Vec<(u64, Retained)>,
    others: FxHashMap<u64, Retained>,
}

impl Sums {
    pub(super) fn new() -> Self {
        Self { at_hand: vec![(0, Retained::default()); AT_HAND], others: FxHashMap::default() }
    }

    pub(super) fn add(&mut self, owner: u32, group: u32, of: Retained) {
        let pair = u64::from(owner) << 32 | u64::from(group);
        let place = (pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % AT_HAND;
        let (known, sum) = &mut self.at_hand[place];
        if *known == pair {
            sum.add(of);
        } else {
            let before = (std::mem::replace(known, pair), std::mem::replace(sum, of));
            self.put(before);
        }
    }

    fn put(&mut self, (pair, sum): (u64, Retained)) {
        if sum.objects > 0 {
            self.others.entry(pair).or_default().add(sum);
        }
    }

    /// Owner, group and amount, in no order.
    pub(super) fn finish(all: Vec<Self>) -> impl Iterator<Item = (u32, u32, Retained)> {
        let mut together = Self::new();
        for sums in all {
            sums.others.into_iter().chain(sums.at_hand).for_each(|sum| together.put(sum));
        }
        together.others.into_iter().map(|(pair, sum)| ((pair >> 32) as u32, pair as u32, sum))
    }
}

impl Dominators {
    /// The owner of each number, as a node.
    pub(super) fn owners(&self, graph: &Graph) -> Vec<u32> {
        let objects_from = graph.objects_from() as u32;
        // Dominators have lower numbers: theirs are known first.
        let mut owners: Vec<u32> = Vec::with_capacity(self.node.len());
        for (node, dominator) in self.node.iter().zip(&self.dominator) {
            // The first is its own.
            let owner = if *node < objects_from { *node } else { owners[*dominator as usize] };
            owners.push(owner);
        }
        owners
    }
}
