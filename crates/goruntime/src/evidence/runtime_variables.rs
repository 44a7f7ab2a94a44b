//! Copying the runtime's variables: its memory statistics, and where everything else begins.

use lastgasp_inferior::Addr;

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use crate::gap::Gap;

/// The runtime's variables.
pub(super) struct RuntimeVariables;

impl Collector for RuntimeVariables {
    fn name(&self) -> &'static str {
        "runtime variables"
    }

    fn extent(&self) -> Extent {
        Extent::Numbers
    }

    /// They have 10 kB at most in any release.
    fn room(&self, _: &CopySource<'_>) -> Room {
        Room { bytes: 64 << 10, pieces: 16 }
    }

    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let (g, layout) = (&from.runtime.globals, from.runtime.layout);
        let words = [g.mbuckets, g.mprof_cycle, g.mem_profile_rate, g.allglen, g.allgptr, g.allm, g.gcphase];
        let mut ranges: Vec<(Addr, usize)> = words.iter().map(|a| (*a, 8)).collect();
        ranges.push((g.gc_controller, layout.gc_controller.mapped_ready as usize + 8));
        let first = layout.mstats.stacks_sys;
        let last = layout.mstats.last_gc_nanotime.max(layout.mstats.gc_cpu_fraction);
        ranges.push((g.memstats.plus(first), (last + 8 - first) as usize));
        let stats = &layout.heap_stats;
        ranges.push((g.memstats.plus(stats.stats), 3 * stats.sizeof as usize));
        ranges.push((g.mheap.plus(layout.mheap.sweepgen), 32));
        let failed = into.snapshot.copy_all(from.mem, &ranges);
        if failed > 0 {
            into.gaps.push(Gap::new(self.name(), format!("{failed} of {} could not be read", ranges.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{FLAVOURS, Fixture};
    use super::*;
    use crate::heap::memstats::MemStats;

    #[test]
    fn the_statistics_are_in_the_copy() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables]);
            assert_eq!(copy.gaps, []);
            let here = MemStats::read(&f.runtime, &f).unwrap();
            assert_eq!(MemStats::read(&f.runtime, &copy.snapshot).unwrap(), here);
            assert_eq!((here.gc_percent, here.goroutine_slots), (100, 4));
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        f.runtime.globals.gcphase = Addr(0x10);
        let copy = f.copied(&[&RuntimeVariables]);
        assert_eq!(copy.gaps, [Gap::new("runtime variables", "1 of 11 could not be read")]);
    }
}
