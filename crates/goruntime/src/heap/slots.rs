//! In which slot of the heap an address lies, asked of the runtime's own index of spans: a few small reads
//! for each page that was never asked for, however large the heap is. Source: `runtime/mheap.go` (`spanOf`,
//! `heapArena.spans`), `runtime/mbitmap.go` (`isFree`).

use std::collections::BTreeMap;

use lastgasp_inferior::{Addr, Memory, Part};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::heap::mspan::{HEAP_ARENA_BYTES, IN_USE, PAGE_SIZE, RawSpan, SMALL_SPAN_MAX_ELEM, read_spans};
use crate::heap::objects::HEADER;
use crate::heap::pointers::arena_record;
use crate::runtime::Runtime;

/// Arenas before and behind the one that is known, within which the heap is believed: a terabyte. A number
/// that looks like an address elsewhere costs no read.
const ARENAS_BELOW: u64 = 64;
const ARENAS_ABOVE: u64 = 16 << 10;
/// Spans that are kept.
const MAX_SPANS: usize = 1 << 17;

/// A slot of the heap that holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first byte.
    pub start: Addr,
    /// Bytes.
    pub size: u64,
    /// Bytes at its start that are the runtime's own.
    pub header: u64,
    /// Whether its object holds no pointers.
    pub noscan: bool,
}

impl Slot {
    /// Where its object begins.
    #[must_use]
    pub fn object(&self) -> Addr {
        self.start.plus(self.header)
    }
}

/// A span, as far as slots are asked for.
#[derive(Clone, Copy, Debug)]
struct SlotSpan {
    end: u64,
    elem_size: u64,
    slots: u64,
    free_index: u64,
    alloc_bits: Addr,
    noscan: bool,
    header: u64,
}

impl SlotSpan {
    fn of(rt: &Runtime, s: &RawSpan) -> Option<Self> {
        let sane = s.state == IN_USE
            && s.is_sane()
            && s.start.0.is_multiple_of(PAGE_SIZE)
            && s.nelems.checked_mul(s.elem_size).is_some_and(|n| n <= s.bytes());
        let noscan = s.class & 1 == 1;
        let has_header =
            rt.layout.heap_arena.bitmap.is_none() && !noscan && !s.is_large() && s.elem_size > SMALL_SPAN_MAX_ELEM;
        sane.then_some(Self {
            end: s.range().end.0,
            elem_size: s.elem_size,
            slots: s.nelems,
            free_index: s.free_index,
            alloc_bits: s.alloc_bits,
            noscan,
            header: if has_header { HEADER } else { 0 },
        })
    }
}

/// Finds slots; what it has seen of spans it keeps, so it is good for as long as a short look takes.
#[derive(Debug)]
pub struct SlotFinder {
    /// Numbers of the arenas that are believed.
    believed: std::ops::Range<u64>,
    arenas: FxHashMap<u64, Option<Addr>>,
    asked: FxHashSet<u64>,
    spans: BTreeMap<u64, SlotSpan>,
}

impl SlotFinder {
    /// A finder of slots of the heap that `known` is an address of.
    #[must_use]
    pub fn near(known: Addr) -> Self {
        let arena = known.0 / HEAP_ARENA_BYTES;
        Self {
            believed: arena.saturating_sub(ARENAS_BELOW)..arena.saturating_add(ARENAS_ABOVE),
            arenas: FxHashMap::default(),
            asked: FxHashSet::default(),
            spans: BTreeMap::new(),
        }
    }

    /// Whether an address may be one of the heap.
    #[must_use]
    pub fn is_plausible(&self, at: Addr) -> bool {
        self.believed.contains(&(at.0 / HEAP_ARENA_BYTES))
    }

    /// The slots in which addresses lie, in their order; `None` for what is in no object of the heap.
    pub fn find(&mut self, rt: &Runtime, mem: &dyn Memory, at: &[Addr]) -> Vec<Option<Slot>> {
        self.learn(rt, mem, at);
        let mut found: Vec<Option<Slot>> = at.iter().map(|a| Some(self.slot(*a)?.0)).collect();
        // Above `freeindex` a bit says whether a slot is taken.
        let bits: Vec<(usize, Addr, u8)> = at
            .iter()
            .enumerate()
            .filter_map(|(i, a)| {
                let (_, index, s) = self.slot(*a)?;
                (index >= s.free_index).then(|| (i, s.alloc_bits.plus(index / 8), (index % 8) as u8))
            })
            .collect();
        let mut bytes = vec![0u8; bits.len()];
        let mut parts: Vec<Part<'_>> = bits
            .iter()
            .zip(bytes.chunks_exact_mut(1))
            .map(|((_, addr, _), buf)| Part { addr: *addr, buf, ok: false })
            .collect();
        mem.read_parts(&mut parts);
        for ((i, _, bit), part) in bits.iter().zip(&parts) {
            let taken = part.ok && part.buf.first().is_some_and(|b| b >> bit & 1 == 1);
            if let Some(slot) = found.get_mut(*i).filter(|_| !taken) {
                *slot = None;
            }
        }
        found
    }

    fn slot(&self, at: Addr) -> Option<(Slot, u64, &SlotSpan)> {
        let (start, s) = self.spans.range(..=at.0).next_back()?;
        let index = at.0.checked_sub(*start).filter(|_| at.0 < s.end)? / s.elem_size.max(1);
        let first = Addr(start.checked_add(index.checked_mul(s.elem_size)?)?);
        let slot = Slot { start: first, size: s.elem_size, header: s.header, noscan: s.noscan };
        (index < s.slots).then_some((slot, index, s))
    }

    /// Reads the spans of pages that were never asked for.
    fn learn(&mut self, rt: &Runtime, mem: &dyn Memory, at: &[Addr]) {
        let mut places: Vec<Addr> = Vec::new();
        for a in at {
            let known = self.spans.range(..=a.0).next_back().is_some_and(|(_, s)| a.0 < s.end);
            let page = a.0 / PAGE_SIZE;
            if known
                || !self.is_plausible(*a)
                || self.spans.len() + places.len() >= MAX_SPANS
                || !self.asked.insert(page)
            {
                continue;
            }
            let number = a.0 / HEAP_ARENA_BYTES;
            let record = *self.arenas.entry(number).or_insert_with(|| arena_record(rt, mem, number));
            let Some(record) = record else { continue };
            let index = a.0 % HEAP_ARENA_BYTES / PAGE_SIZE;
            places.push(record.plus(rt.layout.heap_arena.spans + index * 8));
        }
        if places.is_empty() {
            return;
        }
        let mut words = vec![0u8; places.len() * 8];
        let mut parts: Vec<Part<'_>> = places
            .iter()
            .zip(words.chunks_exact_mut(8))
            .map(|(addr, buf)| Part { addr: *addr, buf, ok: false })
            .collect();
        mem.read_parts(&mut parts);
        for part in parts.iter_mut().filter(|p| !p.ok) {
            part.buf.fill(0);
        }
        let (spans, _) = read_spans(rt, mem, &words);
        for s in spans {
            if let Some(span) = SlotSpan::of(rt, &s) {
                self.spans.insert(s.start.0, span);
            }
        }
    }
}
