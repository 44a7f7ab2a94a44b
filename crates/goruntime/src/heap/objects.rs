//! Every object of the heap, one by one: which slots of which span are taken, and what the last mark found
//! of them. Source: `runtime/mbitmap.go` (`isFree`, `nextFreeIndex`), `runtime/mgcsweep.go`.
//!
//! A slot is taken below `freeindex`, or where `allocBits` says so; what is free is never looked into, for
//! it is not cleared. Sweeping makes the marks of the last cycle the next `allocBits`: so of a span that is
//! swept they are the marks, and what is taken beside them was allocated since. Numbers are dense, by
//! address: a slot's object has the number of its span's first object plus that of the taken slots before
//! it.

use std::ops::Range;

use lastgasp_inferior::{Addr, AddrRange, Memory, Part};

use crate::gap::Gap;
use crate::heap::bits::{Bits, below, word_of};
use crate::heap::mspan::{
    CHUNK, HEAP_ARENA_BYTES, IN_USE, INLINE_MARKS, Marks, PAGE_SIZE, RawSpan, SMALL_SPAN_MAX_ELEM, array, read_spans,
};
use crate::runtime::Runtime;

/// Bytes of a malloc header (`mallocHeaderSize`): the type in front of an object.
pub(super) const HEADER: u64 = 8;
/// Most arenas of which every page is looked up at once, 128 GiB of addresses: 64 MiB of tables. What lies
/// further is searched for.
const MAX_PAGED_ARENAS: usize = 2048;
/// Most slots of all spans together, 130 GB of them in the heaps that were seen: the lists of them have
/// 512 MiB then.
const MAX_SLOTS: usize = 1 << 31;
/// Spans that are kept before they are looked through for some that are there twice.
const MIN_ROOM: usize = 1 << 16;
/// Pages of an arena.
const ARENA_PAGES: usize = (HEAP_ARENA_BYTES / PAGE_SIZE) as usize;
/// `tinySpanClass`: slots of 16 bytes that several objects without pointers share.
const TINY_CLASS: u8 = 5;

/// What the last finished mark says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Found alive.
    Marked,
    /// Allocated since.
    New,
    /// Found dead, and not swept yet.
    Garbage,
}

/// Where it is said which words of a span's objects are pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerMap {
    /// No object of it holds any.
    None,
    /// In the arena's bitmap (up to Go 1.21).
    Arena,
    /// In bits so many bytes from the span's start on (objects of up to 512 bytes).
    InSpan(u64),
    /// In the type that the first word of each object names; the object begins behind it.
    Header,
    /// In the type that the span names; null while the object is in the making.
    Type(Addr),
    /// In a form that is not read (`GOEXPERIMENT=noallocheaders`).
    Unread,
}

/// A span with objects.
#[derive(Clone, Debug)]
pub struct ObjectSpan {
    /// Its first byte.
    pub start: Addr,
    /// Bytes of its pages.
    pub bytes: u64,
    /// Bytes of one slot.
    pub elem_size: u64,
    /// Where the pointers of its objects are said to be.
    pub map: PointerMap,
    /// Slots, taken or free.
    pub slots: u32,
    /// Slots that are taken.
    pub objects: u32,
    /// Number of its first object.
    pub first: u32,
    /// Its slots in the bit lists: the first word.
    word: u32,
    /// `spanclass`: number of the size class, and whether there are no pointers.
    class: u8,
    swept: bool,
    /// Whether it is one chunk of a user arena: then its only "object" is all of it.
    pub user_arena: bool,
    /// The first of what is noted of its objects beside them; null where nothing is.
    pub specials: Addr,
}

impl ObjectSpan {
    /// Whether its objects hold no pointers.
    #[must_use]
    pub fn noscan(&self) -> bool {
        self.class & 1 == 1
    }

