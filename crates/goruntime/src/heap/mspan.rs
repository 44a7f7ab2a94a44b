//! The runtime's own record of a run of pages, `mspan`, and the list of all of them. Source:
//! `runtime/mheap.go` (`mspan`, `allspans`), `runtime/mgcsweep.go` (what `sweepgen` means),
//! `runtime/mgcmark_greenteagc.go` (marks inside the span).

use lastgasp_inferior::{Addr, AddrRange, Memory, Snapshot};

use crate::ranges::merge;
use crate::runtime::Runtime;

/// `_PageSize` (`runtime/sizeclasses.go`): the runtime's own page, in bytes; the same on every processor.
pub(super) const PAGE_SIZE: u64 = 8192;
/// `minSizeForMallocHeader` (`runtime/mbitmap.go`): objects up to this size have their pointer maps in the
/// span and, with Green Tea, their marks too. In bytes; the same on every 64-bit processor.
pub(super) const SMALL_SPAN_MAX_ELEM: u64 = 512;
/// `heapArenaBytes` (`runtime/malloc.go`): arenas start at multiples of it. In bytes; the same on every
/// 64-bit Linux.
pub(super) const HEAP_ARENA_BYTES: u64 = 64 << 20;

/// Most spans we follow: 512 GiB of them.
const MAX_SPANS: u64 = 64 << 20;
/// Spans that are read at once.
pub(super) const CHUNK: usize = 4096;

/// Most objects of a span: `allocCount` has 16 bits. It sizes what is read of the marks.
const MAX_SLOTS: u64 = 1 << 16;

/// Bytes of a record that is noted of an object (`mheap.go`, `special`), as far as all kinds have them.
pub(super) const SPECIAL_BYTES: usize = 24;

/// Values of `mspan.state` (`mheap.go`, `mSpanState`): objects, and what the runtime manages itself
/// (stacks).
pub(super) const IN_USE: u8 = 1;
pub(super) const MANUAL: u8 = 2;

/// `mheap_.allspans`: where it stands, its length, and `sweepgen`.
pub(super) fn array(rt: &Runtime, mem: &dyn Memory) -> Result<(Addr, u64, u32), String> {
    let m = &rt.layout.mheap;
    let word = |at: Addr| mem.u64(at).map_err(|e| e.to_string());
    let len = word(rt.globals.mheap.plus(m.allspans + 8))?;
    let sweepgen = mem.u32(rt.globals.mheap.plus(m.sweepgen)).map_err(|e| e.to_string())?;
    if len > MAX_SPANS {
        return Err(format!("mheap_.allspans says {len}"));
    }
    Ok((Addr(word(rt.globals.mheap.plus(m.allspans))?), len, sweepgen))
}

/// Where the marks of spans that are not swept yet stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Marks {
    /// `mspan.gcmarkBits`, a bit per slot.
    #[default]
    Beside,
    /// Green Tea: for spans of small objects at the end of the span itself (`spanInlineMarkBits`), until
    /// they are swept.
    Inline,
}

impl Marks {
    /// Green Tea is the default from Go 1.26 and an experiment of 1.25; both say so where they differ from
    /// the default.
    pub(super) fn of(rt: &Runtime) -> Self {
        let text = rt.version.text.as_str();
        let experiments = text.split_once("X:").map_or("", |(_, x)| x);
        let has = |name: &str| experiments.split(',').any(|x| x.trim() == name);
        let on = if rt.version.minor >= 26 { !has("nogreenteagc") } else { has("greenteagc") };
        if on { Self::Inline } else { Self::Beside }
    }
}

/// `spanInlineMarkBits`: the last 128 bytes of a span of one page; the marks stand at 64 and are 63 bytes
/// long.
pub(super) const INLINE_MARKS: u64 = 128;
const INLINE_MARKS_AT: u64 = 64;
const INLINE_MARKS_LEN: u64 = 63;

#[derive(Clone, Copy, Debug)]
pub(super) struct RawSpan {
    pub(super) start: Addr,
    pub(super) npages: u64,
    pub(super) alloc_count: u64,
    pub(super) class: u8,
    pub(super) state: u8,
    pub(super) elem_size: u64,
    pub(super) nelems: u64,
    /// Slots below it are taken (`mspan.freeindex`).
    pub(super) free_index: u64,
    /// A bit per slot: taken when the span was last swept (`mspan.allocBits`).
    pub(super) alloc_bits: Addr,
    pub(super) sweepgen: u32,
    pub(super) mark_bits: Addr,
    pub(super) large_type: Addr,
    /// Whether a user arena (`arena.New`, an experiment) stands in it.
    pub(super) user_arena: bool,
    /// The first of what is noted of its objects (`mspan.specials`).
    pub(super) specials: Addr,
}

