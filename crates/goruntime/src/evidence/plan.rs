//! What to copy, and how much room it needs: kept up to date while the target is well.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use crate::bounds::{MAX_BUCKETS, MAX_GOROUTINES, STACKS_BOUND};
use crate::gap::Gap;
use crate::heap::memprofile::bucket_extent;
use crate::heap::memstats::MemStats;
use crate::ranges::merge;
use crate::runtime::Runtime;

/// What is known before the crisis: where the buckets stand, and how much room a copy needs.
#[derive(Clone, Debug, Default)]
pub struct EvidencePlan {
    pub(super) known: FxHashSet<Addr>,
    /// Pieces that hold the known buckets: address and bytes, sorted and merged.
    pub(super) ranges: Vec<(Addr, usize)>,
    goroutines: u64,
}

impl EvidencePlan {
    /// Brings the plan up to date: walks buckets that were added since the last call (all of them at the
    /// first), counts goroutines. Reads a running target: buckets never move and are never freed, new ones
    /// are added at the head.
    pub fn update(&mut self, rt: &Runtime, mem: &dyn Memory) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let fresh = self.walk_new(rt, mem, &mut gaps);
        if !fresh.is_empty() {
            let mut ranges = std::mem::take(&mut self.ranges);
            self.known.extend(fresh.iter().map(|(a, _)| *a));
            ranges.extend(fresh);
            self.ranges = merge(ranges);
        }
        // A foreign number that sizes memory of ours: bounded (test `hostile_pointers_end`).
        self.goroutines = mem.u64(rt.globals.allglen).unwrap_or(0).min(MAX_GOROUTINES);
        gaps
    }

    /// Room for a copy in bytes: what is known, and half as many goroutines again as there are now, since a
    /// dying service has more of them in a moment; at most `cap`. Not more: to touch 12 MB took 7 to 20 ms,
    /// and small services that grow fast were dead before the copy.
    #[must_use]
    pub fn room(&self, rt: &Runtime, mem: &dyn Memory, cap: usize) -> usize {
        let buckets: usize = self.ranges.iter().map(|(_, len)| *len).sum();
        let stats = MemStats::read(rt, mem).ok();
        let now = stats.map_or(0, |g| g.goroutine_slots).min(MAX_GOROUTINES).max(self.goroutines);
        let slots = now.saturating_mul(3) / 2 + 1000;
        let goroutines = slots.saturating_mul(rt.layout.g.sizeof + 8) as usize;
        // Few goroutines may have deep stacks.
        let deep = stats.map_or(0, |g| g.stacks.min(STACKS_BOUND as u64)) as usize;
        let stacks = ((now as usize + 300) * 2 * 3072).max(deep).min(STACKS_BOUND);
        (buckets + buckets / 4 + goroutines + stacks + (2 << 20)).min(cap)
    }

    /// As [`EvidencePlan::room`], for [`Evidence::copy_profile`] alone.
    #[must_use]
    pub fn room_for_profile(&self, cap: usize) -> usize {
        let buckets: usize = self.ranges.iter().map(|(_, len)| *len).sum();
        (buckets + buckets / 4 + (256 << 10)).min(cap)
    }

    /// Pieces that a copy will have, at most.
    #[must_use]
    pub fn pieces(&self) -> usize {
        (self.ranges.len() * 2 + (self.goroutines as usize + 1000) * 4 + 4096).min(1 << 20)
    }

    /// Pieces that a copy of the profile alone will have, at most.
    pub(super) fn pieces_of_profile(&self) -> usize {
        self.ranges.len() * 2 + 1024
    }

    /// Buckets that are not in the plan yet, newest first, with their lengths.
    fn walk_new(&self, rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> Vec<(Addr, usize)> {
        let mut fresh = Vec::new();
        let mut at = match mem.ptr(rt.globals.mbuckets) {
            Ok(head) => head,
            Err(e) => {
                gaps.push(Gap::new("memory profile", e.to_string()));
                return fresh;
            }
        };
        let mut seen = FxHashSet::default();
        while !at.is_null()
            && !self.known.contains(&at)
            && seen.insert(at)
            && self.known.len() + fresh.len() < MAX_BUCKETS
        {
            match bucket_extent(rt, mem, at) {
                Ok((next, len)) => {
                    fresh.push((at, len));
                    at = next;
                }
                Err(e) => {
                    gaps.push(Gap::new("memory profile", e));
                    break;
                }
            }
        }
        fresh
    }
}