    /// Whether it holds one object over 32 KiB.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.class >> 1 == 0
    }

    /// Whether several tiny objects without pointers may share a slot.
    #[must_use]
    pub fn is_tiny(&self) -> bool {
        self.class == TINY_CLASS
    }

    /// Its addresses.
    #[must_use]
    pub fn range(&self) -> AddrRange {
        AddrRange::sized(self.start, self.bytes)
    }

    /// Bytes at a slot's start that are the runtime's own.
    #[must_use]
    pub fn header(&self) -> u64 {
        if self.map == PointerMap::Header { HEADER } else { 0 }
    }

    fn words(&self) -> usize {
        self.slots.div_ceil(64) as usize
    }
}

/// An object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its number.
    pub number: u32,
    /// Its span: an index into [`HeapObjects::spans`].
    pub span: usize,
    /// Its slot.
    pub slot: u32,
    /// First byte of its slot; a header stands there, where the span says so.
    pub start: Addr,
    /// Bytes of its slot.
    pub size: u64,
    /// What the last finished mark says of it.
    pub mark: Mark,
}

/// The objects of a heap.
#[derive(Clone, Debug, Default)]
pub struct HeapObjects {
    spans: Vec<ObjectSpan>,
    taken: Vec<u64>,
    marked: Vec<u64>,
    /// Number of an arena, and of each of its pages the span plus 1; by number.
    pages: Vec<(u64, Box<[u32]>)>,
    objects: u32,
}

