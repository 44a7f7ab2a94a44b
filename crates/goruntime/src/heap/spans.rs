//! The heap's span table: how many objects of which size there are, exactly, whether or not the program
//! profiles its memory. Source: `runtime/mheap.go` (`mspan`, `allspans`), `runtime/mgcsweep.go` (what
//! `sweepgen` means), `runtime/mgcmark_greenteagc.go` (marks inside the span).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use lastgasp_inferior::{Addr, AddrRange, Memory, Part};
use rustc_hash::FxHashMap;

use crate::gap::Gap;
use crate::heap::mspan::{CHUNK, HEAP_ARENA_BYTES, IN_USE, MANUAL, Marks, PAGE_SIZE, RawSpan, array, read_spans};
use crate::runtime::Runtime;
use crate::types::type_name;

/// Kinds of large objects (size, type) that are kept: those of the most bytes.
const MOST_LARGE: usize = 256;
/// Kinds of large objects that are counted; objects of further ones are counted together. Sizes are whole
/// pages, so it is types that are many, and no program has as many of arrays this large.
const MAX_LARGE_KINDS: usize = 16 << 10;

/// Spans of one class: same element size, with or without pointers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanClass {
    /// Bytes of one slot.
    pub elem_size: u64,
    /// Whether its objects hold no pointers.
    pub noscan: bool,
    /// Number of spans in use.
    pub spans: u64,
    /// Bytes of the spans, free slots included.
    pub span_bytes: u64,
    /// Slots that hold an object: alive, or garbage that is not swept yet.
    pub objects: u64,
    /// Of them, those that the last GC found dead, in spans that are not swept yet.
    pub garbage: u64,
}

impl SpanClass {
    /// Bytes of the slots that hold an object.
    #[must_use]
    pub fn object_bytes(&self) -> u64 {
        self.objects.saturating_mul(self.elem_size)
    }
}

/// Objects with spans of their own (over 32 KiB), alike in size and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeObject {
    /// Number of them: all there are.
    pub count: u64,
    /// Bytes of each object's slot (`mspan.elemsize`).
    pub bytes: u64,
    /// Whether it holds no pointers; then its type is not kept anywhere.
    pub noscan: bool,
    /// Their `abi.Type` (Go 1.22 and newer).
    pub type_at: Option<Addr>,
    /// The type's name, and the size of one element in bytes; the object may hold many of them.
    pub element: Option<(String, u64)>,
}

/// What the spans say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanTable {
    /// Small objects, by size, those with pointers first.
    pub classes: Vec<SpanClass>,
    /// All large objects together: `elem_size` is 0.
    pub large_total: [SpanClass; 2],
    /// Bytes of objects in them.
    pub large_bytes: [u64; 2],
    /// Large objects that are alive, or were not looked at by the last GC; those of the most bytes first.
    pub large: Vec<LargeObject>,
    /// Number and bytes of those that are not in `large`, which has no room for more kinds.
    pub large_left_out: (u64, u64),
    /// Bytes of large garbage that is not swept yet.
    pub large_garbage_bytes: u64,
    /// Bytes of spans that the runtime manages by hand: stacks, mostly.
    pub manual_bytes: u64,
    /// The arenas (64 MiB each) that spans stand in or stood in, by address.
    pub arenas: Vec<AddrRange>,
}

