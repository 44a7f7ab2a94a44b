//! Copying the runtime's variables and its memory profile.

use lastgasp_inferior::{Addr, Memory};

use super::plan::EvidencePlan;
use super::sink::Sink;
use crate::bounds::MAX_BUCKETS;
use crate::gap::Gap;
use crate::heap::memprofile::bucket_extent;
use crate::runtime::Runtime;

/// The runtime's variables.
pub(super) fn copy_globals(into: &mut Sink<'_>, rt: &Runtime, mem: &dyn Memory) {
    let g = &rt.globals;
    let words = [g.mbuckets, g.mprof_cycle, g.mem_profile_rate, g.allglen, g.allgptr, g.allm, g.gcphase];
    let mut ranges: Vec<(Addr, usize)> = words.iter().map(|a| (*a, 8)).collect();
    ranges.push((g.gc_controller, rt.layout.gc_controller.mapped_ready as usize + 8));
    let first = rt.layout.mstats.stacks_sys;
    ranges.push((g.memstats.plus(first), (rt.layout.mstats.last_gc_nanotime + 8 - first) as usize));
    let stats = &rt.layout.heap_stats;
    ranges.push((g.memstats.plus(stats.stats), 3 * stats.sizeof as usize));
    ranges.push((g.mheap.plus(rt.layout.mheap.sweepgen), 32));
    let failed = into.snapshot.copy_all(mem, &ranges);
    if failed > 0 {
        into.gaps.push(Gap::new("runtime variables", format!("{failed} of {} could not be read", ranges.len())));
    }
}

/// The buckets of the memory profile: those of the plan, and those that were added since.
pub(super) fn copy_buckets(into: &mut Sink<'_>, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
    let mut failed = into.snapshot.copy_all(mem, &plan.ranges);
    // Sites that appeared since the plan was made: few, read one by one until the list reaches what is known.
    let mut at = mem.ptr(rt.globals.mbuckets).unwrap_or_default();
    let mut seen = 0;
    while !at.is_null() && !plan.known.contains(&at) && seen < MAX_BUCKETS {
        seen += 1;
        match bucket_extent(rt, mem, at) {
            Ok((next, len)) => {
                failed += usize::from(!into.snapshot.copy(mem, at, len));
                at = next;
            }
            Err(e) => {
                into.gaps.push(Gap::new("memory profile", e));
                break;
            }
        }
    }
    if failed > 0 {
        into.gaps.push(Gap::new("memory profile", format!("{failed} pieces could not be read")));
    }
}
