//! What the objects of the heap point to: the pointers of every object, streamed by address through one
//! buffer. Source: `runtime/mgcmark.go` (`scanobject`), `runtime/mbitmap.go` (`typePointers`,
//! `heapBitsSmallForAddr`; before Go 1.22 `heapBits`), `runtime/arena.go` (a chunk's type).
//!
//! Only spans with pointers are read, up to a megabyte at once: memory that is used again is copied into
//! three times as fast as new memory. Reading a page that the target never touched maps the page of zeros
//! there.

use std::ops::Range;

use lastgasp_inferior::{Addr, AddrRange, Memory, Part};
use rustc_hash::FxHashMap;

use crate::arch;
use crate::gap::Gap;
use crate::heap::bits::{Bits, word_of};
use crate::heap::mspan::HEAP_ARENA_BYTES;
use crate::heap::objects::{HEADER, HeapObjects, ObjectSpan, PointerMap};
use crate::heap::pointer_masks::PointerMasks;
use crate::runtime::Runtime;

/// Bytes that are read at once.
const WINDOW: usize = 1 << 20;
/// What is read alone when a larger piece cannot be.
const PAGE: usize = 4096;
/// Bytes that could not be read after which none are looked for page by page any more.
const MAX_LOST: u64 = 1 << 30;
/// `ptrBits`: at each word of the arena's bitmap of Go 1.20 and 1.21 it is said whether the object has
/// pointers behind it (`noMorePtrs`).
const BITMAP_WORD: usize = 64;

/// Who is told what objects point to.
pub trait PointerVisitor {
    /// What comes next is of this object: the index of its span, its slot, its number. Objects come by
    /// address; those of spans without pointers do not.
    fn object(&mut self, _span: usize, _slot: u32, _object: u32) {}

    /// The type that is kept with an object: the element's, if it is the array behind a slice. An object
    /// over 512 bytes with pointers has one, from Go 1.22 on.
    fn object_type(&mut self, _object: u32, _type_at: Addr) {}

    /// Whether to go on: asked before each piece that is read, of a megabyte at most.
    fn wants_more(&mut self) -> bool {
        true
    }

    /// A pointer that is not nil, `offset` bytes from the start of its object's slot.
    fn pointer(&mut self, object: u32, offset: u64, to: Addr);

    /// As [`PointerVisitor::pointer`], for who wants to see the words beside it too: an interface's type
    /// stands before its data, a slice's length behind its array.
    fn pointer_near(&mut self, object: u32, offset: u64, to: Addr, _near: Near<'_>) {
        self.pointer(object, offset, to);
    }
}

/// What stands beside a pointer.
#[derive(Clone, Copy)]
pub struct Near<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Near<'_> {
    /// The word so many words behind the pointer, or before it; `None` where it was not read with it.
    #[must_use]
    pub fn word(&self, words: isize) -> Option<u64> {
        let from = self.at.checked_add_signed(words.checked_mul(8)?)?;
        let word = self.bytes.get(from..from.checked_add(8)?)?;
        word.try_into().ok().map(u64::from_le_bytes)
    }
}

/// Reads the pointers of a heap.
pub struct PointerReader<'a> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    objects: &'a HeapObjects,
    masks: PointerMasks,
    bitmap: ArenaBitmap,
    buffer: Vec<u8>,
    lost: Lost,
}

/// What could not be read.
#[derive(Default)]
struct Lost {
    /// Bytes of spans.
    bytes: u64,
    /// Objects whose type made no sense.
    types: u64,
    /// Spans whose bits could not be read.
    bitmaps: u64,
    /// Spans whose pointers are kept in a form that is not read.
    forms: u64,
}

impl Lost {
    /// Reads page by page what could not be read at once; gives the bytes that are missing, which are zero.
    fn read_by_page(&mut self, mem: &dyn Memory, at: Addr, bytes: &mut [u8]) -> u64 {
        let mut lost = 0;
        for (i, page) in bytes.chunks_mut(PAGE).enumerate() {
            if self.bytes > MAX_LOST || mem.read(at.plus((i * PAGE) as u64), page).is_err() {
                page.fill(0);
                lost += page.len() as u64;
            }
        }
        self.bytes = self.bytes.saturating_add(lost);
        lost
    }
}

