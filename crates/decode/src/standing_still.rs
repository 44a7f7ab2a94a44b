//! A process that stands still and is too large to be copied as it is: what its graph is made of is packed,
//! and it runs on while that is looked at.
//!
//! Kept is all that is held and may have pointers; of objects without any what tells their type (channels,
//! closures), and whatever of them the goroutines that wait have led to: locks, groups, conditions. The rest
//! of what has no pointers is text and numbers: it is read later, where it is, and only as content.

use lastgasp_goheap::side_by_side;
use lastgasp_goruntime::{HeapObjects, LabelSalt, Symbolizer, TellingHeads, decode_all_goroutines, free_pages, waits};
use lastgasp_inferior::{
    Absent, Addr, AddrRange, BlockCache, CopiedMemory, Layered, Memory, OwnPages, PackedPages, Packing, Ranges,
    ReadError, RememberedMemory,
};
use lastgasp_observe::raw_capture::RawCapture;

/// Most bytes of what goroutines wait for that are kept beside: a page for each of 16,000.
const MOST_AWAITED: u64 = 64 << 20;

/// What was packed, and below it what goroutines wait for.
type Kept<M> = Layered<CopiedMemory<M, PackedPages>, RememberedMemory<Absent>>;

/// A process of one moment, packed.
#[derive(Debug)]
pub struct StoodStill<M> {
    /// Its memory; what holds no pointers is mostly not in it.
    pub memory: Kept<M>,
    /// Spans and slots.
    pub objects: HeapObjects,
}

/// Packs a process that stands still: `live` is its memory now, `later` the same when it runs on, of which
/// only what cannot be written is read. At most `budget` bytes; `None` where that is too little, or something
/// could not be read.
#[must_use]
pub fn pack_standing_still<M: Memory>(
    taken: &RawCapture,
    (live, later): (&(dyn Memory + Sync), M),
    pages: &OwnPages,
    budget: u64,
) -> Option<StoodStill<M>> {
    let rt = &taken.runtime;
    let mut gaps = Vec::new();
    let (objects, places) = side_by_side(
        || HeapObjects::read(rt, live, &mut gaps),
        || {
            let mut places = pages.places()?;
            // What was freed is full of what it was.
            if let Some(free) = free_pages(rt, live) {
                places.leave_out(&free);
            }
            Some(places)
        },
    );
    let (objects, places) = (objects.filter(|_| gaps.is_empty())?, places?);
    let known = objects.pages();
    let without = Ranges::union(known.iter().filter(|p| !p.has_pointers).map(|p| p.range));
    let awaited = awaited(taken, live, &without);
    let heads = TellingHeads::of(rt, live);
    let packing = Packing { budget: budget as usize, picked: &|head| heads.kept(head), go_on: &|| true };
    let top = CopiedMemory::pack(live, places, &known, &packing, later)?;
    let memory = Layered { top, bottom: awaited };
    Some(StoodStill { memory, objects })
}

/// What is read of objects without pointers to know what goroutines wait for.
fn awaited(taken: &RawCapture, live: &(dyn Memory + Sync), without: &Ranges) -> RememberedMemory<Absent> {
    let rt = &taken.runtime;
    let noted = Noted { live, without, remembered: RememberedMemory::new(live, MOST_AWAITED) };
    if let Ok((constants, _)) = taken.binary.constants(rt) {
        let memory = Layered { top: &noted, bottom: &constants };
        let cached = BlockCache::new(&memory);
        let symbols = Symbolizer::new(&cached, &rt.module, rt.layout);
        let (evidence, salt) = (&taken.evidence.snapshot, LabelSalt::default());
        let mut gaps = Vec::new();
        let goroutines = decode_all_goroutines(rt, evidence, &symbols, &taken.registers, &salt, &mut gaps);
        // Said when it is read again.
        let _ = waits::waiting(rt, &memory, &symbols, &goroutines.live, &mut gaps);
    }
    noted.remembered.alone()
}

/// Memory of which what holds no pointers is remembered as it is read.
struct Noted<'a> {
    live: &'a (dyn Memory + Sync),
    without: &'a Ranges,
    remembered: RememberedMemory<&'a (dyn Memory + Sync)>,
}

impl Memory for Noted<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let range = AddrRange::sized(addr, buf.len() as u64);
        if self.without.touches(range) { self.remembered.read(addr, buf) } else { self.live.read(addr, buf) }
    }
}
