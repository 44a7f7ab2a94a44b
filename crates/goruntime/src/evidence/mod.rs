//! What to copy while the target stands still, and the copying. Nothing is decoded here beyond the pointers that say where to copy from; all decoding
//! happens later, on the copy, with the target running again.

mod goroutines;

use lastgasp_inferior::{Addr, Memory, ReadError, Snapshot, ThreadRegisters};
use rustc_hash::FxHashSet;

use crate::bounds::{MAX_BUCKETS, MAX_GOROUTINES, STACKS_BOUND};
use crate::gap::Gap;
use crate::heap::memprofile::bucket_extent;
use crate::heap::memstats::Gauges;
use crate::runtime::Runtime;

/// Ranges closer than this are copied as one: reading the bytes between costs less than another piece.
const MERGE_GAP: u64 = 512;

/// What is known before the crisis: where the buckets stand, and how much room a copy needs.
#[derive(Clone, Debug, Default)]
pub struct EvidencePlan {
    known: FxHashSet<Addr>,
    /// Sorted, merged.
    ranges: Vec<(Addr, usize)>,
    goroutines: u64,
}

impl EvidencePlan {
    /// Brings the plan up to date: walks buckets that were added since the last call (all of them at the first), counts goroutines. Reads a running
    /// target: buckets never move and are never freed, new ones are added at the head.
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