impl<'a> PointerReader<'a> {
    /// A reader of these objects.
    #[must_use]
    pub fn new(rt: &'a Runtime, mem: &'a dyn Memory, objects: &'a HeapObjects) -> Self {
        let masks = PointerMasks::default();
        Self { rt, mem, objects, masks, bitmap: ArenaBitmap::default(), buffer: Vec::new(), lost: Lost::default() }
    }

    /// Every pointer of the heap.
    pub fn read_all(&mut self, visitor: &mut impl PointerVisitor) {
        self.read(0..self.objects.spans().len(), visitor);
    }

    /// Every pointer of the objects in some of the spans, given by their indices, in the order of their
    /// addresses.
    pub fn read(&mut self, spans: Range<usize>, visitor: &mut impl PointerVisitor) {
        self.read_those(spans, |_| true, visitor);
    }

    /// The same of those of the spans whose index is `wanted`; of the others nothing is read.
    pub fn read_those(
        &mut self,
        spans: Range<usize>,
        wanted: impl Fn(usize) -> bool,
        visitor: &mut impl PointerVisitor,
    ) {
        let objects = self.objects;
        let mut batch: Vec<(usize, &ObjectSpan)> = Vec::new();
        let mut bytes = 0;
        for (index, span) in objects.scanned(spans).filter(|(index, _)| wanted(*index)) {
            let large = span.is_large() || span.bytes > WINDOW as u64;
            if large || bytes + span.bytes as usize > WINDOW {
                self.read_batch(&batch, visitor);
                batch.clear();
                bytes = 0;
            }
            if span.map == PointerMap::Unread {
                self.lost.forms += 1;
            } else if large {
                self.read_large(index, span, visitor);
            } else {
                bytes += span.bytes as usize;
                batch.push((index, span));
            }
        }
        self.read_batch(&batch, visitor);
    }

    /// The pointers of one object: their offsets from its slot's start, and where they go.
    #[must_use]
    pub fn of(&mut self, object: u32) -> Vec<(u64, Addr)> {
        struct One(u32, Vec<(u64, Addr)>);
        impl PointerVisitor for One {
            fn pointer(&mut self, object: u32, offset: u64, to: Addr) {
                if object == self.0 {
                    self.1.push((offset, to));
                }
            }
        }
        let mut one = One(object, Vec::new());
        if let Some(found) = self.objects.get(object) {
            self.read(found.span..found.span + 1, &mut one);
        }
        one.1
    }

    /// The pointers of one object, and nothing else of its span read: for who asks for few of them.
    pub fn read_slot(&mut self, index: usize, slot: u32, visitor: &mut impl PointerVisitor) {
        let Some(span) = self.objects.spans().get(index) else { return };
        let size = span.elem_size;
        if span.is_large() || size > PAGE as u64 || slot >= span.slots {
            self.read(index..index.saturating_add(1), visitor);
            return;
        }
        let offset = size * u64::from(slot);
        let start = span.start.plus(offset);
        let Some(object) = self.objects.number_of(start) else { return };
        let mut buffer = [0; PAGE];
        let Some(bytes) = buffer.get_mut(..size as usize) else { return };
        if self.mem.read(start, bytes).is_err() {
            self.lost.bytes = self.lost.bytes.saturating_add(size);
            return;
        }
        let bytes = &*bytes;
        visitor.object(index, slot, object);
        match span.map {
            PointerMap::InSpan(at) => {
                let mut map = [0; PAGE / 64 + 8];
                let (first, words) = (offset / 8, size / 8);
                let from = first / 8;
                let len = (first + words).div_ceil(8) - from;
                let Some(map) = map.get_mut(..len as usize) else { return };
                if self.mem.read(span.start.plus(at + from), map).is_err() {
                    self.lost.bitmaps += 1;
                    return;
                }
                each_bit(map, first % 8, words, |word| {
                    emit(bytes, 0, word * 8, object, visitor);
                    true
                });
            }
            PointerMap::Header => {
                let type_at = Addr(word_of(bytes, 0));
                if type_at.is_null() {
                    return;
                }
                visitor.object_type(object, type_at);
                let known = self.masks.index(self.rt, self.mem, type_at);
                let Some(mask) = known.and_then(|i| self.masks.get(i)) else {
                    self.lost.types += 1;
                    return;
                };
                mask.each(0, size.saturating_sub(HEADER), |offset| emit(bytes, 0, HEADER + offset, object, visitor));
            }
            PointerMap::Arena => {
                // Whole bytes of the sparser of both bitmaps.
                let from = Addr(start.0 / PAGE as u64 * PAGE as u64);
                let range = AddrRange { start: from, end: start.plus(size) };
                if !self.bitmap.read(self.rt, self.mem, range) {
                    self.lost.bitmaps += 1;
                    return;
                }
                self.bitmap.each((start.0 - from.0) / 8, size / 8, |word| emit(bytes, 0, word * 8, object, visitor));
            }
            PointerMap::None | PointerMap::Type(_) | PointerMap::Unread => {}
        }
    }