impl HeapObjects {
    /// Finds them. Of a target that runs each span is right by itself, and all of them are of no single
    /// moment. `None` where the span table cannot be read.
    pub fn read(rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> Option<Self> {
        let (at, len, sweepgen) = array(rt, mem).map_err(|e| gaps.push(Gap::new("heap objects", e))).ok()?;
        let (mut raw, mut lost, mut room) = (Vec::new(), 0usize, MIN_ROOM);
        for first in (0..len).step_by(CHUNK) {
            let n = CHUNK.min((len - first) as usize);
            let Ok(words) = mem.bytes(at.plus(first * 8), n * 8, CHUNK * 8) else {
                lost += n;
                continue;
            };
            let (spans, unread) = read_spans(rt, mem, &words);
            lost += unread;
            for span in spans.into_iter().filter(|s| s.state == IN_USE) {
                if is_sane(&span) { raw.push(span) } else { lost += 1 }
            }
            // A list that names the same spans over and over takes no more room than they do.
            if raw.len() > room {
                lost += sort(&mut raw);
                room = MIN_ROOM.max(raw.len() * 2);
            }
        }
        lost += sort(&mut raw);
        let mut found = Self::default();
        let (mut unmarked, mut torn) = (0, 0);
        for chunk in raw.chunks(CHUNK) {
            let added = found.add(rt, mem, chunk, sweepgen);
            unmarked += added.unread;
            torn += added.torn;
            lost += added.left_out;
        }
        if lost > 0 {
            gaps.push(Gap::new("heap objects", format!("{lost} of {len} spans could not be read")));
        }
        if unmarked > 0 {
            let why = format!("which slots of {unmarked} spans are taken could not be read: their objects are missing");
            gaps.push(Gap::new("heap objects", why));
        }
        if torn > 0 {
            let why = format!("{torn} spans say another number of objects than their slots: they were being changed");
            gaps.push(Gap::new("heap objects", why));
        }
        found.index_pages();
        Some(found)
    }

    fn add(&mut self, rt: &Runtime, mem: &dyn Memory, spans: &[RawSpan], sweepgen: u32) -> Added {
        let marks = Marks::of(rt);
        let mut lists = Lists::default();
        let mut added = Added::default();
        let places: Vec<_> = spans
            .iter()
            .map(|s| {
                let swept = !s.is_unswept(sweepgen);
                let len = s.nelems.div_ceil(8) as usize;
                // A list that says nothing is not asked for.
                let taken = (swept || s.free_index < s.nelems).then(|| lists.want(s.alloc_bits, len));
                let (at, len) = s.marks(marks);
                (swept, taken, (!swept).then(|| lists.want(at, len)))
            })
            .collect();
        lists.read(mem);
        for (s, (swept, taken, marked)) in spans.iter().zip(places) {
            let (Some(taken), Some(marked)) = (lists.of(taken), lists.of(marked)) else {
                added.unread += 1;
                continue;
            };
            let words = s.nelems.div_ceil(64) as usize;
            let (Ok(slots), Ok(first_word)) = (u32::try_from(s.nelems), u32::try_from(self.taken.len())) else {
                added.left_out += 1;
                continue;
            };
            if self.taken.len() + words > MAX_SLOTS / 64 {
                added.left_out += 1;
                continue;
            }
            let mut objects = 0u32;
            for i in 0..words {
                let bits = word_of(taken, i);
                let taken = (below(s.free_index, i) | bits) & below(s.nelems, i);
                let marks = if swept { bits } else { word_of(marked, i) };
                objects += taken.count_ones();
                self.taken.push(taken);
                self.marked.push(marks & taken);
            }
            let Some(end) = self.objects.checked_add(objects) else {
                self.taken.truncate(first_word as usize);
                self.marked.truncate(first_word as usize);
                added.left_out += 1;
                continue;
            };
            added.torn += usize::from(u64::from(objects) != s.alloc_count);
            self.spans.push(ObjectSpan {
                start: s.start,
                bytes: s.bytes(),
                elem_size: s.elem_size,
                map: pointer_map(rt, s, marks),
                slots,
                objects,
                first: self.objects,
                word: first_word,
                class: s.class,
                swept,
                user_arena: s.user_arena,
                specials: s.specials,
            });
            self.objects = end;
        }
        added
    }

    /// Of every page the span, for [`HeapObjects::find`].
    fn index_pages(&mut self) {
        for (i, s) in self.spans.iter().enumerate() {
            let Ok(number) = u32::try_from(i + 1) else { return };
            let mut page = s.start.0 / PAGE_SIZE;
            let end = (s.range().end.0).div_ceil(PAGE_SIZE);
            while page < end {
                let arena = page / ARENA_PAGES as u64;
                if self.pages.last().is_none_or(|(n, _)| *n != arena) {
                    if self.pages.len() == MAX_PAGED_ARENAS {
                        return;
                    }
                    self.pages.push((arena, vec![0; ARENA_PAGES].into_boxed_slice()));
                }
                let Some((_, table)) = self.pages.last_mut() else { return };
                let from = (page % ARENA_PAGES as u64) as usize;
                let to = ((end - page) as usize).saturating_add(from).min(ARENA_PAGES);
                table.get_mut(from..to).unwrap_or_default().fill(number);
                page += (to - from) as u64;
            }
        }
    }

    /// Whether the last finished mark found the object in a slot dead, and it is not swept yet: what it
    /// points to may be gone, and something else in its place.
    #[must_use]
    pub fn is_garbage(&self, span: usize, slot: u32) -> bool {
        self.spans.get(span).is_some_and(|s| {
            let word = self.marked.get(s.word as usize + slot as usize / 64).copied().unwrap_or(0);
            !s.swept && word >> (slot % 64) & 1 == 0
        })
    }

    /// Number of all objects.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.objects
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects == 0
    }

