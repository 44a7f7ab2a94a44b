//! What to copy while the target stands still, and the copying. Nothing is decoded here beyond the pointers
//! that say where to copy from; all decoding happens later, on the copy, with the target running again.

mod goroutines;
mod plan;
mod profile;
mod sink;
mod threads;

use lastgasp_inferior::{Memory, ReadError, Snapshot, ThreadRegisters};

use self::goroutines::copy_goroutines;
use self::profile::{copy_buckets, copy_globals};
use self::sink::Sink;
use self::threads::copy_threads;
use crate::gap::Gap;
use crate::heap::memstats::MemStats;
use crate::runtime::Runtime;

pub use self::plan::EvidencePlan;

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

    /// Copies: memory statistics, profile buckets, threads, goroutines and their stacks. In this order, so
    /// that a copy that is cut short has what names the culprit.
    pub fn copy(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
        self.copy_with(rt, plan, mem, &[]);
    }

    /// As [`Evidence::copy`], with what `registers` say of running goroutines: how far their stacks reach,
    /// and the threads' own stacks that they stand on.
    pub fn copy_with(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory, registers: &[ThreadRegisters]) {
        self.copy_profile(rt, plan, mem);
        copy_threads(&mut self.open(), rt, mem, registers);
        copy_goroutines(&mut self.open(), rt, mem);
        if self.snapshot.refused() > 0 {
            self.gaps
                .push(Gap::new(format!("{} bytes", self.snapshot.refused()), "over the byte budget of one capture"));
        }
    }

    /// Copies memory statistics and profile buckets alone: for baselines, from a running target.
    pub fn copy_profile(&mut self, rt: &Runtime, plan: &EvidencePlan, mem: &dyn Memory) {
        copy_globals(&mut self.open(), rt, mem);
        copy_buckets(&mut self.open(), rt, plan, mem);
    }

    /// Makes the copy readable; after the target runs again.
    pub fn finish(&mut self) {
        self.snapshot.seal();
    }

    /// The memory statistics by one read of memory: a tenth of what [`MemStats::read`] costs of a living
    /// process, and nearly of one moment.
    ///
    /// # Errors
    /// [`ReadError`] of the first that fails.
    pub fn memstats(rt: &Runtime, mem: &dyn Memory) -> Result<MemStats, ReadError> {
        let mut copy = Self { snapshot: Snapshot::with_untouched_budget(64 << 10, 16), gaps: Vec::new() };
        copy_globals(&mut copy.open(), rt, mem);
        copy.finish();
        // What is not read at once may still be read word by word.
        if copy.gaps.is_empty() { MemStats::read(rt, &copy.snapshot) } else { MemStats::read(rt, mem) }
    }

    fn open(&mut self) -> Sink<'_> {
        Sink { snapshot: &mut self.snapshot, gaps: &mut self.gaps }
    }
}