    /// Bytes of objects that could not be read, which are then no matter of [`PointerReader::finish`].
    pub fn take_unread(&mut self) -> u64 {
        std::mem::take(&mut self.lost.bytes)
    }

    /// What could not be read, said.
    pub fn finish(self, gaps: &mut Vec<Gap>) {
        let mut say = |n: u64, why: String| {
            if n > 0 {
                gaps.push(Gap::new("heap pointers", why));
            }
        };
        let l = self.lost;
        say(l.bytes, format!("{} bytes of the heap could not be read: what stands there points nowhere", l.bytes));
        say(l.types, format!("{} objects have a type that makes no sense: they point nowhere", l.types));
        say(l.bitmaps, format!("the pointer maps of {} spans could not be read: they point nowhere", l.bitmaps));
        say(l.forms, format!("{} spans of GOEXPERIMENT=noallocheaders, which is not read", l.forms));
    }

    fn read_batch(&mut self, spans: &[(usize, &ObjectSpan)], visitor: &mut impl PointerVisitor) {
        if spans.is_empty() || !visitor.wants_more() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(WINDOW, 0);
        let mut rest = buffer.as_mut_slice();
        // Spans that touch are read as one.
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut i = 0;
        while let Some((_, first)) = spans.get(i) {
            let mut len = 0;
            while let Some((_, next)) = spans.get(i).filter(|(_, s)| s.start == first.start.plus(len)) {
                len += next.bytes;
                i += 1;
            }
            let (buf, tail) = rest.split_at_mut((len as usize).min(rest.len()));
            parts.push(Part { addr: first.start, buf, ok: false });
            rest = tail;
        }
        self.mem.read_parts(&mut parts);
        for part in parts.iter_mut().filter(|p| !p.ok) {
            self.lost.read_by_page(self.mem, part.addr, part.buf);
        }
        let mut at = 0;
        for (index, span) in spans {
            let end = at + span.bytes as usize;
            if let Some(bytes) = buffer.get(at..end) {
                self.small(*index, span, bytes, visitor);
            }
            at = end;
        }
        self.buffer = buffer;
    }

