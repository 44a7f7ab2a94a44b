//! Whose each object is: the root, or group of roots, that alone keeps it; and amounts that are summed up by
//! two numbers, owner and group.

use rustc_hash::FxHashMap;

use super::Dominators;
use crate::graph::{ALL, Graph};
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

/// Numbers in a row whose owners are looked up in one place.
const BLOCK: u32 = 4096;

/// The owner of each number, as a node. What one owns is numbered in a row, but for what others own in
/// between, so that rows are remembered and no single number.
pub(super) struct Owners {
    /// Where each row begins, and whose it is.
    rows: Vec<(u32, u32)>,
    /// The row in which each block begins.
    blocks: Vec<u32>,
}

impl Owners {
    /// That of a number.
    pub(super) fn of(&self, number: u32) -> u32 {
        let block = (number / BLOCK) as usize;
        let first = self.blocks.get(block).map_or(0, |row| *row as usize);
        let end = self.blocks.get(block + 1).map_or(self.rows.len(), |row| *row as usize + 1);
        let rows = self.rows.get(first..end).unwrap_or_default();
        let behind = rows.partition_point(|(from, _)| *from <= number);
        behind.checked_sub(1).and_then(|row| rows.get(row)).map_or(ALL, |(_, owner)| *owner)
    }
}

impl Dominators {
    /// The owners of all numbers.
    pub(super) fn owners(&self, graph: &Graph) -> Owners {
        let objects_from = graph.objects_from() as u32;
        let mut owners = Owners { rows: Vec::new(), blocks: Vec::new() };
        // What is no object, down to where the numbers are: by number and node.
        let mut way: Vec<(u32, u32)> = Vec::new();
        for (number, (node, dominator)) in (0..).zip(self.node.iter().zip(&self.dominator)) {
            // What is below one is numbered right behind it, and dominated by nothing before it.
            while way.pop_if(|(above, _)| *above > *dominator).is_some() {}
            if *node < objects_from {
                way.push((number, *node));
            }
            let owner = way.last().map_or(ALL, |(_, owner)| *owner);
            if owners.rows.last().is_none_or(|(_, last)| *last != owner) {
                owners.rows.push((number, owner));
            }
            if number.is_multiple_of(BLOCK) {
                owners.blocks.push(owners.rows.len() as u32 - 1);
            }
        }
        owners
    }
}
