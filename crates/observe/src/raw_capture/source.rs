//! Where memory beside the evidence can still be read: a process that runs on, one that is dead and held, or
//! a core file.

use std::sync::Arc;
use std::time::Instant;

use lastgasp_inferior::{CoreFile, LiveProcess};

use super::other_memory::{MemoryMap, OtherMemory};
use super::raw::RawCapture;
use super::stored::WhenRead;

/// Such a place.
#[derive(Debug)]
pub struct Source(Place);

#[derive(Debug)]
enum Place {
    Process { process: Arc<LiveProcess>, map: Arc<MemoryMap>, until: Option<Instant>, _held: Option<Held> },
    Core { core: Arc<CoreFile>, read: WhenRead },
}

/// Whoever holds the address space of a dead process waits for this to be dropped, no longer than was agreed.
#[derive(Debug)]
pub struct Held(#[allow(dead_code)] pub std::sync::mpsc::Sender<std::convert::Infallible>);

/// Memory of a dead process that is held for more than its evidence: until that moment, or until this is
/// dropped.
#[derive(Debug)]
pub struct DeadMemory {
    /// Where it is read.
    pub process: Arc<LiveProcess>,
    /// Held no longer than that.
    pub until: Instant,
    /// Whoever holds it waits for this to be dropped.
    pub held: Held,
}

impl Source {
    /// A process that runs on. It may end at any time.
    #[must_use]
    pub fn running(process: Arc<LiveProcess>, map: Arc<MemoryMap>) -> Self {
        Self(Place::Process { process, map, until: None, _held: None })
    }

    /// A dead process, held until that moment at most.
    #[must_use]
    pub fn dead(process: Arc<LiveProcess>, map: Arc<MemoryMap>, until: Instant, held: Held) -> Self {
        Self(Place::Process { process, map, until: Some(until), _held: Some(held) })
    }

    /// A core file.
    #[must_use]
    pub fn core(core: Arc<CoreFile>, read: WhenRead) -> Self {
        Self(Place::Core { core, read })
    }

    /// The memory of one moment, all of it: a core file's. `None` of a process, and of what was kept of one.
    #[must_use]
    pub fn whole(&self) -> Option<&CoreFile> {
        match &self.0 {
            Place::Core { core, read } => read.is_whole().then_some(core),
            Place::Process { .. } => None,
        }
    }

    /// Whether it is worth to go on reading: of a process that runs no longer than it does, for whoever reads
    /// it after its death has no time to lose.
    #[must_use]
    pub fn go_on(&self) -> bool {
        match &self.0 {
            Place::Process { until: Some(until), .. } => Instant::now() < *until,
            // One that was killed and not reaped has a number still, and no memory.
            Place::Process { process, .. } => process.rss().is_some_and(|rss| rss > 0),
            Place::Core { .. } => true,
        }
    }

    /// Which memory is to be kept beside the evidence of `raw`. `go_on` is usually [`Source::go_on`].
    #[must_use]
    pub fn other<'a>(&'a self, raw: &RawCapture, go_on: &'a dyn Fn() -> bool) -> OtherMemory<'a> {
        match &self.0 {
            Place::Process { process, map, until, _held } => {
                let read = if until.is_some() { WhenRead::Dead } else { WhenRead::Running };
                OtherMemory::of_process(process, map, raw, read, go_on)
            }
            Place::Core { core, read } => OtherMemory::of_core(core, *read, go_on),
        }
    }
}