    /// A span of many objects.
    fn small(&mut self, index: usize, span: &ObjectSpan, bytes: &[u8], visitor: &mut impl PointerVisitor) {
        let numbered = self.objects.slots(span).zip(span.first..);
        let size = span.elem_size;
        match span.map {
            PointerMap::InSpan(at) => {
                let map = bytes.get(at as usize..).unwrap_or_default();
                for (slot, object) in numbered {
                    visitor.object(index, slot, object);
                    let start = u64::from(slot) * size;
                    each_bit(map, start / 8, size / 8, |word| {
                        emit(bytes, start, word * 8, object, visitor);
                        true
                    });
                }
            }
            PointerMap::Header => {
                for (slot, object) in numbered {
                    visitor.object(index, slot, object);
                    let start = u64::from(slot) * size;
                    let type_at = Addr(word_of(bytes, (start / 8) as usize));
                    if type_at.is_null() {
                        continue;
                    }
                    visitor.object_type(object, type_at);
                    let known = self.masks.index(self.rt, self.mem, type_at);
                    let Some(mask) = known.and_then(|i| self.masks.get(i)) else {
                        self.lost.types += 1;
                        continue;
                    };
                    mask.each(0, size.saturating_sub(HEADER), |offset| {
                        emit(bytes, start, HEADER + offset, object, visitor);
                    });
                }
            }
            PointerMap::Arena => {
                if !self.bitmap.read(self.rt, self.mem, span.range()) {
                    self.lost.bitmaps += 1;
                    return;
                }
                for (slot, object) in numbered {
                    visitor.object(index, slot, object);
                    let start = u64::from(slot) * size;
                    self.bitmap.each(start / 8, size / 8, |word| emit(bytes, start, word * 8, object, visitor));
                }
            }
            PointerMap::None | PointerMap::Type(_) | PointerMap::Unread => {}
        }
    }

    /// A span of one object, a window at a time.
    fn read_large(&mut self, index: usize, span: &ObjectSpan, visitor: &mut impl PointerVisitor) {
        let mut mask = None;
        let slots: Vec<u32> = self.objects.slots(span).collect();
        for (slot, object) in slots.into_iter().zip(span.first..) {
            visitor.object(index, slot, object);
        }
        if let PointerMap::Type(at) = span.map {
            if at.is_null() {
                return;
            }
            // A chunk of a user arena has a type that says where pointers are and nothing else.
            if !span.user_arena {
                visitor.object_type(span.first, at);
            }
            mask = self.masks.index(self.rt, self.mem, at);
            if mask.is_none() {
                self.lost.types += 1;
                return;
            }
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(WINDOW, 0);
        let object = span.first;
        let (mut at, mut more) = (0, true);
        while more && at < span.elem_size && visitor.wants_more() {
            let len = (span.elem_size - at).min(WINDOW as u64);
            let Some(bytes) = buffer.get_mut(..len as usize) else { break };
            let range = AddrRange::sized(span.start.plus(at), len);
            if self.mem.read(range.start, bytes).is_err() {
                let lost = self.lost.read_by_page(self.mem, range.start, bytes);
                // All of it: no memory stands behind what the span says.
                more = lost < len;
            }
            let bytes = &*bytes;
            // `emit` counts from the object's start, which stands `at` bytes before the window.
            let mut tell = |offset: u64| {
                let value = word_of(bytes, (offset / 8) as usize);
                if value != 0 {
                    let near = Near { bytes, at: offset as usize };
                    visitor.pointer_near(object, at + offset, Addr(value), near);
                }
            };
            if let Some(mask) = mask.and_then(|i| self.masks.get(i)) {
                mask.each(at, at + len, |offset| tell(offset - at));
            } else if self.bitmap.read(self.rt, self.mem, range) {
                more &= self.bitmap.each(0, len / 8, |word| tell(word * 8));
            } else {
                self.lost.bitmaps += 1;
                break;
            }
            at += len;
        }
        self.buffer = buffer;
    }
}

/// Tells of the pointer `offset` bytes into the object that begins at `start` in a span's bytes.
#[inline]
fn emit(bytes: &[u8], start: u64, offset: u64, object: u32, visitor: &mut impl PointerVisitor) {
    let value = word_of(bytes, ((start + offset) / 8) as usize);
    if value != 0 {
        let near = Near { bytes, at: (start + offset) as usize };
        visitor.pointer_near(object, offset, Addr(value), near);
    }
}

/// Calls with the place (from `first` on) of each bit that is set among `n` bits from `first` on, until told
/// to stop.
#[inline]
fn each_bit(map: &[u8], first: u64, n: u64, mut f: impl FnMut(u64) -> bool) {
    let mut done = 0;
    while done < n {
        let at = first + done;
        let shift = at % 64;
        let used = (64 - shift).min(n - done);
        let mut word = word_of(map, (at / 64) as usize) >> shift;
        if used < 64 {
            word &= (1 << used) - 1;
        }
        for bit in Bits(word) {
            if !f(done + u64::from(bit)) {
                return;
            }
        }
        done += used;
    }
}

/// The bits that the arenas of Go up to 1.21 keep of their addresses, for a range of them.
#[derive(Default)]
struct ArenaBitmap {
    /// Where the record of each arena stands, by its number.
    arenas: FxHashMap<u64, Option<Addr>>,
    /// A bit a word, or in Go 1.19 a nibble of pointers and one of "there may be more" for four words.
    bits: Vec<u8>,
    /// A bit for 64 words: nothing behind them (Go 1.20 and 1.21).
    no_more: Option<Vec<u8>>,
}

impl ArenaBitmap {
    /// Reads the bits of a range, which begins at a page of the runtime's.
    fn read(&mut self, rt: &Runtime, mem: &dyn Memory, range: AddrRange) -> bool {
        let l = &rt.layout.heap_arena;
        let Some(bitmap) = l.bitmap else { return false };
        // Bytes of the heap for a byte of bits.
        let per_byte = if l.no_more_ptrs.is_some() { 64 } else { 32 };
        self.bits.clear();
        self.no_more = l.no_more_ptrs.map(|_| Vec::new());
        let mut at = range.start;
        while at < range.end {
            let number = at.0 / HEAP_ARENA_BYTES;
            let skip = at.0 % HEAP_ARENA_BYTES;
            let len = (HEAP_ARENA_BYTES - skip).min(range.end.0 - at.0);
            let record = *self.arenas.entry(number).or_insert_with(|| arena_record(rt, mem, number));
            let Some(record) = record else { return false };
            let append = |to: &mut Vec<u8>, offset: u64, per_byte: u64| {
                let from = to.len();
                to.resize(from + len.div_ceil(per_byte) as usize, 0);
                let Some(buf) = to.get_mut(from..) else { return false };
                mem.read(record.plus(offset + skip / per_byte), buf).is_ok()
            };
            if !append(&mut self.bits, bitmap, per_byte) {
                return false;
            }
            if let (Some(offset), Some(to)) = (l.no_more_ptrs, self.no_more.as_mut())
                && !append(to, offset, 64 * 64)
            {
                return false;
            }
            at = at.plus(len);
        }
        true
    }