    /// Bytes of all their slots.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.spans.iter().map(|s| s.elem_size.saturating_mul(u64::from(s.objects))).fold(0, u64::saturating_add)
    }

    /// The spans, by address.
    #[must_use]
    pub fn spans(&self) -> &[ObjectSpan] {
        &self.spans
    }

    /// Bytes of spans with pointers in which an object stands: what reading the heap's pointers reads.
    #[must_use]
    pub fn bytes_with_pointers(&self) -> u64 {
        let scanned = self.spans.iter().filter(|s| s.map != PointerMap::None && s.objects > 0);
        scanned.map(|s| s.bytes).fold(0, u64::saturating_add)
    }

    /// The object in which an address lies, be it its first byte or any other; none for what lies in a free
    /// slot or in no span.
    #[must_use]
    pub fn find(&self, at: Addr) -> Option<Object> {
        let index = self.span_at(at)?;
        let s = self.spans.get(index)?;
        let offset = at.0.checked_sub(s.start.0)?;
        let slot = match (u32::try_from(offset), u32::try_from(s.elem_size)) {
            (Ok(offset), Ok(size)) => offset / size.max(1),
            _ => u32::try_from(offset / s.elem_size.max(1)).ok()?,
        };
        self.at_slot(index, slot)
    }

    /// Number of the object in which an address lies: as [`HeapObjects::find`].
    #[must_use]
    pub fn number_of(&self, at: Addr) -> Option<u32> {
        self.find(at).map(|o| o.number)
    }

    /// The object with a number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Object> {
        let index = self.spans.partition_point(|s| s.first <= number).checked_sub(1)?;
        let s = self.spans.get(index)?;
        let mut left = number - s.first;
        for (i, word) in self.taken_words(s).iter().enumerate() {
            let n = word.count_ones();
            if left < n {
                let mut word = *word;
                for _ in 0..left {
                    word &= word - 1;
                }
                return self.at_slot(index, i as u32 * 64 + word.trailing_zeros());
            }
            left -= n;
        }
        None
    }

    /// All of them, by address.
    pub fn iter(&self) -> impl Iterator<Item = Object> + '_ {
        self.spans.iter().enumerate().flat_map(move |(index, s)| {
            self.slots(s).zip(s.first..).map(move |(slot, number)| self.object(index, s, slot, number))
        })
    }

    /// A bit for each slot of a span, the lowest first: whether it is taken.
    pub fn taken(&self, span: usize) -> impl Iterator<Item = u8> + '_ {
        let span = self.spans.get(span);
        let words = span.map_or(&[][..], |s| self.taken_words(s));
        words.iter().flat_map(|w| w.to_le_bytes()).take(span.map_or(0, |s| s.slots.div_ceil(8) as usize))
    }

    /// The taken slots of a span, in order.
    pub(super) fn slots<'a>(&'a self, s: &ObjectSpan) -> impl Iterator<Item = u32> + use<'a> {
        self.taken_words(s).iter().zip(0u32..).flat_map(|(word, i)| Bits(*word).map(move |bit| i * 64 + bit))
    }

    fn taken_words(&self, s: &ObjectSpan) -> &[u64] {
        let from = s.word as usize;
        self.taken.get(from..from + s.words()).unwrap_or_default()
    }

    fn at_slot(&self, index: usize, slot: u32) -> Option<Object> {
        let s = self.spans.get(index)?;
        let words = self.taken_words(s);
        let (i, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        if words.get(i)? & bit == 0 {
            return None;
        }
        let before: u32 = words.iter().take(i).map(|w| w.count_ones()).sum();
        let within = (words.get(i)? & (bit - 1)).count_ones();
        Some(self.object(index, s, slot, s.first + before + within))
    }

    fn object(&self, span: usize, s: &ObjectSpan, slot: u32, number: u32) -> Object {
        let word = self.marked.get(s.word as usize + slot as usize / 64).copied().unwrap_or(0);
        let mark = match word >> (slot % 64) & 1 {
            1 => Mark::Marked,
            _ if s.swept => Mark::New,
            _ => Mark::Garbage,
        };
        let start = s.start.plus(s.elem_size.saturating_mul(u64::from(slot)));
        Object { number, span, slot, start, size: s.elem_size, mark }
    }

    /// Index of the span in which an address lies.
    fn span_at(&self, at: Addr) -> Option<usize> {
        let arena = at.0 / HEAP_ARENA_BYTES;
        if let Ok(i) = self.pages.binary_search_by_key(&arena, |(n, _)| *n) {
            let (_, table) = self.pages.get(i)?;
            return (*table.get((at.0 % HEAP_ARENA_BYTES / PAGE_SIZE) as usize)? as usize).checked_sub(1);
        }
        if self.pages.len() < MAX_PAGED_ARENAS {
            return None;
        }
        let index = self.spans.partition_point(|s| s.start <= at).checked_sub(1)?;
        self.spans.get(index)?.range().contains(at).then_some(index)
    }

    /// Spans with pointers and objects among those of a range of indices.
    pub(super) fn scanned(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &ObjectSpan)> {
        let spans = self.spans.get(range.start..range.end.min(self.spans.len())).unwrap_or_default();
        (range.start..).zip(spans).filter(|(_, s)| s.map != PointerMap::None && s.objects > 0)
    }
}

