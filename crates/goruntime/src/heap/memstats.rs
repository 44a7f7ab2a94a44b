//! The runtime's memory statistics (`gcController`, `memstats`): a few words, safe to read at any time.
//! Source: `runtime/mgcpacer.go`, `runtime/mstats.go`.

use lastgasp_inferior::{Memory, ReadError};

use crate::runtime::Runtime;

/// `gcController` and `memstats`, as far as we use them. Bytes unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemStats {
    /// GOGC in percent; -1 means off.
    pub gc_percent: i32,
    /// GOMEMLIMIT; `None` when there is none.
    pub memory_limit: Option<u64>,
    /// Heap size at which the next cycle should end, from GOGC alone; `None` where GOGC is off.
    pub heap_goal: Option<u64>,
    /// Live at the last mark, plus allocated since.
    pub heap_live: u64,
    /// Live at the last mark.
    pub heap_marked: u64,
    /// In spans that hold objects.
    pub heap_in_use: u64,
    /// Returned to the system.
    pub heap_released: u64,
    /// In free pages that were not returned.
    pub heap_free: u64,
    /// Ever allocated. Lags by at most one span per P.
    pub total_alloc: u64,
    /// Ever freed, as far as spans were swept.
    pub total_free: u64,
    /// Mapped by the runtime and ready for use.
    pub mapped_ready: u64,
    /// Goroutine and system stacks.
    pub stacks: u64,
    /// Runtime metadata: mspan, mcache, profile buckets, GC, other.
    pub metadata: u64,
    /// GC cycles finished.
    pub gc_cycles: u32,
    /// End of the last cycle, `nanotime` (CLOCK_MONOTONIC).
    pub last_gc_ns: u64,
    /// Share of processor time that the collector has taken since the start, in millionths, as of the last
    /// cycle; `None` before the first.
    pub gc_cpu_ppm: Option<u32>,
    /// 0 off, 1 marking, 2 mark termination.
    pub gc_phase: u32,
    /// Goroutine structures, dead ones included.
    pub goroutine_slots: u64,
}

impl MemStats {
    /// Reads them: about twenty small reads.
    ///
    /// # Errors
    /// [`ReadError`] of the first that fails.
    pub fn read(rt: &Runtime, mem: &dyn Memory) -> Result<Self, ReadError> {
        let c = &rt.layout.gc_controller;
        let s = &rt.layout.mstats;
        let controller = |offset: u64| mem.u64(rt.globals.gc_controller.plus(offset));
        let stats = |offset: u64| mem.u64(rt.globals.memstats.plus(offset));
        let h = &rt.layout.heap_stats;
        // Three generations of differences: their sum is the value (consistentHeapStats in mstats.go).
        let heap_stats = |field: u64| -> Result<u64, ReadError> {
            (0..3).try_fold(0u64, |sum, i| Ok(sum.wrapping_add(stats(h.stats + i * h.sizeof + field)?)))
        };
        let metadata = [s.mspan_sys, s.mcache_sys, s.buckhash_sys, s.gc_misc_sys, s.other_sys];
        Ok(Self {
            gc_percent: mem.u32(rt.globals.gc_controller.plus(c.gc_percent))?.cast_signed(),
            memory_limit: Some(controller(c.memory_limit)?).filter(|l| *l < i64::MAX as u64),
            heap_goal: Some(controller(c.gc_percent_heap_goal)?).filter(|g| *g < i64::MAX as u64),
            heap_live: controller(c.heap_live)?,
            heap_marked: controller(c.heap_marked)?,
            heap_in_use: controller(c.heap_in_use)?,
            heap_released: controller(c.heap_released)?,
            heap_free: controller(c.heap_free)?,
            total_alloc: controller(c.total_alloc)?,
            total_free: controller(c.total_free)?,
            mapped_ready: controller(c.mapped_ready)?,
            // stacks_sys counts those of system threads alone; goroutine stacks are spans of the heap that
            // heapInUse leaves out.
            stacks: stats(s.stacks_sys)?.saturating_add(heap_stats(h.in_stacks)?),
            metadata: metadata
                .iter()
                .try_fold(heap_stats(h.in_work_bufs)?, |sum, o| Ok(sum.saturating_add(stats(*o)?)))?,
            gc_cycles: mem.u32(rt.globals.memstats.plus(s.numgc))?,
            last_gc_ns: stats(s.last_gc_nanotime)?,
            gc_cpu_ppm: stats(s.gc_cpu_fraction).ok().and_then(millionths),
            gc_phase: mem.u32(rt.globals.gcphase)?,
            goroutine_slots: mem.u64(rt.globals.allglen)?,
        })
    }
}

/// The bits of a float between 0 and 1; 0 is that of a program which has not collected yet.
fn millionths(bits: u64) -> Option<u32> {
    let share = f64::from_bits(bits);
    (share > 0.0 && share <= 1.0).then_some((share * 1e6) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_between_nothing_and_all() {
        let of = |share: f64| millionths(share.to_bits());
        assert_eq!(
            [of(0.25), of(1.0), of(0.0), of(-0.5), of(1.5), of(f64::NAN)],
            [Some(250_000), Some(1_000_000), None, None, None, None]
        );
    }
}