    /// Calls with the place (from `first` on) of each pointer among the `n` words from `first` on; gives
    /// whether there may be more behind them.
    fn each(&self, first: u64, n: u64, mut f: impl FnMut(u64)) -> bool {
        let Some(no_more) = &self.no_more else {
            for i in 0..n {
                let word = first + i;
                let byte = self.bits.get((word / 4) as usize).copied().unwrap_or(0) >> (word % 4);
                if byte & 0x10 == 0 {
                    return false;
                }
                if byte & 1 != 0 {
                    f(i);
                }
            }
            return true;
        };
        let mut done = 0;
        while done < n {
            let at = first + done;
            let used = (BITMAP_WORD as u64 - at % BITMAP_WORD as u64).min(n - done);
            each_bit(&self.bits, at, used, |bit| {
                f(done + bit);
                true
            });
            let word = at / BITMAP_WORD as u64;
            let ends = no_more.get((word / 8) as usize).is_none_or(|b| b >> (word % 8) & 1 == 1);
            done += used;
            if ends {
                return false;
            }
        }
        true
    }
}

/// `mheap_.arenas[0][number]`: the index counts from the lowest address that a pointer may have
/// (`arenaBaseOffset`; 0 but on amd64).
pub(super) fn arena_record(rt: &Runtime, mem: &dyn Memory, number: u64) -> Option<Addr> {
    /// `1 << arenaL2Bits`.
    const ARENAS: u64 = 1 << 22;
    let base = arch::of(rt.arch).arena_base / HEAP_ARENA_BYTES;
    let index = number.checked_add(base).filter(|i| *i < ARENAS)?;
    let table = mem.ptr(rt.globals.mheap.plus(rt.layout.mheap.arenas)).ok()?;
    mem.ptr(table.plus(index * 8)).ok().filter(|a| !a.is_null())
}