    /// Room for a copy in bytes: what is known, and half as many goroutines again as there are now, since a dying service has more of them in a moment; at
    /// most `cap`. Not more: to touch 12 MB took 7 to 20 ms, and small services that grow fast were dead before the copy.
    #[must_use]
    pub fn room(&self, rt: &Runtime, mem: &dyn Memory, cap: usize) -> usize {
        let buckets: usize = self.ranges.iter().map(|(_, len)| *len).sum();
        let gauges = Gauges::read(rt, mem).ok();
        let now = gauges.map_or(0, |g| g.goroutine_slots).min(MAX_GOROUTINES).max(self.goroutines);
        let slots = now.saturating_mul(3) / 2 + 1000;
        let goroutines = slots.saturating_mul(rt.layout.g.sizeof + 8) as usize;
        // Few goroutines may have deep stacks.
        let deep = gauges.map_or(0, |g| g.stacks.min(STACKS_BOUND as u64)) as usize;
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
    fn pieces_of_profile(&self) -> usize {
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

/// Sorts ranges and joins those that touch or nearly do.
pub(crate) fn merge(mut ranges: Vec<(Addr, usize)>) -> Vec<(Addr, usize)> {
    /// So that one absent page never costs more than this.
    const LARGEST: usize = 64 << 10;
    ranges.sort_unstable();
    let mut out: Vec<(Addr, usize)> = Vec::with_capacity(ranges.len() / 8 + 1);
    for (addr, len) in ranges {
        if let Some((start, total)) = out.last_mut() {
            let end = start.0.saturating_add(*total as u64);
            let joined = addr.0.saturating_add(len as u64).max(end) - start.0;
            if addr.0 <= end.saturating_add(MERGE_GAP) && joined as usize <= LARGEST {
                *total = joined as usize;
                continue;
            }
        }
        out.push((addr, len));
    }
    out
}

/// A copy of what the decoders need.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The bytes; sealed by [`Evidence::finish`].
    pub snapshot: Snapshot,
    /// What could not be copied.
    pub gaps: Vec<Gap>,
}

impl Evidence {
    /// Room for a copy after `plan`, at most `cap` bytes; to be made before the target stands still.
    #[must_use]
    pub fn with_room(rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory, cap: usize) -> Self {
        Self { snapshot: Snapshot::with_budget(plan.room(rt, mem, cap), plan.pieces()), gaps: Vec::new() }
    }

    /// As [`Evidence::with_room`], for [`Evidence::copy_profile`] alone.
    #[must_use]
    pub fn with_room_for_profile(plan: &EvidencePlan, cap: usize) -> Self {
        Self { snapshot: Snapshot::with_budget(plan.room_for_profile(cap), plan.pieces_of_profile()), gaps: Vec::new() }
    }

    /// The same for a copy that nobody stands still for: it is touched as it is used.
    #[must_use]
    pub fn for_baseline(plan: &EvidencePlan, cap: usize) -> Self {
        let snapshot = Snapshot::with_untouched_budget(plan.room_for_profile(cap), plan.pieces_of_profile());
        Self { snapshot, gaps: Vec::new() }
    }

    /// Copies: gauges, profile buckets, threads, goroutines and their stacks. In this order, so that a copy that is cut short has what names the culprit.
    pub fn copy(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
        self.copy_with(rt, plan, mem, &[]);
    }

    /// As [`Evidence::copy`], with what `registers` say of running goroutines: how far their stacks reach, and the threads' own stacks that they stand on.
    pub fn copy_with(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory, registers: &[ThreadRegisters]) {
        self.copy_profile(rt, plan, mem);
        self.copy_threads(rt, mem, registers);
        self.copy_goroutines(rt, mem);
        if self.snapshot.refused() > 0 {
            self.gaps
                .push(Gap::new(format!("{} bytes", self.snapshot.refused()), "over the byte budget of one capture"));
        }
    }

    /// Copies gauges and profile buckets alone: for baselines, from a running target.
    pub fn copy_profile(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
        self.copy_globals(rt, mem);
        self.copy_buckets(rt, plan, mem);
    }

    /// Makes the copy readable; after the target runs again.
    pub fn finish(&mut self) {
        self.snapshot.seal();
    }

    /// The gauges by one read of memory: a tenth of what [`Gauges::read`] costs of a living process, and nearly of one moment.
    ///
    /// # Errors
    /// [`ReadError`] of the first that fails.
    pub fn gauges(rt: &Runtime, mem: &dyn Memory) -> Result<Gauges, ReadError> {
        let mut copy = Self { snapshot: Snapshot::with_untouched_budget(64 << 10, 16), gaps: Vec::new() };
        copy.copy_globals(rt, mem);
        copy.finish();
        // What is not read at once may still be read word by word.
        if copy.gaps.is_empty() { Gauges::read(rt, &copy.snapshot) } else { Gauges::read(rt, mem) }
    }

    fn copy_globals(&mut self, rt: &Runtime, mem: &dyn Memory) {
        let g = &rt.globals;
        let words = [g.mbuckets, g.mprof_cycle, g.mem_profile_rate, g.allglen, g.allgptr, g.allm, g.gcphase];
        let mut ranges: Vec<(Addr, usize)> = words.iter().map(|a| (*a, 8)).collect();
        ranges.push((g.gc_controller, rt.layout.gc_controller.mapped_ready as usize + 8));
        let first = rt.layout.mstats.stacks_sys;
        ranges.push((g.memstats.plus(first), (rt.layout.mstats.last_gc_nanotime + 8 - first) as usize));
        let stats = &rt.layout.heap_stats;
        ranges.push((g.memstats.plus(stats.stats), 3 * stats.sizeof as usize));
        ranges.push((g.mheap.plus(rt.layout.mheap.sweepgen), 32));
        let failed = self.snapshot.copy_all(mem, &ranges);
        if failed > 0 {
            self.gaps.push(Gap::new("runtime variables", format!("{failed} of {} could not be read", ranges.len())));
        }
    }

    fn copy_buckets(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
        let mut failed = self.snapshot.copy_all(mem, &plan.ranges);
        // Sites that appeared since the plan was made: few, read one by one until the list reaches what is known.
        let mut at = mem.ptr(rt.globals.mbuckets).unwrap_or_default();
        let mut seen = 0;
        while !at.is_null() && !plan.known.contains(&at) && seen < MAX_BUCKETS {
            seen += 1;
            match bucket_extent(rt, mem, at) {
                Ok((next, len)) => {
                    failed += usize::from(!self.snapshot.copy(mem, at, len));
                    at = next;
                }
                Err(e) => {
                    self.gaps.push(Gap::new("memory profile", e));
                    break;
                }
            }
        }
        if failed > 0 {
            self.gaps.push(Gap::new("memory profile", format!("{failed} pieces could not be read")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge_up_to_a_bound() {
        let got = merge(vec![(Addr(5000), 100), (Addr(100), 50), (Addr(150), 50), (Addr(600), 10)]);
        assert_eq!(got, [(Addr(100), 510), (Addr(5000), 100)]);
        let many: Vec<_> = (0..100).map(|i| (Addr(i * 1000), 1000)).collect();
        assert!(merge(many).iter().all(|(_, len)| *len <= 64 << 10));
    }
}