impl SpanTable {
    /// Bytes of all spans with objects (`HeapInuse`).
    #[must_use]
    pub fn span_bytes(&self) -> u64 {
        self.classes.iter().chain(&self.large_total).map(|c| c.span_bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of all slots with objects (`HeapAlloc`, but for what a sweep would have counted out).
    #[must_use]
    pub fn object_bytes(&self) -> u64 {
        let large = self.large_bytes.iter().copied();
        self.classes.iter().map(SpanClass::object_bytes).chain(large).fold(0, u64::saturating_add)
    }

    /// Objects (`HeapObjects`; several tiny ones in a slot count as one).
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.classes.iter().chain(&self.large_total).map(|c| c.objects).fold(0, u64::saturating_add)
    }

    /// Bytes of objects that the last GC found dead and that are not swept yet.
    #[must_use]
    pub fn garbage_bytes(&self) -> u64 {
        let small = self.classes.iter().map(|c| c.garbage.saturating_mul(c.elem_size));
        small.fold(self.large_garbage_bytes, u64::saturating_add)
    }

    /// How many spans there are to read, dead ones included: what reading them costs.
    pub fn count(rt: &Runtime, mem: &dyn Memory) -> Option<u64> {
        mem.u64(rt.globals.mheap.plus(rt.layout.mheap.allspans + 8)).ok()
    }

    /// Reads the table, span by span, keeping only sums and the largest objects: some 10 ms for a heap of a
    /// gigabyte. Of a target that runs each span is right by itself, and the sums are of no single moment.
    pub fn read(rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> Option<Self> {
        let (array, len, sweepgen) = array(rt, mem).map_err(|e| gaps.push(Gap::new("span table", e))).ok()?;
        let mut sums = Sums { marks: Marks::of(rt), sweepgen, ..Sums::default() };
        let mut lost = 0;
        for first in (0..len).step_by(CHUNK) {
            let n = CHUNK.min((len - first) as usize);
            match mem.bytes(array.plus(first * 8), n * 8, CHUNK * 8) {
                Ok(words) => lost += sums.add_chunk(rt, mem, &words),
                Err(_) => lost += n,
            }
        }
        lost += sums.of_other_size;
        if sums.unmarked > 0 {
            let why = format!("the marks of {} spans could not be read: their objects count as alive", sums.unmarked);
            gaps.push(Gap::new("garbage", why));
        }
        if lost > 0 {
            gaps.push(Gap::new("span table", format!("{lost} of {len} spans could not be read")));
        }
        Some(sums.into_table())
    }

    /// Finds the names of the large objects' types.
    pub fn name_types(&mut self, rt: &Runtime, mem: &dyn Memory) {
        for object in &mut self.large {
            object.element = object.type_at.and_then(|t| type_name(rt, mem, t));
        }
    }
}

#[derive(Default)]
struct Sums {
    marks: Marks,
    sweepgen: u32,
    classes: BTreeMap<u8, SpanClass>,
    arenas: BTreeSet<u64>,
    /// Spans whose slots are not of their class's size: garbage.
    of_other_size: usize,
    /// Spans that are not swept yet and whose marks could not be read.
    unmarked: usize,
    /// Number of large objects by size, by whether they hold no pointers, by type (0: not known).
    large: FxHashMap<(u64, bool, Addr), u64>,
    table: SpanTable,
}

impl Sums {
    /// Adds the spans whose addresses are in `words`; gives how many could not be read.
    fn add_chunk(&mut self, rt: &Runtime, mem: &dyn Memory, words: &[u8]) -> usize {
        let (spans, mut lost) = read_spans(rt, mem, words);
        let mut unswept = Vec::new();
        for span in spans {
            if span.npages > 0 && !span.start.is_null() {
                self.add_arenas(&span);
            }
            match span.state {
                MANUAL => {
                    self.table.manual_bytes =
                        self.table.manual_bytes.saturating_add(span.npages.saturating_mul(PAGE_SIZE))
                }
                IN_USE if !span.is_sane() => lost += 1,
                IN_USE if span.is_unswept(self.sweepgen) => unswept.push(span),
                IN_USE => self.add(&span, span.alloc_count),
                _ => {}
            }
        }
        self.add_unswept(mem, &unswept);
        lost
    }

    /// A large object stands in more than one.
    fn add_arenas(&mut self, span: &RawSpan) {
        /// 4 TiB.
        const MOST: u64 = 64 << 10;
        let first = span.start.0 / HEAP_ARENA_BYTES;
        self.arenas.insert(first);
        if span.is_in_use() && span.npages > 1 {
            let last = (span.range().end.0.saturating_sub(1) / HEAP_ARENA_BYTES).min(first.saturating_add(MOST));
            self.arenas.extend(first + 1..=last);
        }
    }

    fn add_unswept(&mut self, mem: &dyn Memory, spans: &[RawSpan]) {
        let places: Vec<(Addr, usize)> = spans.iter().map(|s| s.marks(self.marks)).collect();
        let mut buffer = vec![0; places.iter().map(|(_, len)| len).sum()];
        let mut rest = buffer.as_mut_slice();
        let mut parts = Vec::with_capacity(places.len());
        for (addr, len) in places {
            let (buf, tail) = rest.split_at_mut(len.min(rest.len()));
            parts.push(Part { addr, buf, ok: false });
            rest = tail;
        }
        mem.read_parts(&mut parts);
        for (span, part) in spans.iter().zip(&parts) {
            let marked: u64 = part.buf.iter().map(|b| u64::from(b.count_ones())).sum();
            self.unmarked += usize::from(!part.ok);
            self.add(span, if part.ok { marked.min(span.alloc_count) } else { span.alloc_count });
        }
    }

    fn add(&mut self, span: &RawSpan, alive: u64) {
        let noscan = span.class & 1 == 1;
        if span.is_large() {
            let i = usize::from(noscan);
            let (Some(total), Some(bytes)) = (self.table.large_total.get_mut(i), self.table.large_bytes.get_mut(i))
            else {
                return;
            };
            total.noscan = noscan;
            total.spans += 1;
            total.span_bytes = total.span_bytes.saturating_add(span.bytes());
            total.objects += span.alloc_count;
            total.garbage += span.alloc_count - alive;
            if span.alloc_count > 0 {
                *bytes = bytes.saturating_add(span.elem_size);
            }
            if span.alloc_count > alive {
                self.table.large_garbage_bytes = self.table.large_garbage_bytes.saturating_add(span.elem_size);
            } else if alive > 0 {
                let type_at = if noscan { Addr(0) } else { span.large_type };
                self.add_large((span.elem_size, noscan, type_at), 1);
            }
            return;
        }
        let fresh = SpanClass { elem_size: span.elem_size, noscan, ..SpanClass::default() };
        let c = self.classes.entry(span.class).or_insert(fresh);
        if c.elem_size != span.elem_size {
            self.of_other_size += 1;
            return;
        }
        c.spans += 1;
        c.span_bytes = c.span_bytes.saturating_add(span.bytes());
        c.objects += span.alloc_count;
        c.garbage += span.alloc_count - alive;
    }

    fn add_large(&mut self, kind: (u64, bool, Addr), count: u64) {
        let room = self.large.len() < MAX_LARGE_KINDS;
        match self.large.get_mut(&kind) {
            Some(n) => *n += count,
            None if room => {
                self.large.insert(kind, count);
            }
            None => self.leave_out(kind.0, count),
        }
    }

    fn leave_out(&mut self, size: u64, count: u64) {
        let (objects, bytes) = &mut self.table.large_left_out;
        *objects = objects.saturating_add(count);
        *bytes = bytes.saturating_add(size.saturating_mul(count));
    }

    fn into_table(mut self) -> SpanTable {
        let mut large: Vec<((u64, bool, Addr), u64)> = self.large.drain().collect();
        large.sort_by_key(|((size, noscan, at), n)| (Reverse((size.saturating_mul(*n), *size)), *noscan, *at));
        for ((size, _, _), count) in large.split_off(large.len().min(MOST_LARGE)) {
            self.leave_out(size, count);
        }
        let object = |((bytes, noscan, at), count): ((u64, bool, Addr), u64)| LargeObject {
            count,
            bytes,
            noscan,
            type_at: Some(at).filter(|at| !at.is_null()),
            element: None,
        };
        self.table.large = large.into_iter().map(object).collect();
        self.table.classes = self.classes.into_values().collect();
        let start = |index: u64| Addr(index.saturating_mul(HEAP_ARENA_BYTES));
        self.table.arenas = self.arenas.into_iter().map(|i| AddrRange::sized(start(i), HEAP_ARENA_BYTES)).collect();
        self.table
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Snapshot;

    use super::*;

    fn span(class: u8, elem_size: u64, alloc_count: u64) -> RawSpan {
        RawSpan {
            start: Addr(0xc000_0000_0000),
            npages: 1,
            alloc_count,
            class,
            state: IN_USE,
            elem_size,
            nelems: 8192 / elem_size,
            sweepgen: 4,
            mark_bits: Addr(0x1000),
            large_type: Addr(0),
            free_index: 0,
            alloc_bits: Addr(0),
            user_arena: false,
            specials: Addr(0),
        }
    }

    #[test]
    fn a_span_of_another_size_is_lost_and_changes_no_sum() {
        let mut sums = Sums::default();
        for s in [span(4, 32, 10), span(4, 8192, 1), span(4, 32, 5)] {
            sums.add(&s, s.alloc_count);
        }
        assert_eq!(sums.of_other_size, 1);
        assert_eq!(sums.into_table().object_bytes(), 15 * 32);
    }

    #[test]
    fn a_large_object_stands_in_all_of_its_arenas() {
        let arenas = |npages, state| {
            let mut sums = Sums::default();
            let start = Addr(0xc000_0000_0000 + HEAP_ARENA_BYTES / 2);
            sums.add_arenas(&RawSpan { start, npages, state, ..span(1, 8192, 1) });
            sums.into_table().arenas.len()
        };
        let whole = HEAP_ARENA_BYTES / PAGE_SIZE;
        assert_eq!([1, whole / 2, whole / 2 + 1, 3 * whole].map(|n| arenas(n, IN_USE)), [1, 1, 2, 4]);
        assert_eq!((arenas(3 * whole, 0), arenas(u64::MAX, IN_USE)), (1, (64 << 10) + 1), "dead, and garbage");
    }

    /// 448 objects were once "256 objects [exact]".
    #[test]
    fn large_objects_are_counted_all_of_them() {
        let large =
            |class, elem_size, large_type| RawSpan { npages: 100, nelems: 1, large_type, ..span(class, elem_size, 1) };
        let mut sums = Sums::default();
        for _ in 0..448 {
            sums.add(&large(1, 106_496, Addr(0)), 1);
            sums.add(&large(0, 106_496, Addr(0x40)), 1);
            sums.add(&large(0, 106_496, Addr(0x80)), 0);
        }
        let table = sums.into_table();
        let rows: Vec<_> = table.large.iter().map(|o| (o.count, o.bytes, o.noscan, o.type_at)).collect();
        assert_eq!(rows, [(448, 106_496, false, Some(Addr(0x40))), (448, 106_496, true, None)]);
        assert_eq!((table.large_left_out, table.objects()), ((0, 0), 3 * 448));
        assert_eq!(table.large_garbage_bytes, 448 * 106_496);
    }

    /// However many kinds there are.
    #[test]
    fn what_has_no_room_is_counted_together() {
        let n = (MAX_LARGE_KINDS + 100) as u64;
        let mut sums = Sums::default();
        for size in 1..=n {
            sums.add_large((size, false, Addr(0x40)), 2);
        }
        sums.add_large((1, false, Addr(0x40)), 1);
        assert_eq!(sums.large.len(), MAX_LARGE_KINDS);
        let table = sums.into_table();
        let kept: u64 = table.large.iter().map(|o| o.count * o.bytes).sum();
        assert_eq!((table.large.len(), table.large[0].bytes), (MOST_LARGE, MAX_LARGE_KINDS as u64));
        assert_eq!(table.large_left_out.0, 2 * (n - MOST_LARGE as u64) + 1);
        assert_eq!(table.large_left_out.1 + kept, n * (n + 1) + 1);
    }

    #[test]
    fn marks_that_cannot_be_read_are_counted() {
        let mut sums = Sums::default();
        sums.add_unswept(&Snapshot::default(), &[span(4, 32, 10)]);
        assert_eq!(sums.unmarked, 1);
        let table = sums.into_table();
        assert_eq!((table.objects(), table.garbage_bytes()), (10, 0));
    }

    #[test]
    fn hostile_sizes_do_not_overflow() {
        let c = SpanClass {
            elem_size: u64::MAX,
            objects: u64::MAX,
            garbage: u64::MAX,
            span_bytes: u64::MAX,
            ..SpanClass::default()
        };
        let table = SpanTable {
            classes: vec![c, c],
            large_total: [c, c],
            large_bytes: [u64::MAX; 2],
            large_garbage_bytes: u64::MAX,
            ..SpanTable::default()
        };
        let sums = [table.span_bytes(), table.object_bytes(), table.objects(), table.garbage_bytes()];
        assert_eq!(sums, [u64::MAX; 4]);
        let huge = RawSpan { npages: (1 << 35) - 1, nelems: 1 << 40, ..span(4, 32, 10) };
        assert!(span(4, 32, 10).is_sane() && !huge.is_sane(), "marks of 2^37 bytes are not read");
    }
}