/// What came of adding spans.
#[derive(Default)]
struct Added {
    /// Spans whose slots could not be read.
    unread: usize,
    /// Spans with another number of objects than they say.
    torn: usize,
    /// Spans for whose objects there are no numbers left.
    left_out: usize,
}

/// Sorts spans by address; gives how many were left out. Of two in one place one was being changed, or both
/// are garbage.
fn sort(spans: &mut Vec<RawSpan>) -> usize {
    let before = spans.len();
    spans.sort_by_key(|s| s.start);
    let mut end = 0;
    spans.retain(|s| {
        let apart = s.start.0 >= end;
        end = end.max(s.range().end.0);
        apart
    });
    before - spans.len()
}

/// What else must be so of a span whose slots are to be looked into: its slots lie in it, and it is in the
/// runtime's pages.
fn is_sane(s: &RawSpan) -> bool {
    s.is_sane()
        && s.start.0 > 0
        && s.start.0.is_multiple_of(PAGE_SIZE)
        && s.start.0.checked_add(s.bytes()).is_some_and(|end| end < 1 << 57)
        && s.elem_size.is_multiple_of(8)
        && s.nelems.checked_mul(s.elem_size).is_some_and(|n| n <= s.bytes())
        && (!s.is_large() || s.nelems <= 1)
}

/// See [`PointerMap`].
fn pointer_map(rt: &Runtime, s: &RawSpan, marks: Marks) -> PointerMap {
    if s.class & 1 == 1 {
        PointerMap::None
    } else if rt.layout.heap_arena.bitmap.is_some() {
        PointerMap::Arena
    } else if rt.version.experiments().any(|e| e == "noallocheaders") {
        PointerMap::Unread
    } else if s.is_large() {
        PointerMap::Type(s.large_type)
    } else if s.elem_size <= SMALL_SPAN_MAX_ELEM {
        // A bit a word, at the end of the span; with Green Tea its marks stand behind them.
        let inline = if s.has_inline_marks(marks) { INLINE_MARKS } else { 0 };
        PointerMap::InSpan(s.bytes() - s.bytes() / 64 - inline)
    } else {
        PointerMap::Header
    }
}

/// Lists of bits that are read together.
#[derive(Default)]
struct Lists {
    places: Vec<(Addr, usize)>,
    buffer: Vec<u8>,
    /// Where each begins, and whether it was read.
    got: Vec<(usize, bool)>,
}

impl Lists {
    fn want(&mut self, at: Addr, len: usize) -> usize {
        self.places.push((at, len));
        self.places.len() - 1
    }

    fn read(&mut self, mem: &dyn Memory) {
        self.buffer = vec![0; self.places.iter().map(|(_, len)| len).sum()];
        let mut rest = self.buffer.as_mut_slice();
        let mut parts = Vec::with_capacity(self.places.len());
        for (addr, len) in &self.places {
            let (buf, tail) = rest.split_at_mut((*len).min(rest.len()));
            parts.push(Part { addr: *addr, buf, ok: false });
            rest = tail;
        }
        mem.read_parts(&mut parts);
        let mut at = 0;
        for part in &parts {
            self.got.push((at, part.ok));
            at += part.buf.len();
        }
    }

    /// The bytes of a list; empty where none was wanted, `None` where it could not be read.
    fn of(&self, wanted: Option<usize>) -> Option<&[u8]> {
        let Some(wanted) = wanted else { return Some(&[]) };
        let (at, ok) = *self.got.get(wanted)?;
        let (_, len) = *self.places.get(wanted)?;
        ok.then(|| self.buffer.get(at..at + len)).flatten()
    }
}