impl RawSpan {
    fn parse(rt: &Runtime, b: &[u8]) -> Option<Self> {
        let l = &rt.layout.mspan;
        let number = |offset: u64, len: usize| -> Option<u64> {
            let mut word = [0; 8];
            word.get_mut(..len)?.copy_from_slice(b.get(offset as usize..offset as usize + len)?);
            Some(u64::from_le_bytes(word))
        };
        Some(Self {
            start: Addr(number(l.start_addr, 8)?),
            npages: number(l.npages, 8)?,
            alloc_count: number(l.alloc_count, 2)?,
            class: *b.get(l.spanclass as usize)?,
            state: *b.get(l.state as usize)?,
            elem_size: number(l.elemsize, 8)?,
            nelems: number(l.nelems, (l.nelems_sizeof as usize).min(8))?,
            free_index: number(l.freeindex, (l.nelems_sizeof as usize).min(8))?,
            alloc_bits: Addr(number(l.alloc_bits, 8)?),
            sweepgen: number(l.sweepgen, 4)? as u32,
            mark_bits: Addr(number(l.gcmark_bits, 8)?),
            large_type: Addr(l.large_type.map_or(Some(0), |at| number(at, 8))?),
            user_arena: l.user_arena.and_then(|at| b.get(at as usize)).is_some_and(|b| *b == 1),
            specials: Addr(number(l.specials, 8)?),
        })
    }

    /// What no span can be: then it is garbage, or was being changed.
    pub(super) fn is_sane(&self) -> bool {
        self.npages > 0
            && self.npages < 1 << 35
            && self.elem_size > 0
            && self.alloc_count <= self.nelems
            && self.elem_size <= self.bytes()
            && self.nelems <= (self.bytes() / 8).min(MAX_SLOTS)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.npages * PAGE_SIZE
    }

    /// Its addresses.
    pub(super) fn range(&self) -> AddrRange {
        AddrRange::sized(self.start, self.npages.saturating_mul(PAGE_SIZE))
    }

    /// Whether its pages hold objects or stacks.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(self.state, IN_USE | MANUAL)
    }

    pub(super) fn is_large(&self) -> bool {
        self.class >> 1 == 0
    }

    /// Two behind the heap's: found and not swept yet; one ahead: cached since before the sweep began
    /// (`mgcsweep.go`, "sweepgen").
    pub(super) fn is_unswept(&self, heap: u32) -> bool {
        self.sweepgen == heap.wrapping_sub(2) || self.sweepgen == heap.wrapping_add(1)
    }

    /// `gcUsesSpanInlineMarkBits`: spans of small objects, with pointers or without.
    pub(super) fn has_inline_marks(&self, marks: Marks) -> bool {
        marks == Marks::Inline && self.npages == 1 && (16..=SMALL_SPAN_MAX_ELEM).contains(&self.elem_size)
    }

    /// Where the marks of its slots stand.
    pub(super) fn marks(&self, marks: Marks) -> (Addr, usize) {
        if self.has_inline_marks(marks) {
            (self.start.plus(self.bytes() - INLINE_MARKS + INLINE_MARKS_AT), INLINE_MARKS_LEN as usize)
        } else {
            (self.mark_bits, self.nelems.div_ceil(8) as usize)
        }
    }
}

/// The spans whose addresses are in `words`, by where their structures stand, and how many could not be
/// read.
pub(super) fn read_spans(rt: &Runtime, mem: &dyn Memory, words: &[u8]) -> (Vec<RawSpan>, usize) {
    let mut at: Vec<Addr> = words.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes))).collect();
    at.retain(|a| !a.is_null());
    at.sort_unstable();
    at.dedup();
    let size = rt.layout.mspan.sizeof as usize;
    let ranges = merge(at.iter().map(|a| (*a, size)).collect());
    let mut copy = Snapshot::with_budget(ranges.iter().map(|(_, len)| len).sum(), ranges.len());
    copy.copy_all(mem, &ranges);
    let mut spans = Vec::with_capacity(at.len());
    let mut next = at.iter().peekable();
    for (start, bytes) in copy.pieces_since(0) {
        while next.next_if(|a| **a < start).is_some() {}
        while let Some(a) = next.next_if(|a| a.0 < start.0.saturating_add(bytes.len() as u64)) {
            let skip = (a.0 - start.0) as usize;
            spans.extend(bytes.get(skip..skip + size).and_then(|b| RawSpan::parse(rt, b)));
        }
    }
    let lost = at.len() - spans.len();
    (spans, lost)
}
